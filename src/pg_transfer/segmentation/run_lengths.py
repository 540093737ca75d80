"""Masks as COCO's annotations have them, kept as compressed run lengths: a few hundred bytes.

All is checked here before it comes to pycocotools, which computes in C: a corner far outside, or
run lengths that do not fill the image, make it write outside its memory.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
from pycocotools import mask as coco_mask

MOST_PIXELS = 2**28
"""Of an image: Pillow opens none that is larger."""

MOST_CHARACTERS = 6
"""Of a run length in COCO's compressed form, five bits each."""


def run_lengths(segmentation: Any, height: int, width: int) -> Any:
    """COCO's compressed run lengths of polygons or run lengths, as its annotations have them.

    Args:
        segmentation: a list of polygons [x, y, x, y, ...] in pixels, or {"size": [height, width],
            "counts": ...}.
        height: of the image, in pixels.
        width: likewise.

    Raises:
        ValueError: it is empty, no such thing, or made for an image of another size.
    """
    _require_size(height, width)
    if isinstance(segmentation, list):
        if not segmentation:
            raise ValueError("the segmentation is empty")
        for polygon in segmentation:
            _require_polygon(polygon, height, width)
        return coco_mask.merge(coco_mask.frPyObjects(segmentation, height, width))
    if not isinstance(segmentation, dict) or not {"size", "counts"} <= segmentation.keys():
        raise ValueError(f"{segmentation!r:.60} is no segmentation: neither polygons nor counts")
    size, counts = segmentation["size"], segmentation["counts"]
    if size != [height, width]:
        raise ValueError(f"a mask of {size!r:.40} in an image of {[height, width]}")
    lengths = counts if isinstance(counts, list) else _uncompressed(counts)
    if any(type(one) is not int or one < 0 for one in lengths):
        raise ValueError("a run length that is no number of pixels")
    if sum(lengths) != height * width:
        raise ValueError(f"the run lengths do not add up to {height * width} pixels")
    if isinstance(counts, list):
        return cast(Any, coco_mask).frPyObjects(segmentation, height, width)  # or a dict
    return {"size": size, "counts": counts.encode()}


def drawn(lengths: Any) -> np.ndarray:
    """The mask, bool [H, W], of compressed run lengths."""
    with warnings.catch_warnings():  # pycocotools 2.0.11 uses what NumPy 2 has deprecated
        warnings.simplefilter("ignore", DeprecationWarning)
        return coco_mask.decode(lengths).astype(bool)


def has_pixel(lengths: Any, *, top: int, left: int, bottom: int, right: int) -> bool:
    """Whether a mask of compressed run lengths has a pixel in these rows and columns.

    Args:
        lengths: of the mask, which is not drawn for it.
        top: the first row.
        left: the first column.
        bottom: the row behind the last one.
        right: the column behind the last one.
    """
    height, width = lengths["size"]
    down, across = min(bottom, height) - top, min(right, width) - left
    if min(down, across) < 1:
        return False
    columns = [down, height - down] * (across - 1) + [down]
    counts = [left * height + top, *columns]
    counts.append(height * width - sum(counts))
    rectangle = cast(Any, coco_mask).frPyObjects(
        {"size": [height, width], "counts": counts}, height, width
    )
    return int(coco_mask.area(coco_mask.merge([lengths, rectangle], intersect=True))) > 0


def _require_size(height: Any, width: Any) -> None:
    if not (type(height) is type(width) is int and min(height, width) > 0):
        raise ValueError(f"{height!r:.20}x{width!r:.20} pixels are no size of an image")
    if height * width > MOST_PIXELS:
        raise ValueError(f"an image of {height}x{width} pixels is absurdly large")


def _require_polygon(polygon: Any, height: int, width: int) -> None:
    """Corners may lie outside the image, but no more than a whole image away from it."""
    if not isinstance(polygon, list) or len(polygon) < 6 or len(polygon) % 2:
        raise ValueError(f"{polygon!r:.60} is no polygon: it needs x and y of three corners")
    for place, number in enumerate(polygon):
        side = height if place % 2 else width
        if isinstance(number, bool) or not isinstance(number, int | float):
            raise ValueError(f"{number!r:.40} is no corner of a polygon")
        if not math.isfinite(number) or not -side <= number <= 2 * side:
            raise ValueError(f"the polygon leaves the image of {width}x{height}: {number!r:.40}")


def _uncompressed(counts: Any) -> Sequence[int]:
    """Run lengths of COCO's text, which writes each less the one before the last.

    Six bits a character, from "0" up: five of the number, and whether there are more of it. The
    format is that of rleToString in pycocotools' maskApi.c.
    """
    if not isinstance(counts, str) or any(not "0" <= character <= "o" for character in counts):
        raise ValueError(f"{counts!r:.40} are no compressed run lengths")
    lengths: list[int] = []
    number = used = 0
    for character in counts:
        bits = ord(character) - ord("0")
        number |= (bits & 31) << 5 * used
        used += 1
        if used > MOST_CHARACTERS:
            raise ValueError("a compressed run length that does not end")
        if not bits & 32:
            if bits & 16:  # a negative one
                number -= 1 << 5 * used
            lengths.append(number + lengths[-2] if len(lengths) > 2 else number)
            number = used = 0
    if used:
        raise ValueError("the last compressed run length is cut off")
    return lengths
