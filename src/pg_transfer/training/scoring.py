"""From generated tokens to the task's score: gathered, saved, drawn and logged."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch.distributed
from lightning.pytorch import Callback, LightningModule, Trainer

from pg_transfer.answers import file_name, write_answers, write_submission
from pg_transfer.page import Side, write_page
from pg_transfer.pictures import draw_answers
from pg_transfer.task import Answer, Scores
from pg_transfer.text.tokenizer import Tokenizer
from pg_transfer.training.batches import Batch
from pg_transfer.training.data import TransferData


class ScoreTask(Callback):
    """Scores every validation loop by the task's own metric, over the whole split.

    Attributes:
        split: what the next validation loop goes over.
        step: the update after which the present weights were saved, if they were read from a
            checkpoint; None while training.
        results: for each split, the update after which it was scored last, and the verdict.
        pages: for each split, the page of the answers that were scored last.

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
        self.results: dict[str, tuple[int, Scores]] = {}
        self.picture: Path | None = None
        self.pages: dict[str, Path] = {}
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
        scores = task.score(answers)
        step = trainer.global_step if self.step is None else self.step
        self.results[self.split] = step, scores
        for name, value in scores.metrics.items():
            pl_module.log(f"{self.split}/{name}", value, rank_zero_only=False)
        if trainer.is_global_zero:
            parts = [file_name(self.split), f"step{step:06d}", self.label]
            name = "-".join(filter(None, parts))
            write_answers(self.folder / "answers" / f"{name}.jsonl", answers, scores)
            submission = task.submission(answers)
            if submission is not None:
                write_submission(self.folder / "answers" / f"{name}.submission.json", submission)
            if self.pictured:
                self.picture = self.folder / "pictures" / f"{name}.png"
                chosen = list(zip(answers, scores.examples, strict=True))[: self.pictured]
                draw_answers(task, chosen, self.picture)
            if self.page:
                side = Side(f"{self.folder.name}, {name}", answers, scores)
                path = self.folder / "pages" / f"{name}.html"
                self.pages[self.split] = write_page(
                    path, task, [side], split=self.split, most=self.page
                )

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
