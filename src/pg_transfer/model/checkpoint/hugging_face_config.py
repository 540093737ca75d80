"""Compares the config.json of a Hugging Face folder with the model it is to fill."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from pg_transfer.model.config import PaliGemmaConfig


def read_json(path: Path) -> dict[str, Any]:
    """The object in the file at `path`.

    Raises:
        ValueError: the file is no JSON object.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not JSON, perhaps not all of it is there: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} holds a {type(content).__name__}, not a JSON object")
    return content


def require_same_model(path: Path, config: PaliGemmaConfig) -> None:
    """Check the sizes that config.json states; those it leaves out have no fixed defaults.

    Shapes alone would not tell: 8 heads of 256 fit where 16 of 128 do. `image_size` is left to
    the position embeddings, which are resampled where they differ. What a folder says of the final
    soft-cap is left aside too: the reference trains without.

    Args:
        path: the file.
        config: the numbers of the model.

    Raises:
        ValueError: it describes another model; the message names every number that differs.
    """
    content = read_json(path)
    differences = []
    for field, ours in _stated_by(config).items():
        theirs = _look_up(content, field)
        if theirs is not MISSING and not _equal(theirs, ours):
            differences.append(f"{field} is {theirs!r} there and {ours!r} in the model")
    if differences:
        raise ValueError(
            f"{path} describes another model than the one to be filled; choose its size: "
            + "; ".join(differences)
        )


MISSING = object()


def _stated_by(config: PaliGemmaConfig) -> dict[str, Any]:
    """What transformers' configuration of `config` says, by dotted field."""
    vision, language = config.vision, config.language
    return {
        "model_type": "paligemma",
        "vision_config.hidden_size": vision.width,
        "vision_config.num_hidden_layers": vision.depth,
        "vision_config.num_attention_heads": vision.heads,
        "vision_config.intermediate_size": vision.mlp,
        "vision_config.patch_size": vision.patch,
        "text_config.model_type": "gemma2" if language.post_norms else "gemma",
        "text_config.hidden_size": language.width,
        "text_config.num_hidden_layers": language.depth,
        "text_config.num_attention_heads": language.heads,
        "text_config.num_key_value_heads": language.kv_heads,
        "text_config.head_dim": language.head_width,
        "text_config.intermediate_size": language.mlp,
        "text_config.query_pre_attn_scalar": round(language.query_scale**-2, 6),
        "text_config.attn_logit_softcapping": language.attention_softcap,
    }


def _look_up(content: Any, field: str) -> Any:
    for part in field.split("."):
        if not isinstance(content, dict) or part not in content:
            return MISSING
        content = content[part]
    return content


def _equal(theirs: Any, ours: Any) -> bool:
    if isinstance(theirs, int | float) and isinstance(ours, int | float):
        return math.isclose(theirs, ours, rel_tol=1e-6)
    return theirs == ours
