"""What makes a tracker follow a run: begun on the first process, given answers and weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.trainer.states import TrainerFn

from pg_transfer.tracking.guard import Guard
from pg_transfer.tracking.predictions import choose
from pg_transfer.tracking.tracker import BestModel
from pg_transfer.training.metrics_log import MetricsLog
from pg_transfer.training.scoring import ScoreTask


class Follow(Callback):
    """Starts the tracker, once processes are, and hands it every evaluation.

    Stands behind `scorer` among the callbacks.

    Args:
        guard: in front of the tracker.
        scorer: knows the answers and their scores.
        log: of the run; stands before this one among the callbacks, with what cuts it.
    """

    def __init__(self, guard: Guard, scorer: ScoreTask, log: MetricsLog) -> None:
        self.guard, self.scorer, self.file = guard, scorer, log
        self._is_started = False

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Starts the tracker on the first process, once: before, processes are not told apart."""
        if trainer.is_global_zero and not self._is_started:
            self._is_started = True
            self.guard.start()

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Sends what the log has and the tracker lacks."""
        if trainer.is_global_zero:
            self.guard.catch_up(self.file.numbers())

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Hands over some of the answers; nothing if the tracker wants none."""
        if not trainer.is_global_zero or not self.guard.tracker.predictions:
            return
        split = self.scorer.split
        result = self.scorer.results[split]
        # Lightning logs the scores of a validation under the update before it, counted from 0, and
        # those of the run's ends under the number of updates.
        row = result.step - 1 if trainer.state.fn is TrainerFn.FITTING else result.step
        if not result.answers:
            return
        self.guard.log_predictions(
            lambda: choose(
                self.scorer.data.reader.task,
                result.answers,
                result.scores,
                split=split,
                step=result.step,
                row=row,
                most=self.guard.tracker.predictions,
                picture=result.record.picture,
            )
        )


def best_model(folder: Path, checkpoint: Path, facts: dict[str, float | str]) -> BestModel:
    """The best weights of the run in `folder`, so that what is downloaded can be loaded as a run.

    Args:
        folder: of the run.
        checkpoint: where they lie in it.
        facts: about them.
    """
    files = [checkpoint, folder / "config.yaml", *folder.glob("tokenizer.*")]
    return BestModel({str(path.relative_to(folder)): path for path in files}, facts)
