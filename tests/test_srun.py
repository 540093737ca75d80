"""Two processes as srun starts them, which nobody watches over: they end together, and say why."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pg_transfer.process.losses import LOST
from pg_transfer.running.claim import claimed
from tests.test_two_processes import SETTINGS, data, started

__all__ = ["data"]

SHORT = [*SETTINGS, "recipe.epochs=2", "trainer.devices=2", "trainer.strategy=ddp"]


@contextmanager
def task(rank: int, port: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The environment that srun gives to one of two."""
    given = {
        "SLURM_JOB_ID": 7, "SLURM_STEP_ID": 0, "SLURM_NTASKS": 2, "SLURM_PROCID": rank,
        "SLURM_LOCALID": rank, "SLURM_NODEID": 0, "SLURM_NNODES": 1, "SLURM_STEP_NUM_TASKS": 2,
        "SLURM_STEP_NUM_NODES": 1, "SLURM_NTASKS_PER_NODE": 2, "SLURM_NODELIST": "localhost",
        "MASTER_PORT": port,
    }  # fmt: skip
    with monkeypatch.context() as patch:
        for name, value in given.items():
            patch.setenv(name, str(value))
        yield


def by_srun(
    folder: Path, monkeypatch: pytest.MonkeyPatch, *own: list[str], program: str = "train.py"
) -> list[tuple[int, str, str]]:
    """How both have ended and what they said, each with options of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    processes = []
    for rank in range(2):
        with task(rank, port, monkeypatch):
            settings = SHORT if program == "train.py" else []
            mine = started(folder, *own[rank], program=program, settings=settings)
            processes.append(mine)
    said = [one.communicate(timeout=60) for one in processes]  # else they wait for each other
    return [(one.returncode, *words) for one, words in zip(processes, said, strict=True)]


def told(ended: list[tuple[int, str, str]]) -> list[list[str]]:
    """What each has said of its failure, which both have to have met."""
    assert [code for code, *_ in ended] == [1, 1], ended
    return [[line for line in complaints.splitlines() if line] for *_, complaints in ended]


@pytest.mark.slow
def test_one_that_is_refused_ends_both(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with claimed(data / "a", may_have_another=False):
        first, second = told(by_srun(data, monkeypatch, ["run=a"], ["run=a"]))
    assert len(first) == 1 and "a is being trained by process" in first[0] and not second
    first, second = told(by_srun(data, monkeypatch, ["run=b"], ["run=b", "data=none.jsonl"]))
    assert first == [f"error: {LOST}"] and len(second) == 1
    assert second[0].startswith("error in process 1: ") and "none.jsonl" in second[0]


@pytest.mark.slow
def test_two_that_are_not_alike_are_told_so(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [json.loads(line) for line in (data / "my.jsonl").read_text().splitlines()]
    rows[3]["suffix"] = "a circle"
    (data / "other.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
    first, second = told(by_srun(data, monkeypatch, ["run=a"], ["run=a", "data=other.jsonl"]))
    assert len(first) == 1 and "not alike: the split 'train' is 12 examples (" in first[0]
    assert not second
    assert not (data / "a" / "checkpoints").exists()


@pytest.mark.slow
def test_both_train_go_on_and_score(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [code for code, *_ in by_srun(data, monkeypatch, *[["run=a"]] * 2)] == [0, 0]
    # On a file system that is not theirs together, or late, the second has nothing to go on from.
    first, second = told(by_srun(data, monkeypatch, ["run=a"], ["run=b"]))
    assert "to go on from is last.ckpt for process 0 and none for process 1" in first[0]
    assert len(first) == 1 and not second
    again, other = by_srun(data, monkeypatch, *[["run=a"]] * 2)
    assert again[0] == other[0] == 0 and "report: " in again[1] and not other[1], again
    score, other = by_srun(data, monkeypatch, *[["run=a"]] * 2, program="evaluate.py")
    assert score[0] == other[0] == 0 and "report: " in score[1] and not other[1], score
