"""Answers with several objects: cases worked out by hand, there and back, and many bad ones."""

from __future__ import annotations

import random
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pg_transfer.segmentation.codec import load_codec
from pg_transfer.segmentation.drawing import COLOURS, draw_found
from pg_transfer.segmentation.instances import Found, Instance, locate, read_instances
from pg_transfer.segmentation.masks import mask_crop
from pg_transfer.text.locations import LOCATIONS, SEGMENTS, box_to_text, codes_to_text

BOX = "<loc0102><loc0256><loc0921><loc1023>"
BOX_FRACTIONS = (102 / 1023, 256 / 1023, 921 / 1023, 1.0)
MASK = "".join(f"<seg{code:03d}>" for code in range(16))


def test_boxes_and_labels_of_a_detection() -> None:
    answer = f"{BOX} cat ; <loc0000><loc0000><loc0341><loc0682> dog ; {BOX} fire hydrant"
    instances, malformed = read_instances(answer)
    assert instances == [
        Instance("cat", BOX_FRACTIONS, None),
        # 341 / 1023 = 1/3 and 682 / 1023 = 2/3: the last bin is the edge itself
        Instance("dog", (0.0, 0.0, 1 / 3, 2 / 3), None),
        Instance("fire hydrant", BOX_FRACTIONS, None),
    ]
    assert malformed == []


@pytest.mark.parametrize(
    ("answer", "labels", "masks"),
    [
        (BOX, [""], [False]),
        (BOX + MASK, [""], [True]),  # as after the transfer to RefCOCO
        (f"{BOX}{MASK} cat ; {BOX}{MASK} dog", ["cat", "dog"], [True, True]),
        (f"{BOX} {MASK} cat", ["cat"], [True]),  # white space between box and mask
        (f"{BOX}cat;{BOX}dog", ["cat", "dog"], [False, False]),  # no spaces
        (f"{BOX} cat{BOX} dog", ["cat", "dog"], [False, False]),  # no semicolon
        (f"{BOX} ; {BOX}{MASK} ; ", ["", ""], [False, True]),
        (f"{BOX}\ncat\n", ["cat"], [False]),
        (f"{BOX} a “cat”, 猫 ; ; ", ["a “cat”, 猫"], [False]),
    ],
)
def test_what_may_be_missing(answer: str, labels: list[str], masks: list[bool]) -> None:
    instances, malformed = read_instances(answer)
    assert [one.label for one in instances] == labels
    assert [one.codes == tuple(range(16)) for one in instances] == masks
    assert malformed == []


@pytest.mark.parametrize(
    ("answer", "labels", "malformed"),
    [
        # Three tokens are no box.
        ("<loc0001><loc0002><loc0003> cat", [], ["<loc0001><loc0002><loc0003> cat"]),
        # Of five the first four are one, and the fifth belongs to nothing.
        (f"{BOX}<loc0001> cat", [""], ["<loc0001> cat"]),
        # A mask of fifteen is none, but the box before it stands; of seventeen, sixteen count.
        (f"{BOX}{MASK[:-8]} cat", [""], [f"{MASK[:-8]} cat"]),
        (f"{BOX}{MASK}<seg000> cat", [""], ["<seg000> cat"]),
        (f"{MASK} cat ; {BOX} dog", ["dog"], [f"{MASK} cat"]),
        # Ends before it begins, or where: rows 5 to 5, columns 9 to 8.
        (f"<loc0005><loc0001><loc0005><loc0009> cat ; {BOX} dog", ["dog"],
         ["<loc0005><loc0001><loc0005><loc0009> cat"]),
        ("<loc0005><loc0009><loc0006><loc0008> cat", [],
         ["<loc0005><loc0009><loc0006><loc0008> cat"]),
        # There are 1024 locations and 128 codes.
        ("<loc0000><loc0000><loc1024><loc1023>", [], ["<loc0000><loc0000><loc1024><loc1023>"]),
        (f"{BOX}{MASK[:-8]}<seg128> cat", [], [f"{BOX}{MASK[:-8]}<seg128> cat"]),
        # Words before a box, and after a cut.
        (f"there is {BOX} cat", ["cat"], ["there is"]),
        (f"{BOX} cat ; <loc0001><lo", ["cat"], ["<loc0001><lo"]),
        (f"{BOX} cat <3 ; {BOX} dog", ["cat", "dog"], ["<3"]),
        # Words alone are an answer, too.
        ("no cat ; no dog", [], []),
        ("", [], []),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_said(answer: str, labels: list[str], malformed: list[str]) -> None:
    reading = read_instances(answer)
    assert [one.label for one in reading.instances] == labels
    assert reading.malformed == malformed


fractions = st.floats(0, 1)
boxes = st.tuples(fractions, fractions, fractions, fractions).map(
    lambda corners: (*map(min, corners[:2], corners[2:]), *map(max, corners[:2], corners[2:]))
)
codes = st.lists(st.integers(0, 127), min_size=16, max_size=16)
labels = st.text(st.characters(exclude_characters=";<>", exclude_categories=["Cs"])).map(str.strip)


@given(st.lists(st.tuples(boxes, st.none() | codes, labels)))
def test_what_was_written_is_read(objects) -> None:
    objects = [row for row in objects if row[0][2] - row[0][0] > 0.001 < row[0][3] - row[0][1]]
    answer = " ; ".join(
        box_to_text(box) + (codes_to_text(mask) if mask else "") + (f" {label}" if label else "")
        for box, mask, label in objects
    )
    instances, malformed = read_instances(answer)
    assert malformed == []
    assert len(instances) == len(objects)
    for one, (box, mask, label) in zip(instances, objects, strict=True):
        assert one.label == label
        assert one.codes == (tuple(mask) if mask else None)
        np.testing.assert_allclose(one.box, box, rtol=0, atol=0.5 / 1023 + 1e-6)


PARTS = (
    BOX, MASK, *LOCATIONS[::200], *SEGMENTS[::30], "<loc", "<seg", "<loc1024>", "<seg999>",
    "<loc٠٠٠٠>", " ; ", ";", " ", "\n", "cat", "🙂", "<", ">", "\0", "\ud800",
)  # fmt: skip


TOKEN = re.compile("<loc[0-9]{4}>|<seg[0-9]{3}>")


def test_no_answer_breaks_it() -> None:
    chance = random.Random(0)
    for _ in range(20_000):
        answer = "".join(chance.choices(PARTS, k=chance.randrange(12)))
        instances, malformed = read_instances(answer)
        # Nothing is lost: each whole token is of an object or of what could not be read.
        said = sum(4 + len(one.codes or ()) for one in instances)
        left = sum(len(TOKEN.findall(part)) for part in malformed)
        assert said + left == len(TOKEN.findall(answer))
        found = locate(instances, None, height=7, width=5)
        assert all(0 <= x0 < x1 <= 5 and 0 <= y0 < y1 <= 7 for _, (x0, y0, x1, y1), _ in found)


def test_boxes_are_in_pixels_of_the_original_image() -> None:
    one = Instance("cat", (0.25, 0.1, 0.75, 1.0), None)
    # x from 0.1 * 640 to 1.0 * 640, y from 0.25 * 480 to 0.75 * 480
    assert locate([one], None, height=480, width=640) == [Found("cat", (64, 120, 640, 360), None)]


def test_masks_lie_in_their_boxes_as_they_were() -> None:
    codec = load_codec("builtin")
    rows, columns = np.mgrid[:120, :160]
    disc = (rows - 50) ** 2 + (columns - 40) ** 2 < 30**2
    square = (rows > 70) & (columns > 90)
    boxes = [(20 / 120, 10 / 160, 80 / 120, 70 / 160), (71 / 120, 91 / 160, 1.0, 1.0)]
    crops = np.stack([mask_crop(m, b) for m, b in zip((disc, square), boxes, strict=True)])
    said = [
        box_to_text(b) + codes_to_text(c) for b, c in zip(boxes, codec.encode(crops), strict=True)
    ]
    answer = f"{said[0]} disc ; {BOX} nothing ; {said[1]} square"
    instances, _ = read_instances(answer)
    first, second, third = locate(instances, codec, height=120, width=160)
    assert second.mask is None
    for found, truth in ((first, disc), (third, square)):
        assert found.mask is not None and found.mask.shape == (120, 160)
        assert (found.mask & truth).sum() / (found.mask | truth).sum() > 0.85
        x0, y0, x1, y1 = map(int, found.box)
        assert found.mask[y0:y1, x0:x1].sum() == found.mask.sum()


def test_a_box_without_a_whole_pixel_has_a_mask_without_one() -> None:
    (instance,), _ = read_instances(f"<loc0005><loc0005><loc0006><loc0006>{MASK}")
    # 5 / 1023 * 100 = 0.49 and 6 / 1023 * 100 = 0.59: both in pixel 0
    (found,) = locate([instance], load_codec("builtin"), height=100, width=100)
    assert found.mask is not None and not found.mask.any()
    assert not locate([instance], None, height=100, width=100)[0].mask


def test_drawn_objects_have_their_colours_where_they_are() -> None:
    mask = np.zeros((100, 200), dtype=bool)
    mask[40:60, 60:80] = True
    found = [
        Found("cat", (50, 30, 90, 70), mask),
        Found("dog", (120, 30, 160, 70), None),
        Found("cat", (180.2, 90.0, 180.3, 90.1), None),  # narrower than a pixel
    ]
    picture = np.asarray(draw_found(np.zeros((100, 200, 3), np.uint8), found))
    # Enlarged by 512 / 200 = 2.56: (60 to 80, 40 to 60) is (153.6 to 204.8, 102.4 to 153.6).
    assert picture.shape == (256, 512, 3)
    np.testing.assert_array_equal(picture[128, 180], [c // 2 for c in COLOURS[0]])
    np.testing.assert_array_equal(picture[128, 220], 0)  # in the box, beside the mask
    assert tuple(picture[150, 129]) == COLOURS[0]  # the box begins at 50 * 2.56 = 128
    assert tuple(picture[150, 308]) == COLOURS[1]  # at 120 * 2.56 = 307.2
    assert tuple(picture[231, 462]) == COLOURS[0]


def test_a_label_does_not_leave_the_picture() -> None:
    found = [Found("a long label", (500, 100, 512, 112), None)]
    picture = np.asarray(draw_found(np.full((512, 512, 3), 255, np.uint8), found))
    ink = (picture == 0).all(axis=2)[102:118]
    # As much of it as has room elsewhere, and none of it at the very edge.
    found = [Found("a long label", (100, 100, 112, 112), None)]
    whole = np.asarray(draw_found(np.full((512, 512, 3), 255, np.uint8), found))
    assert ink.sum() == (whole == 0).all(axis=2)[102:118].sum() > 50
    assert not ink[:, -2:].any()


def test_a_label_of_several_lines_is_written_in_one() -> None:
    pictures = [
        draw_found(np.zeros((512, 512, 3), np.uint8), [Found(label, (10, 10, 40, 40), None)])
        for label in ("a cat", "a\ncat", "a \n\n cat\n")
    ]
    assert all(np.array_equal(picture, pictures[0]) for picture in pictures)


def test_objects_without_labels_differ_in_colour() -> None:
    found = [Found("", (10, 10, 40, 40), None), Found("", (50, 10, 90, 40), None)]
    picture = draw_found(np.zeros((512, 512, 3), np.uint8), found)
    assert picture.getpixel((10, 20)) == COLOURS[0]
    assert picture.getpixel((50, 20)) == COLOURS[1]


@pytest.mark.parametrize("size", [(1, 1), (3, 4000), (2000, 10)])
def test_any_size_can_be_drawn_into(size: tuple[int, int]) -> None:
    height, width = size
    found = [Found("a label much longer than the picture", (0, 0, width, height), None)]
    picture = draw_found(np.zeros((height, width, 3), np.uint8), found)
    assert isinstance(picture, Image.Image)
    assert 512 <= max(picture.size) <= 1600
