"""Masks of annotations: read as COCO's own code reads them, and nothing else gets there."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from pg_transfer.segmentation.run_lengths import drawn, has_pixel, run_lengths


def test_masks_of_every_kind_come_back() -> None:
    chance = np.random.default_rng(0)
    for number in range(100):
        height, width = map(int, chance.integers(1, 90, 2))
        mask = chance.random((height, width)) < (number % 3) / 2
        packed: Any = coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8))
        compressed = {"size": [height, width], "counts": packed["counts"].decode()}
        # Down the columns, from a length of background on.
        pixels = np.concatenate([[False], mask.flatten(order="F"), [False]])
        edges = np.flatnonzero(np.diff(pixels))
        counts = np.diff(np.concatenate([[0], edges, [height * width]])).tolist()
        plain = {"size": [height, width], "counts": counts}
        for given in (compressed, plain):
            assert np.array_equal(drawn(run_lengths(given, height, width)), mask)


def test_a_pixel_in_a_rectangle_is_found_without_drawing() -> None:
    chance = np.random.default_rng(0)
    found = []
    for _ in range(300):
        height, width = map(int, chance.integers(1, 12, 2))
        mask = chance.random((height, width)) < 0.1
        lengths = coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8))
        top, bottom = sorted(map(int, chance.integers(0, height + 3, 2)))
        left, right = sorted(map(int, chance.integers(0, width + 3, 2)))
        found.append(has_pixel(lengths, top=top, left=left, bottom=bottom, right=right))
        assert found[-1] == mask[top:bottom, left:right].any()
    assert 30 < sum(found) < 270


def test_polygons_may_stray_over_the_edge() -> None:
    square = [[-3, -3, 4.5, -3, 4.5, 4.5, -3, 4.5]]
    mask = drawn(run_lengths(square, 10, 10))
    assert mask[:4, :4].all() and not mask[5:].any() and not mask[:, 5:].any()


@pytest.mark.parametrize(
    ("segmentation", "complaint"),
    [
        ([], "is empty"),
        ([[1, 2, 3, 4]], "is no polygon"),
        ([[1, 2, 3, 4, 5, 6, 7]], "is no polygon"),
        ([{"size": [10, 10]}], "is no polygon"),
        ([[1, 2, 3, 4, 5, "6"]], "'6' is no corner"),
        ([[1, 2, 3, 4, 5, True]], "True is no corner"),
        ([[1, 2, 3, 4, 5, float("nan")]], "leaves the image"),
        ([[1, 2, 3, 4, 5, 2**31]], "leaves the image of 10x10: 2147483648"),
        ([[1, 2, 3, 4, 5, -1e308]], "leaves the image"),
        ({"size": [9, 10], "counts": [90]}, r"a mask of \[9, 10\]"),
        ({"size": [10, 10], "counts": [90]}, "do not add up to 100"),
        ({"size": [10, 10], "counts": [-10, 110]}, "no number of pixels"),
        ({"size": [10, 10], "counts": [50.0, 50.0]}, "no number of pixels"),
        ({"size": [10, 10], "counts": "oooooooo0"}, "does not end"),
        ({"size": [10, 10], "counts": "o"}, "is cut off"),
        ({"size": [10, 10], "counts": "1"}, "do not add up"),
        ({"size": [10, 10], "counts": "~"}, "no compressed run lengths"),
        ({"size": [10, 10], "counts": 7}, "no compressed run lengths"),
        ({"counts": "1"}, "is no segmentation"),
        ("1", "is no segmentation"),
        (None, "is no segmentation"),
    ],
)
def test_what_would_overrun_memory_is_refused(segmentation: Any, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        run_lengths(segmentation, 10, 10)


@pytest.mark.parametrize("size", [(0, 5), (-1, 5), (2.0, 5), ("2", 5), (None, 5), (2**20, 2**20)])
def test_odd_sizes_of_images_are_refused(size: tuple[Any, Any]) -> None:
    with pytest.raises(ValueError, match=r"no size of an image|absurdly large"):
        run_lengths([[0, 0, 1, 0, 1, 1]], *size)
