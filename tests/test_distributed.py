"""Two processes do what one does."""

from __future__ import annotations

import csv
import json
import os
import subprocess
from pathlib import Path

import pytest

from tests import ready

ROOT = Path(__file__).parents[1]

# Twelve updates of eight examples; the 128 examples of `val` are answered by both processes.
OPTIONS = [
    "splits={train: val, validate: val, report: [val]}", "recipe.epochs=0.75",
    "recipe.batch_size=8", "micro_batch=2", "evaluation_batch=50", "validations=1",
    "score_before=false", "trainer=cpu", "trainer.log_every_n_steps=1", "workers=0",
]  # fmt: skip


def trained(folder: Path, *options: str) -> tuple[list[float], dict[str, str]]:
    """The losses of a run, and its answers by example."""
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [ready.python(), str(ROOT / "train.py"), f"run={folder}", *OPTIONS, *options],
        cwd=folder.parent, env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("micro-batch") == 1  # one process speaks
    with (folder / "metrics.csv").open() as file:
        losses = [float(row["loss"]) for row in csv.DictReader(file) if row["loss"]]
    rows = (folder / "answers" / "val-step000012.jsonl").read_text().splitlines()
    answers = [json.loads(row) for row in rows]
    assert len(answers) == len({answer["id"] for answer in answers}) == 128
    return losses, {answer["id"]: answer["answer"] for answer in answers}


@pytest.mark.slow
@pytest.mark.parametrize("tuning", ["full", "lora"])
def test_two_processes_learn_and_answer_as_one(tuning: str, tmp_path: Path) -> None:
    losses, answers = trained(tmp_path / "one", f"tuning={tuning}")
    losses_of_two, answers_of_two = trained(
        tmp_path / "two", f"tuning={tuning}", "trainer.devices=2", "trainer.strategy=ddp"
    )
    assert len(losses) == 12
    assert losses == pytest.approx(losses_of_two, rel=1e-4)
    assert answers == answers_of_two
