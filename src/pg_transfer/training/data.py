"""The loaders of a run: one pass of lessons, and prompts for any split."""

from __future__ import annotations

import atexit
import multiprocessing
import os
import signal
import traceback
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from lightning.pytorch import LightningDataModule
from torch.utils.data import DataLoader, Dataset, Sampler

from pg_transfer.data.splits import Splits
from pg_transfer.process.stopping import ASKING
from pg_transfer.task import Clip, Example
from pg_transfer.training.batches import Batch, collate
from pg_transfer.training.lessons import Lessons, Prompts
from pg_transfer.training.order import Order
from pg_transfer.training.prepared_images import Room
from pg_transfer.training.reader import Reader
from pg_transfer.training.same_examples import digest_of_examples, require_same_examples
from pg_transfer.training.streams import stream_of


class Fault(NamedTuple):
    """What went wrong in a loading process, on its way out of it."""

    error: Exception
    traceback: str


class _Batches(Dataset[Any]):
    """Batches of a data set, or what was wrong with one."""

    def __init__(self, items: Dataset[Any]) -> None:
        self.items = items

    def __len__(self) -> int:
        return len(self.items)  # type: ignore[arg-type]

    def __getitems__(self, indices: Sequence[Any]) -> Batch | Fault:
        try:
            return collate([self.items[index] for index in indices])
        except (ValueError, OSError) as error:
            return Fault(error, traceback.format_exc())


def _as_is(batch: Any) -> Any:
    return batch


def _leave_signals(_: int) -> None:
    """Leaves it to the training process, which sees to its loading ones, to stop when asked.

    Ctrl-C and schedulers ask all processes at once, and an update that is to be finished may need
    another batch.
    """
    for asked in ASKING:
        signal.signal(asked, signal.SIG_IGN)


@atexit.register
def _end_loading() -> None:
    """Ends loading processes that are left at the end, which do not hear when they are asked to."""
    if (left := multiprocessing.active_children()) and os.name == "posix":
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # torch would tell of one that was killed
    for process in left:
        process.kill()


class BatchLoader(DataLoader[Any]):
    """Loads batches; what a user can mend is raised here as it was in the loading process.

    Left to itself, torch raises an error whose message is the other process's traceback.
    """

    def __init__(self, items: Dataset[Any], *, workers: int, **chosen: Any) -> None:
        super().__init__(
            _Batches(items),
            collate_fn=_as_is,
            num_workers=workers,
            pin_memory=torch.cuda.is_available(),
            worker_init_fn=_leave_signals,
            **chosen,
        )

    def __iter__(self) -> Iterator[Batch]:  # type: ignore[override]
        for batch in super().__iter__():
            if isinstance(batch, Fault):
                raise batch.error from RuntimeError(batch.traceback)
            yield batch


class LessonLoader(BatchLoader):
    """Loads a whole run's micro-batches and goes on where a checkpoint left off."""

    def __init__(self, lessons: Lessons, order: Order, *, workers: int) -> None:
        super().__init__(lessons, batch_sampler=order, workers=workers)
        self.order, self.given = order, 0

    def __iter__(self) -> Iterator[Batch]:
        for batch in super().__iter__():
            self.given += 1
            yield batch

    def state_dict(self) -> dict[str, int]:
        """How many examples were handed out, to all processes together."""
        return {"examples": self.given * self._together}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Continue behind them."""
        self.given = self.order.start = state["examples"] // self._together

    @property
    def _together(self) -> int:
        return self.order.micro_batch * self.order.processes


class Rest(Sampler[list[int]]):
    """Batches in order, the first ones empty.

    Attributes:
        answered: how many batches are empty, as they have been answered already.
    """

    def __init__(self, batches: Sequence[list[int]]) -> None:
        self.batches, self.answered = batches, 0

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[list[int]]:
        for number, batch in enumerate(self.batches):
            yield [] if number < self.answered else batch


class PromptLoader(BatchLoader):
    """Loads prompts; at the beginning it asks how many batches have been answered already."""

    def __init__(self, prompts: Prompts, *, workers: int, begin: Callable[[Prompts], int]) -> None:
        self.rest = Rest(prompts.batches)
        super().__init__(prompts, workers=workers, batch_sampler=self.rest)
        self.prompts, self.begin = prompts, begin

    def __iter__(self) -> Iterator[Batch]:
        self.rest.answered = self.begin(self.prompts)
        yield from super().__iter__()


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

    Attributes:
        begin: asked at the beginning of an evaluation how many batches are answered already.
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
        self.begin: Callable[[Prompts], int] = lambda _: 0
        self.splits = Splits(reader.task)
        self._digests: dict[str, dict[str, Any]] = {}

    def examples(self, split: str) -> Sequence[Example]:
        """The examples of `split`, read once; see `Splits.examples`."""
        return self.splits.examples(split)

    def digest(self, split: str) -> dict[str, Any]:
        """How many examples `split` has, and their digest."""
        if split not in self._digests:
            examples = self.examples(split)
            found = {"count": len(examples), "digest": digest_of_examples(examples)}
            self._digests[split] = found
        return self._digests[split]

    def state_dict(self) -> dict[str, Any]:
        """What tells the examples that are learnt from."""
        return dict(self.digest(self.train))

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Raises ValueError if a run would go on with others; earlier versions did not tell."""
        require_same_examples(state_dict, self.digest(self.train), split=self.train)

    def make_room(self) -> list[Room]:
        """What it takes to keep the images that come again: to learn from, and to validate by.

        Raises:
            ValueError: the disk has not so much room, or there are videos, of which other frames
                are seen each time.
        """
        paths: dict[bool, set[Path]] = defaultdict(set)
        for split, learns in ((self.train, True), (self.validate, False)):
            for example in self.examples(split):
                if isinstance(example.image, Clip) and self.reader.prepared:
                    raise ValueError(
                        f"image_cache keeps images, and example {example.id!r} is about a video: "
                        f"other frames of it are seen each time; set image_cache=null"
                    )
                flags = self.reader.flags(example)
                flag = flags.train if learns else flags.evaluate
                paths[flag].update(file for file in example.images if isinstance(file, Path))
        kept = self.reader.prepared
        return [kept[flag].make_room(paths[flag]) for flag in kept if paths[flag]]

    @property
    def _rank(self) -> int:
        return self.trainer.global_rank if self.trainer else 0

    @property
    def _processes(self) -> int:
        return self.trainer.world_size if self.trainer else 1

    def train_dataloader(self) -> LessonLoader:
        """All micro-batches of the run, in order."""
        examples = self.examples(self.train)
        shares = self.reader.task.shares_of(self.train)
        order = Order(
            stream_of(len(examples), shares, seed=self.seed),
            batch_size=self.batch_size,
            micro_batch=self.micro_batch,
            steps=self.steps,
            rank=self._rank,
            processes=self._processes,
        )
        lessons = Lessons(self.reader, examples, self.seed, shares)
        return LessonLoader(lessons, order, workers=self.workers)

    def val_dataloader(self) -> DataLoader[Any]:
        """The validation split's prompts."""
        return self.prompts(self.validate)

    def prompts(self, split: str) -> DataLoader[Any]:
        """Every example of `split` once, over all processes together."""
        prompts = Prompts(
            self.reader,
            self.examples(split),
            batch=self.evaluation_batch,
            rank=self._rank,
            processes=self._processes,
        )
        return PromptLoader(
            prompts, workers=self.workers, begin=lambda prompts: self.begin(prompts)
        )
