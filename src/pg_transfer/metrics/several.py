"""Verdicts on answers to several tasks in one, whose metrics are called after their tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pg_transfer.task import Formula, Scores

MEAN = "mean"
"""Of the tasks' first metrics: what the best weights are chosen by."""


def together(
    verdicts: Mapping[str, Scores], rows: Mapping[str, Sequence[int]], count: int
) -> Scores:
    """One verdict on the answers to several tasks: the mean of their first metrics, then all.

    Counts are worth no mean.

    Args:
        verdicts: of each task, on its own answers.
        rows: of each task, which of all answers those are.
        count: of all answers.
    """
    metrics: dict[str, float] = {}
    examples: list[dict[str, float]] = [{} for _ in range(count)]
    parts: list[dict[str, float]] = [{} for _ in range(count)]
    remarks: list[str] = []
    firsts = []
    for name, scores in verdicts.items():
        first = next(iter(scores.metrics.values()))
        firsts += [] if isinstance(first, int) else [first]
        metrics |= _called(name, scores.metrics)
        remarks += [f"{name}: {remark}" for remark in scores.remarks]
        for place, row in enumerate(rows[name]):
            examples[row] = _called(name, scores.examples[place])
            parts[row] = _called(name, scores.parts[place]) if scores.parts else {}
    mean = {MEAN: sum(firsts) / len(firsts)} if firsts else {}
    return Scores(mean | metrics, examples, remarks, parts if any(parts) else ())


def _called(name: str, values: Mapping[str, float]) -> dict[str, float]:
    return {f"{name}/{metric}": value for metric, value in values.items()}


def of_one(name: str, formula: Formula) -> Formula:
    """The formula of a task's metric, given means that are called after the task."""
    start = f"{name}/"

    def worked_out(means: Mapping[str, Any]) -> Any:
        own = {key.removeprefix(start): v for key, v in means.items() if key.startswith(start)}
        return formula(own)

    return worked_out
