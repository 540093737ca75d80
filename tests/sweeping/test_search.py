"""What Hydra's words for a search mean."""

from __future__ import annotations

from pathlib import Path

import pytest
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from pg_transfer.sweeping.search import Search, read_search
from pg_transfer.sweeping.study import distribution

CONF = Path(__file__).parents[2] / "conf"


def search(*typed: str) -> Search:
    with initialize_config_dir(str(CONF), version_base=None):
        return read_search(typed, GlobalHydra.instance().config_loader())


@pytest.mark.parametrize(
    ("value", "drawn_from"),
    [
        ("1e-5,3e-5", CategoricalDistribution(["1e-05", "3e-05"])),
        ("choice(a, b)", CategoricalDistribution(["a", "b"])),
        ("interval(0, 0.5)", FloatDistribution(0.0, 0.5)),
        ("tag(log, interval(1e-6, 1e-3))", FloatDistribution(1e-6, 1e-3, log=True)),
        ("int(interval(1, 9))", IntDistribution(1, 9)),
        ("tag(log, int(interval(1, 64)))", IntDistribution(1, 64, log=True)),
        ("range(2, 9, 2)", IntDistribution(2, 8, step=2)),  # Hydra's ranges leave out their end
        ("range(0.5, 2.0, 0.5)", FloatDistribution(0.5, 1.5, step=0.5)),
    ],
)
def test_each_word_of_hydra(value: str, drawn_from: BaseDistribution) -> None:
    (dimension,) = search(f"recipe.lr={value}").dimensions.values()
    found = distribution(dimension, is_listed=False)
    if isinstance(drawn_from, FloatDistribution):
        assert isinstance(found, FloatDistribution)
        assert (found.low, found.high) == pytest.approx((drawn_from.low, drawn_from.high))
        assert (found.log, found.step) == (drawn_from.log, drawn_from.step)
    else:
        assert found == drawn_from


def test_a_glob_stands_for_the_options_of_a_group() -> None:
    (dimension,) = search("tuning=glob(*lora)").dimensions.values()
    assert dimension.examples() == ("lora", "qlora", "rslora")


def test_all_combinations_are_those_of_hydras_own_sweeper() -> None:
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
    from hydra.core.override_parser.overrides_parser import OverridesParser

    typed = ["task=shapes", "recipe.lr=1e-5,3e-5", "seed=range(0,6,2)", "tuning=full,lora"]
    found = search(*typed)
    theirs = BasicSweeper.split_arguments(OverridesParser.create().parse_overrides(typed), None)[0]
    assert sorted(map(sorted, theirs)) == sorted(
        sorted(found.settings(values)) for values in found.grid()
    )


def test_what_is_drawn_is_typed_so_that_a_person_can_repeat_it() -> None:
    (lr,) = search("recipe.lr=interval(0, 1)").dimensions.values()
    assert lr.spelled(0.123456789) == "0.123457"
    (rank,) = search("adapter_defaults.rank=int(interval(1, 9))").dimensions.values()
    assert rank.spelled(4) == "4"


@pytest.mark.parametrize(
    ("setting", "complaint"),
    [
        ("recipe.lr=range(3, 3)", "no number in this range"),
        ("recipe.lr=tag(log, interval(0, 1))", "a logarithm needs it above 0"),
        ("recipe.lr=interval(2, 1)", "the lower end comes first"),
    ],
)
def test_a_search_that_cannot_be(setting: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        search(setting)
