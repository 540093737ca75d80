"""Reads folders in Hugging Face's format: safetensors, in one file or in shards with an index."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from pg_transfer.model.checkpoint.fit import LoadReport, Shape, require_fit
from pg_transfer.model.checkpoint.hugging_face_config import read_json, require_same_model
from pg_transfer.model.checkpoint.names import (
    EMBEDDING,
    HEAD,
    POSITIONS,
    VISION,
    from_hugging_face,
)
from pg_transfer.model.checkpoint.npz import BLOCK_BYTES
from pg_transfer.model.checkpoint.positions import is_square, resample_positions
from pg_transfer.model.config import PaliGemmaConfig

FLOAT_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}
WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"


@dataclass(frozen=True, slots=True)
class Stored:
    """Where a tensor lies and what it is."""

    key: str
    file: Path
    shape: Shape
    dtype: str

    def blocks(self) -> Iterator[tuple[int, Tensor]]:
        """Its rows, about 8 MiB at a time, each with the number of its first row."""
        row_bytes = FLOAT_BYTES[self.dtype] * math.prod(self.shape[1:])
        step = max(1, BLOCK_BYTES // row_bytes)
        for start in range(0, self.shape[0], step):
            # Opened anew for every block: the file is mapped into memory, and the pages that have
            # been read count as ours until it is closed.
            with safe_open(self.file, framework="pt") as file:
                yield start, file.get_slice(self.key)[start : start + step]


def read_hugging_face(
    parameters: Mapping[str, Tensor], config: PaliGemmaConfig, folder: Path
) -> LoadReport:
    """Fill `parameters` from the safetensors in `folder`.

    Args:
        parameters: all parameters of a model, by name; values are cast to their dtypes.
        config: the numbers of that model; a config.json in the folder must agree.
        folder: holds model.safetensors, or shards and model.safetensors.index.json.

    Raises:
        FileNotFoundError: there are no safetensors, or a shard is missing.
        ValueError: a file is damaged, or the folder holds another model than this one.
    """
    if (folder / "config.json").is_file():
        require_same_model(folder / "config.json", config)
    stored = _by_our_names(folder)
    require_fit(
        folder,
        expected={
            stored[name].key if name in stored else name: _shapes(name, parameters, stored)
            for name in (*parameters, *({HEAD} & stored.keys()))
        },
        found={tensor.key: tensor.shape for tensor in stored.values()},
    )
    resized_from = None
    for name, parameter in parameters.items():
        rows = stored[name].shape[0]
        if name == POSITIONS and rows != parameter.shape[0]:
            table = torch.cat([block for _, block in stored[name].blocks()])
            parameter.copy_(resample_positions(table, parameter.shape[0]))
            resized_from = math.isqrt(rows) * config.vision.patch
            continue
        for start, block in stored[name].blocks():
            target = parameter[start : start + len(block)]
            target.copy_(block[: len(target)])
    if HEAD in stored:
        _require_tied(stored[HEAD], parameters[EMBEDDING])
    return LoadReport("Hugging Face", tensors=len(stored), resized_from=resized_from)


def _shapes(
    name: str, parameters: Mapping[str, Tensor], stored: Mapping[str, Stored]
) -> list[Shape]:
    """The shapes in which the tensor that we call `name` may come."""
    shape = tuple(parameters[EMBEDDING if name == HEAD else name].shape)
    if name in (EMBEDDING, HEAD):
        # transformers makes room for `<image>` and one more, then for a multiple of 64; these
        # rows are drawn at random and belong to tokens that no text contains.
        return [shape, (math.ceil((shape[0] + 2) / 64) * 64, *shape[1:])]
    if name == POSITIONS and name in stored and is_square(stored[name].shape[0]):
        return [shape, (stored[name].shape[0], *shape[1:])]
    return [shape]


def _require_tied(head: Stored, embedding: Tensor) -> None:
    """Raise ValueError unless the output table is the input table."""
    for start, block in head.blocks():
        rows = embedding[start : start + len(block)]
        if not torch.equal(rows, block[: len(rows)].to(rows)):
            raise ValueError(
                f"{head.file}: {head.key} differs from the input embedding; the model has one "
                f"table for both and cannot hold weights that were trained apart"
            )


def _by_our_names(folder: Path) -> dict[str, Stored]:
    stored: dict[str, Stored] = {}
    for tensor in _tensors(folder):
        name = from_hugging_face(tensor.key)
        if name in stored:
            raise ValueError(f"{folder} holds {name} twice, as {stored[name].key} and {tensor.key}")
        stored[name] = tensor
    if not any(name.startswith(VISION) for name in stored):
        raise ValueError(
            f"{folder} has no vision tower: it looks like a text-only model (its first tensor is "
            f"{next(iter(stored), 'none')}); give a PaliGemma, e.g. google/paligemma-3b-pt-224"
        )
    return stored


def _tensors(folder: Path) -> list[Stored]:
    """All tensors of the folder; no values are read."""
    if (folder / WEIGHTS).is_file():
        return _headers(folder / WEIGHTS)
    if not (folder / INDEX).is_file():
        raise FileNotFoundError(_no_safetensors(folder))
    places = read_json(folder / INDEX).get("weight_map")
    if not isinstance(places, dict):
        raise ValueError(f"{folder / INDEX} has no weight_map, the list of what lies where")
    shards = sorted(set(places.values()))
    absent = [shard for shard in shards if not (folder / shard).is_file()]
    if absent:
        raise FileNotFoundError(
            f"{folder} lacks {len(absent)} of {len(shards)} shards named by {INDEX}: "
            f"{', '.join(absent)}; download them"
        )
    tensors = [tensor for shard in shards for tensor in _headers(folder / shard)]
    held = {tensor.key: tensor.file.name for tensor in tensors}
    wrong = [
        f"{key} (index: {places.get(key, 'nowhere')}; shards: {held.get(key, 'nowhere')})"
        for key in sorted(places.keys() | held.keys())
        if places.get(key) != held.get(key)
    ]
    if wrong:
        raise ValueError(
            f"{folder / INDEX} does not match its shards, which may be of different downloads; "
            f"{len(wrong)} tensors lie elsewhere: {'; '.join(wrong[:10])}"
        )
    return tensors


def _headers(path: Path) -> list[Stored]:
    try:
        with safe_open(path, framework="pt") as file:
            slices = {key: file.get_slice(key) for key in file.keys()}  # noqa: SIM118
            tensors = [
                Stored(key, path, tuple(part.get_shape()), part.get_dtype())
                for key, part in slices.items()
            ]
    except SafetensorError as error:
        raise ValueError(
            f"{path} ({path.stat().st_size} bytes) is no whole safetensors file: an interrupted "
            f"download, or the pointer that git leaves without git-lfs; download it again ({error})"
        ) from error
    for tensor in tensors:
        if tensor.dtype not in FLOAT_BYTES:
            raise ValueError(
                f"{path}: {tensor.key} is stored as {tensor.dtype}; quantised weights cannot be "
                f"trained on, take a version in {', '.join(FLOAT_BYTES)}"
            )
    return tensors


def _no_safetensors(folder: Path) -> str:
    names = sorted(path.name for path in folder.iterdir())
    if any(name.endswith(".bin") for name in names):
        return (
            f"{folder} holds weights as .bin files, which are pickles and may run any code when "
            f"opened; save them as safetensors with transformers' save_pretrained"
        )
    listed = ", ".join(names[:10]) or "nothing"
    return f"{folder} holds neither {WEIGHTS} nor {INDEX}; there is {listed}"
