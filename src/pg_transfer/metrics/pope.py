"""Whether it is said rightly that something is in an image, or is not (Li et al. 2023).

Source: big_vision evaluators/proj/paligemma/transfers/pope.py. The benchmark's own program takes
any sentence with a "no" or "not" in it for a no, and everything else for a yes.
"""

from __future__ import annotations

from collections.abc import Sequence

from pg_transfer.metrics.averages import averaged, require_as_many
from pg_transfer.task import Scores

ANSWERS = ("yes", "no")


def score_pope(answers: Sequence[str], truths: Sequence[str]) -> Scores:
    """The verdict on answers to a split.

    Args:
        answers: as the model gave them; their case does not matter.
        truths: each of `ANSWERS`.

    Returns:
        In percent `accuracy`, and how many answers were `valid`, one of `ANSWERS` and nothing else;
        for each answer the same, 0 or 1.

    Raises:
        ValueError: no answers, or not as many truths.
    """
    require_as_many(answers, truths=truths)
    return averaged([
        {"accuracy": float(answer == truth), "valid": float(answer in ANSWERS)}
        for answer, truth in zip(map(str.lower, answers), truths, strict=True)
    ])  # fmt: skip
