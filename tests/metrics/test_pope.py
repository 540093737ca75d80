"""Whether it is said rightly that something is there."""

from __future__ import annotations

import pytest

from pg_transfer.metrics.pope import score_pope


def test_yes_and_no_count_in_any_case_and_nothing_else_does() -> None:
    answers = ["Yes", "no", "NO", "yes.", " no", "no there is not"]
    truths = ["yes", "no", "yes", "yes", "no", "no"]
    scores = score_pope(answers, truths)
    # Right: the first two. Yes or no, rightly or wrongly: the first three.
    assert scores.metrics == {
        "accuracy": pytest.approx(100 * 2 / 6), "valid": pytest.approx(100 * 3 / 6),
    }  # fmt: skip
    assert next(iter(scores.metrics)) == "accuracy"
    assert [one["accuracy"] for one in scores.examples] == [1, 1, 0, 0, 0, 0]
    assert [one["valid"] for one in scores.examples] == [1, 1, 1, 0, 0, 0]


@pytest.mark.parametrize("truths", [[], ["yes", "no"]])
def test_each_answer_needs_a_truth(truths: list[str]) -> None:
    with pytest.raises(ValueError, match=rf"answers cannot be scored against {len(truths)} truths"):
        score_pope(["yes"] if truths else [], truths)
