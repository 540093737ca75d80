"""Asks runs of train.py and evaluate.py to stop: `python -m tests.stopped_runs FOLDER`.

The runs are real processes, forked as in tests.killed_runs. A stand-in for SLURM's scontrol notes
what it is asked for.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch

from tests.killed_runs import SETTINGS, difference, left, printed, run

# Long enough to be caught in; the state is saved when asked for, and before validations.
SLOWER = [
    *SETTINGS, "checkpoint_minutes=60", "validations=2", "patience=null", "splits.report=[test]",
]  # fmt: skip


def main() -> None:
    folder = Path(sys.argv[1])
    programs = folder / "programs"
    programs.mkdir()
    scontrol = programs / "scontrol"
    scontrol.write_text(f'#!/bin/sh\necho "$@" >> {folder}/asked\n')
    scontrol.chmod(0o755)
    os.environ["PATH"] = f"{programs}:{os.environ['PATH']}"
    torch.set_num_threads(1)
    import lightning.pytorch  # noqa: F401

    import pg_transfer.running.evaluation
    import pg_transfer.running.transfer  # noqa: F401

    go_on(folder / "whole", SLOWER)
    expected = left(folder / "whole")

    broken = folder / "broken"
    stop(broken, signal.SIGTERM, 143, when=lambda: (broken / "config.yaml").exists())
    os.environ["SLURM_JOB_ID"] = "1234"
    stop(broken, signal.SIGUSR1, 138, when=lambda: rows(broken) > 8)
    assert (folder / "asked").read_text() == "requeue 1234\n"
    del os.environ["SLURM_JOB_ID"]
    saved = torch.load(broken / "checkpoints" / "last.ckpt", weights_only=True)["global_step"]
    assert saved > 5  # of this update, though none was due to be saved
    stop(broken, signal.SIGINT, 130, when=lambda: rows(broken) > saved + 3)
    stop(broken, signal.SIGTERM, 143, when=lambda: answered(broken, "test-step000020") > 2)
    go_on(broken, SLOWER)
    found = difference(expected, left(broken))
    assert not found, found

    # What evaluate.py has answered is not asked again, and the report is the same.
    report = (broken / "report.md").read_text()
    again = ["temperature=1.0", "split=test"]
    stop(broken, signal.SIGTERM, 143, program="evaluate.py", settings=again,
         when=lambda: answered(broken, "test-step000040-temperature1") > 2)  # fmt: skip
    begun = answered(broken, "test-step000040-temperature1")
    assert 2 < begun < 11
    go_on(broken, again, program="evaluate.py")
    assert answered(broken, "test-step000040-temperature1") == 0
    assert (broken / "report.md").read_text() == report
    print("stopped and went on")


def rows(folder: Path) -> int:
    return lines(folder / "metrics.csv")


def answered(folder: Path, name: str) -> int:
    return lines(folder / "answers" / f"{name}.part.jsonl")


def lines(file: Path) -> int:
    """How many there are so far; none without a file."""
    return len(file.read_text().splitlines()) if file.exists() else 0


def stop(
    folder: Path,
    asked: signal.Signals,
    code: int,
    *,
    when: Callable[[], bool],
    program: str = "train.py",
    settings: list[str] = SLOWER,
) -> None:
    """Starts the program, sends it a signal, and looks at how it ends."""
    child = run(folder, settings, program=program)
    latest = time.monotonic() + 60
    while not when():
        time.sleep(0.002)
        assert time.monotonic() < latest and os.waitpid(child, os.WNOHANG)[0] == 0, printed(folder)
    os.kill(child, asked)
    found = ended(child)
    assert found == code, f"{asked.name}: {found}, not {code}\n{printed(folder)}"


def go_on(folder: Path, settings: list[str], *, program: str = "train.py") -> None:
    """Runs the program to its end, which has to be a good one."""
    found = ended(run(folder, settings, program=program))
    assert found == 0, f"{found}\n{printed(folder)}"


def ended(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    main()
