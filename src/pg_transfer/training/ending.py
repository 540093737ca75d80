"""One process's failure ends all of them."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from pg_transfer.process.losses import is_loss

GRACE = 10.0
"""Seconds in which processes may end by themselves: one of them has an error, and tells it."""
MOMENT = 2.0
"""Seconds in which those end that are asked to, if they hear it."""
MOST = 60.0
"""Seconds after which a failed process ends whatever it still waits for."""


class EndTogether(Callback):
    """Leaves no process waiting for one that has failed.

    Lightning ends the first process when one that it has started fails. It does not end those when
    the first fails, and libraries that say goodbye to the others at the end may wait for them.
    torchrun ends all, and so does srun with `--kill-on-bad-exit`.
    """

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Ends the processes that this one started, and after `MOST` seconds this one."""
        if trainer.world_size == 1:
            return
        last_resort = threading.Timer(MOST, _leave)
        last_resort.daemon = True
        last_resort.start()
        # Lightning's observer, which shares the list, would kill this process as soon as it sees
        # that another has ended: before the error is told, and trackers have what they wait for.
        processes = getattr(trainer.strategy.launcher, "procs", [])
        started = list(processes)
        processes.clear()
        if is_loss(exception):
            end(started, grace=GRACE)
            return
        for process in started:
            process.terminate()
        end(started, grace=MOMENT)


def end(started: list[subprocess.Popen[Any]], *, grace: float) -> None:
    """Waits for processes to end, and kills those that do not."""
    latest = time.monotonic() + grace
    for process in started:
        try:
            process.wait(max(0.0, latest - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()


def _leave() -> None:
    sys.stderr.flush()
    os._exit(1)
