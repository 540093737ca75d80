"""Counts in digits and in words, by hand."""

from __future__ import annotations

import pytest

from pg_transfer.metrics.counting import in_digits, score_counts


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("none", "0"), ("Zero", "0"), ("One", "1"), ("TWELVE", "12"), ("twenty", "20"),
        ("2", "2"), ("02", "02"), ("no", "no"), ("twenty-one", "twenty-one"), ("ten.", "ten."),
        ("two dogs", "two dogs"), (" two", " two"), ("two ", "two "), ("TWENTY\n", "TWENTY\n"),
        ("f\u0131ve", "f\u0131ve"), ("", ""),
    ],
)  # fmt: skip
def test_words_for_numbers_are_digits_as_in_the_reference(text: str, expected: str) -> None:
    # Recorded from `_number_word_to_numeral` of big_vision's evaluator at 0127fb6, cut out and run.
    assert in_digits(text) == expected


def test_scores_by_hand() -> None:
    # Simple: "Two" is 2, "3" is not 2: 1 of 2. Complex: "15" alone is right of three: 1 of 3.
    # Of unknown kind: right. All: 3 of 6.
    scores = score_counts(
        ["Two", "3", "15", "many", "15 dogs", "0"],
        ["2", "2", "15", "4", "15", "0"],
        ["simple", "simple", "complex", "complex", "complex", ""],
    )
    assert list(scores.metrics) == ["accuracy_simple", "accuracy_complex", "accuracy"]
    assert list(scores.metrics.values()) == pytest.approx([50, 100 / 3, 50])
    assert scores.examples[0] == {"accuracy_simple": 1.0, "accuracy": 1.0}
    assert scores.examples[3] == {"accuracy_complex": 0.0, "accuracy": 0.0}
    assert scores.examples[5] == {"accuracy": 1.0}


def test_kinds_that_do_not_occur_are_left_out() -> None:
    assert score_counts(["two"], ["2"], [""]).metrics == {"accuracy": 100}
    only = score_counts(["two"], ["3"], ["complex"])
    assert only.metrics == {"accuracy_complex": 0, "accuracy": 0}


@pytest.mark.parametrize(
    ("answers", "truths", "kinds"), [([], [], []), (["1"], [], [""]), (["1"], ["1"], [])]
)
def test_as_many_answers_as_truths_are_needed(answers, truths, kinds) -> None:
    with pytest.raises(ValueError, match="cannot be scored against"):
        score_counts(answers, truths, kinds)
