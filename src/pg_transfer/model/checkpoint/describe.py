"""Which model a checkpoint holds, from its config.json and the shapes of its arrays."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from pg_transfer.model.checkpoint.big_vision import key_of
from pg_transfer.model.checkpoint.fit import Shape
from pg_transfer.model.checkpoint.hugging_face import by_our_names
from pg_transfer.model.checkpoint.hugging_face_config import (
    CONFIG,
    MISSING,
    differences,
    look_up,
    read_config,
)
from pg_transfer.model.checkpoint.kinds import PALIGEMMA
from pg_transfer.model.checkpoint.load import require_checkpoint
from pg_transfer.model.checkpoint.names import (
    EMBEDDING,
    LANGUAGE,
    POSITIONS,
    STACKED,
    VISION,
    big_vision_rows,
    padded_rows,
)
from pg_transfer.model.checkpoint.npz import Archive
from pg_transfer.model.config import (
    SIZES,
    VOCABULARY,
    LanguageConfig,
    PaliGemmaConfig,
    VisionConfig,
)

SOFTCAP = 50.0
"""Of Gemma 2's attention, in all of its sizes."""


@dataclass(frozen=True, slots=True)
class Description:
    """What is known of a checkpoint before its values are read.

    Attributes:
        config: the numbers of the model, its own resolution among them.
        dtype: of the weights: bfloat16 if all are, else float32.
    """

    config: PaliGemmaConfig
    dtype: torch.dtype


def describe(source: Path) -> Description:
    """The model that `source` holds; no values are read.

    Args:
        source: big_vision's `.npz` file, or a folder in Hugging Face's format.

    Raises:
        FileNotFoundError: there is nothing, or a file of the folder is missing.
        ValueError: it is damaged, no PaliGemma, or of a size that cannot be made out.
    """
    return _of_archive(source) if require_checkpoint(source) else _of_folder(source)


def _of_archive(path: Path) -> Description:
    with Archive(path) as archive:
        headers = archive.headers()
    shapes = {key: header.shape for key, header in headers.items()}
    # The keys of any model are those of the first; what they are called does not depend on sizes.
    keys = {row.key: key_of(row, shapes) for row in big_vision_rows(SIZES["paligemma_3b"])}
    lone = f"{keys['img/pos_embedding'].removesuffix('pos_embedding')}Transformer/encoderblock_"

    def shape(key: str, axes: int) -> Shape:
        found = shapes.get(keys[key])
        if found is None and key.startswith(STACKED):
            found = shapes.get(lone + key.replace(STACKED, "0/"))
            depth = len({name[len(lone) :].split("/")[0] for name in shapes if lone in name})
            found = None if found is None else (depth, *found)
        if found is None or len(found) != axes:
            raise ValueError(
                f"{path} is no checkpoint of a PaliGemma: {keys[key]} is "
                f"{found or 'missing'}; it has {', '.join(list(shapes)[:5]) or 'nothing'}"
            )
        return found

    patch, _, _, width = shape("img/embedding/kernel", 4)
    depth, _, heads, _ = shape(f"{STACKED}MultiHeadDotProductAttention_0/query/kernel", 4)
    layers, query_heads, language_width, head_width = shape("llm/layers/attn/q_einsum/w", 4)
    config = PaliGemmaConfig(
        vision=VisionConfig(
            width=width, depth=depth, heads=heads, patch=patch,
            mlp=shape(f"{STACKED}MlpBlock_0/Dense_0/kernel", 3)[2],
            resolution=_side(shape("img/pos_embedding", 3)[1], patch, path),
        ),
        language=LanguageConfig(
            width=language_width, depth=layers, heads=query_heads, head_width=head_width,
            mlp=shape("llm/layers/mlp/linear", 3)[1],
            kv_heads=shape("llm/layers/attn/kv_einsum/w", 5)[2],
            vocabulary=shape("llm/embedder/input_embedding", 2)[0],
            query_scale=head_width**-0.5,
            **_gemma_2(any("post_ffw_norm" in key for key in shapes)),
        ),
    )  # fmt: skip
    for known in SIZES.values():
        same = replace(known.language, query_scale=config.language.query_scale)
        if _sizes(known) == _sizes(config) and same == config.language:
            config = replace(config, language=known.language)
    return Description(config, _dtype(header.dtype for header in headers.values()))


def _of_folder(folder: Path) -> Description:
    content = read_config(folder, PALIGEMMA) or {}
    stored = by_our_names(folder)
    shapes = {name: tensor.shape for name, tensor in stored.items()}
    for known in SIZES.values():
        if differences(content, known) or not _fits(known, shapes):
            continue
        config = known
        break
    else:
        config = _unreleased(folder, content, shapes)
    resolution = _side(_shape(POSITIONS, shapes, folder)[0], config.vision.patch, folder)
    softcap = look_up(content, "text_config.final_logit_softcapping")
    is_capped = config.language.post_norms and softcap is not MISSING
    config = PaliGemmaConfig(
        vision=replace(config.vision, resolution=resolution),
        language=replace(
            config.language,
            vocabulary=_vocabulary(folder, content, _shape(EMBEDDING, shapes, folder)[0]),
            final_softcap=softcap if is_capped else None,
        ),
    )
    return Description(config, _dtype(tensor.dtype for tensor in stored.values()))


def _fits(known: PaliGemmaConfig, shapes: Mapping[str, Shape]) -> bool:
    """Whether the tensors have the shapes of that size, as far as one is told from another."""
    language = known.language
    block = f"{LANGUAGE}layers.{language.depth - 1}."
    return (
        f"{LANGUAGE}layers.{language.depth}.input_layernorm.weight" not in shapes
        and shapes.get(f"{block}mlp.down_proj.weight") == (language.width, language.mlp)
        and shapes.get(f"{block}self_attn.k_proj.weight")
        == (language.kv_heads * language.head_width, language.width)
        and shapes.get(f"{VISION}encoder.layers.{known.vision.depth - 1}.mlp.fc1.weight")
        == (known.vision.mlp, known.vision.width)
    )


def _unreleased(
    folder: Path, content: dict[str, Any], shapes: Mapping[str, Shape]
) -> PaliGemmaConfig:
    """The numbers of a model of a size of its own; shapes do not tell how many heads there are."""

    def stated(field: str) -> Any:
        value = look_up(content, field)
        if value is MISSING:
            raise ValueError(
                f"{folder} holds none of {', '.join(SIZES)}, and there is no {field} in its "
                f"{CONFIG} to tell what it is"
            )
        if type(value) not in (int, float) or not 0 < value < math.inf:
            raise ValueError(f"{folder / CONFIG}: {field} is {value!r:.40}, no number above 0")
        return value

    def heads_of(field: str, width: int) -> int:
        heads = stated(field)
        if type(heads) is not int or width % heads:
            raise ValueError(
                f"{folder / CONFIG}: {field} is {heads}, and the weights are {width} wide, which "
                f"is no whole number for each"
            )
        return heads

    def count(prefix: str) -> int:
        return len({n.removeprefix(prefix).split(".")[0] for n in shapes if n.startswith(prefix)})

    block = f"{LANGUAGE}layers.0."
    width, query = reversed(_shape(f"{block}self_attn.q_proj.weight", shapes, folder))
    heads = heads_of("text_config.num_attention_heads", query)
    head_width = query // heads
    is_gemma_2 = f"{block}post_feedforward_layernorm.weight" in shapes
    scalar = stated("text_config.query_pre_attn_scalar") if is_gemma_2 else head_width
    language = LanguageConfig(
        width=width, heads=heads, head_width=head_width, query_scale=scalar**-0.5,
        depth=count(f"{LANGUAGE}layers."),
        mlp=_shape(f"{block}mlp.up_proj.weight", shapes, folder)[0],
        kv_heads=_shape(f"{block}self_attn.k_proj.weight", shapes, folder)[0] // head_width,
        **_gemma_2(is_gemma_2),
    )  # fmt: skip
    patch = f"{VISION}embeddings.patch_embedding.weight"
    mlp, vision_width = _shape(f"{VISION}encoder.layers.0.mlp.fc1.weight", shapes, folder)
    vision = VisionConfig(
        width=vision_width,
        depth=count(f"{VISION}encoder.layers."),
        heads=heads_of("vision_config.num_attention_heads", vision_width),
        mlp=mlp,
        patch=_shape(patch, shapes, folder)[-1],
    )
    config = PaliGemmaConfig(vision=vision, language=language)
    if different := differences(content, config):
        raise ValueError(
            f"{folder / CONFIG} and the tensors beside it are of different models: "
            f"{'; '.join(different)}"
        )
    return config


def _gemma_2(post_norms: bool) -> dict[str, Any]:
    return {"post_norms": True, "attention_softcap": SOFTCAP} if post_norms else {}


def _sizes(config: PaliGemmaConfig) -> tuple[VisionConfig, int]:
    return replace(config.vision, resolution=config.vision.patch), config.language.vocabulary


def _shape(name: str, shapes: Mapping[str, Shape], folder: Path) -> Shape:
    if name not in shapes:
        raise ValueError(f"{folder} is not all of a PaliGemma: it has no {name}")
    return shapes[name]


def _vocabulary(folder: Path, content: dict[str, Any], rows: int) -> int:
    """How many tokens the table is for; `<image>` is the first that no text holds."""
    image = content.get("image_token_index", content.get("image_token_id", VOCABULARY))
    for vocabulary in (image if type(image) is int else 0, VOCABULARY):
        if rows in (vocabulary, padded_rows(vocabulary)):
            return vocabulary
    raise ValueError(
        f"{folder} has a table of {rows} rows, and image_token_index is {image}: a PaliGemma has "
        f"{VOCABULARY} rows, or {padded_rows(VOCABULARY)} with room for <image>"
    )


def _side(image_tokens: int, patch: int, source: Path) -> int:
    side = math.isqrt(image_tokens)
    if side**2 != image_tokens:
        raise ValueError(f"{source} has {image_tokens} positions, which form no square")
    return side * patch


def _dtype(stored: Iterable[torch.dtype]) -> torch.dtype:
    # float16 cannot hold what happens inside Gemma, and float64 is more than was ever trained.
    return torch.bfloat16 if set(stored) == {torch.bfloat16} else torch.float32
