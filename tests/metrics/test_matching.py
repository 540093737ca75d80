"""Soft matches of short answers, by hand."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pg_transfer.metrics import vqa
from pg_transfer.metrics.matching import (
    agreement,
    anls,
    is_close,
    score_amounts,
    score_amounts_by_part,
    score_matches,
)


@pytest.mark.parametrize(("same", "expected"), [(0, 0), (1, 1 / 3), (2, 2 / 3), (3, 1), (10, 1)])
def test_three_people_make_an_answer_right(same: int, expected: float) -> None:
    assert agreement("blue", ["blue"] * same + ["Blue", "red"]) == pytest.approx(expected)


def test_both_forms_of_agreement_behind_the_official_clean_up() -> None:
    # Cleaned up, two of four say "2". min(1, 2 / 3) = 2 / 3; leaving out one after the other:
    # without either of the two 1 / 3, without another 2 / 3, so (1 + 1 + 2 + 2) / 12.
    truths = ["Two!", "the two", "three", "3"]
    assert agreement(vqa.clean("2."), list(map(vqa.clean, truths))) == pytest.approx(2 / 3)
    assert vqa.accuracy("2.", truths) == pytest.approx(6 / 12)


@pytest.mark.parametrize(
    ("answer", "truth", "expected"),
    [
        ("stop", "stop", 1),
        ("stap", "stop", 0.75),  # one of four letters replaced
        ("stops", "stop", 0.8),  # one inserted, of five
        ("sto", "stop", 0.75),  # one deleted, of four
        ("kitten", "sitting", 4 / 7),  # two replaced and one inserted, of seven
        ("ab", "ac", 0),  # half of the letters differ: nothing
        ("abcde", "abczz", 0.6),
        ("", "a", 0),
        ("a", "", 0),
        ("", "", 1),
        ("Stop", "stop", 0.75),  # case counts
    ],
)
def test_similar_spellings(answer: str, truth: str, expected: float) -> None:
    assert anls(answer, truth) == pytest.approx(expected)


@given(st.text("abc", max_size=7), st.text("abc", max_size=7))
def test_edits_are_the_fewest(text: str, other: str) -> None:
    @cache
    def fewest(i: int, j: int) -> int:
        if not (i and j):
            return i + j
        replaced = fewest(i - 1, j - 1) + (text[i - 1] != other[j - 1])
        return min(replaced, fewest(i - 1, j) + 1, fewest(i, j - 1) + 1)

    longest = max(len(text), len(other), 1)
    distance = fewest(len(text), len(other)) / longest
    assert anls(text, other) == pytest.approx(1 - distance if distance < 0.5 else 0)


@pytest.mark.parametrize(
    ("answer", "truth", "close"),
    [
        ("104", "100", True),
        ("105", "100", True),  # five percent is near enough
        ("106", "100", False),
        ("-95.5", "-100", True),
        ("95", "-95", False),
        ("50%", "0.5", True),
        ("52%", "50%", True),
        ("50%%", "50%", True),  # all signs at the end go, as in the original
        ("50%", "50", False),  # 0.5 of 50
        ("0", "0", True),
        ("0.0", "0", False),  # zero has to be spelled as in the truth
        ("0.01", "0", False),
        ("1,000", "1000", False),  # no number for Python, and another text
        ("1,000", "1,000", True),
        ("$5", "5", False),
        ("1e3", "1000", True),
        ("yes", "yes", True),
        ("Yes", "yes", False),
        ("5", "five", False),
        ("%", "%", True),
        ("", "", True),
    ],
)
def test_amounts_need_be_right_but_for_five_percent(answer: str, truth: str, close: bool) -> None:
    assert is_close(answer, truth) == close


def test_scores_of_several_truths() -> None:
    scores = score_matches(["blue", "stap"], [["blue", "red"], ["go", "stop", "stopp"]])
    # One person of three; none. Spelled alike; one letter of four off.
    assert scores.examples == [
        {"accuracy": pytest.approx(1 / 3), "accuracy_any": 1, "anls": 1},
        {"accuracy": 0, "accuracy_any": 0, "anls": 0.75},
    ]
    assert list(scores.metrics.items()) == [
        ("accuracy", pytest.approx(100 / 6)), ("accuracy_any", 50), ("anls", 87.5),
    ]  # fmt: skip


def test_scores_of_amounts() -> None:
    scores = score_amounts(["104", "yes", "7"], ["100", "yes", "8"])
    assert scores.metrics == pytest.approx({"relaxed_accuracy": 200 / 3, "accuracy": 100 / 3})
    assert scores.examples[0] == {"relaxed_accuracy": 1, "accuracy": 0}


def test_what_cannot_be_scored_is_refused() -> None:
    for score in (score_matches, score_amounts):
        with pytest.raises(ValueError, match="0 answers"):
            score([], [])
        with pytest.raises(ValueError, match="1 answers cannot be scored against 2 truths"):
            score(["a"], ["a", "b"])
    with pytest.raises(ValueError, match="no true answer"):
        score_matches(["a"], [[]])


def test_parts_count_the_same_however_large() -> None:
    # a: 1 of 3 right, b: 1 of 1: (1/3 + 1) / 2, where of all answers 2 of 4 are.
    scores = score_amounts_by_part(
        ["105", "x", "106", "yes"], ["100", "y", "100", "yes"], ["a", "a", "a", "b"]
    )
    assert scores.metrics == pytest.approx(
        {
            "relaxed_accuracy": 100 * 2 / 3,
            "relaxed_accuracy_a": 100 / 3,
            "relaxed_accuracy_b": 100,
            "accuracy": 25,
        }
    )
    assert next(iter(scores.metrics)) == "relaxed_accuracy"
    assert scores.examples[0] == {"relaxed_accuracy": 1, "accuracy": 0, "relaxed_accuracy_a": 1}
    with pytest.raises(ValueError, match="2 answers cannot be scored"):
        score_amounts_by_part(["1", "2"], ["1", "2"], ["a"])
