"""config.json of a Hugging Face folder, read and compared with a model."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from pg_transfer.model.checkpoint.kinds import Kind
from pg_transfer.model.config import SIZES, PaliGemmaConfig

CONFIG = "config.json"


def read_json(path: Path) -> dict[str, Any]:
    """The object in the file at `path`.

    Raises:
        ValueError: the file is no JSON object.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not JSON, perhaps not all of it is there: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} holds a {type(content).__name__}, not a JSON object")
    return content


def read_config(folder: Path, kind: Kind) -> dict[str, Any] | None:
    """What the folder's config.json says, as that of a PaliGemma; None if there is none.

    Raises:
        ValueError: it is not JSON, describes a model of another kind, or quantised weights.
    """
    path = folder / CONFIG
    if not path.is_file():
        return None
    content = read_json(path)
    found = content.get("model_type")
    if found not in kind.model_types:
        raise ValueError(f"{path} describes a model of type {found!r}: {kind.needed}")
    if "quantization_config" in content:
        method = content["quantization_config"]
        method = method.get("quant_method") if isinstance(method, dict) else method
        raise ValueError(
            f"{path} describes quantised weights ({method}), which cannot be trained on; take the "
            f"version of the model in bfloat16 or float32"
        )
    # Of a SigLIP no more than the tower: it has a `text_config` as well, which is not Gemma's.
    return {kind.config: content.get(kind.config, content)} if kind.config else content


def require_same_model(content: dict[str, Any], config: PaliGemmaConfig, source: Path) -> None:
    """Check the sizes that a config.json states; those it leaves out have no fixed defaults.

    Shapes alone would not tell: 8 heads of 256 fit where 16 of 128 do. `image_size` is left to
    the position embeddings, which are resampled where they differ. What a folder says of the final
    soft-cap is left aside too: the reference trains without.

    Args:
        content: of the file.
        config: the numbers of the model.
        source: the folder, for the message.

    Raises:
        ValueError: it describes another model; the message names every number that differs.
    """
    different = differences(content, config)
    if different:
        fitting = [name for name, known in SIZES.items() if not differences(content, known)]
        hint = f"; it is a {fitting[0]}" if len(fitting) == 1 else ""
        raise ValueError(
            f"{source / CONFIG} describes another model than the one to be filled{hint}; choose "
            f"its size: {'; '.join(different)}"
        )


def differences(content: dict[str, Any], config: PaliGemmaConfig) -> list[str]:
    """In what the numbers that a config.json states differ from those of `config`."""
    found = []
    for field, ours in _stated_by(config).items():
        theirs = look_up(content, field)
        if theirs is not MISSING and not _equal(theirs, ours):
            found.append(f"{field} is {theirs!r} there and {ours!r} in the model")
    return found


MISSING = object()


def _stated_by(config: PaliGemmaConfig) -> dict[str, Any]:
    """What tells one model from another, by dotted field of config.json."""
    vision, language = config.vision, config.language
    return {
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


def look_up(content: Any, field: str) -> Any:
    """The value of a dotted field, or `MISSING`."""
    for part in field.split("."):
        if not isinstance(content, dict) or part not in content:
            return MISSING
        content = content[part]
    return content


def _equal(theirs: Any, ours: Any) -> bool:
    if isinstance(theirs, int | float) and isinstance(ours, int | float):
        return math.isclose(theirs, ours, rel_tol=1e-6)
    return theirs == ours
