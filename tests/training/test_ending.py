"""A process that fails ends those that it has started, and lives to tell why."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace
from typing import Any, cast

from lightning.fabric.strategies.launchers.subprocess_script import _ChildProcessObserver
from lightning.pytorch import LightningModule

from pg_transfer.training import ending
from pg_transfer.training.ending import EndTogether


def test_lightnings_observer_does_not_kill_the_process_that_tells_the_error(monkeypatch) -> None:
    killed: list[tuple[int, int]] = []
    monkeypatch.setattr("os.kill", lambda *given: killed.append(given))
    monkeypatch.setattr(ending.threading, "Timer", lambda *_: SimpleNamespace(start=lambda: None))
    child = subprocess.Popen([sys.executable, "-c", "raise SystemExit(3)"])
    processes = [child]
    observer = _ChildProcessObserver(main_pid=1, child_processes=processes)
    launcher = SimpleNamespace(procs=processes)
    trainer: Any = SimpleNamespace(world_size=2, strategy=SimpleNamespace(launcher=launcher))
    EndTogether().on_exception(trainer, cast(LightningModule, None), ValueError("the reason"))
    assert child.returncode == 3
    assert observer._run() and not killed
