"""Examples to batches: which example comes when, and what the model is given of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from pg_transfer import images
from pg_transfer.task import Draw, Example, Task
from pg_transfer.text.sequence import Cut, Layout, prompt_layout, training_layout
from pg_transfer.text.tokenizer import Tokenizer


@dataclass(slots=True)
class Batch:
    """What one forward pass is given.

    Attributes:
        images: float32 [B, 3, R, R] in -1..1.
        tokens: int64 [B, T + 1] to learn from, [B, T] to answer.
        prefix_lengths: [B], tokens up to and including the separator.
        lengths: [B], tokens that are not padding.
        rows: for each example its place in its split.
        cuts: for each example what its text window was too short for.
    """

    images: Tensor
    tokens: Tensor
    prefix_lengths: Tensor
    lengths: Tensor
    rows: list[int]
    cuts: list[Cut | None]

    def to(self, device: torch.device, non_blocking: bool = False) -> Batch:
        """The same batch with its tensors on `device`."""
        names = ("images", "tokens", "prefix_lengths", "lengths")
        return replace(
            self,
            **{name: getattr(self, name).to(device, non_blocking=non_blocking) for name in names},
        )


Item = tuple[int, np.ndarray, Layout]


def collate(items: Sequence[Item]) -> Batch:
    """A batch of what `Lessons` or `Prompts` gave."""
    rows, pixels, layouts = zip(*items, strict=True)
    return Batch(
        images=torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2).contiguous(),
        tokens=torch.from_numpy(np.stack([layout.tokens for layout in layouts])),
        prefix_lengths=torch.tensor([layout.prefix_length for layout in layouts]),
        lengths=torch.tensor([layout.length for layout in layouts]),
        rows=list(rows),
        cuts=[layout.cut for layout in layouts],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Antialias:
    """Whether shrinking an image takes all its pixels into account.

    Attributes:
        train: where the model learns from it.
        evaluate: where the model is asked about it; for some transfers of the paper not the same.
    """

    train: bool
    evaluate: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """How an example becomes numbers.

    Attributes:
        task: says what to learn from an example.
        tokenizer: for the text.
        resolution: image side in pixels.
        text_length: text tokens fed to the model.
        antialias: in the resize; each transfer has its own settings.
    """

    task: Task
    tokenizer: Tokenizer
    resolution: int
    text_length: int
    antialias: Antialias

    def lesson(self, example: Example, draw: Draw) -> tuple[np.ndarray, Layout]:
        """The image, float32 [R, R, 3] in -1..1; prefix and suffix, as drawn this time."""
        prefix, suffix = self.task.target(example, draw)
        layout = training_layout(
            self.tokenizer.encode(prefix), self.tokenizer.encode(suffix),
            tokenizer=self.tokenizer, text_length=self.text_length,
        )  # fmt: skip
        return self._pixels(example, antialias=self.antialias.train), layout

    def prompt(self, example: Example) -> tuple[np.ndarray, Layout]:
        """The image, float32 [R, R, 3] in -1..1; the prefix alone, to be answered."""
        layout = prompt_layout(
            self.tokenizer.encode(example.prefix),
            tokenizer=self.tokenizer, text_length=self.text_length,
        )  # fmt: skip
        return self._pixels(example, antialias=self.antialias.evaluate), layout

    def _pixels(self, example: Example, *, antialias: bool) -> np.ndarray:
        source = example.image
        pixels = source() if callable(source) else images.open_image(source)
        return images.value_range(images.resize(pixels, self.resolution, antialias=antialias))


class Lessons(Dataset[Item]):
    """Training examples, asked for by (row, epoch)."""

    def __init__(self, reader: Reader, examples: Sequence[Example], seed: int) -> None:
        self.reader, self.examples, self.seed = reader, examples, seed

    def __getitem__(self, index: tuple[int, int]) -> Item:
        row, epoch = index
        example = self.examples[row]
        return row, *self.reader.lesson(example, Draw(self.seed, example.id, epoch))


class Prompts(Dataset[Item]):
    """Examples to answer, each once; of several processes, each takes every n-th."""

    def __init__(
        self, reader: Reader, examples: Sequence[Example], *, rank: int, processes: int
    ) -> None:
        self.reader, self.examples = reader, examples
        self.rows = range(rank, len(examples), processes)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Item:
        row = self.rows[index]
        return row, *self.reader.prompt(self.examples[row])


class Order(Sampler[list[tuple[int, int]]]):
    """Micro-batches of (row, epoch), for a whole run.

    The examples of an update depend on the seed and its number alone: not on how many processes
    there are, nor on how it is cut into micro-batches. Every epoch is a permutation of its own;
    an update may straddle two.

    Args:
        examples: how many there are.
        batch_size: per update, over all processes.
        micro_batch: per forward pass of one process.
        steps: updates.
        seed: of the permutations.
        rank: of this process.
        processes: how many there are.

    Raises:
        ValueError: the batch cannot be cut into such micro-batches.
    """

    def __init__(
        self,
        examples: int,
        *,
        batch_size: int,
        micro_batch: int,
        steps: int,
        seed: int,
        rank: int = 0,
        processes: int = 1,
    ) -> None:
        self.micro_batches = accumulation(batch_size, micro_batch, processes) * steps
        self.examples, self.seed = examples, seed
        self.micro_batch, self.rank, self.processes = micro_batch, rank, processes
        self.start = 0

    def __len__(self) -> int:
        return self.micro_batches

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        known, order = -1, np.empty(0, dtype=np.int64)
        for number in range(self.start, self.micro_batches):
            first = (number * self.processes + self.rank) * self.micro_batch
            chosen = []
            for place in range(first, first + self.micro_batch):
                epoch, row = divmod(place, self.examples)
                if epoch != known:
                    generator = np.random.default_rng([self.seed, epoch])
                    known, order = epoch, generator.permutation(self.examples)
                chosen.append((int(order[row]), epoch))
            yield chosen


def accumulation(batch_size: int, micro_batch: int, processes: int) -> int:
    """Forward passes of one process per update.

    Raises:
        ValueError: `batch_size` is no multiple of what all processes take at once.
    """
    together = micro_batch * processes
    if batch_size % together:
        raise ValueError(
            f"recipe.batch_size={batch_size} is no multiple of micro_batch={micro_batch} times "
            f"{processes} process(es); a micro_batch that divides {batch_size // processes} will do"
        )
    return batch_size // together
