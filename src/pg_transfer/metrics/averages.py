"""What metrics share that are means over the answers to a split."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pg_transfer.task import Scores


def averaged(examples: list[dict[str, float]]) -> Scores:
    """In percent the mean of each score over all answers; each answer has all scores."""
    sums = {name: sum(one[name] for one in examples) for name in examples[0]}
    return Scores({name: 100 * value / len(examples) for name, value in sums.items()}, examples)


def require_as_many(answers: Sequence[Any], **others: Sequence[Any]) -> None:
    """Raises ValueError if there are no answers, or not as many of something else, by its name."""
    if not answers or any(len(other) != len(answers) for other in others.values()):
        told = " and ".join(f"{len(other)} {name}" for name, other in others.items())
        raise ValueError(f"{len(answers)} answers cannot be scored against {told}")
