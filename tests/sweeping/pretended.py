"""Sweeps of runs that only pretend to train."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pg_transfer.sweeping.search import Options, Search
from pg_transfer.sweeping.study import Plan, Study
from pg_transfer.sweeping.trials import Trial, joined_settings, read_trials

RUN = Path(__file__).with_name("pretended_run.py")


def command(trial: Trial) -> list[str]:
    return [sys.executable, str(RUN), *joined_settings(trial.settings), f"run='{trial.folder}'"]


@pytest.fixture
def study(tmp_path: Path) -> Callable[..., Study]:
    """Makes a study, or goes on with it."""

    def made(search: Search, **plan) -> Study:
        kept = {"method": "grid", "trials": None, "prune": "none", "spared": 1, "seed": 0}
        return Study(tmp_path, search, Plan(**kept | {"keep": None} | plan), command=command)

    return made


def rates(*values: str) -> Search:
    return Search([], {"recipe.lr": Options(values)})


def states(folder: Path) -> list[str]:
    return [trial.state for trial in read_trials(folder)]
