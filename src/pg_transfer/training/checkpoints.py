"""When a run saves: the last state now and then, the best weights by the task's own metric."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.trainer.states import TrainerFn

from pg_transfer.training.module import TransferModule
from pg_transfer.training.scoring import ScoreTask
from pg_transfer.training.weights import BEST, LAST, learning, write_weights


class KeepCheckpoints(Callback):
    """Saves the last state now and then, and the best weights after the validation that found them.

    Lightning's ModelCheckpoint wants the name of the metric beforehand; here it is whichever the
    task names first.

    Args:
        folder: where to.
        scorer: knows the scores.
        minutes: between two savings of the last state; 0 saves it after every update.
    """

    def __init__(self, folder: Path, scorer: ScoreTask, *, minutes: float) -> None:
        self.folder, self.scorer, self.minutes = folder, scorer, minutes
        self.best: float | None = None
        self._step, self._since = 0, 0.0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._step, self._since = trainer.global_step, time.monotonic()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if trainer.global_step == self._step:
            return  # in the middle of an update
        self._step = trainer.global_step
        is_due = time.monotonic() - self._since >= 60 * self.minutes
        if trainer.strategy.broadcast(is_due):  # clocks differ
            trainer.save_checkpoint(self.folder / LAST)
            self._since = time.monotonic()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn != TrainerFn.FITTING:
            return
        score = next(iter(self.scorer.results[self.scorer.split].scores.metrics.values()))
        if self.best is None or score > self.best:
            self.best = score
            self._save_best(trainer, pl_module)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        trainer.save_checkpoint(self.folder / LAST)

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.best = state_dict["best"]

    def _save_best(self, trainer: Trainer, module: LightningModule) -> None:
        assert isinstance(module, TransferModule)
        weights = trainer.strategy.lightning_module_state_dict()  # all ranks take part
        if trainer.is_global_zero:
            learnt = {name: weights[name] for name in learning(module)}
            step = trainer.global_step
            write_weights(self.folder / BEST, learnt, base=module.base, step=step)
        trainer.strategy.barrier()
