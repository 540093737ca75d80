"""Fills a model from folders in Hugging Face's format, and writes such folders' weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from pg_transfer.model.checkpoint.fit import LoadReport, Shape, kept_rows, require_fit
from pg_transfer.model.checkpoint.hugging_face_config import read_config, require_same_model
from pg_transfer.model.checkpoint.kinds import GEMMA, PALIGEMMA, Kind
from pg_transfer.model.checkpoint.names import (
    EMBEDDING,
    HEAD,
    POSITIONS,
    padded_rows,
    to_hugging_face,
)
from pg_transfer.model.checkpoint.positions import is_square, resample_positions, resized_from
from pg_transfer.model.checkpoint.safetensors_files import (
    SHARD_BYTES,
    Stored,
    tensors_in,
    write_tensors,
)
from pg_transfer.model.config import PaliGemmaConfig


def read_hugging_face(
    parameters: Mapping[str, Tensor],
    config: PaliGemmaConfig,
    folder: Path,
    kind: Kind = PALIGEMMA,
    *,
    resample: bool = False,
) -> LoadReport:
    """Fill `parameters` from the safetensors in `folder`.

    Args:
        parameters: all parameters of a model, by name; values are cast to their dtypes.
        config: the numbers of that model; a config.json in the folder must agree.
        folder: holds model.safetensors, or shards and model.safetensors.index.json.
        kind: what the folder holds; only the parameters of that kind are filled.
        resample: stretch position embeddings for another resolution.

    Raises:
        FileNotFoundError: there are no safetensors, or a shard is missing.
        ValueError: a file is damaged, or the folder holds another model than this one.
    """
    content = read_config(folder, kind)
    if content is not None:
        require_same_model(content, config, folder)
    parameters = {name: value for name, value in parameters.items() if kind.fills(name)}
    stored = by_our_names(folder, kind)
    require_fit(
        folder,
        expected={
            stored[name].key if name in stored else name: _shapes(name, parameters, stored, kind)
            for name in (*parameters, *({HEAD} & stored.keys()))
        },
        found={tensor.key: tensor.shape for tensor in stored.values()},
    )
    resized = None
    if POSITIONS in stored:
        tokens = stored[POSITIONS].shape[0]
        resized = resized_from(tokens, config.vision, folder, resample=resample)
    for name, parameter in parameters.items():
        rows = stored[name].shape[0]
        if name == POSITIONS and resized is not None:
            table = torch.cat([block for _, block in stored[name].blocks()])
            parameter.copy_(resample_positions(table, parameter.shape[0]))
            continue
        kept = parameter[: kept_rows(rows)] if name == EMBEDDING else parameter
        for start, block in stored[name].blocks():
            target = kept[start : start + len(block)]
            target.copy_(block[: len(target)])
    if HEAD in stored:
        _require_tied(stored[HEAD], parameters[EMBEDDING])
    return LoadReport(
        "Hugging Face",
        tensors=len(stored),
        resized_from=resized,
        rows=kept_rows(stored[EMBEDDING].shape[0]) if kind is GEMMA else None,
    )


def by_our_names(folder: Path, kind: Kind = PALIGEMMA) -> dict[str, Stored]:
    """The tensors of `folder`, without those that `kind` leaves out; no values are read.

    Raises:
        FileNotFoundError: there are no safetensors, or a shard is missing.
        ValueError: a file is damaged, or the folder holds a model of another kind.
    """
    stored: dict[str, Stored] = {}
    for tensor in tensors_in(folder):
        name = kind.our_name(tensor.key)
        if name is None:
            continue
        if name in stored:
            raise ValueError(f"{folder} holds {name} twice, as {stored[name].key} and {tensor.key}")
        stored[name] = tensor
    for prefix, part in kind.parts.items():
        if not any(name.startswith(prefix) for name in stored):
            raise ValueError(
                f"{folder} has no {part} (its first tensor is {next(iter(stored), 'none')}): "
                f"{kind.needed}"
            )
    return stored


def _shapes(
    name: str, parameters: Mapping[str, Tensor], stored: Mapping[str, Stored], kind: Kind
) -> list[Shape]:
    """The shapes in which the tensor that we call `name` may come."""
    shape = tuple(parameters[EMBEDDING if name == HEAD else name].shape)
    found = stored[name].shape if name in stored else shape
    if name in (EMBEDDING, HEAD):
        if kind is GEMMA and kept_rows(found[0]) <= shape[0]:
            return [shape, (found[0], *shape[1:])]
        return [shape, (padded_rows(shape[0]), *shape[1:])]
    if name == POSITIONS and is_square(found[0]):
        return [shape, (found[0], *shape[1:])]
    return [shape]


def _require_tied(head: Stored, embedding: Tensor) -> None:
    """Raise ValueError unless the output table is the input table."""
    for start, block in head.blocks():
        rows = embedding[start : min(start + len(block), kept_rows(head.shape[0]))]
        if not torch.equal(rows, block[: len(rows)].to(rows)):
            raise ValueError(
                f"{head.file}: {head.key} differs from the input embedding; the model has one "
                f"table for both and cannot hold weights that were trained apart"
            )


def spare_rows(folder: Path, vocabulary: int) -> Tensor | None:
    """The rows of the folder's table beyond the vocabulary, [n, D]; None if it has none."""
    table = by_our_names(folder)[EMBEDDING]
    blocks = [block for _, block in table.blocks(vocabulary)]
    return torch.cat(blocks) if blocks else None


def write_hugging_face(
    parameters: Mapping[str, Tensor],
    folder: Path,
    dtype: torch.dtype,
    *,
    spare: Tensor | None = None,
    shard_bytes: int = SHARD_BYTES,
) -> None:
    """Writes a model's weights into `folder`, in the layout of the hub; nothing is held twice.

    Args:
        parameters: all of them, by our names.
        folder: exists.
        dtype: to write them in.
        spare: rows of the table beyond the vocabulary, [n, D]. None takes copies of the first,
            padding's: no text has taught it as an answer either, so that they are as unlikely.
        shard_bytes: the most that one file holds.
    """
    table = parameters[EMBEDDING]
    if spare is None:
        spare = table[:1].expand(padded_rows(table.shape[0]) - table.shape[0], -1)
    write_tensors(
        folder,
        {
            to_hugging_face(name): (value, spare) if name == EMBEDDING else (value,)
            for name, value in parameters.items()
        },
        dtype,
        shard_bytes=shard_bytes,
    )
