"""Which trials are given up and when, and what a signal does to a sweep that gives some up."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from optuna.trial import TrialState

from pg_transfer.reporting.scores_file import Score, add_score, read_scores
from pg_transfer.sweeping import processes
from pg_transfer.sweeping.processes import Stopped, Work, run_trials
from pg_transfer.sweeping.search import Options, Search
from pg_transfer.sweeping.study import Study
from pg_transfer.sweeping.trials import Trial, read_trials
from tests.sweeping.pretended import rates, states, study

__all__ = ["study"]
VALIDATIONS = 5


def trained(led: Study, score: float) -> str:
    """Pretends a trial whose score is the same at each validation; why it was given up."""
    work = led.next()
    assert work is not None
    trial = work.trial
    for step in range(1, VALIDATIONS + 1):
        one = Score(step, VALIDATIONS, "val", "mIoU", score)
        add_score(trial.folder, one)
        if reason := led.heard(trial, [one]):
            break
    end = trial.ended("pruned", reason) if reason else trial.ended("finished")
    end.save()
    led.ended(end)
    return reason


def test_halving_gives_up_who_is_not_in_the_better_half(study) -> None:
    led = study(rates(*"123456"), prune="halving", spared=2)
    # The first two are spared. Then after the first, second and fourth validation a trial has to be
    # among the better half of those that have come so far: of three and of five, one and two.
    scores = (5.0, 1.0, 3.0, 6.0, 5.5, 5.2)
    given_up = [trained(led, score) for score in scores]
    first, second = (f"given up after {step} of 5 updates: behind the others" for step in (1, 2))
    assert given_up == ["", "", first, "", "", second]
    assert [one.state == TrialState.PRUNED for one in led.study.trials] == [
        bool(reason) for reason in given_up
    ]


@pytest.mark.parametrize("prune", ["median", "halving"])
def test_a_trial_that_falls_behind_late_is_let_finish(study, prune: str) -> None:
    led = study(rates(*"12"), prune=prune, spared=1)
    assert not trained(led, 2.0)
    work = led.next()
    assert work is not None
    for step, score in enumerate((3.0, 3.0, 3.0, 3.0, 1.0), start=1):
        one = Score(step, VALIDATIONS, "val", "mIoU", score)
        add_score(work.trial.folder, one)
        assert not led.heard(work.trial, [one])


@pytest.mark.parametrize("prune", ["median", "halving"])
def test_a_study_that_goes_on_compares_with_the_trials_before(study, prune: str) -> None:
    assert not trained(study(rates(*"123"), prune=prune), 2.0)
    led = study(rates(*"123"), prune=prune)
    assert trained(led, 1.0) and not trained(led, 3.0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("prune", "number"), [("median", signal.SIGINT), ("halving", signal.SIGTERM)]
)
def test_a_sweep_is_stopped_while_it_gives_a_trial_up(
    study, prune: str, number: int, tmp_path: Path
) -> None:
    search = Search([f"seen={tmp_path / 'seen'}", "pause=0.4"],
                    {"recipe.lr": Options(("3", "1", "2", "4"))})  # fmt: skip
    led = study(search, prune=prune)
    heard = led.heard

    def stopped_then(trial: Trial, scores: Sequence[Score]) -> str:
        if reason := heard(trial, scores):
            os.kill(os.getpid(), number)
        return reason

    led.heard = stopped_then
    with pytest.raises(Stopped) as stopped:
        run_trials(led, [{}])
    assert stopped.value.exit_code == 128 + number
    # The first is spared; the second has 1 where the first had 3, and 2 where it had 6.
    assert states(tmp_path) == ["finished", "pruned"]
    assert re.search("given up after [12] of 4 updates", read_trials(tmp_path)[1].reason)
    assert led.study.trials[1].state == TrialState.PRUNED
    assert led.study.trials[1].value in (1.0, 2.0)
    run_trials(study(search, prune=prune), [{}])
    assert states(tmp_path) == ["finished", "pruned", "pruned", "finished"]
    assert (tmp_path / "seen").read_text().split() == ["0", "1", "2", "3"]
    assert len(read_scores(tmp_path / "3")) == 4


def test_a_trial_that_starts_as_the_signal_comes_is_stopped_too(
    study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[subprocess.Popen[bytes]] = []

    class Signalled(subprocess.Popen):
        def __init__(self, *arguments, **options) -> None:
            super().__init__(*arguments, **options)
            begun.append(self)
            os.kill(os.getpid(), signal.SIGTERM)

    class One:
        """A foreman with one trial, which would take ten minutes."""

        def __init__(self) -> None:
            trial = Trial(0, tmp_path / "0", {})
            self.works = [Work(trial, [sys.executable, "-c", "import time; time.sleep(600)"])]

        def next(self) -> Work | None:
            return self.works.pop() if self.works else None

        def heard(self, trial: Trial, scores: Sequence[Score]) -> str:
            return ""

        def ended(self, trial: Trial) -> None:
            assert trial.state == "unfinished"

    monkeypatch.setattr(processes.subprocess, "Popen", Signalled)
    try:
        with pytest.raises(Stopped):
            run_trials(One(), [{}])
        assert begun[0].poll() == -signal.SIGTERM and states(tmp_path) == ["unfinished"]
    finally:
        begun[0].kill()
