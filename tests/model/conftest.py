"""Toy models, and their weights in the formats of others, written out independently of ours."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from pg_transfer.model.config import LanguageConfig, PaliGemmaConfig, VisionConfig
from pg_transfer.model.paligemma import PaliGemma

torch.set_num_threads(1)

GEMMA_1 = PaliGemmaConfig(
    vision=VisionConfig(width=48, depth=2, heads=4, mlp=96, resolution=56),
    language=LanguageConfig(
        width=64, depth=3, mlp=160, heads=4, kv_heads=1, head_width=32,
        query_scale=32**-0.5, vocabulary=512,
    ),
)  # fmt: skip
GEMMA_2 = replace(
    GEMMA_1,
    language=replace(GEMMA_1.language, kv_heads=2, attention_softcap=50.0, post_norms=True),
)
TOYS = {1: GEMMA_1, 2: GEMMA_2}
"""The sizes of the recorded toy checkpoints."""


@pytest.fixture(params=TOYS, ids=lambda generation: f"gemma{generation}")
def toy(request: pytest.FixtureRequest) -> PaliGemmaConfig:
    """Both toy models, one after the other."""
    return TOYS[request.param]


@pytest.fixture(scope="session")
def toys() -> dict[int, PaliGemmaConfig]:
    """The toy models by Gemma's generation."""
    return TOYS


@pytest.fixture(scope="session")
def random_model() -> Callable[..., PaliGemma]:
    """Build a model in which no two values are alike, norms included."""

    def build(config: PaliGemmaConfig, seed: int = 0) -> PaliGemma:
        generator = torch.Generator().manual_seed(seed)
        model = PaliGemma(config)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.normal_(std=0.1, generator=generator)
        return model

    return build


@pytest.fixture(scope="session")
def as_big_vision() -> Callable[[PaliGemma], dict[str, np.ndarray]]:
    """Write a model's weights as big_vision does, after the shapes of its sources."""
    return _as_big_vision


def _as_big_vision(model: PaliGemma) -> dict[str, np.ndarray]:
    ours = {name: value.detach().float().numpy() for name, value in model.state_dict().items()}
    arrays = (
        _vision_ends(ours)
        | _vision_blocks(ours, model.config.vision)
        | _language(ours, model.config.language)
    )
    # np.save writes the array as it lies in memory: a view turned around would go out as Fortran.
    return {f"params/{key}": np.ascontiguousarray(value) for key, value in arrays.items()}


def _vision_ends(ours: Mapping[str, np.ndarray]) -> dict[str, Any]:
    tower, projector = "model.vision_tower.", "model.multi_modal_projector.linear."
    patch = ours[f"{tower}embeddings.patch_embedding.weight"]
    return {
        "img/embedding/kernel": patch.transpose(2, 3, 1, 0),
        "img/embedding/bias": ours[f"{tower}embeddings.patch_embedding.bias"],
        "img/pos_embedding": ours[f"{tower}embeddings.position_embedding.weight"][None],
        "img/Transformer/encoder_norm/scale": ours[f"{tower}post_layernorm.weight"],
        "img/Transformer/encoder_norm/bias": ours[f"{tower}post_layernorm.bias"],
        "img/head/kernel": ours[f"{projector}weight"].T,
        "img/head/bias": ours[f"{projector}bias"],
    }


def _vision_blocks(ours: Mapping[str, np.ndarray], config: VisionConfig) -> dict[str, Any]:
    width, heads = config.width, config.heads
    blocks = [f"model.vision_tower.encoder.layers.{i}." for i in range(config.depth)]
    arrays = {}
    for theirs, name in (("LayerNorm_0", "layer_norm1"), ("LayerNorm_1", "layer_norm2")):
        arrays[f"{theirs}/scale"] = [ours[f"{b}{name}.weight"] for b in blocks]
        arrays[f"{theirs}/bias"] = [ours[f"{b}{name}.bias"] for b in blocks]
    for theirs, name in (("Dense_0", "fc1"), ("Dense_1", "fc2")):
        arrays[f"MlpBlock_0/{theirs}/kernel"] = [ours[f"{b}mlp.{name}.weight"].T for b in blocks]
        arrays[f"MlpBlock_0/{theirs}/bias"] = [ours[f"{b}mlp.{name}.bias"] for b in blocks]
    attention = "MultiHeadDotProductAttention_0"
    for theirs, name in (("query", "q_proj"), ("key", "k_proj"), ("value", "v_proj")):
        arrays[f"{attention}/{theirs}/kernel"] = [
            ours[f"{b}self_attn.{name}.weight"].T.reshape(width, heads, -1) for b in blocks
        ]
        arrays[f"{attention}/{theirs}/bias"] = [
            ours[f"{b}self_attn.{name}.bias"].reshape(heads, -1) for b in blocks
        ]
    arrays[f"{attention}/out/kernel"] = [
        ours[f"{b}self_attn.out_proj.weight"].T.reshape(heads, -1, width) for b in blocks
    ]
    arrays[f"{attention}/out/bias"] = [ours[f"{b}self_attn.out_proj.bias"] for b in blocks]
    return {f"img/Transformer/encoderblock/{key}": value for key, value in arrays.items()}


def _language(ours: Mapping[str, np.ndarray], config: LanguageConfig) -> dict[str, Any]:
    layers = [f"model.language_model.layers.{i}." for i in range(config.depth)]

    def per_head(name: str, heads: int) -> list[np.ndarray]:  # [heads, D, H] of every layer
        shape = (heads, config.head_width, config.width)
        return [ours[f"{i}self_attn.{name}.weight"].reshape(shape).swapaxes(1, 2) for i in layers]

    def pairs(first: list[np.ndarray], second: list[np.ndarray]) -> list[np.ndarray]:
        return [np.stack(pair) for pair in zip(first, second, strict=True)]

    norms = {"pre_attention_norm": "input_layernorm", "pre_ffw_norm": "post_attention_layernorm"}
    if config.post_norms:
        norms = {
            "pre_attention_norm": "input_layernorm",
            "post_attention_norm": "post_attention_layernorm",
            "pre_ffw_norm": "pre_feedforward_layernorm",
            "post_ffw_norm": "post_feedforward_layernorm",
        }
    arrays = {
        f"{theirs}/scale": [ours[f"{i}{name}.weight"] for i in layers]
        for theirs, name in norms.items()
    }
    arrays["attn/q_einsum/w"] = per_head("q_proj", config.heads)
    arrays["attn/kv_einsum/w"] = pairs(
        per_head("k_proj", config.kv_heads), per_head("v_proj", config.kv_heads)
    )
    arrays["attn/attn_vec_einsum/w"] = [
        ours[f"{i}self_attn.o_proj.weight"].T.reshape(config.heads, config.head_width, -1)
        for i in layers
    ]
    arrays["mlp/gating_einsum"] = pairs(
        [ours[f"{i}mlp.gate_proj.weight"].T for i in layers],
        [ours[f"{i}mlp.up_proj.weight"].T for i in layers],
    )
    arrays["mlp/linear"] = [ours[f"{i}mlp.down_proj.weight"].T for i in layers]
    return {f"llm/layers/{key}": value for key, value in arrays.items()} | {
        "llm/embedder/input_embedding": ours["model.language_model.embed_tokens.weight"],
        "llm/final_norm/scale": ours["model.language_model.norm.weight"],
    }


@pytest.fixture(scope="session")
def transformers_model() -> Callable[[PaliGemmaConfig], Any]:
    """Build transformers' model of the same numbers, from random weights."""
    transformers = pytest.importorskip("transformers")
    return lambda config: _transformers_model(transformers, config)


def _transformers_model(transformers: Any, config: PaliGemmaConfig) -> Any:
    vision, language = config.vision, config.language
    # Room for <image>, rounded up to a multiple of 64, as in the released folders.
    rows = (language.vocabulary // 64 + 1) * 64
    gemma_2 = {
        "query_pre_attn_scalar": round(language.query_scale**-2),
        "attn_logit_softcapping": language.attention_softcap,
        "final_logit_softcapping": None,
    }
    theirs = transformers.PaliGemmaConfig(
        text_config={
            "model_type": "gemma2" if language.post_norms else "gemma",
            "hidden_size": language.width,
            "intermediate_size": language.mlp,
            "num_hidden_layers": language.depth,
            "num_attention_heads": language.heads,
            "num_key_value_heads": language.kv_heads,
            "head_dim": language.head_width,
            "vocab_size": rows,
            **(gemma_2 if language.post_norms else {}),
        },
        vision_config={
            "model_type": "siglip_vision_model",
            "hidden_size": vision.width,
            "intermediate_size": vision.mlp,
            "num_hidden_layers": vision.depth,
            "num_attention_heads": vision.heads,
            "patch_size": vision.patch,
            "image_size": vision.resolution,
            "vision_use_head": False,
        },
        projection_dim=language.width,
        image_token_index=language.vocabulary,
        attn_implementation="eager",
    )
    torch.manual_seed(0)
    model = transformers.PaliGemmaForConditionalGeneration(theirs).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.1)
    return model
