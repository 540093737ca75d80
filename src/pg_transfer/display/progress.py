"""One bar for the whole run: loss, last score, images per second and time left."""

from __future__ import annotations

import time
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ProgressBar
from lightning.pytorch.trainer.states import TrainerFn
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn
from rich.progress import Progress as Bars
from rich.table import Column

from pg_transfer.process.console import CONSOLE
from pg_transfer.training.scoring import ScoreTask

REDRAWN_SECONDS = 0.2
"""Reading the loss waits for the GPU, so it is read no more often than this."""
LINE_SECONDS = 60.0
"""Where no bar can be drawn, as in a file, there is a line this often."""

WIDE = 100
"""Characters of a terminal in which a bar of 20 leaves room for all else."""


class Clock:
    """How long the rest of a run takes, by how long it took so far.

    Args:
        updates: in the run.
        every: so many updates there is a validation.
    """

    def __init__(self, updates: int, every: int) -> None:
        self.updates, self.every = updates, every
        self.begun_at = 0
        self.training = self.validating = 0.0
        self.validations = 0

    def left(self, done: int, *, since: float = 0.0) -> float | None:
        """Seconds, validations included; None while there is nothing to judge by.

        Args:
            done: updates.
            since: so many seconds have gone by in training that are not in `training` yet.
        """
        if done <= self.begun_at:
            return None
        update = (self.training + since) / (done - self.begun_at)
        validation = self.validating / max(1, self.validations)
        ahead = self.updates // self.every - done // self.every
        return update * (self.updates - done) + validation * ahead


def bars_on(console: Console) -> Bars:
    """Bars with numbers that stay whole: in a narrow terminal the bar is short, and facts wrap."""
    return Bars(
        TextColumn("{task.description}"),
        BarColumn(bar_width=20 if console.width >= WIDE else 6),
        MofNCompleteColumn(table_column=Column(no_wrap=True)),
        TextColumn("{task.fields[facts]}", table_column=Column(no_wrap=False)),
        console=console, transient=True,
    )  # fmt: skip


class Progress(ProgressBar):
    """Draws a bar where there is a terminal, else prints a line now and then.

    Args:
        scorer: knows the last score.
        console: to draw on.
    """

    def __init__(self, scorer: ScoreTask, *, console: Console = CONSOLE) -> None:
        super().__init__()
        self.scorer, self.console = scorer, console
        self._bars: Bars | None = None
        self._training = self._answering = TaskID(0)
        self._clock = Clock(1, 1)
        self._is_shown = True
        self._told = self._since = 0.0

    def disable(self) -> None:
        """Lightning asks for it on all processes but the first."""
        self._is_shown = False

    def enable(self) -> None:
        """Takes `disable` back."""
        self._is_shown = True

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draws the bar as far as the run has come, and starts the clock."""
        passes = trainer.accumulate_grad_batches
        every = max(1, int(trainer.val_check_batch or 0) // passes)
        self._clock = Clock(self.scorer.data.steps, every)
        self._clock.begun_at = trainer.global_step
        self._since = self._told = time.monotonic()
        self._open()
        if self._bars is not None:
            self._training = self._bars.add_task(
                "training", total=self._clock.updates, completed=trainer.global_step, facts=""
            )

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Brings the bar up to date, or prints a line, if the last time was long enough ago."""
        now = time.monotonic()
        pause = LINE_SECONDS if self._bars is None else REDRAWN_SECONDS
        is_last = trainer.global_step == self._clock.updates
        if not self._is_shown or (now - self._told < pause and not is_last):
            return
        self._told = now
        facts = self._facts(trainer, now)
        if self._bars is not None:
            self._bars.update(self._training, completed=trainer.global_step, facts=facts)
        elif not is_last:
            self._print(f"update {trainer.global_step:,} of {self._clock.updates:,}: {facts}")

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Adds a bar for the answers; their time is counted apart from that of updates."""
        now = time.monotonic()
        self._clock.training += now - self._since
        self._since = now
        if trainer.state.fn != TrainerFn.FITTING:
            self._open()
        if self._bars is not None:
            batches = trainer.num_val_batches
            total = sum(batches) if isinstance(batches, list) else batches
            self._answering = self._bars.add_task(
                f"answering {self.scorer.split}", total=total, facts=""
            )
            self._bars.refresh()

    def on_validation_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, *_: Any, **__: Any
    ) -> None:
        """Moves the bar of the answers on."""
        if self._bars is not None:
            self._bars.advance(self._answering)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Takes the bar of the answers away; what it took counts in the time left."""
        now = time.monotonic()
        self._clock.validating += now - self._since
        self._clock.validations += 1
        self._since = now
        if self._bars is not None:
            self._bars.remove_task(self._answering)
        if trainer.state.fn != TrainerFn.FITTING:
            self._close()

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Takes the bar away, so that the summary stands on a clean screen."""
        self._close()

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Takes the bar away, so that the error is not drawn over."""
        self._close()

    def _facts(self, trainer: Trainer, now: float) -> str:
        shown = trainer.progress_bar_metrics
        facts = []
        if "loss" in shown:
            facts.append(f"loss {shown['loss']:.3f}")
        result = self.scorer.results.get(self.scorer.split)
        if result is not None:
            facts.append(f"{result.headline.metric} {result.headline.value:.2f}")
        if "images_per_second" in shown:
            facts.append(f"{shown['images_per_second']:.3g} images/s")
        left = self._clock.left(trainer.global_step, since=now - self._since)
        if left is not None:
            facts.append(f"{duration(left)} left")
        return ", ".join(facts)

    def _open(self) -> None:
        if self._is_shown and self.console.is_terminal and self._bars is None:
            self._bars = bars_on(self.console)
            self._bars.start()

    def _close(self) -> None:
        if self._bars is not None:
            self._bars.stop()
            self._bars = None

    def _print(self, line: str) -> None:
        self.console.print(line, highlight=False, soft_wrap=True)


def duration(seconds: float) -> str:
    """Hours, minutes and seconds: 1:02:03, or 2:03."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
