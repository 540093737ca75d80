"""What a task of one's own says of answers is looked over."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from pg_transfer.task import Answer, Example, Scores
from pg_transfer.training.verdict import verdict_of

ANSWERS = [Answer(Example(str(number), Path("a.png")), "", ()) for number in range(2)]
NONE: list[dict[str, float]] = [{}, {}]


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"distance": 3.0}, r"score gives dict and not pg_transfer\.task\.Scores"),
        (Scores({}, NONE), "score gives no metric; the first one says which weights"),
        (Scores({"distance": "3"}, NONE), "'distance' is '3', no number"),  # type: ignore[dict-item]
        (Scores({"distance": float("nan")}, NONE), "first metric 'distance' is nan"),
        (Scores({"distance": 3.0}, [{}]), "the scores of 1 examples, and there are 2 answers"),
    ],
)
def test_a_verdict_that_cannot_be_is_told(given: Any, complaint: str) -> None:
    def score(answers: Sequence[Answer]) -> Scores:
        return given

    with pytest.raises(ValueError, match=complaint):
        verdict_of(score, ANSWERS)


def test_a_first_metric_may_be_below_zero_and_others_unknown() -> None:
    given = Scores({"-distance": -3.0, "rest": float("nan")}, NONE)
    assert verdict_of(lambda _: given, ANSWERS) is given


def test_one_text_is_not_taken_for_several_answers() -> None:
    with pytest.raises(TypeError, match=r"suffixes are the text 'two', .* write \(text,\)"):
        Example("7", Path("a.png"), "how many?", "two")  # type: ignore[arg-type]
