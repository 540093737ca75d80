"""Cutting and pasting masks: cases worked out by hand, and drawn shapes there and back."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw

from pg_transfer.segmentation.codec import load_codec
from pg_transfer.segmentation.masks import MaskCodec, mask_crop, paste


@pytest.mark.parametrize(
    ("side", "box", "pixels"),
    [
        (10, (0.25, 0.25, 0.75, 0.75), (2, 8)),  # 2.5 and 7.5 go to the even side
        (6, (0.25, 0.25, 0.75, 0.75), (2, 4)),  # 1.5 up, 4.5 down
        (10, (0.26, 0.26, 0.74, 0.74), (3, 7)),  # 2.6 and 7.4
        (10, (-0.01, 0.0, 1.01, 1.0), (0, 10)),  # a little outside
    ],
)
def test_cutting_rounds_to_pixels_half_to_even(side, box, pixels):
    first, last = pixels
    mask = np.zeros((side, side), dtype=bool)
    mask[first:last, first:last] = True
    np.testing.assert_allclose(mask_crop(mask, box), 1, rtol=1e-6)
    # One pixel less and the edge would show.
    mask[last - 1] = False
    assert mask_crop(mask, box)[-1].max() < 1


def test_cutting_softens_edges_when_shrinking():
    mask = np.zeros((128, 128), dtype=np.uint8)
    mask[:, 0] = 255
    crop = mask_crop(mask, (0, 0, 1, 1))
    # Column 0 has its centre at 1.0 of the old columns, a triangle of radius 2: the old centres
    # 0.5, 1.5, 2.5 weigh 3/4, 3/4, 1/4, so the first counts 3/7. Column 1 does not reach it.
    assert crop.dtype == np.float32
    np.testing.assert_allclose(crop[:, 0], 3 / 7, rtol=1e-6)
    assert np.all(crop[:, 1:] == 0)


def test_cutting_interpolates_when_enlarging():
    mask = np.zeros((32, 32), dtype=bool)
    mask[:, :16] = True
    # New centres lie at quarters of old columns: 15.75 is 1/4 on the way from 15.5 to 16.5.
    np.testing.assert_allclose(
        mask_crop(mask, (0, 0, 1, 1))[0, 30:34], [1, 0.75, 0.25, 0], rtol=1e-6
    )


def test_any_foreground_value_counts_alike():
    mask = np.zeros((20, 30), dtype=np.uint8)
    mask[5:9, 7:20] = 1
    box = (0.2, 0.2, 0.6, 0.7)
    np.testing.assert_array_equal(mask_crop(mask, box), mask_crop(mask * 255, box))
    np.testing.assert_array_equal(mask_crop(mask, box), mask_crop(mask > 0, box))


@pytest.mark.parametrize(
    "box", [(0.5, 0.1, 0.5, 0.9), (0.1, 0.52, 0.9, 0.54), (0.9, 0.1, 0.1, 0.9), (1.1, 0, 1.2, 1)]
)
def test_box_without_pixels_cannot_be_cut(box):
    with pytest.raises(ValueError, match="holds no pixel of a mask of 10x10"):
        mask_crop(np.ones((10, 10), dtype=bool), box)


def test_only_flat_masks_are_cut():
    with pytest.raises(ValueError, match=r"\[4, 4, 3\]"):
        mask_crop(np.ones((4, 4, 3), dtype=np.uint8), (0, 0, 1, 1))


def test_pasting_truncates_to_pixels():
    mask = paste(np.ones((64, 64), np.float32), (0.29, 0.11, 0.79, 0.99), height=10, width=20)
    assert mask is not None
    expected = np.zeros((10, 20), dtype=bool)
    expected[2:7, 2:19] = True  # 2.9 and 7.9, 2.2 and 19.8
    np.testing.assert_array_equal(mask, expected)


@pytest.mark.parametrize("box", [(0.31, 0.1, 0.39, 0.9), (0.1, 0.5, 0.9, 0.54)])
def test_pasting_into_less_than_a_pixel_gives_nothing(box):
    assert paste(np.ones((64, 64), np.float32), box, height=10, width=20) is None


def test_pasting_resizes_values_before_the_threshold():
    decoded = np.full((64, 64), -1, np.float32)
    decoded[:, :16] = 7
    # Between the centres 15.5 and 16.5 the values fall from 7 to -1: through 0 at 16.375, which
    # is 32.75 of 128 columns. Column 32 (centre 32.5) is inside; a resized mask would end at 32.
    mask = paste(decoded, (0, 0, 1, 1), height=64, width=128)
    assert mask is not None
    np.testing.assert_array_equal(mask.sum(1), np.full(64, 33))


def test_pasting_averages_when_shrinking():
    decoded = np.full((64, 64), -1, np.float32)
    decoded[:, ::4] = 8  # every fourth column; mean 1.25 wherever four columns meet
    mask = paste(decoded, (0, 0, 1, 1), height=64, width=8)
    assert mask is not None and mask.all()  # picking the nearest columns would give none


def test_no_foreground_is_an_empty_mask():
    mask = paste(np.zeros((64, 64), np.float32), (0, 0, 1, 1), height=5, width=5)
    assert mask is not None and not mask.any()


@pytest.fixture(scope="module")
def builtin() -> MaskCodec:
    return load_codec("builtin")


WHOLE = (0.0, 0.0, 1.0, 1.0)
STAR = [
    (0.5 + 0.5 * r * np.sin(a), 0.5 - 0.5 * r * np.cos(a))
    for a, r in zip(np.arange(10) * np.pi / 5, [1, 0.45] * 5, strict=True)
]
OUTLINES = {
    "triangle": [(0.5, 0), (1, 1), (0, 1)],
    "square": [(0, 0), (1, 0), (1, 1), (0, 1)],
    "diamond": [(0.5, 0), (1, 0.5), (0.5, 1), (0, 0.5)],
    "star": STAR,
}


def draw(kind: str, side: int) -> np.ndarray:
    """The shape, its edges touched: bool [about side, about side]."""
    picture = Image.new("L", (side, side))
    pen = ImageDraw.Draw(picture)
    last = side - 1
    if kind == "circle":
        pen.ellipse((0, 0, last, last), fill=255)
    elif kind == "half-moon":
        pen.pieslice((0, 0, last, last), 180, 360, fill=255)
    elif kind == "cross":
        third = side // 3
        pen.rectangle((third, 0, last - third, last), fill=255)
        pen.rectangle((0, third, last, last - third), fill=255)
    else:
        pen.polygon([(x * last, y * last) for x, y in OUTLINES[kind]], fill=255)
    return np.asarray(picture.crop(picture.getbbox())) > 0


@pytest.mark.parametrize("kind", ["circle", "half-moon", "cross", *OUTLINES])
def test_drawn_shapes_survive_there_and_back(builtin, kind):
    masks = [draw(kind, side) for side in (30, 41, 64, 97)]
    crops = np.stack([mask_crop(mask, WHOLE) for mask in masks])
    for mask, decoded in zip(masks, builtin.decode(builtin.encode(crops)), strict=True):
        redrawn = paste(decoded, WHOLE, height=mask.shape[0], width=mask.shape[1])
        assert (redrawn & mask).sum() / (redrawn | mask).sum() > 0.93


@pytest.mark.parametrize("kind", ["circle", "half-moon", "cross", *OUTLINES])
def test_drawn_shapes_keep_most_codes_at_any_size(builtin, kind):
    crops = np.stack([mask_crop(draw(kind, side), WHOLE) for side in range(30, 100, 7)])
    codes = builtin.encode(crops)
    most_often = np.array([np.bincount(column).argmax() for column in codes.T])
    assert (codes == most_often).mean() > 0.75
