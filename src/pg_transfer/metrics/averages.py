"""What metrics share that are means over the answers to a split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pg_transfer.task import Scores


def averaged(examples: list[dict[str, float]]) -> Scores:
    """In percent the mean of each score over all answers; each answer has all scores."""
    sums = {name: sum(one[name] for one in examples) for name in examples[0]}
    return Scores({name: 100 * value / len(examples) for name, value in sums.items()}, examples)


def averaged_by_group(name: str, each: Sequence[float], groups: Sequence[str]) -> Scores:
    """In percent the mean score `name` over all answers, and as `<name>_<group>` over each group's.

    Args:
        name: of the score.
        each: answer's score, 0..1.
        groups: for each answer the name of its group.

    Returns:
        Of all and of the groups in the order of their names; for each answer its score as both.
    """
    named = [f"{name}_{group}" for group in groups]
    scores: dict[str, list[float]] = {name: list(each)} | {one: [] for one in sorted(set(named))}
    for one, score in zip(named, each, strict=True):
        scores[one].append(score)
    return Scores(
        {one: 100 * sum(those) / len(those) for one, those in scores.items()},
        [{name: score, one: score} for one, score in zip(named, each, strict=True)],
    )


def mean_of_groups(name: str, means: Mapping[str, Any]) -> Any:
    """The mean of the groups' means `<name>_<group>`, in whatever these are."""
    groups = [one for key, one in means.items() if key.startswith(f"{name}_")]
    return sum(groups) / len(groups)


def require_as_many(answers: Sequence[Any], **others: Sequence[Any]) -> None:
    """Raises ValueError if there are no answers, or not as many of something else, by its name."""
    if not answers or any(len(other) != len(answers) for other in others.values()):
        told = " and ".join(f"{len(other)} {name}" for name, other in others.items())
        raise ValueError(f"{len(answers)} answers cannot be scored against {told}")
