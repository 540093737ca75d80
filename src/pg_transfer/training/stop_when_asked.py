"""Stops a run where nothing is lost: after an update, when it is saved."""

from __future__ import annotations

import signal
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.trainer.states import TrainerFn

from pg_transfer.process.stopping import Requests, Stopped
from pg_transfer.training.checkpoints import KeepCheckpoints


class StopWhenAsked(Callback):
    """Has an update finish and be saved before the run stops; elsewhere it stops at once.

    In an evaluation there is nothing to save: the state was saved before it, and its answers are.

    Args:
        requests: to stop.
        keeper: saves.
    """

    def __init__(self, requests: Requests, keeper: KeepCheckpoints) -> None:
        self.requests, self.keeper = requests, keeper
        self._step = 0
        self._is_agreed = False

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """From here on a request waits for the end of an update."""
        self.requests.listen()  # Lightning has just put its own handler in place
        self._step = trainer.global_step
        self.requests.waits = True

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Saves and stops after a whole update, if any of the processes was asked.

        Raises:
            Stopped: one was.
        """
        if trainer.global_step == self._step:
            return
        self._step = trainer.global_step
        asked = self.requests.asked is not None
        self._is_agreed = trainer.strategy.reduce_boolean_decision(asked, all=False)
        if self._is_agreed and not self.keeper.saves_next(trainer, batch_idx):
            self.keeper.save(trainer)
            self._stop()

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stops before the validation if asked; during it, a request stops at once.

        Raises:
            Stopped: one was.
        """
        self.requests.listen()
        self.requests.waits = False
        if self._is_agreed:
            self._stop()  # the keeper, which comes first, has saved
        self.requests.obey()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Has requests wait again, if more updates may follow."""
        self.requests.waits = trainer.state.fn == TrainerFn.FITTING

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stops now if it was asked during the last update.

        Raises:
            Stopped: it was.
        """
        self.requests.waits = False
        self.requests.obey()

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Has a second request stop at once, while the first or an error is dealt with."""
        self.requests.waits = False

    def _stop(self) -> None:
        raise Stopped(self.requests.asked or signal.SIGTERM)  # another process was asked
