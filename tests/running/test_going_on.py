"""A run that was cut short anywhere ends as one that was not."""

from __future__ import annotations

import csv
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from lightning.pytorch import Callback

from pg_transfer.running.assemble import Run, assemble
from pg_transfer.running.transfer import score_before
from pg_transfer.training.weights import LAST
from tasks.shapes import SPLITS
from tests import ready
from tests.killed_runs import difference, left_in_training
from tests.training.test_checkpoints import settings

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def few_shapes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SPLITS, "val", 24)
    monkeypatch.setitem(SPLITS, "test", 6)


def started(folder: Path, *options: str) -> Run:
    return assemble(settings(folder, "evaluation_batch=2", *options), folder)


def go_on(run: Run) -> None:
    last = run.folder / "checkpoints" / LAST
    ckpt_path = last if last.exists() else None
    run.trainer.fit(run.module, run.data, ckpt_path=ckpt_path, weights_only=True)


class Crash(Callback):
    """Ends the run in a validation, before its second batch."""

    def __init__(self, step: int) -> None:
        self.at = step

    def on_validation_batch_start(
        self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        if trainer.global_step == self.at and batch_idx == 1:
            raise RuntimeError("power cut")


# Six updates; the second of two validations comes after the last of them.
@pytest.mark.slow
@pytest.mark.parametrize("step", [3, 6])
def test_a_validation_that_was_cut_short_is_made_up_for(step: int, tmp_path: Path) -> None:
    whole = started(tmp_path / "whole", "checkpoint_minutes=60")
    go_on(whole)
    for _ in range(2):  # the second time it is cut short where it went on
        broken = started(tmp_path / "broken", "checkpoint_minutes=60")
        broken.trainer.callbacks.append(Crash(step))  # type: ignore[attr-defined]
        with pytest.raises(RuntimeError, match="power cut"):
            go_on(broken)
    go_on(started(tmp_path / "broken", "checkpoint_minutes=60"))
    found = difference(*(left_in_training(tmp_path / run) for run in ("whole", "broken")))
    assert not found


class PowerCut(Callback):
    """Ends the run behind everything else that happens after its first update."""

    def on_train_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if trainer.global_step == 1:
            raise RuntimeError("power cut")


def test_the_first_update_is_logged_beside_the_scores_before_it(tmp_path: Path) -> None:
    """Which have the same number; a checkpoint is saved before the update is logged."""
    options = ["checkpoint_minutes=0", "validations=1", "trainer.log_every_n_steps=1"]
    run = started(tmp_path, *options)
    score_before(run, is_done=False)
    run.trainer.callbacks.append(PowerCut())  # type: ignore[attr-defined]
    with pytest.raises(RuntimeError, match="power cut"):
        go_on(run)
    go_on(started(tmp_path, *options))
    with (tmp_path / "metrics.csv").open(newline="") as file:
        steps = [int(row["step"]) for row in csv.DictReader(file) if row["loss"]]
    assert steps == list(range(6))


def test_answers_of_earlier_weights_do_not_stay(tmp_path: Path) -> None:
    """A run may be killed when it has saved its state, and not yet removed them."""
    go_on(started(tmp_path, "validations=1"))
    left = [tmp_path / "answers" / f"test-step00000{step}.part.jsonl" for step in (0, 3, 6)]
    for path in left[:2]:
        path.write_text("")
    assert left[2].exists()  # of the last weights: until the report is written
    go_on(started(tmp_path, "validations=1"))
    assert [path.exists() for path in left] == [False, False, True]


@pytest.mark.slow
def test_eight_kills_change_nothing(tmp_path: Path) -> None:
    """Losses, rates, norms, scores, answers, the report, best and last weights: to the last bit."""
    done = subprocess.run(
        [ready.python(), "-m", "tests.killed_runs", str(tmp_path), "8"], cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"},
        capture_output=True, text=True,
    )  # fmt: skip
    print(done.stdout)  # the seed
    assert done.returncode == 0, done.stdout + done.stderr
    assert "8 kills" in done.stdout
