"""The picture of docs/model.md shows what the code does, and is the one that the script draws."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageChops

from scripts import draw_model

IMAGE, PREFIX, SUFFIX, PADDING = 9, 5, 5, 3  # bos the red circle \n; four locations and eos


def test_it_shows_who_sees_whom_and_what_is_predicted() -> None:
    lesson = draw_model.lay_out(IMAGE)
    total = IMAGE + PREFIX + SUFFIX + PADDING
    expected = np.zeros((total, total), bool)
    expected[:, : IMAGE + PREFIX] = True  # everybody sees image and prefix
    for row in range(IMAGE + PREFIX, total):
        expected[row, IMAGE + PREFIX : min(row, IMAGE + PREFIX + SUFFIX - 1) + 1] = True
    assert (lesson.sees == expected).all()
    uses = ["image"] * IMAGE + ["prefix"] * PREFIX + ["suffix"] * SUFFIX + ["padding"] * PADDING
    assert lesson.uses == uses
    answer = ["<loc0102>", "<loc0512>", "<loc0614>", "<loc1023>", "eos"]
    begin = IMAGE + PREFIX - 1  # the separator predicts the first
    assert lesson.targets == [None] * begin + answer + [None] * (total - begin - len(answer))


def test_it_is_the_one_in_the_documentation() -> None:
    drawn = draw_model.draw()
    with Image.open(draw_model.ROOT / "docs" / "pictures" / "model.png") as saved:
        assert saved.size == drawn.size
        difference = np.asarray(ImageChops.difference(saved.convert("RGB"), drawn))
    # Fonts differ a little from one Pillow to the next; another mask or size differs more.
    assert difference.mean() < 2, "run python scripts/draw_model.py"
