"""The loaders of a run: one pass of lessons, and prompts for any split."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from lightning.pytorch import LightningDataModule
from torch.utils.data import DataLoader

from pg_transfer.task import Example
from pg_transfer.training.batches import Batch, Lessons, Order, Prompts, Reader, collate


class LessonLoader(DataLoader[Any]):
    """Loads a whole run's micro-batches and goes on where a checkpoint left off."""

    def __init__(self, lessons: Lessons, order: Order, *, workers: int) -> None:
        super().__init__(
            lessons, batch_sampler=order, collate_fn=collate, num_workers=workers, pin_memory=False
        )
        self.order, self.given = order, 0

    def __iter__(self) -> Iterator[Batch]:  # type: ignore[override]
        for batch in super().__iter__():
            self.given += 1
            yield batch

    def state_dict(self) -> dict[str, int]:
        """How many micro-batches were handed out."""
        return {"given": self.given}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Continue behind them."""
        self.given = self.order.start = state["given"]


class TransferData(LightningDataModule):
    """Examples of the splits of a task, ready to be loaded.

    Args:
        reader: makes numbers of examples.
        train: the split to learn from.
        validate: the split to score during training.
        batch_size: examples per update, over all processes.
        micro_batch: examples per forward pass of one process.
        evaluation_batch: prompts answered at once by one process.
        workers: loading processes beside the training one; 0 loads in it.
        seed: of the order and of the choice among targets.
    """

    def __init__(
        self,
        reader: Reader,
        *,
        train: str,
        validate: str,
        batch_size: int,
        micro_batch: int,
        evaluation_batch: int,
        workers: int,
        seed: int,
    ) -> None:
        super().__init__()
        self.reader, self.train, self.validate = reader, train, validate
        self.batch_size, self.micro_batch = batch_size, micro_batch
        self.evaluation_batch, self.workers, self.seed = evaluation_batch, workers, seed
        self.steps = 0
        self._examples: dict[str, Sequence[Example]] = {}

    def examples(self, split: str) -> Sequence[Example]:
        """The examples of `split`, read once.

        Raises:
            ValueError: there is no such split, it is empty, or two examples share an id.
        """
        if split not in self._examples:
            examples = self.reader.task.examples(split)
            if not examples:
                raise ValueError(f"the split {split!r} has no examples")
            seen: set[str] = set()
            for example in examples:
                if example.id in seen:
                    raise ValueError(
                        f"two examples of the split {split!r} have the id {example.id!r}"
                    )
                seen.add(example.id)
            self._examples[split] = examples
        return self._examples[split]

    @property
    def _rank(self) -> int:
        return self.trainer.global_rank if self.trainer else 0

    @property
    def _processes(self) -> int:
        return self.trainer.world_size if self.trainer else 1

    def train_dataloader(self) -> LessonLoader:
        """All micro-batches of the run, in order."""
        examples = self.examples(self.train)
        order = Order(
            len(examples),
            batch_size=self.batch_size,
            micro_batch=self.micro_batch,
            steps=self.steps,
            seed=self.seed,
            rank=self._rank,
            processes=self._processes,
        )
        return LessonLoader(Lessons(self.reader, examples, self.seed), order, workers=self.workers)

    def val_dataloader(self) -> DataLoader[Any]:
        """The validation split's prompts."""
        return self.prompts(self.validate)

    def prompts(self, split: str) -> DataLoader[Any]:
        """Every example of `split` once, over all processes together."""
        prompts = Prompts(
            self.reader,
            self.examples(split),
            rank=self._rank,
            processes=self._processes,
        )
        return DataLoader(
            prompts,
            batch_size=self.evaluation_batch,
            collate_fn=collate,
            num_workers=self.workers,
        )


def choose_reported(
    data: TransferData, splits: Sequence[str], *, optional: Sequence[str]
) -> tuple[list[str], list[str]]:
    """The splits to score at the end, and what a reader of the scores has to know.

    All are read, so that their faults show before the training and not after it.

    Args:
        data: of the run.
        splits: to be scored.
        optional: to be scored where their files are there; that they are not is a remark.

    Raises:
        FileNotFoundError: the files of another split are missing.
        ValueError: there is no such split, or a record of it cannot be right.
    """
    chosen, remarks = list(splits), list(data.reader.task.departures)
    for split in (data.validate, *chosen):
        data.examples(split)
    for split in optional:
        try:
            data.examples(split)
        except FileNotFoundError as error:
            remarks.append(" ".join(f"{split} is not scored: {error}".splitlines()))
        else:
            chosen.append(split)
    for split in (data.train, *chosen):
        count, published = len(data.examples(split)), data.reader.task.sizes.get(split)
        if published not in (None, count):
            remarks.append(f"{split} has {count:,} examples, and in the paper {published:,}")
    trained = {example.image for example in data.examples(data.train)}
    for split in chosen:
        examples = data.examples(split)
        known = sum(example.image in trained for example in examples)
        if known:
            remarks.append(
                f"{split} is not held out: {known:,} of its {len(examples):,} examples are of "
                f"images that are trained on"
            )
    return chosen, remarks
