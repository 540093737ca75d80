"""`last.ckpt`, to go on from, and `best.ckpt`, by the task's own metric."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.trainer.states import TrainerFn

from pg_transfer.training.scoring import ScoreTask

LAST, BEST = "last.ckpt", "best.ckpt"


class KeepCheckpoints(Callback):
    """Saves the last state now and then, and the best after each validation that found it.

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
            self._save(trainer, LAST)
            self._since = time.monotonic()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn != TrainerFn.FITTING:
            return
        score = next(iter(self.scorer.results[self.scorer.split][1].metrics.values()))
        if self.best is None or score > self.best:
            self.best = score
            self._save(trainer, BEST)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._save(trainer, LAST)

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.best = state_dict["best"]

    def _save(self, trainer: Trainer, name: str) -> None:
        # All ranks take part in the saving; one of them puts the finished file in its place.
        unfinished = self.folder / f"{name}.part"
        trainer.save_checkpoint(unfinished)
        if trainer.is_global_zero:
            unfinished.replace(self.folder / name)


def read_weights(path: Path, model: torch.nn.Module) -> int:
    """Fills `model`, built on any device, from a checkpoint of ours; the update it was saved after.

    Raises:
        FileNotFoundError: no such file.
        ValueError: it is no checkpoint of ours, or one of another model.
    """
    if not path.is_file():
        there = sorted(file.name for file in path.parent.glob("*.ckpt"))
        raise FileNotFoundError(
            f"no checkpoint {path}; in its folder: {', '.join(there) or 'none'}"
        )
    try:
        saved = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        weights = {k.removeprefix("model."): v for k, v in saved["state_dict"].items()}
        model.load_state_dict(weights, assign=True)
        return int(saved["global_step"])
    except Exception as error:
        raise ValueError(f"{path} is no checkpoint of this model: {error}") from error
