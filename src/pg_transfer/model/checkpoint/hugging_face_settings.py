"""The settings of a Hugging Face folder, written so that nothing is left to a reader's defaults.

Those of transformers are not PaliGemma's: another `<image>`, a smaller table, a narrower MLP.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from pg_transfer.model.checkpoint.names import padded_rows
from pg_transfer.model.config import PaliGemmaConfig

POSITIONS_MOST = 8192
"""The longest sequence that Gemma was made for."""

BILINEAR = 2
"""Pillow's number of it. The weights have learnt from images that were resized like this; the hub's
folders say 3, bicubic."""


def write_settings(
    config: PaliGemmaConfig, folder: Path, dtype: torch.dtype, *, pad: int, eos: int, bos: int
) -> None:
    """Writes config.json, generation_config.json and preprocessor_config.json into `folder`.

    Args:
        config: the numbers of the model.
        folder: exists.
        dtype: in which the weights are stored.
        pad: id of the padding token, as are `eos` and `bos` of theirs.
        eos: end of sequence.
        bos: beginning of sequence.
    """
    ids = {"pad_token_id": pad, "eos_token_id": eos, "bos_token_id": bos}
    for name, content in (
        ("config.json", _model(config, dtype, ids)),
        ("generation_config.json", ids),
        ("preprocessor_config.json", _images(config)),
    ):
        text = json.dumps(content, indent=2, sort_keys=True)
        (folder / name).write_text(text + "\n", encoding="utf-8")


def _images(config: PaliGemmaConfig) -> dict[str, Any]:
    side = config.vision.resolution
    return {
        "do_convert_rgb": True,
        "do_normalize": True,
        "do_rescale": True,
        "do_resize": True,
        "image_mean": [0.5, 0.5, 0.5],
        "image_processor_type": "SiglipImageProcessor",
        "image_seq_length": config.vision.image_tokens,
        "image_std": [0.5, 0.5, 0.5],
        "processor_class": "PaliGemmaProcessor",
        "resample": BILINEAR,
        "rescale_factor": 1 / 255,
        "size": {"height": side, "width": side},
    }


def _model(config: PaliGemmaConfig, dtype: torch.dtype, ids: dict[str, int]) -> dict[str, Any]:
    vision, language = config.vision, config.language
    name = str(dtype).removeprefix("torch.")
    return {
        "architectures": ["PaliGemmaForConditionalGeneration"],
        "model_type": "paligemma",
        **ids,
        "hidden_size": language.width,
        "ignore_index": -100,
        "image_token_index": language.vocabulary,
        "projection_dim": language.width,
        "tie_word_embeddings": True,
        "torch_dtype": name,
        "vocab_size": padded_rows(language.vocabulary),
        "text_config": {
            **_language(config),
            **ids,
            "torch_dtype": name,
        },
        "vision_config": {
            "model_type": "siglip_vision_model",
            "attention_dropout": 0.0,
            "hidden_act": "gelu_pytorch_tanh",
            "hidden_size": vision.width,
            "image_size": vision.resolution,
            "intermediate_size": vision.mlp,
            "layer_norm_eps": 1e-6,
            "num_attention_heads": vision.heads,
            "num_channels": 3,
            "num_hidden_layers": vision.depth,
            "num_image_tokens": vision.image_tokens,
            "patch_size": vision.patch,
            "projection_dim": language.width,
            "torch_dtype": name,
            "vision_use_head": False,
        },
    }


def _language(config: PaliGemmaConfig) -> dict[str, Any]:
    language = config.language
    numbers = {
        "model_type": "gemma",
        "attention_bias": False,
        "attention_dropout": 0.0,
        "head_dim": language.head_width,
        "hidden_act": "gelu_pytorch_tanh",
        "hidden_activation": "gelu_pytorch_tanh",
        "hidden_size": language.width,
        "initializer_range": 0.02,
        "intermediate_size": language.mlp,
        "max_position_embeddings": POSITIONS_MOST,
        "num_attention_heads": language.heads,
        "num_hidden_layers": language.depth,
        "num_image_tokens": config.vision.image_tokens,
        "num_key_value_heads": language.kv_heads,
        "rms_norm_eps": 1e-6,
        "rope_theta": 10000.0,
        "tie_word_embeddings": True,
        "use_cache": True,
        "vocab_size": padded_rows(language.vocabulary),
    }
    if language.post_norms:
        numbers |= {
            "model_type": "gemma2",
            "attn_logit_softcapping": language.attention_softcap,
            "final_logit_softcapping": language.final_softcap,
            "query_pre_attn_scalar": round(language.query_scale**-2),
            # The reference has no sliding window. One of 4096, Gemma 2's own, would hide the first
            # image tokens of an image of 896 px in every other layer.
            "sliding_window": POSITIONS_MOST,
        }
    return numbers
