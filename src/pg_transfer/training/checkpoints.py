"""When a run saves: the last state now and then, the best weights by the task's own metric."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.trainer.states import TrainerFn

from pg_transfer.training.module import TransferModule
from pg_transfer.training.scoring import ScoreTask
from pg_transfer.training.sharding import whole
from pg_transfer.training.weights import BEST, LAST, learning, not_finite, write_weights


class KeepCheckpoints(Callback):
    """Saves the last state now and then, and the best weights after the validation that found them.

    The last state is also saved before every validation, which may take long, and at the end.
    Lightning's ModelCheckpoint wants the name of the metric beforehand; here it is whichever the
    task names first.

    Attributes:
        best: the best score of a validation so far; None before the first.
        best_step: after which update that was.
        metric: what the score is of; None before the first.

    Args:
        folder: where to.
        scorer: knows the scores.
        minutes: between two savings of the last state; 0 saves it after every update.
    """

    def __init__(self, folder: Path, scorer: ScoreTask, *, minutes: float) -> None:
        self.folder, self.scorer, self.minutes = folder, scorer, minutes
        self.best: float | None = None
        self.best_step: int | None = None
        self.metric: str | None = None
        self._step, self._since = 0, 0.0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Starts the clock of `minutes`."""
        self._step, self._since = trainer.global_step, time.monotonic()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Saves the last state if it is due: after whole updates, on all processes at once."""
        if trainer.global_step == self._step:
            return  # in the middle of an update
        self._step = trainer.global_step
        if self.saves_next(trainer, batch_idx):
            return
        is_due = time.monotonic() - self._since >= 60 * self.minutes
        if trainer.strategy.broadcast(is_due):  # clocks differ
            self.save(trainer)

    def saves_next(self, trainer: Trainer, batch_idx: int) -> bool:
        """Whether a validation follows this micro-batch, before which the state is saved."""
        return bool(trainer.val_check_batch) and (batch_idx + 1) % trainer.val_check_batch == 0

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Saves the last state."""
        if trainer.state.fn == TrainerFn.FITTING:
            self.save(trainer)

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Before a validation, notes that it is still owed; see `owe_validation`."""
        if trainer.validating and trainer.state.fn == TrainerFn.FITTING:
            owe_validation(checkpoint["loops"]["fit_loop"])

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Saves the weights if their score is the best so far; of equal ones the first stay."""
        if trainer.state.fn != TrainerFn.FITTING:
            return
        self.metric, score = self.scorer.results[self.scorer.split].headline
        if self.best is None or score > self.best:
            self.best, self.best_step = score, trainer.global_step
            self._save_best(trainer, pl_module)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Saves the last state."""
        self.save(trainer)

    def state_dict(self) -> dict[str, Any]:
        """The best score and its update, so that a run that goes on keeps better weights."""
        return {"best": self.best, "best_step": self.best_step, "metric": self.metric}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes up what `state_dict` gave."""
        self.best = state_dict["best"]
        # Earlier versions did not keep these.
        self.best_step, self.metric = state_dict.get("best_step"), state_dict.get("metric")

    def save(self, trainer: Trainer) -> None:
        """Saves the last state; all processes have to.

        Raises:
            FloatingPointError: weights are not finite; what was saved before stays.
        """
        weights = trainer.lightning_module.named_parameters()
        found = not_finite((name, weight) for name, weight in weights if weight.requires_grad)
        if trainer.strategy.reduce_boolean_decision(bool(found), all=False):
            raise FloatingPointError(
                f"after update {trainer.global_step} {found or 'weights of another process'}: the "
                f"updates are too large, and this state is not saved. Lower recipe.lr; "
                f"{self.folder / LAST} is of an earlier update, if it is there"
            )
        trainer.save_checkpoint(self.folder / LAST)
        self._since = time.monotonic()
        self.scorer.forget(before=trainer.global_step)

    def _save_best(self, trainer: Trainer, module: LightningModule) -> None:
        assert isinstance(module, TransferModule)
        weights = trainer.strategy.lightning_module_state_dict()
        learnt = {}
        for name in learning(module):
            value = whole(weights[name])  # all processes take part
            if trainer.is_global_zero:
                learnt[name] = value.cpu()
        if trainer.is_global_zero:
            step = trainer.global_step
            write_weights(self.folder / BEST, learnt, base=module.base, step=step)
        trainer.strategy.barrier()


def owe_validation(fit_loop: dict[str, Any]) -> None:
    """Has a run that goes on from this state begin with the validation that was about to begin.

    Lightning takes one for done unless the checkpoint was saved in the midst of its first batch.
    """
    progress = fit_loop["epoch_loop.val_loop.batch_progress"]
    for counts in (progress["total"], progress["current"]):
        begun = counts["completed"] + 1
        counts.update(ready=begun, started=begun, processed=begun - 1)
