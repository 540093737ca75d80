"""What of an image file is a mask."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.own_data.rows import task

MASK = np.zeros((20, 40), dtype=np.uint8)
MASK[5:15, 10:30] = 1
WHITE = np.full((20, 40, 3), 255, np.uint8)


def indexed(*colours: int) -> Image.Image:
    """Indices into a palette, which lie in a file as 0 and 1."""
    picture = Image.fromarray(MASK).convert("P")
    picture.putpalette(colours)
    return picture


@pytest.mark.parametrize(
    "picture",
    [
        Image.fromarray(MASK),
        Image.fromarray(MASK * 255),
        Image.fromarray(MASK > 0),
        Image.fromarray(MASK.astype(np.uint16)),  # of which the high 8 bits are nothing
        Image.fromarray(WHITE * MASK[:, :, None]),
        Image.fromarray(np.dstack([WHITE, MASK * 255])),
        Image.fromarray(np.dstack([WHITE[:, :, 0], MASK * 255])),
        indexed(0, 0, 0, 128, 0, 0),
    ],
    ids=lambda picture: picture.mode,
)
def test_it_is_what_is_neither_black_nor_transparent(folder: Path, picture: Image.Image) -> None:
    picture.save(folder / "mask.png")
    made = task(folder, {"masks": ["mask.png"], "labels": ["cat"]})
    (example,) = made.examples("train")
    (thing,) = example.reference.things
    assert thing.box == (0.25, 0.25, 0.75, 0.75)
    assert thing.mask is not None and (thing.mask() == MASK).all()


def test_a_jpeg_is_none_whose_edges_are_blurred(folder: Path) -> None:
    Image.fromarray(MASK * 255).save(folder / "mask.jpg")
    with pytest.raises(ValueError, match=r"line 1: object 1: .*mask\.jpg is a mask in a JPEG file"):
        task(folder, {"masks": ["mask.jpg"], "labels": ["cat"]})
