"""Boxes and mask codes as `<loc>` and `<seg>` tokens, and the answer's tokens read back.

Source: big_vision pp/proj/paligemma/segmentation.py (writing) and
evaluators/proj/paligemma/transfers/segmentation.py (reading).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

LOCATIONS = tuple(f"<loc{n:04d}>" for n in range(1024))
"""A coordinate from 0 to 1 in 1024 bins; bin 0 is exactly 0, bin 1023 exactly 1."""

SEGMENTS = tuple(f"<seg{n:03d}>" for n in range(128))
"""The codebook of the mask codec."""

BOX_TOKENS = 4
CODE_TOKENS = 16

OVERSHOOT = 0.1
"""How far outside the image a coordinate may lie and still be moved to its edge.

Annotations stray over the edge by a pixel or two; pixels taken for fractions stray by hundreds.
"""

_BIN = {token: n for n, token in enumerate(LOCATIONS)}
_CODE = {token: n for n, token in enumerate(SEGMENTS)}


class BoxAndCodes(NamedTuple):
    """What the first 20 tokens of an answer say.

    Attributes:
        bins: int64 [4], each 0..1023: ymin, xmin, ymax, xmax.
        codes: int64 [16], each 0..127: the mask inside the box, row by row.
    """

    bins: np.ndarray
    codes: np.ndarray


def box_to_text(box: Sequence[float] | np.ndarray) -> str:
    """Four `<loc>` tokens, the nearest bin for each coordinate (ties to the even one).

    Args:
        box: ymin, xmin, ymax, xmax as fractions of the image's height and width.

    Raises:
        ValueError: not four numbers, not fractions of the image, or a corner on the wrong side.
    """
    # The reference multiplies and rounds in float32, which decides the ties.
    try:
        corners = np.asarray(box, dtype=np.float32)
    except (TypeError, OverflowError) as error:
        raise ValueError(f"a box is 4 numbers (ymin, xmin, ymax, xmax), not {box!r}") from error
    if corners.shape != (BOX_TOKENS,):
        raise ValueError(f"a box is 4 numbers (ymin, xmin, ymax, xmax), not {box!r}")
    if not np.all((corners >= -OVERSHOOT) & (corners <= 1 + OVERSHOOT)):
        raise ValueError(
            f"the box {corners.tolist()} is not within the image: (ymin, xmin, ymax, xmax) are "
            "fractions of its height and width, from 0 to 1"
        )
    ymin, xmin, ymax, xmax = corners
    if ymax < ymin or xmax < xmin:
        raise ValueError(
            f"the box {corners.tolist()} ends before it begins: the order is "
            "(ymin, xmin, ymax, xmax)"
        )
    bins = np.rint(corners * np.float32(len(LOCATIONS) - 1)).clip(0, len(LOCATIONS) - 1)
    return "".join(LOCATIONS[int(n)] for n in bins)


def codes_to_text(codes: Sequence[int] | np.ndarray) -> str:
    """Sixteen `<seg>` tokens.

    Args:
        codes: int [16], each 0..127: the mask inside a box, row by row.

    Raises:
        ValueError: not 16 codes, or one the codebook does not have.
    """
    if len(codes) != CODE_TOKENS or not all(0 <= code < len(SEGMENTS) for code in codes):
        raise ValueError(
            f"a mask is {CODE_TOKENS} codes from 0 to {len(SEGMENTS) - 1}, not {list(codes)}"
        )
    return "".join(SEGMENTS[int(code)] for code in codes)


def read_box_and_codes(pieces: Sequence[str]) -> BoxAndCodes | None:
    """The box and mask codes that an answer begins with, or None where it does not.

    Valid are four `<loc>` tokens and sixteen `<seg>` tokens with ymax > ymin and xmax > xmin;
    what follows them is ignored.

    Args:
        pieces: an answer's tokens, spelled one by one (`Answer.pieces`).
    """
    if len(pieces) < BOX_TOKENS + CODE_TOKENS:
        return None
    try:
        bins = [_BIN[piece] for piece in pieces[:BOX_TOKENS]]
        codes = [_CODE[piece] for piece in pieces[BOX_TOKENS : BOX_TOKENS + CODE_TOKENS]]
    except KeyError:
        return None
    ymin, xmin, ymax, xmax = bins
    if ymax <= ymin or xmax <= xmin:
        return None
    return BoxAndCodes(np.array(bins, dtype=np.int64), np.array(codes, dtype=np.int64))


def box_of_bins(bins: Sequence[int] | np.ndarray) -> np.ndarray:
    """The box that four bins stand for: float64 [4], ymin, xmin, ymax, xmax from 0 to 1."""
    return np.asarray(bins) / (len(LOCATIONS) - 1)
