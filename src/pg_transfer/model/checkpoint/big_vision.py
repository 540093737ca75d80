"""Reads big_vision's own checkpoints: one .npz file, blocks stacked over layers.

The format is that of big_vision utils.py, load_params and recover_dtype.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from pg_transfer.model.checkpoint.fit import LoadReport, Shape, require_fit
from pg_transfer.model.checkpoint.names import (
    POSITIONS,
    STACKED,
    Row,
    axis_lengths,
    big_vision_rows,
)
from pg_transfer.model.checkpoint.npz import Archive
from pg_transfer.model.checkpoint.positions import is_square, resample_positions
from pg_transfer.model.config import PaliGemmaConfig

ROOT = "params/"
"""Where the released files keep the weights; files without a root are read too."""


def read_big_vision(
    parameters: Mapping[str, Tensor], config: PaliGemmaConfig, path: Path
) -> LoadReport:
    """Fill `parameters` from the archive at `path`.

    Args:
        parameters: all parameters of a model, by name; values are cast to their dtypes.
        config: the numbers of that model.
        path: an .npz file.

    Raises:
        ValueError: the archive is damaged, or holds other arrays than the model needs.
    """
    with Archive(path) as archive:
        found = {key: header.shape for key, header in archive.headers().items()}
        root = ROOT if any(key.startswith(ROOT) for key in found) else ""
        unstacked = any(key.startswith(f"{root}{STACKED[:-1]}_") for key in found)
        rows = big_vision_rows(config, stacked_vision=not unstacked)
        require_fit(
            path,
            expected={
                root + row.key: _shapes(row, config, found.get(root + row.key)) for row in rows
            },
            found=found,
        )
        resized_from = None
        for row in rows:
            key = root + row.key
            if row.names == (POSITIONS,) and found[key][1] != config.vision.image_tokens:
                _fill_resampled(archive, key, parameters[POSITIONS])
                resized_from = math.isqrt(found[key][1]) * config.vision.patch
            else:
                _fill(archive, key, row, lengths=axis_lengths(config, row.key),
                      shape=found[key], parameters=parameters)  # fmt: skip
    return LoadReport("big_vision", tensors=len(rows), resized_from=resized_from)


def _shapes(row: Row, config: PaliGemmaConfig, found: Shape | None) -> list[Shape]:
    """The shapes in which the array of `row` may come."""
    lengths = axis_lengths(config, row.key)
    shapes = [tuple(lengths[axis] for axis in axes) for axes in (row.stored, *row.also)]
    if row.names == (POSITIONS,) and found is not None and len(found) == 3 and is_square(found[1]):
        shapes.append((1, found[1], config.vision.width))
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


def _fill_resampled(archive: Archive, key: str, parameter: Tensor) -> None:
    table = torch.cat([block for _, _, block in archive.blocks(key, leading=1)])
    parameter.copy_(resample_positions(table, parameter.shape[0]))
