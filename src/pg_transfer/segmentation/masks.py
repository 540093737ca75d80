"""The part of a mask inside its box as 64x64 values, and such values back in the image.

Sources: big_vision pp/proj/paligemma/segmentation.py (cutting),
evaluators/proj/paligemma/transfers/segmentation.py (pasting). The two are no inverses: cutting
rounds the box to pixels, pasting truncates it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from PIL import Image

from pg_transfer.data.resizing import resize

SIDE = 64
"""Height and width of what a mask codec reads and draws."""


class MaskCodec(Protocol):
    """Writes masks as codes of `<seg>` tokens and draws them again."""

    def encode(self, masks: np.ndarray) -> np.ndarray:
        """The codes, int64 [n, 16], of masks float32 [n, 64, 64] from 0 to 1."""
        ...

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """The maps, float32 [n, 64, 64], about -1..1, of codes int [n, 16]; foreground > 0."""
        ...


def whole_pixels(
    box: Sequence[float] | np.ndarray, *, height: int, width: int
) -> tuple[int, int, int, int]:
    """The rows and columns of an image that a mask is cut to: top, left, bottom, right.

    Args:
        box: ymin, xmin, ymax, xmax as fractions of the image's height and width.
        height: the image's height in pixels.
        width: the image's width in pixels.
    """
    # The reference multiplies and rounds in float32, which decides the ties.
    corners = np.asarray(box, dtype=np.float32) * np.array([height, width] * 2, np.float32)
    top, left, bottom, right = np.rint(corners).astype(int).clip(0).tolist()
    return top, left, bottom, right


def mask_crop(mask: np.ndarray, box: Sequence[float] | np.ndarray) -> np.ndarray:
    """The part of `mask` inside `box`, float32 [64, 64] from 0 to 1, with soft edges.

    Args:
        mask: bool or uint8 [H, W]; not 0 is foreground.
        box: ymin, xmin, ymax, xmax as fractions of H and W.

    Raises:
        ValueError: a mask that is not [H, W], or a box without a single pixel.
    """
    if mask.ndim != 2:
        raise ValueError(f"a mask is [H, W], this one is {list(mask.shape)}")
    top, left, bottom, right = whole_pixels(box, height=mask.shape[0], width=mask.shape[1])
    crop = mask[top:bottom, left:right]
    if crop.size == 0:
        raise ValueError(
            f"the box {np.asarray(box).tolist()} (ymin, xmin, ymax, xmax) holds no pixel of a mask "
            f"of {mask.shape[0]}x{mask.shape[1]}: rounded, its rows are {top}..{bottom}, its "
            f"columns {left}..{right}; leave this object out of the data"
        )
    grey = np.where(crop, np.float32(255), np.float32(0))
    return resize(grey, SIDE, antialias=True) / np.float32(255)


def paste(
    decoded: np.ndarray, box: Sequence[float] | np.ndarray, *, height: int, width: int
) -> np.ndarray | None:
    """The mask, bool [height, width], that a decoded map makes inside a box; outside it nothing.

    Args:
        decoded: float32 [64, 64], foreground > 0 (`MaskCodec.decode`).
        box: ymin, xmin, ymax, xmax as fractions of the image's height and width.
        height: the image's height in pixels.
        width: the image's width in pixels.

    Returns:
        None if the box, truncated to whole pixels, is empty.
    """
    corners = np.asarray(box, dtype=np.float64) * [height, width, height, width]
    top, left, bottom, right = corners.astype(int)
    if bottom <= top or right <= left:
        return None
    # Values are resized, not the mask: its edge then falls between the 64x64 grid's pixels.
    values = Image.fromarray(decoded).resize(
        (right - left, bottom - top), Image.Resampling.BILINEAR
    )
    mask = np.zeros((height, width), dtype=bool)
    mask[top:bottom, left:right] = np.asarray(values) > 0
    return mask
