"""From generated tokens to the task's score: gathered, saved, drawn and logged."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.trainer.states import TrainerFn

from pg_transfer.reporting.answers import file_name
from pg_transfer.reporting.page import Side
from pg_transfer.reporting.record import Record, write_record
from pg_transfer.task import Answer, Scores
from pg_transfer.text.tokenizer import Tokenizer
from pg_transfer.training.answers_so_far import (
    AnswersSoFar,
    Given,
    digest_of_prompts,
    digest_of_weights,
)
from pg_transfer.training.batches import Batch
from pg_transfer.training.data import TransferData
from pg_transfer.training.gathering import once, together
from pg_transfer.training.lessons import Prompts
from pg_transfer.training.module import TransferModule
from pg_transfer.training.sharding import is_sharded
from pg_transfer.training.verdict import verdict_of


class Headline(NamedTuple):
    """The metric that the paper reports, and its value."""

    metric: str
    value: float


class Result(NamedTuple):
    """How a split was scored last.

    Attributes:
        step: the update after which the weights were what they are.
        scores: the verdict.
        in_full: with all metrics, those that take long included.
        record: what was written; nothing by other processes than the first.
        answers: what the verdict is on, about images that can be drawn.
    """

    step: int
    scores: Scores
    in_full: bool
    record: Record
    answers: Sequence[Answer]

    @property
    def headline(self) -> Headline:
        """What weights are the best by."""
        return Headline(*next(iter(self.scores.metrics.items())))


class ScoreTask(Callback):
    """Scores every validation loop by the task's own metric, over the whole split.

    In the midst of training a task's slow metrics are left aside. Answers are saved as they come,
    and not asked for again where an evaluation was cut short.

    Attributes:
        split: what the next validation loop goes over.
        step: the update after which the present weights were saved, if they were read from a
            checkpoint; None while training.
        results: of each split, the last.
        resumed: answers of this evaluation that an earlier one has left.
        faults: of each split, the images that could not be read: why, by the example's id. The
            answers about them are empty, and count.

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
        self.resumed: list[Given] = []
        self.faults: dict[str, dict[str, str]] = {}
        self._given: list[Given] = []
        self._logged: dict[str, list[int]] = {}  # of each split, the update and whether in full
        self._trainer: Trainer | None = None
        self._file: AnswersSoFar | None = None
        self._files: dict[Path, tuple[int, AnswersSoFar]] = {}
        data.begin = self.begin

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Keeps the trainer: `begin` is asked by the data, which has none."""
        self._trainer = trainer

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Forgets the answers to the split before."""
        self._given, self.resumed, self._file = [], [], None

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Removes answers of weights before it: a run killed after its saving left them behind."""
        for path in (self.folder / "answers").glob("*.part*.jsonl"):
            step = re.search(r"-step(\d+)", path.name)
            if step is not None and int(step[1]) < checkpoint["global_step"]:
                path.unlink(missing_ok=True)

    def begin(self, prompts: Prompts) -> int:
        """Finds what has been answered already; how many batches, on all processes."""
        trainer, examples = self._trainer, prompts.examples
        assert trainer is not None
        step, size = self._step(trainer), self.data.evaluation_batch
        place = f"-{trainer.global_rank}-of-{trainer.world_size}" if trainer.world_size > 1 else ""
        path = self.file_of(self.split, step).with_suffix(f".part{place}.jsonl")
        self._file = AnswersSoFar(path, self._made_by(trainer, prompts))
        self._files[path] = step, self._file
        known = self._file.read(examples, prompts.rows, batch=size)
        answered = -(-len(known) // size)
        if is_sharded(trainer.lightning_module):
            # All go through the same number of batches, as each has a part of the model.
            answered = min(together([answered]))
        self.resumed = known[: answered * size]
        self._given = list(self.resumed)
        self._file.start(examples, self.resumed)
        return answered

    def _made_by(self, trainer: Trainer, prompts: Prompts) -> dict[str, Any]:
        """All that the answers depend on."""
        module, reader = trainer.lightning_module, self.data.reader
        assert isinstance(module, TransferModule)
        return {
            "weights": digest_of_weights(module.model),
            "prompts": digest_of_prompts(prompts.examples, prompts.rows),
            "decoding": asdict(module.decoding),
            "seed": module.seed,
            "batch": self.data.evaluation_batch,
            "resolution": reader.resolution,
            "antialias": reader.antialias.evaluate,
            "antialias_of": {name: one.evaluate for name, one in reader.antialias_of.items()},
            "text_length": reader.text_length,
            "precision": str(trainer.precision),
            "skips": reader.skips,
            "torch": torch.__version__,
        }

    def state_dict(self) -> dict[str, Any]:
        """Of each split the update it was last logged at, so that no score is logged twice."""
        return {"logged": self._logged}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes up what `state_dict` gave."""
        self._logged = state_dict["logged"]

    def forget(self, before: int | None = None) -> None:
        """Removes answers that were saved as they came.

        Args:
            before: those of weights of earlier updates than this alone.
        """
        for path, (step, file) in list(self._files.items()):
            if before is None or step < before:
                file.remove()
                del self._files[path]

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Batch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Saves the batch's answers; those about images that cannot be read are empty."""
        faults = {fault.row: fault.reason for fault in batch.faults}
        given = [
            Given(row, "", (), cut, faults[row])
            if row in faults
            else Given(row, self.tokenizer.decode(tokens), self.tokenizer.pieces(tokens), cut)
            for row, tokens, cut in zip(batch.rows, outputs, batch.cuts, strict=True)
        ]
        if given and self._file is not None:
            self._file.add(self.data.examples(self.split), given)
        self._given.extend(given)

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Scores the split.

        Raises:
            RuntimeError: not every example was answered.
            ValueError: no image of the split could be read, or the verdict cannot be.
        """
        task = self.data.reader.task
        answers = self._answers(together(self._given))
        in_full = trainer.state.fn != TrainerFn.FITTING or trainer.global_step >= self.data.steps
        score = task.score_in_full if in_full else task.score
        scores = once(trainer, lambda: verdict_of(score, answers))
        step = self._step(trainer)
        if self._logged.get(self.split) != (verdict := [step, in_full]):
            self._logged[self.split] = verdict
            for name, value in scores.metrics.items():
                pl_module.log(f"{self.split}/{name}", value, rank_zero_only=False)
        record = Record(None, None)
        shown = [with_image(answer, self.faults[self.split]) for answer in answers]
        if trainer.is_global_zero:
            name = self._name(self.split, step)
            record = write_record(
                self.folder, name, task, [Side(f"{self.folder.name}, {name}", shown, scores)],
                split=self.split, pictured=self.pictured, page=self.page,
            )  # fmt: skip
        self.results[self.split] = Result(step, scores, in_full, record, shown)

    def file_of(self, split: str, step: int) -> Path:
        """Where the answers of the weights after an update are saved."""
        return self.folder / "answers" / f"{self._name(split, step)}.jsonl"

    def _name(self, split: str, step: int) -> str:
        return "-".join(filter(None, [file_name(split), f"step{step:06d}", self.label]))

    def _step(self, trainer: Trainer) -> int:
        return trainer.global_step if self.step is None else self.step

    def _answers(self, given: Sequence[Given]) -> list[Answer]:
        examples = self.data.examples(self.split)
        by_row = {one.row: one for one in given}
        if len(by_row) != len(examples):
            raise RuntimeError(
                f"{len(by_row)} of the {len(examples)} examples of {self.split!r} were answered; "
                f"a split is scored whole or not at all"
            )
        faults = {examples[row].id: one.fault for row, one in sorted(by_row.items()) if one.fault}
        self.faults[self.split] = faults
        if len(faults) == len(examples):
            raise ValueError(
                f"none of the images of {self.split!r} can be read; the first: "
                f"{next(iter(faults.values()))}"
            )
        return [
            Answer(example, by_row[row].text, by_row[row].pieces)
            for row, example in enumerate(examples)
        ]


def with_image(answer: Answer, faults: Mapping[str, str]) -> Answer:
    """The answer; where its image cannot be read, about a black one, which can be drawn."""
    if answer.example.id not in faults:
        return answer
    images = tuple(no_image for _ in answer.example.images)
    image = images if isinstance(answer.example.image, tuple) else no_image
    return answer._replace(example=replace(answer.example, image=image))


def no_image() -> np.ndarray:
    """Black, uint8 [224, 224, 3]."""
    return np.zeros((224, 224, 3), np.uint8)
