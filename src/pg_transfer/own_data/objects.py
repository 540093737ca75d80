"""Boxes and masks as people write them down, to the objects of a scene."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from pg_transfer.data.images import open_image
from pg_transfer.segmentation.masks import whole_pixels
from pg_transfer.segmentation.run_lengths import drawn, has_pixel, run_lengths
from pg_transfer.segmentation.scenes import NO_PIXEL, Box, Scene, Thing

CORNERS = ("xyxy", "xywh", "cxcywh", "yxyx")
NORMALISED = "_normalised"
BOX_FORMATS = (*CORNERS, *(name + NORMALISED for name in CORNERS))
"""Corners; left, top, width, height; centre, width, height; corners, rows first. In pixels, or as
fractions of the image."""

OVERSHOOT = 0.02
"""How far outside the image, as a fraction of it, a box may reach and still be cut at its edge."""

ROUNDING = 1e-9
"""How far, as a fraction of the image, sums of floating point numbers may lead outside it."""


@dataclass(slots=True)
class Tally:
    """Boxes and masks that are not learnt as they stand in the data.

    Attributes:
        thin: how many boxes were left out, as they cover no pixel.
        empty: how many masks were left out, as they have no pixel in their box.
        cut: how many were cut at the edge of their image.
        furthest: pixels that were cut off at most.
    """

    thin: int = 0
    empty: int = 0
    cut: int = 0
    furthest: float = 0.0

    def remarks(self) -> Iterator[str]:
        """Sentences about them; none if there are none."""
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
        is_crowd = given["crowd"] is not None and bool(given["crowd"][number])
        try:
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
            raise ValueError(f"object {number + 1}: {error}") from error
        label = "" if given["labels"] is None else str(given["labels"][number]).strip()
        things.append(Thing(box, _fit(label, number), mask, is_crowd))
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
        draw = partial(_mask_file, folder / mask, height, width)
        return where or _box_around(draw(), height, width), draw
    lengths = _lengths(mask, height, width, is_fraction=form.endswith(NORMALISED))
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


def require_form(form: Any) -> None:
    """Raises ValueError if that is no meaning of a box's numbers."""
    if form not in BOX_FORMATS:
        found = "is not said" if form is None else f"is {form!r}"
        raise ValueError(
            f"what the numbers of a box mean {found}: set box_format to one of "
            f"{', '.join(BOX_FORMATS)}"
        )


def _form(form: Any, *, needed: bool) -> str:
    if form is None and not needed:
        return CORNERS[0]
    require_form(form)
    return str(form)


def _fit(label: str, number: int) -> str:
    if any(sign in label for sign in ";<>\n"):
        raise ValueError(
            f"object {number + 1}: the label {label!r} has a ; < > or line end, which divide and "
            f"begin objects in an answer"
        )
    return label


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


def _lengths(mask: Any, height: int, width: int, *, is_fraction: bool) -> Any:
    """The compressed run lengths of polygons or run lengths."""
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


def _mask_file(path: Path, height: int, width: int) -> np.ndarray:
    mask = open_image(path).max(axis=2) > 0
    if mask.shape != (height, width):
        raise ValueError(
            f"{path} is a mask of {mask.shape[::-1]} for an image of {(width, height)}"
        )
    return mask


def _box_around(mask: np.ndarray, height: int, width: int) -> Box:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        raise ValueError("its mask has not one pixel")
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    return float(top / height), float(left / width), float(bottom / height), float(right / width)
