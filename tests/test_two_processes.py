"""What can happen to one of two processes happens to the run."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from pg_transfer.training.streams import Shuffled
from tests import ready
from tests.killed_runs import difference, left_in_training
from tests.stopped_runs import lines

ROOT = Path(__file__).parents[1]
TRAIN, VAL = 12, 5

# Sixty updates of four examples: of either process one micro-batch of two. The window holds the
# prefix and a part of the suffix.
SETTINGS = [
    "task=custom", "data=my.jsonl", "model=tiny",
    "resolution=28", "recipe={lr: 1e-3, epochs: 20, batch_size: 4, text_length: 6}",
    "micro_batch=2", "evaluation_batch=2", "workers=0", "validations=2", "trainer=cpu",
    "trainer.log_every_n_steps=1", "checkpoint_minutes=60",
]  # fmt: skip
TWO = ["trainer.devices=2", "trainer.strategy=ddp"]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    chance = np.random.default_rng(0)
    rows = []
    for number in range(TRAIN + VAL):
        pixels = chance.integers(0, 255, (28, 28, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
        split = "train" if number < TRAIN else "val"
        suffix = "the large purple diamond"
        rows.append({"image": f"{number}.png", "prefix": "red", "suffix": suffix, "split": split})
    (tmp_path / "my.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
    return tmp_path


def started(
    folder: Path, *options: str, program: str = "train.py", settings: Sequence[str] = SETTINGS
) -> subprocess.Popen[str]:
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [ready.python(), str(ROOT / program), *settings, *options], cwd=folder, env=environment,
        text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, process_group=0,
    )  # fmt: skip


def finished(folder: Path, *options: str, **other: Any) -> str:
    """What a run prints that comes to its end."""
    process = started(folder, *options, **other)
    printed, complaints = process.communicate(timeout=120)
    assert process.returncode == 0, complaints
    return printed


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 1])
def test_a_process_that_fails_ends_all_with_its_error(rank: int, data: Path) -> None:
    row, _ = Shuffled(TRAIN, seed=0).at(4 + 2 * rank)  # in the second update
    (data / f"{row}.png").write_bytes(b"no picture")
    process = started(data, "run=broken", *TWO)
    _, complaints = process.communicate(timeout=120)  # else it hangs
    assert process.returncode == 1
    assert complaints.count(f"{row}.png: cannot be read as an image") == 1, complaints
    assert "Traceback" not in complaints


@pytest.mark.slow
def test_two_processes_stop_and_go_on_and_tell_all(data: Path) -> None:
    """One is asked to stop; images that either cannot read, and texts it cuts, are all told."""
    for row in (*(Shuffled(TRAIN, seed=0).at(place)[0] for place in (0, 2)), TRAIN + 1):
        (data / f"{row}.png").write_bytes(b"no picture")
    settings = ["on_error=skip", "logger=tensorboard"]
    finished(data, "run=one", *settings)
    finished(data, "run=two", *settings, *TWO)

    process, log = started(data, "run=asked", *settings, *TWO), data / "asked" / "metrics.csv"
    wait_for(process, lambda: lines(log) > 6)
    process.send_signal(signal.SIGTERM)
    printed, complaints = process.communicate(timeout=120)
    assert process.returncode == 143, printed + complaints
    stopped = torch.load(data / "asked" / "checkpoints" / "last.ckpt", weights_only=True)
    assert 5 < stopped["global_step"] < 60
    finished(data, "run=asked", *settings, *TWO)

    one, two, asked = (left(data / name) for name in ("one", "two", "asked"))
    assert asked == two
    found = difference(*(left_in_training(data / name) for name in ("two", "asked")))
    assert not found, found
    assert one.keys() == two.keys() and one["told"] == two["told"]
    assert one["losses"] == pytest.approx(two["losses"], rel=1e-4)
    assert "240 text(s) lost their suffix" in "".join(two["told"])  # of every lesson
    assert two["steps"] == list(range(60))


@pytest.mark.slow
def test_a_process_that_waits_for_another_can_be_stopped(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")  # of two nodes, and nobody starts the other
    process = started(data, "run=a", "+trainer.num_nodes=2", "trainer.strategy=ddp")
    wait_for(process, lambda: (data / "a" / "config.yaml").exists())
    time.sleep(3)
    process.send_signal(signal.SIGTERM)
    printed, _ = process.communicate(timeout=20)
    assert process.returncode == 143
    assert "stopped by SIGTERM; to go on: " in printed


@pytest.mark.slow
def test_an_evaluation_by_two_that_was_killed_goes_on(data: Path) -> None:
    rows = [json.loads(line) for line in (data / "my.jsonl").read_text().splitlines()]
    asked = [rows[number % len(rows)] | {"split": "test", "id": number} for number in range(80)]
    (data / "my.jsonl").write_text("\n".join(map(json.dumps, [*rows, *asked])) + "\n")
    finished(data, "run=a", "recipe.epochs=1", "splits.report=[test]", *TWO)
    answers = data / "a" / "answers" / "test-step000003.jsonl"
    told = answers.read_text()
    answers.unlink()

    evaluation = {"program": "evaluate.py", "settings": ["run=a", "split=test"]}
    process = started(data, **evaluation)
    parts = [answers.with_suffix(f".part-{rank}-of-2.jsonl") for rank in range(2)]
    wait_for(process, lambda: lines(parts[0]) > 4 and lines(parts[1]) > 2)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert not answers.exists() and any(lines(part) < 41 for part in parts)

    # What either has answered is not asked again, also where the other had not come as far: what
    # another hand has written is kept.
    header, *given = parts[0].read_text().splitlines(keepends=True)
    given[3] = json.dumps(json.loads(given[3]) | {"answer": "not by the model", "pieces": []})
    parts[0].write_text("".join([header, *given[:3], given[3], "\n"]))
    parts[1].write_text("".join(parts[1].read_text().splitlines(keepends=True)[:3]))
    finished(data, **evaluation)
    assert not any(part.exists() for part in parts)
    before, after = ([json.loads(line) for line in text.splitlines()]
                     for text in (told, answers.read_text()))  # fmt: skip
    changed = [one["answer"] for one, other in zip(after, before, strict=True) if one != other]
    assert changed == ["not by the model"]


@pytest.mark.slow
def test_what_two_on_two_nodes_have_learnt_is_scored_by_one(data: Path) -> None:
    finished(data, "run=a", "recipe.epochs=1", "splits.report=[val]", *TWO)
    answers = data / "a" / "answers" / "val-step000003.jsonl"
    told = answers.read_text()
    answers.unlink()
    settings = yaml.safe_load((data / "a" / "config.yaml").read_text())
    settings["trainer"]["num_nodes"] = 2
    (data / "a" / "config.yaml").write_text(yaml.safe_dump(settings))

    evaluation = {"program": "evaluate.py", "settings": ["run=a", "split=val"]}
    printed = finished(data, "trainer.devices=1", **evaluation)
    assert "note: trainer.num_nodes=1, where the run had 2, by what is at hand" in printed
    assert answers.read_text() == told
    answers.unlink()
    assert "note" not in finished(data, "trainer=cpu", **evaluation)
    assert answers.read_text() == told


@pytest.mark.slow
def test_runs_that_are_started_in_the_same_second_have_a_folder_each(data: Path) -> None:
    century = "run=of-${now:%C}"  # names the same folder for longer than a second
    first = started(data, century, "recipe.epochs=2000")
    wait_for(first, lambda: (data / "of-20" / "config.yaml").exists())
    finished(data, century, *TWO)  # both of whose processes have to know the folder
    assert first.poll() is None
    first.send_signal(signal.SIGTERM)
    assert first.communicate(timeout=120) and first.returncode == 143
    assert lines(data / "of-20-2" / "metrics.csv") > 60
    assert (data / "of-20-2" / "report.json").exists() and not (data / "of-20-2/.running").exists()
    assert not (data / "of-20" / "report.json").exists()


def wait_for(process: subprocess.Popen[str], sight: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not sight():
        assert process.poll() is None and time.monotonic() < until, process.communicate()
        time.sleep(0.002)


def left(run: Path) -> dict[str, list]:
    """The losses, the notes of the report, what was left out, the steps that were followed."""
    with (run / "metrics.csv").open() as file:
        losses = [float(row["loss"]) for row in csv.DictReader(file) if row["loss"]]
    report = (run / "report.md").read_text().splitlines()
    notes = [line for line in report if "lost their" in line or "went on without" in line]
    (folder,) = {path.parent for path in run.rglob("events.out.tfevents*")}
    followed = EventAccumulator(str(folder)).Reload()
    return {
        "losses": losses,
        "told": [*notes, (run / "left_out.json").read_text()],
        "steps": [event.step for event in followed.Scalars("loss")],
    }
