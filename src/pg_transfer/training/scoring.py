"""From generated tokens to the task's score: gathered, saved, drawn and logged."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch.distributed
from lightning.pytorch import Callback, LightningModule, Trainer

from pg_transfer.answers import write_answers
from pg_transfer.pictures import draw_answers
from pg_transfer.task import Answer
from pg_transfer.text.tokenizer import Tokenizer
from pg_transfer.training.batches import Batch
from pg_transfer.training.data import TransferData


class ScoreTask(Callback):
    """Scores every validation loop by the task's own metric, over the whole split.

    Attributes:
        split: what the next validation loop goes over.
        step: the update after which the present weights were saved, if they were read from a
            checkpoint; None while training.
        results: for each split, the update after which it was scored last, and its metrics.

    Args:
        data: whose prompts are answered.
        tokenizer: spells the answers.
        folder: the run's; `answers/` and `pictures/` below it are filled.
        pictured: answers in a picture; 0 for none.
    """

    def __init__(
        self, data: TransferData, tokenizer: Tokenizer, *, folder: Path, pictured: int
    ) -> None:
        self.data, self.tokenizer = data, tokenizer
        self.folder, self.pictured = folder, pictured
        self.split = data.validate
        self.step: int | None = None
        self.results: dict[str, tuple[int, dict[str, float]]] = {}
        self.picture: Path | None = None
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
        self.results[self.split] = step, scores.metrics
        for name, value in scores.metrics.items():
            pl_module.log(f"{self.split}/{name}", value, rank_zero_only=False)
        if trainer.is_global_zero:
            name = f"{self.split.replace('/', '-')}-step{step:06d}"
            write_answers(self.folder / "answers" / f"{name}.jsonl", answers, scores)
            if self.pictured:
                self.picture = self.folder / "pictures" / f"{name}.png"
                chosen = list(zip(answers, scores.examples, strict=True))[: self.pictured]
                draw_answers(task, chosen, self.picture)

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
