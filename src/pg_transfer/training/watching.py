"""What a run tells while it goes: speed, memory, and texts that did not fit."""

from __future__ import annotations

import resource
import sys
import time
from collections import Counter
from typing import Any, Literal

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from pg_transfer.text.sequence import Cut
from pg_transfer.training.batches import Batch
from pg_transfer.training.data import TransferData
from pg_transfer.training.gathering import together
from pg_transfer.training.module import TransferModule
from pg_transfer.training.scoring import ScoreTask


class Speedometer(Callback):
    """Logs images per second, evaluation left out, and the peak of memory in GB.

    Args:
        batch_size: examples per update.
    """

    def __init__(self, batch_size: int) -> None:
        self.batch_size = batch_size
        self.logged: dict[str, float] = {}
        self._since = 0.0
        self._step = 0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Starts the clock."""
        self._since, self._step = time.perf_counter(), trainer.global_step

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Starts the clock anew, so that answering does not count."""
        self._since, self._step = time.perf_counter(), trainer.global_step

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Logs, as often as the trainer logs, over the updates since the last time."""
        steps = trainer.global_step - self._step
        if steps == 0 or trainer.global_step % trainer.log_every_n_steps:  # type: ignore[attr-defined]
            return
        now = time.perf_counter()
        speed = steps * self.batch_size / (now - self._since)
        pl_module.log("images_per_second", speed, prog_bar=True)
        pl_module.log("peak_memory_gb", peak_memory_gb())
        self._since, self._step = now, trainer.global_step
        self.logged = {name: float(value) for name, value in trainer.callback_metrics.items()}

    def report(self) -> list[tuple[str, str]]:
        """The last values of what was logged about training."""
        names = ("loss", "lr", "gradient_norm", "images_per_second", "peak_memory_gb")
        return [(name, f"{self.logged[name]:.3g}") for name in names if name in self.logged]


def peak_memory_gb() -> float:
    """The most memory held so far in 10^9 bytes: the GPU's if there is one, else the process's."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 1e9
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


class RatesByPart(Callback):
    """Logs the learning rate of each part that learns."""

    def on_before_optimizer_step(
        self, trainer: Trainer, pl_module: LightningModule, optimizer: torch.optim.Optimizer
    ) -> None:
        """Logs `lr_<part>` of each part that has a rate of its own, as it is in this update."""
        assert isinstance(pl_module, TransferModule)
        group = optimizer.param_groups[0]
        share = group["lr"] / group["initial_lr"]  # the schedule is the same for all
        for name, learning in pl_module.parts.items():
            if learning.lr is not None:
                pl_module.log(f"lr_{name}", share * learning.lr)


class CountCuts(Callback):
    """Counts the texts that were longer than the window: nothing is cut off unsaid.

    Args:
        data: to name the examples.
        scorer: knows which split is being answered.
        action: "report" counts them; "error" stops at the first.
    """

    def __init__(
        self, data: TransferData, scorer: ScoreTask, *, action: Literal["report", "error"]
    ) -> None:
        self.data, self.scorer, self.action = data, scorer, action
        self.cuts: Counter[str] = Counter()
        self.first: dict[str, str] = {}
        self._before: Counter[str] = Counter()  # of all processes, when this run went on

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Batch, batch_idx: int
    ) -> None:
        """Counts the micro-batch.

        Raises:
            ValueError: a text was cut and cutting is an error.
        """
        self._count(batch, self.data.train)

    def on_validation_batch_start(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        batch: Batch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Counts the prompts; see `on_train_batch_start`."""
        self._count(batch, self.scorer.split)

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Counts the prompts whose answers an earlier evaluation has left."""
        for given in self.scorer.resumed:
            self._note(given.row, given.cut, self.scorer.split)

    def state_dict(self) -> dict[str, Any]:
        """How many lost what, on all processes, and the first of each."""
        return {"cuts": dict(self._total()), "first": self.first}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Goes on counting from there."""
        self._before, self.first = Counter(state_dict["cuts"]), state_dict["first"]

    def _count(self, batch: Batch, split: str) -> None:
        for row, cut in zip(batch.rows, batch.cuts, strict=True):
            self._note(row, cut, split)

    def _note(self, row: int, cut: Cut | None, split: str) -> None:
        if cut is None:
            return
        example = f"{self.data.examples(split)[row].id!r} of {split!r}"
        if self.action == "error":
            raise ValueError(
                f"example {example} lost its {cut}: its text is longer than recipe.text_length="
                f"{self.data.reader.text_length}; raise that, or set on_cut=report"
            )
        self.cuts[cut] += 1
        self.first.setdefault(cut, example)

    def _total(self) -> Counter[str]:
        """The counts of all processes, which have to ask together."""
        total = self._before.copy()
        for cuts, first in together([(self.cuts, self.first)]):
            total.update(cuts)
            self.first = first | self.first
        return total

    def report(self) -> str:
        """One line on what was cut, empty if nothing was; all processes have to ask for it."""
        return "; ".join(
            f"{count} text(s) lost their {cut} (first: example {self.first[cut]}): "
            f"raise recipe.text_length={self.data.reader.text_length}"
            for cut, count in self._total().items()
        )
