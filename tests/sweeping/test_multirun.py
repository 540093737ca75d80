"""`train.py -m` works as a user of Hydra types it, also with several devices per run."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from pg_transfer.reporting.scores_file import read_scores
from pg_transfer.sweep import composed, require_held_out
from tests import ready
from tests.faults.commands import call

ROOT = Path(__file__).parents[2]

# Twelve updates of eight examples.
SHORT = [
    "splits={train: val, validate: val, report: [val]}", "recipe.epochs=0.75",
    "recipe.batch_size=8", "micro_batch=2", "evaluation_batch=64", "validations=1", "page=0",
    "pictured=0", "score_before=false", "trainer=cpu", "trainer.log_every_n_steps=1", "workers=0",
]  # fmt: skip

HELD_OUT = ["splits.train=test", "recipe.epochs=0.1875"]
"""Of 512 shapes the same twelve updates, so that settings may be chosen by val."""


def multirun(
    folder: Path, *settings: str, python: str | None = None
) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [python or ready.python(), str(ROOT / "train.py"), "-m", "hydra.sweep.dir=sweep",
         *SHORT, *settings],
        cwd=folder, env=environment, capture_output=True, text=True,
    )  # fmt: skip


def losses(folder: Path) -> list[float]:
    with (folder / "metrics.csv").open() as file:
        return [float(row["loss"]) for row in csv.DictReader(file) if row["loss"]]


@pytest.mark.slow
def test_devices_of_a_trial_learn_together_and_a_failed_one_does_not_stop_the_rest(
    tmp_path: Path,
) -> None:
    done = multirun(tmp_path, "recipe.lr=2e-3", "trainer.devices=1,3,2")
    # Batches of 8 in micro-batches of 2 cannot be shared by 3; the others have the same losses.
    assert done.returncode == 1 and "error: trial 1:" in done.stderr
    told = "note: the trials are compared by scores of 'val', which is learnt from ('val'): "
    assert done.stdout.count(told) == 1
    sweep = tmp_path / "sweep"
    assert losses(sweep / "0") == pytest.approx(losses(sweep / "2"), rel=1e-4)
    rows = json.loads((sweep / "sweep.json").read_text())["trials"]
    assert [row["state"] for row in rows] == ["finished", "failed", "finished"]
    assert [row["settings"] for row in rows] == [{"trainer.devices": one} for one in "132"]
    settings = yaml.safe_load((sweep / "2" / "config.yaml").read_text())
    assert (settings["trainer"]["devices"], settings["run"]) == (2, str(sweep / "2"))
    again = multirun(tmp_path, "recipe.lr=2e-3", "trainer.devices=1,3,2")
    assert again.stdout.count("is finished already") == 2


@pytest.mark.slow
def test_submitit_runs_the_trials_and_the_results_are_told(tmp_path: Path) -> None:
    done = multirun(
        tmp_path, "hydra/launcher=submitit_local", "recipe.lr=2e-3,1e-30", python=sys.executable
    )  # it goes by the numbers of processes
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / "sweep" / "sweep.json").read_text())["trials"]
    assert [row["state"] for row in rows] == ["finished", "finished"]
    assert [row["score"] for row in rows] == [
        read_scores(tmp_path / "sweep" / str(number))[-1].score for number in (0, 1)
    ]
    assert "best of val/mIoU: trial" in done.stdout


@pytest.mark.filterwarnings("ignore")
def test_devices_that_would_train_with_different_settings_are_refused(tmp_path: Path) -> None:
    ended = call(
        "train.py",
        ["-m", "hydra/launcher=basic", "recipe.lr=1e-3,2e-3", "trainer.devices=2", *SHORT],
        tmp_path,
    )
    assert ended.code == 1
    assert "a sweep with 2 devices per run needs a process of its own" in ended.error


def test_the_folder_of_one_run_is_not_taken_for_a_sweep(tmp_path: Path) -> None:
    ended = call("train.py", ["-m", "run=mine", "recipe.lr=1e-3,2e-3", *SHORT], tmp_path)
    assert ended.code == 1
    assert "hydra.sweep.dir=mine names that of a sweep" in ended.message


@pytest.mark.slow
def test_optuna_leads_real_runs(tmp_path: Path) -> None:
    done = subprocess.run(
        [ready.python(), "-m", "pg_transfer.sweep", *SHORT, *HELD_OUT, "--to", "sweep",
         "--trials", "2", "recipe.lr=tag(log, interval(1e-4, 1e-2))", "--parallel", "2"],
        cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"},
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / "sweep" / "sweep.json").read_text())["trials"]
    for row in rows:
        saved = yaml.safe_load((tmp_path / "sweep" / row["folder"] / "config.yaml").read_text())
        assert saved["recipe"]["lr"] == float(row["settings"]["recipe.lr"])
        assert row["state"] == "finished" and row["scores"][-1]["step"] == 12


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["task=shapes"], "nothing is searched: give a setting several values"),
        (["recipe.lr=interval(1e-5,1e-3)"], "say how many to try, --trials 20"),
        (["recipe.lr=interval(0,1)", "--trials", "3"], "recipe.lr=0 is not above 0"),
        (["task=shapes,custom", "--trials", "3"], "scores of different tasks cannot be compared"),
        (["run=a", "seed=1,2"], "run=a: every trial has a folder of its own"),
        (["recipe.speed=1,2"], "there is no setting recipe.speed"),
        (["seed=1,2", "--search", "tpe"], "needs to know how many to try: --trials 20"),
    ],
)
def test_a_sweep_that_cannot_be_is_refused(
    words: list[str], complaint: str, tmp_path: Path
) -> None:
    ended = call("src/pg_transfer/sweep.py", words, tmp_path)
    assert (ended.code, list(tmp_path.iterdir())) == (1, [])
    assert complaint in ended.message


def test_repetitions_choose_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    search, configs = composed(["task=textvqa", "seed=0,1"])
    require_held_out(configs, search)
    assert "note: the trials are compared by scores of 'train[:5120]'" in capsys.readouterr().out
    search, configs = composed(["task=textvqa", "seed=0,1", "recipe.lr=1e-6,3e-6"])
    with pytest.raises(ValueError, match=r"compared by scores of 'train\[:5120\]'"):
        require_held_out(configs, search)
    search, configs = composed(["task=textvqa", "final_split=false", "recipe.lr=1e-6,3e-6"])
    require_held_out(configs, search)


def test_trials_may_be_followed_by_two_trackers() -> None:
    _, configs = composed(["logger=[wandb,tensorboard]", "recipe.lr=1e-3,2e-3"])
    assert [[*config.logger] for config in configs] == 2 * [["wandb", "tensorboard"]]


def test_an_unknown_option_is_a_wrong_use(tmp_path: Path) -> None:
    assert call("src/pg_transfer/sweep.py", ["seed=1,2", "--speed"], tmp_path).code == 2
