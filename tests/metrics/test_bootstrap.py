"""Intervals against the binomial and the normal distribution, and by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from pg_transfer.metrics import vqa
from pg_transfer.metrics.bootstrap import intervals
from pg_transfer.metrics.segmentation import FORMULAS
from pg_transfer.task import Scores
from tasks.rsvqa import RSVQA


def scored(values, name="accuracy") -> Scores:
    """A split with these scores, and their mean in percent."""
    return Scores({name: 100 * float(np.mean(values))}, [{name: float(v)} for v in values])


def test_a_tiny_split_drawn_by_hand() -> None:
    values = [0.0, 0.25, 1.0]
    chance = np.random.default_rng(7)
    means = []
    for _ in range(5):
        drawn = [values[place] for place in chance.integers(3, size=3)]
        means.append(100 * sum(drawn) / 3)
    means.sort()
    # The 2.5 % quantile of five values lies a tenth of the way from the first to the second.
    low = means[0] + 0.1 * (means[1] - means[0])
    high = means[4] - 0.1 * (means[4] - means[3])
    found = intervals(scored(values), {}, resamples=5, seed=7)
    assert found["accuracy"] == pytest.approx((low, high, 3))
    assert len(set(means)) > 2


def test_right_or_wrong_is_binomial() -> None:
    # 15 of 50: what is drawn is 100 / 50 times a binomial number of 50 with p = 0.3.
    found = intervals(scored([1] * 15 + [0] * 35), {}, resamples=20_000)["accuracy"]
    expected = 2 * stats.binom(50, 0.3).ppf([0.025, 0.975])
    assert found[:2] == pytest.approx(expected, abs=2)  # one answer more or less


def test_a_mean_is_nearly_normal() -> None:
    values = np.random.default_rng(0).normal(0.5, 0.1, size=500)
    low, high, _ = intervals(scored(values), {}, resamples=4000)["accuracy"]
    half = 1.96 * 100 * values.std() / math.sqrt(500)
    assert (low, high) == pytest.approx(
        (100 * values.mean() - half, 100 * values.mean() + half), abs=half * 0.1
    )


def test_intervals_hold_the_truth_as_often_as_they_should() -> None:
    chance = np.random.default_rng(1)
    held = 0
    for _ in range(300):
        values = chance.uniform(size=80)  # of mean 0.5
        low, high, _ = intervals(scored(values), {}, resamples=300)["accuracy"]
        held += low <= 50 <= high
    # 95 % of 300 is 285, with a standard error of 3.8; small splits come out a little short.
    assert 268 <= held <= 297


def test_a_ratio_is_one_of_sums() -> None:
    # Two examples with 1 / 2 and 3 / 10: drawn twice the first 50, twice the second 30, and the
    # mixture, half of all draws, 4 / 12 = 33.3, not the mean of both.
    examples = [{"intersection": 1.0, "union": 2.0}, {"intersection": 3.0, "union": 10.0}]
    scores = Scores({"oIoU": 100 * 4 / 12}, examples)
    assert intervals(scores, FORMULAS)["oIoU"] == pytest.approx((30, 50, 2))
    many = Scores({"oIoU": 100 * 4 / 12}, examples * 200)
    low, high, _ = intervals(many, FORMULAS)["oIoU"]
    assert 31 < low < 100 / 3 < high < 36


def test_a_score_that_only_some_have_is_a_mean_over_those() -> None:
    # Of ten questions two are of type b, one of them right.
    examples = [{"a": 1.0}] * 8 + [{"b": 1.0}, {"b": 0.0}]
    scores = Scores({"a": 100.0, "b": 50.0, "average": 75.0}, examples)
    formulas = {"average": lambda means: 50 * (means["a"] + means["b"])}
    found = intervals(scores, formulas)
    assert found["a"] == (100, 100, 8)
    assert found["b"] == (0, 100, 2)  # draws without any of the two say nothing
    assert found["average"] == (50, 100, 10)


def test_what_does_not_follow_from_the_examples_has_no_interval() -> None:
    examples = [{"accuracy": 1.0, "right": 1.0, "invalid": 1.0}, {"accuracy": 0.0, "right": 0.5}]
    scores = Scores(
        {"accuracy": 50.0, "right": 50.0, "invalid": 1, "Bleu_4": 31.0, "total": 2}, examples
    )
    # `right` is 75 by its examples; counts are counts.
    assert intervals(scores, {}).keys() == {"accuracy"}
    assert intervals(Scores({"answered": 2}, [{}, {}]), {}) == {}
    # A count that happens to be 100 times the mean.
    assert intervals(Scores({"invalid": 100}, [{"invalid": 1.0}] * 100), {}) == {}


def test_an_interval_hangs_on_the_answers_and_the_seed_alone() -> None:
    scores = scored(np.random.default_rng(3).uniform(size=40))
    more = Scores(
        {"other": 100.0, **scores.metrics}, [{**one, "other": 1.0} for one in scores.examples]
    )
    found = intervals(scores, {})
    assert found == intervals(scores, {})
    assert intervals(more, {})["accuracy"] == pytest.approx(found["accuracy"])
    assert intervals(scores, {}, seed=1)["accuracy"] != pytest.approx(found["accuracy"])


def test_the_mean_over_types_of_questions() -> None:
    # Types of 1 / 2 and 3 / 3 right: 75 on average, and between 50 and 100 on draws, as the second
    # type is always right; draws that lack a type say nothing.
    scores = vqa.score_by_type("yyyyy", "ynyyy", ["a", "a", "b", "b", "b"])
    assert scores.metrics["accuracy_average"] == 75
    found = intervals(scores, RSVQA.formulas)
    assert found.keys() == scores.metrics.keys()
    assert found["accuracy_average"] == (50, 100, 5)
    assert found["accuracy_b"] == (100, 100, 3)


def test_captions_are_sure_as_far_as_images_are_scored_one_by_one() -> None:
    captions = pytest.importorskip("pg_transfer.metrics.captions", exc_type=ImportError)
    said = ["a man rides a horse", "two dogs", "a red bus on the street", "a cat sleeps"]
    people = [["a man on a horse"], ["two dogs play", "dogs"], ["a bus"], ["the cat sleeps"]]
    scores = captions.score_captions(said, people, ("CIDEr", "ROUGE_L", "Bleu_4"))
    found = intervals(scores, {})
    assert found.keys() == {"CIDEr", "ROUGE_L"}
    assert found["CIDEr"].low < scores.metrics["CIDEr"] < found["CIDEr"].high
