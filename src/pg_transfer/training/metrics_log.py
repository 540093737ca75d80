"""`metrics.csv`: every update once, however often the run was cut short."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers.logger import Logger
from lightning.pytorch.utilities import rank_zero_only

from pg_transfer.process.stopping import Stopped
from pg_transfer.process.whole_files import write_whole

METRICS = "metrics.csv"


class MetricsLog(Logger):
    """Appends every row of metrics as soon as it is known.

    Lightning's CSVLogger holds a hundred rows back, which a killed run loses, rewrites its file in
    place, and deletes that of the run which is gone on with.

    Attributes:
        rows: in the file.
        step: the last update that has a row, counted from 0; -1 if none has.

    Args:
        folder: of the run.
        goes_on: with the file that is there, once a checkpoint has said how much of it counts.
    """

    def __init__(self, folder: Path, *, goes_on: bool) -> None:
        super().__init__()
        self.path = folder / METRICS
        self.rows: int = 0
        self.step: int = -1
        self._columns: list[str] = []
        if not goes_on:
            self._remove()

    @rank_zero_only
    def _remove(self) -> None:
        self.path.unlink(missing_ok=True)

    @property
    def name(self) -> str:
        """Empty: Lightning would make it a folder, and the file lies in the run's own."""
        return ""

    @property
    def version(self) -> str:
        """Empty, as `name`."""
        return ""

    @property
    def save_dir(self) -> str:
        """The run's folder."""
        return str(self.path.parent)

    def log_hyperparams(self, *_: Any, **__: Any) -> None:
        """They are in the run's config.yaml."""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Appends a row; a name that is new to the file has it written anew with one more column.

        Args:
            metrics: values by name.
            step: the update, counted from 0; None for the one after the last.
        """
        row = {**metrics, "step": self.step + 1 if step is None else step}
        if not row.keys() <= set(self._columns):
            self._write_all([*self._read(), row])
            return
        text = io.StringIO(newline="")
        csv.DictWriter(text, self._columns).writerow(row)
        with self.path.open("a", newline="", encoding="utf-8") as file:
            file.write(text.getvalue())
        self._count([row])

    def cut(self, rows: int, more: Mapping[str, Any] | None) -> None:
        """Forgets what comes after the first `rows`, as it is going to be repeated, and adds one.

        Args:
            rows: that were there when the checkpoint was saved.
            more: a row that was about to be written then.

        Raises:
            ValueError: the file is no such log.
        """
        kept = self._read()[:rows]
        if more is not None:
            kept.append(dict(more))
        if kept:
            self._write_all(kept)
        else:
            self._remove()

    def numbers(self) -> list[dict[str, float]]:
        """All rows, each without what it has no value of.

        Raises:
            ValueError: the file is no such log.
        """
        return [
            {name: float(value) for name, value in row.items() if value} for row in self._read()
        ]

    def _read(self) -> list[dict[str, Any]]:
        """All rows but one that a full disk has cut short."""
        if not self.path.exists():
            return []
        try:
            with self.path.open(newline="", encoding="utf-8") as file:
                found = [row for row in csv.DictReader(file) if None not in row.values()]
            for row in found:
                if None in row:
                    raise ValueError("a row is longer than the header")
                int(row["step"])
                for value in row.values():
                    float(value or 0)
        except (ValueError, KeyError, csv.Error) as error:
            raise ValueError(
                f"{self.path} is no log of a run, or a damaged one ({error}); take it away, and "
                f"the run goes on without its beginning"
            ) from error
        return found

    def _write_all(self, rows: list[dict[str, Any]]) -> None:
        self._columns = sorted(set().union(*rows))
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, self._columns)
        writer.writeheader()
        writer.writerows(rows)
        write_whole(self.path, [text.getvalue()])
        self.rows, self.step = 0, -1
        self._count(rows)

    def _count(self, rows: Iterable[Mapping[str, Any]]) -> None:
        for row in rows:
            self.rows += 1
            # What is scored has a slash in its name, and rows of its own; those of the weights to
            # start from have the number of the first update.
            if not any("/" in name and value not in ("", None) for name, value in row.items()):
                self.step = int(row["step"])


class KeepLog(Callback):
    """Notes in checkpoints how far the log was, so that it goes on from there."""

    def __init__(self, log: MetricsLog) -> None:
        self.file = log

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Notes the number of rows, and the row that is about to be written."""
        place = {"rows": self.file.rows, "more": self._about_to_be_logged(trainer)}
        checkpoint["metrics_log"] = place

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Cuts the file to what the checkpoint knows; see `MetricsLog.cut`."""
        if trainer.is_global_zero and "metrics_log" in checkpoint:  # earlier versions had none
            self.file.cut(**checkpoint["metrics_log"])

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """A run that stops when asked has saved its update, and Lightning does not log it."""
        if isinstance(exception, Stopped) and (row := self._about_to_be_logged(trainer)):
            step = row.pop("step")
            for logger in trainer.loggers:
                logger.log_metrics(row, step)

    def _about_to_be_logged(self, trainer: Trainer) -> dict[str, Any] | None:
        """Lightning writes an update's row after the hook in which checkpoints are saved."""
        step = trainer.global_step - 1
        is_due = trainer.global_step % trainer.log_every_n_steps == 0  # type: ignore[attr-defined]
        if not is_due or self.file.step >= step:
            return None
        logged = {k: float(v) for k, v in trainer.logged_metrics.items() if "/" not in k}
        return {**logged, "epoch": trainer.current_epoch, "step": step}
