from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pg_transfer.task import pieces_of
from pg_transfer.text.locations import (
    LOCATIONS,
    SEGMENTS,
    box_of_bins,
    box_to_text,
    codes_to_text,
    read_box_and_codes,
)

CODES = tuple(range(112, 128))
CODES_TEXT = "".join(f"<seg{code}>" for code in CODES)

fractions = st.floats(0, 1)
spans = st.tuples(fractions, fractions).map(sorted)


def test_a_box_is_four_tokens_in_the_order_ymin_xmin_ymax_xmax() -> None:
    # 0.1 * 1023 = 102.3, 0.25 * 1023 = 255.75, 0.9 * 1023 = 920.7
    assert box_to_text((0.1, 0.25, 0.9, 1.0)) == "<loc0102><loc0256><loc0921><loc1023>"


@pytest.mark.parametrize(
    ("coordinate", "bin"),
    [
        (0.0, 0),
        (0.5 / 1023, 0),  # ties go to the even bin
        (1.5 / 1023, 2),
        (2.5 / 1023, 2),
        (0.5, 512),  # 511.5
        (1.0, 1023),
        (-0.004, 0),  # annotations a pixel outside the image
        (1.004, 1023),
        # 192.63 px of 427 is 461.49998 bins, which in float32 is the tie 461.5.
        (192.63 / 427, 462),
    ],
)
def test_rounding_is_the_reference_s(coordinate: float, bin: int) -> None:
    assert box_to_text([coordinate] * 4) == f"<loc{bin:04d}>" * 4


@pytest.mark.parametrize(
    ("box", "complaint"),
    [
        ((0.1, 0.2, 0.3), "a box is 4 numbers"),
        (((0.1, 0.2, 0.3, 0.4),), "a box is 4 numbers"),
        ((10, 20, 300, 400), "not within the image"),
        ((0.1, 0.2, float("nan"), 0.4), "not within the image"),
        ((0.1, 0.2, float("inf"), 0.4), "not within the image"),
        ((0.5, 0.2, 0.3, 0.4), "ends before it begins"),
        ((0.1, 0.5, 0.3, 0.4), "ends before it begins"),
    ],
)
def test_what_is_no_box_is_refused(box: tuple[float, ...], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        box_to_text(box)


def test_codes_are_sixteen_tokens() -> None:
    text = codes_to_text(np.arange(16) * 8)
    assert text.startswith("<seg000><seg008><seg016>")
    assert text.endswith("<seg120>")
    assert len(text) == 16 * len("<seg000>")


@pytest.mark.parametrize("codes", [range(15), range(17), [128] * 16, [-1] * 16])
def test_what_are_no_codes_is_refused(codes: list[int]) -> None:
    with pytest.raises(ValueError, match="16 codes from 0 to 127"):
        codes_to_text(codes)


@settings(deadline=None)
@given(st.lists(st.integers(0, 127), min_size=16, max_size=16), spans, spans)
def test_what_was_written_is_read_back_to_half_a_bin(
    codes: list[int], vertical: list[float], horizontal: list[float]
) -> None:
    box = np.array([vertical[0], horizontal[0], vertical[1], horizontal[1]])
    answer = read_box_and_codes(pieces_of(box_to_text(box) + codes_to_text(codes)))
    if answer is None:  # thinner than a bin
        assert min(box[2] - box[0], box[3] - box[1]) < 1 / 1023 + 1e-6
        return
    assert answer.codes.tolist() == codes
    np.testing.assert_allclose(box_of_bins(answer.bins), box, rtol=0, atol=0.5 / 1023 + 1e-6)


def test_box_of_bins() -> None:
    np.testing.assert_array_equal(box_of_bins((0, 341, 682, 1023)), [0, 1 / 3, 2 / 3, 1])


def test_reading_ignores_what_follows_the_twentieth_token() -> None:
    text = "<loc0001><loc0002><loc0003><loc0004>" + CODES_TEXT
    for rest in ("", " cat", "<loc0001>", "<seg000>"):
        answer = read_box_and_codes(pieces_of(text + rest))
        assert answer is not None
        assert answer.bins.tolist() == [1, 2, 3, 4]
        assert answer.codes.tolist() == list(CODES)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<loc0001><loc0002><loc0003><loc0004>",
        "<loc0001><loc0002><loc0003><loc0004>" + CODES_TEXT[:-8],
        " <loc0001><loc0002><loc0003><loc0004>" + CODES_TEXT,
        "<loc0001><loc0002><loc0003><loc1024>" + CODES_TEXT,
        "<loc0001><loc0002><loc0003>" + CODES_TEXT + "<seg000>",
        "<loc0001><loc0002><loc0003><loc0004>" + CODES_TEXT[:-8] + "<seg128>",
        "<loc0001><loc0002><loc0001><loc0004>" + CODES_TEXT,
        "<loc0001><loc0002><loc0003><loc0002>" + CODES_TEXT,
        "<loc0003><loc0002><loc0001><loc0004>" + CODES_TEXT,
    ],
)
def test_an_answer_that_is_no_box_and_mask_reads_as_none(text: str) -> None:
    assert read_box_and_codes(pieces_of(text)) is None


@pytest.mark.golden
def test_as_many_answers_are_invalid_as_the_reference_says(golden) -> None:
    recorded = golden("segmetric_golden")
    spelling = dict(enumerate(LOCATIONS + SEGMENTS, start=256000))

    def is_invalid(tokens: np.ndarray, shape: np.ndarray) -> bool:
        answer = read_box_and_codes([spelling.get(int(id), "") for id in tokens])
        if answer is None:
            return True
        ymin, xmin, ymax, xmax = (box_of_bins(answer.bins) * np.tile(shape, 2)).astype(int)
        return bool(ymax <= ymin or xmax <= xmin)

    invalid = sum(map(is_invalid, recorded["tokens"], recorded["shapes"]))
    assert invalid == recorded["result/invalid"]
