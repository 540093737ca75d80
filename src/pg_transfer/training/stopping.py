"""Ends a run that has not become better for a while."""

from __future__ import annotations

from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.trainer.states import TrainerFn

from pg_transfer.training.scoring import ScoreTask


class StopEarly(Callback):
    """Ends the training once so many validations in a row have found no better score.

    The score is the task's first metric, as for the best weights. A run that is gone on with has
    waited as long as it had when its checkpoint was saved, and one that was ended ends again.

    Args:
        scorer: knows the scores.
        patience: so many validations.
    """

    def __init__(self, scorer: ScoreTask, *, patience: int) -> None:
        self.scorer, self.patience = scorer, patience
        self.best: float | None = None
        self.best_step = self.waited = 0

    @property
    def reason(self) -> str:
        """Why the training was ended; empty if it was not."""
        if self.waited < self.patience:
            return ""
        return (
            f"{self.waited} validation(s) in a row were no better than the one after update "
            f"{self.best_step} (patience={self.patience})"
        )

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Ends a run that had waited long enough when it was saved."""
        self._end_if_due(trainer)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Counts validations without a better score; an equal one is not better."""
        if trainer.state.fn != TrainerFn.FITTING:
            return
        score = self.scorer.results[self.scorer.split].headline.value
        if self.best is None or score > self.best:
            self.best, self.best_step, self.waited = score, trainer.global_step, 0
        else:
            self.waited += 1
        self._end_if_due(trainer)

    def _end_if_due(self, trainer: Trainer) -> None:
        if self.waited >= self.patience:
            trainer.should_stop = True

    def state_dict(self) -> dict[str, Any]:
        """The best score, its update, and how many validations have been waited since."""
        return {"best": self.best, "best_step": self.best_step, "waited": self.waited}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Goes on waiting from there."""
        self.best, self.best_step = state_dict["best"], state_dict["best_step"]
        self.waited = state_dict["waited"]
