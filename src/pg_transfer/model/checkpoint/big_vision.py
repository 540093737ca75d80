"""big_vision's own checkpoints, read and written: one .npz file, blocks stacked over layers.

The format is that of big_vision utils.py, load_params and recover_dtype.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pg_transfer.model.checkpoint.blocks import blocks_of
from pg_transfer.model.checkpoint.fit import LoadReport, Shape, kept_rows, require_fit
from pg_transfer.model.checkpoint.kinds import GEMMA, PALIGEMMA, Kind
from pg_transfer.model.checkpoint.names import (
    EMBEDDING,
    POSITIONS,
    STACKED,
    Row,
    axis_lengths,
    big_vision_rows,
)
from pg_transfer.model.checkpoint.npz import Archive, write_archive
from pg_transfer.model.checkpoint.positions import is_square, resample_positions, resized_from
from pg_transfer.model.config import PaliGemmaConfig

ROOT = "params/"
"""Where the released files keep the weights; files without a root are read too."""


def read_big_vision(
    parameters: Mapping[str, Tensor],
    config: PaliGemmaConfig,
    path: Path,
    kind: Kind = PALIGEMMA,
    *,
    resample: bool = False,
) -> LoadReport:
    """Fill `parameters` from the archive at `path`.

    Args:
        parameters: all parameters of a model, by name; values are cast to their dtypes.
        config: the numbers of that model.
        path: an .npz file.
        kind: what it holds; only the parameters of that kind are filled.
        resample: stretch position embeddings for another resolution.

    Raises:
        ValueError: the archive is damaged, or holds other arrays than the model needs.
    """
    with Archive(path) as archive:
        found = {
            key: header.shape
            for key, header in archive.headers().items()
            if not kind.left_out.match(key)
        }
        rows = {key_of(row, found, kind): row for row in _rows(config, found, kind)}
        require_fit(
            path,
            expected={key: _shapes(row, config, found.get(key), kind) for key, row in rows.items()},
            found=found,
        )
        resized = table_rows = None
        for key, row in rows.items():
            if row.names == (POSITIONS,):
                tokens = found[key][1]
                resized = resized_from(tokens, config.vision, path, resample=resample)
        for key, row in rows.items():
            if row.names == (POSITIONS,) and resized is not None:
                _fill_resampled(archive, key, parameters[POSITIONS])
            elif row.names == (EMBEDDING,) and kind is GEMMA:
                table_rows = kept_rows(found[key][0])
                _fill_table(archive, key, parameters[EMBEDDING][:table_rows])
            else:
                _fill(archive, key, row, lengths=axis_lengths(config, row.key),
                      shape=found[key], parameters=parameters)  # fmt: skip
    return LoadReport("big_vision", len(rows), resized_from=resized, rows=table_rows)


def key_of(row: Row, found: Mapping[str, Shape], kind: Kind = PALIGEMMA) -> str:
    """The key of `row` in an archive with the keys `found`.

    Halves saved on their own may begin at their own root, without `img/` or `llm/`.
    """
    root = ROOT if any(key.startswith(ROOT) for key in found) else ""
    tower, below = row.key.split("/", maxsplit=1)
    is_bare = kind is not PALIGEMMA and not any(key.startswith(f"{root}{tower}/") for key in found)
    return root + (below if is_bare else f"{tower}/{below}")


def _rows(config: PaliGemmaConfig, found: Mapping[str, Shape], kind: Kind) -> list[Row]:
    """The rows of what `kind` fills, stacked over layers or not as in the archive."""
    unstacked = any(f"{STACKED.split('/', 1)[1][:-1]}_" in key for key in found)
    rows = big_vision_rows(config, stacked_vision=not unstacked)
    return [row for row in rows if kind.fills(row.names[0])]


def _shapes(row: Row, config: PaliGemmaConfig, found: Shape | None, kind: Kind) -> list[Shape]:
    """The shapes in which the array of `row` may come."""
    lengths = axis_lengths(config, row.key)
    shapes = [tuple(lengths[axis] for axis in axes) for axes in (row.stored, *row.also)]
    if found is None:
        return shapes
    if row.names == (POSITIONS,) and len(found) == 3 and is_square(found[1]):
        shapes.append((1, found[1], config.vision.width))
    if row.names == (EMBEDDING,) and kind is GEMMA and kept_rows(found[0]) <= lengths["W"]:
        shapes.append((found[0], lengths["D"]))
    return shapes


def _fill(
    archive: Archive,
    key: str,
    row: Row,
    *,
    lengths: Mapping[str, int],
    shape: Shape,
    parameters: Mapping[str, Tensor],
) -> None:
    """Read one array straight into the parameters it is made of."""
    axes = next(
        axes for axes in (row.stored, *row.also) if tuple(lengths[a] for a in axes) == shape
    )
    inner = axes.lstrip("L2")
    order = [inner.index(axis) for axis in row.parameter]
    rows_axis = row.parameter.index(inner[0])
    for index, start, block in archive.blocks(key, leading=len(axes) - len(inner)):
        place = dict(zip(axes, index, strict=False))
        name = row.names[place.get("2", 0)].format(place.get("L"))
        parameter = parameters[name].view([lengths[axis] for axis in row.parameter])
        parameter.narrow(rows_axis, start, block.shape[0]).copy_(block.permute(order))


def _fill_table(archive: Archive, key: str, rows: Tensor) -> None:
    for _, start, block in archive.blocks(key, leading=0):
        target = rows[start : start + len(block)]
        target.copy_(block[: len(target)])


def _fill_resampled(archive: Archive, key: str, parameter: Tensor) -> None:
    table = torch.cat([block for _, _, block in archive.blocks(key, leading=1)])
    parameter.copy_(resample_positions(table, parameter.shape[0]))


def write_big_vision(
    parameters: Mapping[str, Tensor], config: PaliGemmaConfig, path: Path, dtype: torch.dtype
) -> None:
    """Writes a model's weights as the reference saves its own; nothing is held twice.

    Args:
        parameters: all of them, by our names.
        config: the numbers of the model.
        path: of the .npz file.
        dtype: to write them in.
    """
    arrays = []
    for row in big_vision_rows(config):
        lengths = axis_lengths(config, row.key)
        shape = tuple(lengths[axis] for axis in row.stored)
        arrays.append((ROOT + row.key, shape, _blocks(row, lengths, parameters)))
    write_archive(path, arrays, dtype)


def _blocks(
    row: Row, lengths: Mapping[str, int], parameters: Mapping[str, Tensor]
) -> Iterator[Tensor]:
    """The values of the array of `row` in the order in which they are stored."""
    inner = row.stored.lstrip("L2")
    leading = row.stored[: -len(inner)]
    order = [row.parameter.index(axis) for axis in inner]
    for index in np.ndindex(*(lengths[axis] for axis in leading)):
        place = dict(zip(leading, index, strict=True))
        name = row.names[place.get("2", 0)].format(place.get("L"))
        parameter = parameters[name].view([lengths[axis] for axis in row.parameter])
        yield from blocks_of(parameter.permute(order))
