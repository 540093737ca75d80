"""A process that fails ends those that it has started, and lives to tell why."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from types import SimpleNamespace
from typing import Any, cast

import pytest
from lightning.fabric.strategies.launchers.subprocess_script import _ChildProcessObserver
from lightning.pytorch import LightningModule

from pg_transfer.training import ending
from pg_transfer.training.ending import EndTogether

OBSERVED = 1
LOSS = RuntimeError("Connection closed by peer [127.0.0.1]:4000")


@pytest.mark.parametrize(
    ("error", "child", "code"),
    [
        (LOSS, "raise SystemExit(3)", 3),  # which has an error to tell
        (ValueError("the reason"), "import time; time.sleep(60)", -signal.SIGTERM),
    ],
)
def test_lightnings_observer_does_not_kill_the_process_that_tells_the_error(
    error: Exception, child: str, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed: list[tuple[int, int]] = []
    kill = os.kill

    def counted(process: int, asked: int) -> None:
        if process == OBSERVED:
            killed.append((process, asked))
        else:
            kill(process, asked)

    monkeypatch.setattr("os.kill", counted)
    monkeypatch.setattr(ending.threading, "Timer", lambda *_: SimpleNamespace(start=lambda: None))
    process = subprocess.Popen([sys.executable, "-c", child])
    processes = [process]
    observer = _ChildProcessObserver(main_pid=OBSERVED, child_processes=processes)
    launcher = SimpleNamespace(procs=processes)
    trainer: Any = SimpleNamespace(world_size=2, strategy=SimpleNamespace(launcher=launcher))
    EndTogether().on_exception(trainer, cast(LightningModule, None), error)
    assert process.returncode == code
    assert observer._run() and not killed
