"""From generated tokens to the task's score: gathered, saved, drawn and logged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import torch.distributed
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.trainer.states import TrainerFn

from pg_transfer.answers import file_name
from pg_transfer.page import Side
from pg_transfer.record import Record, write_record
from pg_transfer.task import Answer, Scores
from pg_transfer.text.tokenizer import Tokenizer
from pg_transfer.training.batches import Batch
from pg_transfer.training.data import TransferData

T = TypeVar("T")


class Result(NamedTuple):
    """How a split was scored last.

    Attributes:
        step: the update after which the weights were what they are.
        scores: the verdict.
        in_full: with all metrics, those that take long included.
        record: what was written; nothing by other processes than the first.
    """

    step: int
    scores: Scores
    in_full: bool
    record: Record


class ScoreTask(Callback):
    """Scores every validation loop by the task's own metric, over the whole split.

    In the midst of training a task's slow metrics are left aside.

    Attributes:
        split: what the next validation loop goes over.
        step: the update after which the present weights were saved, if they were read from a
            checkpoint; None while training.
        results: of each split, the last.

    Args:
        data: whose prompts are answered.
        tokenizer: spells the answers.
        folder: the run's; `answers/`, `pictures/` and `pages/` below it are filled.
        pictured: answers in a picture; 0 for none.
        page: the most examples on a page; 0 for no pages.
        label: how answers are found, for the names of files; may be empty.
    """

    def __init__(
        self,
        data: TransferData,
        tokenizer: Tokenizer,
        *,
        folder: Path,
        pictured: int,
        page: int,
        label: str = "",
    ) -> None:
        self.data, self.tokenizer = data, tokenizer
        self.folder, self.pictured, self.page, self.label = folder, pictured, page, label
        self.split = data.validate
        self.step: int | None = None
        self.results: dict[str, Result] = {}
        self._given: list[tuple[int, list[int]]] = []

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._given = []

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Batch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        self._given.extend(zip(batch.rows, outputs, strict=True))

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Scores the split.

        Raises:
            RuntimeError: not every example was answered.
        """
        task = self.data.reader.task
        answers = self._answers(gathered(self._given))
        in_full = trainer.state.fn != TrainerFn.FITTING or trainer.global_step >= self.data.steps
        score = task.score_in_full if in_full else task.score
        scores = once(trainer, lambda: score(answers))
        for name, value in scores.metrics.items():
            pl_module.log(f"{self.split}/{name}", value, rank_zero_only=False)
        step = trainer.global_step if self.step is None else self.step
        record = Record(None, None)
        if trainer.is_global_zero:
            name = self._name(self.split, step)
            record = write_record(
                self.folder, name, task, [Side(f"{self.folder.name}, {name}", answers, scores)],
                split=self.split, pictured=self.pictured, page=self.page,
            )  # fmt: skip
        self.results[self.split] = Result(step, scores, in_full, record)

    def file_of(self, split: str, step: int) -> Path:
        """Where the answers of the weights after an update are saved."""
        return self.folder / "answers" / f"{self._name(split, step)}.jsonl"

    def _name(self, split: str, step: int) -> str:
        return "-".join(filter(None, [file_name(split), f"step{step:06d}", self.label]))

    def _answers(self, given: Sequence[tuple[int, list[int]]]) -> list[Answer]:
        examples = self.data.examples(self.split)
        tokens = dict(given)
        if len(tokens) != len(examples):
            raise RuntimeError(
                f"{len(tokens)} of the {len(examples)} examples of {self.split!r} were answered; "
                f"a split is scored whole or not at all (is trainer.limit_val_batches set?)"
            )
        return [
            Answer(example, self.tokenizer.decode(tokens[row]), self.tokenizer.pieces(tokens[row]))
            for row, example in enumerate(examples)
        ]


def gathered(given: list[tuple[int, list[int]]]) -> list[tuple[int, list[int]]]:
    """What all processes have together."""
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return given
    parts: list[Any] = [None] * torch.distributed.get_world_size()
    torch.distributed.all_gather_object(parts, given)
    return [pair for part in parts for pair in part]


def once(trainer: Trainer, work: Callable[[], T]) -> T:
    """What the first process makes of it, for all; its error is raised in all of them, too."""
    outcome: Any = None
    if trainer.is_global_zero:
        try:
            outcome = work()
        except Exception as error:
            outcome = error
    outcome = trainer.strategy.broadcast(outcome)
    if isinstance(outcome, Exception):
        raise outcome
    return outcome
