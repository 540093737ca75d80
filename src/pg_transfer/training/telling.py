"""Tells whoever watches a run from outside how it is doing: a line per validation in a file."""

from __future__ import annotations

from pathlib import Path

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.trainer.states import TrainerFn

from pg_transfer.reporting.scores_file import Score, add_score
from pg_transfer.training.data import TransferData
from pg_transfer.training.scoring import ScoreTask


class TellScores(Callback):
    """Adds the task's first metric to `scores.jsonl` after every validation of the training.

    A sweep reads the file while the run goes on, and gives up what is behind.

    Args:
        folder: the run's.
        data: how many updates there are to be.
        scorer: knows the scores; called before this.
    """

    def __init__(self, folder: Path, data: TransferData, scorer: ScoreTask) -> None:
        self.folder, self.data, self.scorer = folder, data, scorer

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Adds a line, on the first process and while training alone."""
        if trainer.state.fn != TrainerFn.FITTING:
            return
        split = self.scorer.split
        headline = self.scorer.results[split].headline
        if trainer.is_global_zero:
            row = Score(
                trainer.global_step, self.data.steps, split, headline.metric, float(headline.value)
            )
            add_score(self.folder, row)
