"""How far a score may be off because a split is finite (Efron 1979): the percentile bootstrap."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from pg_transfer.task import Formula, Scores

RESAMPLES = 1000
LEVEL = 0.95


class Interval(NamedTuple):
    """The middle 95 % of what a metric is on splits drawn anew, and what it was drawn from.

    Attributes:
        low: in the units of the metric.
        high: as `low`.
        examples: how many the metric is about.
    """

    low: float
    high: float
    examples: int


def intervals(
    scores: Scores,
    formulas: Mapping[str, Formula],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, Interval]:
    """For each metric that follows from the examples' own scores, its interval.

    A split is drawn anew by drawing as many of its examples, with replacement. What a metric is
    then follows from the means of the examples' scores and parts: by its formula, or, without one,
    as 100 times the mean of the score of its name, over those examples that have it. All metrics
    are taken of the same draws. Counts have no interval, and neither has a metric that does not
    come out right in this way on the split itself.

    Args:
        scores: of a whole split.
        formulas: `Task.formulas`.
        resamples: how often to draw.
        seed: of the draws.
    """
    examples = scores.examples
    if scores.parts:
        examples = [{**one, **parts} for one, parts in zip(examples, scores.parts, strict=True)]
    names = sorted({name for example in examples for name in example})
    if not names:
        return {}
    values = np.array([[one.get(name, math.nan) for name in names] for one in examples])
    present = ~np.isnan(values)
    columns = np.hstack([np.where(present, values, 0.0), present])
    split, draws = (
        dict(zip(names, _means(sums), strict=True))
        for sums in (columns.sum(0)[None], _resampled(columns, resamples, seed))
    )
    counts = dict(zip(names, present.sum(0).tolist(), strict=True))
    found = {}
    for metric, value in scores.metrics.items():
        formula = formulas.get(metric, _mean_of(metric))
        if isinstance(value, int) or (metric not in formulas and metric not in names):
            continue
        with np.errstate(invalid="ignore", divide="ignore"):
            again, drawn = formula(split)[0], formula(draws)
        if not np.isclose(again, value, rtol=1e-6, atol=1e-9):
            continue
        drawn = drawn[np.isfinite(drawn)]  # a draw may have none of the examples
        low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]).tolist()
        found[metric] = Interval(low, high, counts.get(metric, concerned(scores, metric)))
    return found


def concerned(scores: Scores, metric: str) -> int:
    """How many examples a metric is about that none of them has for itself.

    In a mixture those are the ones with a score that is called after the same task.
    """
    task, slash, _ = metric.rpartition("/")
    if not slash:
        return len(scores.examples)
    return sum(any(name.startswith(f"{task}/") for name in one) for one in scores.examples)


def _mean_of(metric: str) -> Formula:
    return lambda means: 100 * means[metric]


def _resampled(columns: np.ndarray, resamples: int, seed: int) -> np.ndarray:
    """Sums of the columns over examples drawn with replacement, [resamples, columns]."""
    chance = np.random.default_rng(seed)
    examples = len(columns)
    sums = np.empty((resamples, columns.shape[1]))
    for row in sums:
        times = np.bincount(chance.integers(examples, size=examples), minlength=examples)
        row[:] = times.astype(np.float64) @ columns
    return sums


def _means(sums: np.ndarray) -> np.ndarray:
    """Means [scores, n] from [n, sums of scores and counts of examples that have them]."""
    values, counts = np.split(sums.T, 2)
    with np.errstate(invalid="ignore"):
        return values / counts
