"""Shapes: find the one that is meant, in a picture drawn on the spot.

RefCOCO in miniature: the request is a referring expression ("the small red circle"), the answer a
box and a mask in `<loc>` and `<seg>` tokens. Nothing is read from disk.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import product
from random import Random

import numpy as np
from PIL import Image, ImageDraw

from pg_transfer.data.splits import select
from pg_transfer.segmentation.referring import ReferringTask, Region
from pg_transfer.segmentation.scenes import Box
from pg_transfer.task import Example

SPLITS = {"train": 14336, "val": 128, "test": 512}
SHAPES_IN_A_PICTURE = 3
CELLS = 6
"""Corners lie on a grid of 6 x 6 cells, so that few `<loc>` tokens have to be learnt."""
CELL_PX = 28
SIDE_PX = CELLS * CELL_PX

SIZES = {"small": 2, "large": 3}  # cells
COLOURS = {
    "red": (214, 40, 40),
    "green": (60, 160, 70),
    "blue": (40, 80, 200),
    "yellow": (240, 200, 40),
    "purple": (140, 70, 170),
    "black": (30, 30, 30),
}
BACKGROUND = (235, 235, 230)
# Corners in the unit square, y downwards; a circle has none.
OUTLINES: dict[str, tuple[tuple[float, float], ...]] = {
    "circle": (),
    "square": ((0, 0), (1, 0), (1, 1), (0, 1)),
    "triangle": ((0.5, 0), (1, 1), (0, 1)),
    "diamond": ((0.5, 0), (1, 0.5), (0.5, 1), (0, 0.5)),
}
KINDS = list(product(SIZES, COLOURS, OUTLINES))


@dataclass(frozen=True, slots=True)
class Shape:
    """One shape on the grid; `row` and `column` are those of its top left cell."""

    size: str
    colour: str
    outline: str
    row: int
    column: int

    @property
    def expression(self) -> str:
        """What it is called; no two shapes of a picture are called the same."""
        return f"the {self.size} {self.colour} {self.outline}"

    @property
    def box(self) -> Box:
        """Fractions of the picture."""
        cells = SIZES[self.size]
        ends = (self.row, self.column, self.row + cells, self.column + cells)
        ymin, xmin, ymax, xmax = (end / CELLS for end in ends)
        return ymin, xmin, ymax, xmax

    def paint(self, draw: ImageDraw.ImageDraw, fill: object) -> None:
        """Fills the shape, which touches all four sides of its box."""
        top, left = self.row * CELL_PX, self.column * CELL_PX
        side = SIZES[self.size] * CELL_PX - 1
        corners = [(left + x * side, top + y * side) for x, y in OUTLINES[self.outline]]
        if corners:
            draw.polygon(corners, fill=fill)  # type: ignore[arg-type]
        else:
            draw.ellipse((left, top, left + side, top + side), fill=fill)  # type: ignore[arg-type]


def paint_picture(shapes: Sequence[Shape]) -> np.ndarray:
    """The picture, uint8 [168, 168, 3]."""
    picture = Image.new("RGB", (SIDE_PX, SIDE_PX), BACKGROUND)
    for shape in shapes:
        shape.paint(ImageDraw.Draw(picture), COLOURS[shape.colour])
    return np.asarray(picture)


def paint_mask(shape: Shape) -> np.ndarray:
    """Where the shape is, bool [168, 168]."""
    mask = Image.new("1", (SIDE_PX, SIDE_PX))
    shape.paint(ImageDraw.Draw(mask), 1)
    return np.asarray(mask)


@cache
def region_of(shape: Shape) -> Region:
    """Where the shape is; the same object for equal shapes, so that it is described once."""
    return Region(shape.box, partial(paint_mask, shape))


def compose(chance: Random) -> list[Shape]:
    """Shapes of different kinds that do not overlap."""
    while True:
        taken: set[tuple[int, int]] = set()
        shapes = []
        for size, colour, outline in chance.sample(KINDS, SHAPES_IN_A_PICTURE):
            cells = SIZES[size]
            row, column = (chance.randrange(CELLS - cells + 1) for _ in "yx")
            covered = {(row + y, column + x) for y in range(cells) for x in range(cells)}
            if taken & covered:
                break
            taken |= covered
            shapes.append(Shape(size, colour, outline, row, column))
        else:
            return shapes


class Shapes(ReferringTask):
    """One referring expression for each of as many pictures as `SPLITS` says."""

    def examples(self, split: str) -> Sequence[Example]:
        """The examples of `split`, drawn when they are looked at and the same on every machine.

        Raises:
            ValueError: no such split; the message names those there are.
        """
        return select(split, self._read)

    def _read(self, split: str) -> Sequence[Example]:
        if split not in SPLITS:
            raise ValueError(f"shapes has no split {split!r}; it has {', '.join(SPLITS)}")
        chance = Random(f"shapes {split}")
        return [_example(f"{split}-{number}", compose(chance)) for number in range(SPLITS[split])]


def _example(example_id: str, shapes: Sequence[Shape]) -> Example:
    meant = shapes[0]  # they come in random order
    return Example(
        id=example_id,
        image=partial(paint_picture, shapes),
        prefix=meant.expression,
        reference=region_of(meant),
    )
