"""A folder is one run's at a time, and free again when that has ended, however it did."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from pg_transfer.running.claim import RUNNING, claimed

ROOT = Path(__file__).parents[2]

# Claims a folder, and has a loading process that outlives it.
HOLDER = """
import os, sys, time
from pathlib import Path
from pg_transfer.running.claim import claimed
with claimed(Path(sys.argv[1]), may_have_another=True) as place:
    child = os.fork()
    if not child:
        os.close(1)
        time.sleep(60)
    print(place, child, flush=True)
    sys.stdin.read()
os.kill(child, 9)
"""


class Holder:
    """Another process with a run in `folder`, or beside it."""

    def __init__(self, folder: Path) -> None:
        environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
        self.process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(folder)], env=environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        assert self.process.stdout is not None
        place, child = self.process.stdout.readline().split()
        self.place, self.child = Path(place), int(child)

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()

    def end(self) -> None:
        self.process.communicate("")


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[Holder]:
    made = Holder(tmp_path / "run")
    yield made
    made.kill()
    with suppress(ProcessLookupError):
        os.kill(made.child, signal.SIGKILL)


def claim(folder: Path, *, may_have_another: bool = False) -> Path:
    with claimed(folder, may_have_another=may_have_another) as place:
        assert (place / RUNNING).is_file()
    return place


def test_a_folder_that_was_named_is_refused_while_it_is_in_use(
    holder: Holder, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    assert holder.place == folder
    owner = rf"run={folder} is being trained by process {holder.process.pid} on host \S+; wait"
    with pytest.raises(ValueError, match=owner):
        claim(folder)
    with pytest.raises(ValueError, match="is being trained by"):  # asking has changed nothing
        claim(folder)
    holder.end()
    assert not list(folder.iterdir())
    assert claim(folder) == folder


def test_one_that_the_clock_has_named_gets_a_number(holder: Holder, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    second = Holder(folder)
    assert second.place == tmp_path / "run-2"
    assert claim(folder, may_have_another=True) == tmp_path / "run-3"
    second.end()


def test_a_killed_run_does_not_keep_its_folder(holder: Holder, tmp_path: Path) -> None:
    holder.kill()
    assert (tmp_path / "run" / RUNNING).read_text().startswith("process ")
    os.kill(holder.child, 0)  # what it has started is still there
    assert claim(tmp_path / "run") == tmp_path / "run"


def test_what_a_failed_run_removes_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between opening and locking the file: its lock would be one on nothing."""
    folder, lockf = tmp_path / "run", fcntl.lockf

    def late(file: Any, how: int) -> None:
        monkeypatch.setattr(fcntl, "lockf", lockf)
        (folder / RUNNING).unlink()
        folder.rmdir()
        lockf(file, how)

    monkeypatch.setattr(fcntl, "lockf", late)
    assert claim(folder) == folder


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_trained_on(
    code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(file: Any, how: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "lockf", refuse)
    assert claim(tmp_path / "run") == tmp_path / "run"


@pytest.mark.parametrize("name", ["RANK", "SLURM_PROCID", "LOCAL_RANK", "NODE_RANK"])
def test_further_processes_of_a_run_are_in_its_folder(
    name: str, holder: Holder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "2")  # else SLURM's are those of a job's script
    monkeypatch.setenv(name, "1")
    with claimed(tmp_path / "run", may_have_another=False) as place:
        assert place == tmp_path / "run"
