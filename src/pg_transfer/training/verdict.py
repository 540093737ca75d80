"""What a task says of the answers, looked over: a task of one's own may say what cannot be."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from numbers import Real

from pg_transfer.task import Answer, Scores


def verdict_of(score: Callable[[Sequence[Answer]], Scores], answers: Sequence[Answer]) -> Scores:
    """What `score`, a method of a task, gives of the answers.

    Raises:
        ValueError: it is no `Scores`, has no metric or one that is no number, a first one by which
            nothing can be compared, or scores of more or fewer examples than there are answers.
    """
    scores = score(answers)
    name = getattr(score, "__qualname__", str(score))
    if not isinstance(scores, Scores):
        raise ValueError(
            f"{name} gives {type(scores).__name__} and not pg_transfer.task.Scores(metrics, "
            f"examples)"
        )
    if not scores.metrics:
        raise ValueError(f"{name} gives no metric; the first one says which weights are the best")
    for metric, value in scores.metrics.items():
        if not isinstance(value, Real):
            raise ValueError(f"{name}: the metric {metric!r} is {value!r}, no number")
    first, value = next(iter(scores.metrics.items()))
    if math.isnan(value):
        raise ValueError(
            f"{name}: the first metric {first!r} is nan, and it says which weights are the best; "
            f"give a number also where nothing can be counted, or another metric first"
        )
    if len(scores.examples) != len(answers):
        raise ValueError(
            f"{name} gives the scores of {len(scores.examples)} examples, and there are "
            f"{len(answers)} answers; of one without scores it is {{}}"
        )
    return scores
