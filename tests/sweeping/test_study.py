"""Trials are led, given up, repeated and gone on with: real processes that pretend to train."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from pg_transfer.reporting.scores_file import Score
from pg_transfer.sweeping.processes import Stopped, run_trials
from pg_transfer.sweeping.results import Results, Row
from pg_transfer.sweeping.search import Numbers, Options, Search
from pg_transfer.sweeping.study import Plan, Study
from pg_transfer.sweeping.summary import short_names, show_summary, verdict, write_summary
from pg_transfer.sweeping.trials import Trial, read_trials
from tests.sweeping.pretended import command, rates, states, study

__all__ = ["study"]
ROOT = Path(__file__).parents[2]

LR = Numbers(0.0, 1.0, step=0.0, is_whole=False, is_log=False)


def test_all_combinations_run_once_and_the_best_is_named(study, tmp_path: Path) -> None:
    run_trials(study(rates("1", "3", "2")), [{}, {}])
    results = write_summary(tmp_path)
    assert states(tmp_path) == ["finished"] * 3
    assert results.best["val/mIoU"].trial.settings == {"recipe.lr": "3"}
    assert [row.score for row in results.rows] == [4.0, 12.0, 8.0]  # lr times the fourth step
    run_trials(study(rates("1", "3", "2")), [{}])  # nothing is left to do
    assert len(read_trials(tmp_path)) == 3


def test_a_failed_trial_says_why_and_can_be_repeated(study, tmp_path: Path) -> None:
    search = Search(["recipe.lr=1"], {"how": Options(("fail", "well"))})
    run_trials(study(search), [{}])
    failed, finished = read_trials(tmp_path)
    assert (failed.state, failed.reason) == ("failed", "no such colour")
    assert finished.state == "finished"
    again = study(search)
    again.retry()
    run_trials(again, [{}])
    assert [trial.settings["how"] for trial in read_trials(tmp_path)] == ["fail", "well", "fail"]


def test_where_all_fail_the_rest_is_not_started(study, tmp_path: Path) -> None:
    search = Search(["recipe.lr=1", "how=fail"], {"seed": Options(("0", "1", "2", "3", "4"))})
    led = study(search)
    run_trials(led, [{}])
    assert led.is_hopeless and states(tmp_path) == ["failed"] * 3


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_sweep_goes_on_with_the_same_trials(study, number, tmp_path: Path) -> None:
    search = Search([f"seen={tmp_path / 'seen'}", "pause=0.4"], {"recipe.lr": Options(("1", "2"))})
    led = study(search)
    heard, told = led.heard, []

    def stop_once(trial, scores):
        if scores and not told:
            told.append(trial)
            os.kill(os.getpid(), number)
        return heard(trial, scores)

    led.heard = stop_once
    with pytest.raises(Stopped) as stopped:
        run_trials(led, [{}])
    assert stopped.value.exit_code == 128 + number
    assert states(tmp_path) == ["unfinished"]
    run_trials(study(search), [{}])
    assert states(tmp_path) == ["finished"] * 2
    assert (tmp_path / "seen").read_text().split() == ["0", "0", "1"]
    values = [one.intermediate_values for one in study(search).study.trials]
    assert values == [{1: 1, 2: 2, 3: 3, 4: 4}, {1: 2, 2: 4, 3: 6, 4: 8}]


def test_two_processes_never_work_in_one_folder(study, tmp_path: Path) -> None:
    search = Search(["pause=3"], {"recipe.lr": Options(("1",))})
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); from pathlib import Path\n"
        "from tests.sweeping.pretended import *\n"
        "search = Search(['pause=3'], {'recipe.lr': Options(('1',))})\n"
        "plan = Plan('grid', None, 'none', 1, 0, None)\n"
        "from pg_transfer.sweeping.processes import run_trials\n"
        "run_trials(Study(Path(sys.argv[2]), search, plan, command=command), [{}])"
    )
    sweep = subprocess.Popen([sys.executable, "-c", code, str(ROOT), str(tmp_path)])
    while not (tmp_path / "0" / "trial.json").exists():
        assert sweep.poll() is None
        time.sleep(0.05)
    time.sleep(0.5)
    sweep.kill()  # and its trial works on
    sweep.wait()
    with pytest.raises(ValueError, match=r"0: its trial is still at work.*Wait for it, or end it"):
        run_trials(study(search), [{}])


@pytest.mark.slow
def test_drawn_settings_do_not_depend_on_interruptions(study, tmp_path: Path) -> None:
    plan = {"method": "tpe", "trials": 3}
    run_trials(study(Search([], {"recipe.lr": LR}), **plan | {"trials": 1}), [{}])
    run_trials(study(Search([], {"recipe.lr": LR}), **plan), [{}])
    drawn = [trial.settings["recipe.lr"] for trial in read_trials(tmp_path)]
    assert len(set(drawn)) == 3
    other = tmp_path / "other"
    other.mkdir()
    whole = Study(
        other, Search([], {"recipe.lr": LR}), Plan("tpe", 3, "none", 1, 0, None), command=command
    )
    run_trials(whole, [{}])
    assert [trial.settings["recipe.lr"] for trial in read_trials(other)] == drawn


@pytest.mark.slow
def test_only_the_best_keep_their_checkpoints(study, tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / str(number) / "checkpoints").mkdir(parents=True)
    run_trials(study(rates("1", "3", "2"), keep=1), [{}])
    assert [path.parent.name for path in tmp_path.glob("*/checkpoints")] == ["1"]


@pytest.mark.slow
def test_the_summary_shows_every_kind_of_end(study, tmp_path: Path) -> None:
    run_trials(study(rates("1", "3")), [{}])
    kinds = zip(read_trials(tmp_path), ("pruned", "failed"), strict=True)
    for number, (trial, state) in enumerate(kinds, start=2):
        folder = tmp_path / str(number)
        folder.mkdir()
        reason = f"<b>{state}</b>"
        Trial(number, folder, trial.settings | {"recipe.lr": "9"}).ended(state, reason).save()
    write_summary(tmp_path)
    rows = json.loads((tmp_path / "sweep.json").read_text())
    assert rows["best"] == {"val/mIoU": 1}
    assert [one["state"] for one in rows["trials"]] == ["finished", "finished", "pruned", "failed"]
    page = (tmp_path / "sweep.html").read_text()
    assert "&lt;b&gt;failed" in page and "<b>" not in page and "@@" not in page
    assert "python evaluate.py run=" in page
    lines = (tmp_path / "sweep.csv").read_text().splitlines()
    assert lines[0] == "trial,recipe.lr,state,val/mIoU,highest,update,why" and len(lines) == 5
    with Image.open(tmp_path / "sweep.png") as picture:
        assert picture.width > 600 and len(picture.convert("RGB").getcolors(1 << 24) or ()) > 50


@pytest.mark.slow
def test_the_table_on_the_terminal_is_for_people(
    study, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_trials(study(rates("1", "3")), [{}])
    capsys.readouterr()
    show_summary(write_summary(tmp_path))
    said = capsys.readouterr().out
    header = said.splitlines()[2].replace("┃", "|").split("|")[1:-1]
    assert [one.strip() for one in header] == [
        "trial", "lr", "state", "val/mIoU", "highest", "update",
    ]  # fmt: skip
    assert "trials: 2 finished" in said and "failed" not in said
    page = (tmp_path / "sweep.html").read_text()
    assert "<th>recipe.lr</th>" in page and "<th>why</th>" not in page
    trial = read_trials(tmp_path)[0]
    trial.ended("failed", "no such colour").save()
    show_summary(write_summary(tmp_path))
    assert "trial 0 failed: no such colour\n" in capsys.readouterr().out
    assert "<th>why</th>" in (tmp_path / "sweep.html").read_text()


def test_trials_that_are_as_good_as_the_best_are_told(tmp_path: Path) -> None:
    scores = [9.0, 12.0, 12.0, 12.0]
    rows = []
    for number, score in enumerate(scores):
        state = "pruned" if number == 3 else "finished"
        trial = Trial(number, tmp_path / str(number), {}, state)
        last = Score(step=4, steps=4, split="val", metric="mIoU", score=score)
        rows.append(Row(trial, {"seed": str(number)}, [last]))
    assert verdict(Results(tmp_path, rows, {}))[:2] == [
        "best of val/mIoU: trial 1 with 12.00 (seed=1)",
        "as good: trial 2; the first of the best is named",
    ]
    assert len(verdict(Results(tmp_path, rows[:2], {}))) == 2


def test_names_are_shortened_where_they_stay_apart() -> None:
    assert short_names(["recipe.lr", "tuning.vision.lr", "seed", "recipe.batch_size"]) == {
        "recipe.lr": "recipe.lr", "tuning.vision.lr": "tuning.vision.lr", "seed": "seed",
        "recipe.batch_size": "batch_size",
    }  # fmt: skip
