"""Two processes as srun starts them: what they compare before they begin, and that they go on."""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

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
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    *own: list[str],
    other: Path | None = None,
    program: str = "train.py",
) -> list[tuple[int, str, str]]:
    """How both have ended and what they said, each with options of its own.

    Args:
        folder: where they work.
        monkeypatch: the test's.
        own: options of each.
        other: where the second works, if not there.
        program: what they do.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    processes = []
    for rank in range(2):
        with task(rank, port, monkeypatch):
            settings = SHORT if program == "train.py" else []
            mine = started(
                (folder, other or folder)[rank], *own[rank], program=program, settings=settings
            )
            processes.append(mine)
    said = [one.communicate(timeout=60) for one in processes]  # else they wait for each other
    return [(one.returncode, *words) for one, words in zip(processes, said, strict=True)]


def complaint(ended: list[tuple[int, str, str]]) -> str:
    """What both say of what both have met."""
    assert [code for code, *_ in ended] == [1, 1], ended
    first, second = (
        [line for line in words.splitlines() if "not alike" in line] for *_, words in ended
    )
    assert len(first) == len(second) == 1, ended
    assert first[0].partition(": ")[2] == second[0].partition(": ")[2]
    return first[0]


@pytest.mark.slow
def test_two_that_are_not_alike_are_told_so(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = (data / "my.jsonl").read_text().splitlines()
    node = data / "node"
    shutil.copytree(data, node)
    rows[3] = json.dumps(json.loads(rows[3]) | {"suffix": "a circle"})
    (node / "my.jsonl").write_text("\n".join(rows) + "\n")
    run = [f"run={data / 'a'}"]
    said = complaint(by_srun(data, monkeypatch, run, run, other=node))
    assert "not alike: the split 'train' is 12 examples (" in said
    assert not (data / "a" / "checkpoints").exists()


@pytest.mark.slow
def test_both_train_go_on_and_score(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [code for code, *_ in by_srun(data, monkeypatch, *[["run=a"]] * 2)] == [0, 0]
    # On a file system that is not theirs together, or late, the second has nothing to go on from.
    said = complaint(by_srun(data, monkeypatch, ["run=a"], ["run=b"]))
    assert "to go on from is last.ckpt for process 0 and none for process 1" in said
    again, other = by_srun(data, monkeypatch, *[["run=a"]] * 2)
    assert again[0] == other[0] == 0 and "report: " in again[1] and not other[1], again
    score, other = by_srun(data, monkeypatch, *[["run=a"]] * 2, program="evaluate.py")
    assert score[0] == other[0] == 0 and "report: " in score[1] and not other[1], score
