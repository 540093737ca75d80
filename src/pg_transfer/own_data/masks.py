"""Masks as people write them down: polygons, run lengths, files."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from pg_transfer.data.images import opened
from pg_transfer.own_data.box_formats import CORNERS, NORMALISED
from pg_transfer.segmentation.run_lengths import run_lengths

LOSSY = ("JPEG", "MPO")
"""Formats in which what is black does not stay so beside what is not."""


def lengths_of(mask: Any, height: int, width: int, *, is_fraction: bool) -> Any:
    """The compressed run lengths of polygons or run lengths.

    Args:
        mask: as it is written down.
        height: of the image, in pixels.
        width: likewise.
        is_fraction: polygons are in fractions of the image, and not in pixels.

    Raises:
        ValueError: it is no mask in such an image.
    """
    try:
        if isinstance(mask, list):
            mask = _polygons(mask)
            if is_fraction:
                scale = np.array([width, height])
                mask = [(np.reshape(one, (-1, 2)) * scale).ravel().tolist() for one in mask]
        lengths = run_lengths(mask, height, width)
    except Exception as error:  # pycocotools has no exceptions of its own
        raise ValueError(
            f"the mask {mask!r:.60} is neither polygons [[x, y, x, y, ...], ...], nor run lengths "
            f'{{"size": [height, width], "counts": ...}}, nor the name of a file ({error})'
        ) from error
    if not is_fraction and isinstance(mask, list):
        _require_pixels(mask, height, width)
    return lengths


def _require_pixels(polygons: list[list[float]], height: int, width: int) -> None:
    if min(height, width) > 1 and all(0 <= number <= 1 for one in polygons for number in one):
        raise ValueError(
            f"the mask {polygons!r:.60} is all within the first pixel of an image of "
            f"{width}x{height}: if these are fractions of it, say so with "
            f"box_format={CORNERS[0]}{NORMALISED}, or as the boxes are "
            f"({', '.join(name + NORMALISED for name in CORNERS[1:])})"
        )


def _polygons(mask: list[Any]) -> list[list[float]]:
    """A list of [x, y, x, y, ...], of whatever depth it came in."""
    if mask and isinstance(mask[0], (int, float)):
        mask = [mask]
    elif mask and isinstance(mask[0], list) and len(mask[0]) == 2:
        mask = [[number for point in mask for number in point]]
    elif mask and mask[0] and isinstance(mask[0][0], list):
        mask = [[number for point in one for number in point] for one in mask]
    for one in mask:
        if len(one) < 6 or len(one) % 2 or not all(math.isfinite(number) for number in one):
            raise ValueError("a polygon has at least three points of two numbers")
    return mask


def read_mask(path: Path, height: int, width: int) -> np.ndarray:
    """Where the image in a file is neither black nor transparent, bool [H, W].

    Args:
        path: of the file.
        height: of the image that the mask is of, in pixels.
        width: likewise.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no image, one of another size, or one that is not kept to the last bit.
    """
    with opened(path) as picture:
        kind = picture.format
        is_deep = picture.mode[0] in "IF"  # to convert it would lose the low bits
        values = np.asarray(picture if is_deep else picture.convert("RGBA"))
    if kind in LOSSY:
        raise ValueError(
            f"{path} is a mask in a JPEG file, which blurs its edges: save it as PNG, black where "
            f"the object is not"
        )
    mask = values != 0 if is_deep else values[:, :, :3].any(axis=2) & (values[:, :, 3] > 0)
    if mask.shape != (height, width):
        raise ValueError(
            f"{path} is a mask of {mask.shape[::-1]} for an image of {(width, height)}"
        )
    return mask
