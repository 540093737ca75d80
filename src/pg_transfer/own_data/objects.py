"""Boxes and masks as people write them down, to the objects of a scene."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from pg_transfer.own_data.box_formats import CORNERS, NORMALISED, require_form
from pg_transfer.own_data.masks import lengths_of, read_mask
from pg_transfer.segmentation.masks import whole_pixels
from pg_transfer.segmentation.run_lengths import drawn, has_pixel
from pg_transfer.segmentation.scenes import NO_PIXEL, Box, Scene, Thing

OVERSHOOT = 0.02
"""How far outside the image, as a fraction of it, a box may reach and still be cut at its edge."""

ROUNDING = 1e-9
"""How far, as a fraction of the image, sums of floating point numbers may lead outside it."""


@dataclass(slots=True)
class Tally:
    """Boxes and masks that are not learnt as they stand in the data, and empty answers.

    Attributes:
        nothing: how many rows ask for objects, and their answer is an empty text.
        thin: how many boxes were left out, as they cover no pixel.
        empty: how many masks were left out, as they have no pixel in their box.
        cut: how many were cut at the edge of their image.
        furthest: pixels that were cut off at most.
    """

    nothing: int = 0
    thin: int = 0
    empty: int = 0
    cut: int = 0
    furthest: float = 0.0

    def remarks(self) -> Iterator[str]:
        """Sentences about them; none if there are none."""
        if self.nothing:
            yield (
                f"note: {self.nothing:,} rows ask for objects and have an empty answer: that there "
                f"is none is learnt"
            )
        if self.thin:
            yield f"note: {self.thin:,} boxes without an area are left out, with their objects"
        if self.empty:
            yield (
                f"note: {self.empty:,} masks without a pixel in their box are left out, with their "
                f"objects"
            )
        if self.cut:
            yield (
                f"note: {self.cut:,} boxes reach outside their image, by {self.furthest:.2g} "
                f"pixels at most, and are cut at its edge"
            )


class ThinBoxError(ValueError):
    """A box is too thin to cover a pixel."""


class EmptyMaskError(ValueError):
    """A mask has no pixel in its box."""


def read_scene(
    values: Mapping[str, Any],
    *,
    size: Callable[[], tuple[int, int]],
    folder: Path,
    tally: Tally,
    drops_thin: bool,
    places: Sequence[str] = (),
) -> Scene:
    """The objects of a row.

    Args:
        values: by role: `boxes` or `masks` or both, `box_format`, perhaps `labels` and `crowd`,
            `width` and `height`.
        size: gives the image's width and height in pixels where the row does not.
        folder: what the names of files of masks are relative to.
        tally: counts the boxes that are left out or cut.
        drops_thin: objects whose box is too thin to cover a pixel, or whose mask has none in its
            box, are left out; otherwise they are an error.
        places: where each object stands, for whoever has to mend it; none if all are in the row.

    Raises:
        ValueError: they do not fit each other or the image.
    """
    boxes, masks = _listed(values, "boxes"), _listed(values, "masks")
    given = {name: _listed(values, name) for name in ("labels", "crowd")}
    count = len(boxes if boxes is not None else masks or ())
    for name, those in {"masks": masks, **given}.items():
        if those is not None and len(those) != count:
            raise ValueError(f"{len(those)} `{name}` for {count} objects")
    form = _form(values.get("box_format"), needed=bool(boxes))
    width, height = size_in(values, size)
    things = []
    for number in range(count):
        try:
            is_crowd = given["crowd"] is not None and _is_crowd(given["crowd"][number])
            label = "" if given["labels"] is None else _label(given["labels"][number])
            box, mask = _place(
                None if boxes is None else boxes[number],
                None if masks is None else masks[number],
                form, height, width, folder=folder, tally=tally, is_crowd=is_crowd,
            )  # fmt: skip
        except ValueError as error:
            if drops_thin and isinstance(error, ThinBoxError | EmptyMaskError):
                tally.thin += isinstance(error, ThinBoxError)
                tally.empty += isinstance(error, EmptyMaskError)
                continue
            where = f" ({places[number]})" if places else ""
            raise ValueError(f"object {number + 1}{where}: {error}") from error
        things.append(Thing(box, label, mask, is_crowd))
    return Scene(height, width, tuple(things))


def _place(
    box: Any,
    mask: Any,
    form: str,
    height: int,
    width: int,
    *,
    folder: Path,
    tally: Tally,
    is_crowd: bool,
) -> tuple[Box, Callable[[], np.ndarray] | None]:
    """Where an object is, and what draws its mask, if it has one."""
    where = None if box is None else _box(box, form, height, width, tally)
    if mask is None:
        if where is None:
            raise ValueError("neither a box nor a mask")
        return where, None
    if isinstance(mask, str):
        if not os.path.isfile(folder / mask):  # noqa: PTH113  (of a name too long pathlib raises)
            raise ValueError(f"its mask, {mask!r:.60}, is no file in {folder}")
        draw = partial(read_mask, folder / mask, height, width)
        return where or _box_around(draw(), height, width), draw
    lengths = lengths_of(mask, height, width, is_fraction=form.endswith(NORMALISED))
    draw = partial(drawn, lengths)
    where = where or _box_around(draw(), height, width)
    top, left, bottom, right = whole_pixels(where, height=height, width=width)
    if not is_crowd and not has_pixel(lengths, top=top, left=left, bottom=bottom, right=right):
        raise EmptyMaskError(NO_PIXEL)
    return where, draw


def _listed(values: Mapping[str, Any], name: str) -> Sequence[Any] | None:
    those = values.get(name)
    if those is not None and not isinstance(those, (list, tuple)):
        raise ValueError(f"`{name}` is {those!r:.60}, not a list with one for each object")
    return those


def _form(form: Any, *, needed: bool) -> str:
    if form is None and not needed:
        return CORNERS[0]
    require_form(form)
    return str(form)


def _label(label: Any) -> str:
    """What an object is called; empty if nothing."""
    if isinstance(label, bool) or not isinstance(label, str | int | float) or label != label:
        raise ValueError(f'the label is {label!r:.60}, no text; of an object without one it is ""')
    text = str(label).strip()
    if any(sign in text for sign in ";<>\n"):
        raise ValueError(
            f"the label {text!r} has a ; < > or line end, which divide and begin objects in an "
            f"answer"
        )
    return text


def _is_crowd(said: Any) -> bool:
    if said not in (None, 0, 1):
        raise ValueError(f"whether it is a crowd is {said!r:.40}, neither 0 nor 1")
    return bool(said)


def size_in(values: Mapping[str, Any], look: Callable[[], tuple[int, int]]) -> tuple[int, int]:
    """Width and height in pixels that a row says its image has, or that a look at it gives."""
    sides = values.get("width"), values.get("height")
    if all(isinstance(side, int) and side > 0 for side in sides):
        return sides  # type: ignore[return-value]
    return look()


def _box(box: Any, form: str, height: int, width: int, tally: Tally) -> Box:
    try:
        a, b, c, d = (float(number) for number in box)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"the box {box!r:.60} is not four numbers") from error
    if not all(map(math.isfinite, (a, b, c, d))):
        raise ValueError(f"the box {box} has a number that is none")
    kind = form.removesuffix(NORMALISED)
    if kind == "xywh":
        c, d = a + c, b + d
    elif kind == "cxcywh":
        a, b, c, d = a - c / 2, b - d / 2, a + c / 2, b + d / 2
    elif kind == "yxyx":
        a, b, c, d = b, a, d, c
    across, down = (1, 1) if form.endswith(NORMALISED) else (width, height)
    left, top, right, bottom = a / across, b / down, c / across, d / down
    shown = f"the box {list(box)} (box_format={form}) in an image of {width}x{height} pixels"
    if min(left, top, 1 - right, 1 - bottom) < -OVERSHOOT:
        raise ValueError(f"{shown} leaves it")
    if form == kind and min(height, width) > 1:
        _require_beyond_a_pixel((a, b, c, d), shown, form)
    outside = max(-left * width, -top * height, (right - 1) * width, (bottom - 1) * height)
    is_thin = 0 <= min((right - left) * width, (bottom - top) * height) < 1
    left, top, right, bottom = (min(max(edge, 0.0), 1.0) for edge in (left, top, right, bottom))
    if not (round(left * width) < round(right * width)) or not (
        round(top * height) < round(bottom * height)
    ):
        raise (ThinBoxError if is_thin else ValueError)(f"{shown} covers no pixel of it")
    if outside > ROUNDING * max(width, height):
        tally.cut += 1
        tally.furthest = max(tally.furthest, outside)
    return top, left, bottom, right


def _require_beyond_a_pixel(corners: Sequence[float], shown: str, form: str) -> None:
    """Raises ValueError if these are numbers of pixels in name alone."""
    a, b, c, d = corners
    if 0 <= a < c <= 1 and 0 <= b < d <= 1 and not all(map(float.is_integer, corners)):
        raise ValueError(
            f"{shown} is all within the first of them: if these are fractions of the image, say so "
            f"with box_format={form}{NORMALISED}"
        )


def _box_around(mask: np.ndarray, height: int, width: int) -> Box:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        raise ValueError("its mask has not one pixel")
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    return float(top / height), float(left / width), float(bottom / height), float(right / width)
