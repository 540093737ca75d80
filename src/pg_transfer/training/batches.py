"""Examples to batches: which example comes when, and what the model is given of it."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from pg_transfer.data import images
from pg_transfer.task import Draw, Example, Image, OneImage, Task
from pg_transfer.text.sequence import Cut, Layout, prompt_layout, training_layout
from pg_transfer.text.tokenizer import Tokenizer
from pg_transfer.training.prepared_images import PreparedImages
from pg_transfer.training.streams import Stream


class Unreadable(NamedTuple):
    """An example whose image could not be read.

    Attributes:
        row: its place in its split.
        reason: with its id and the file.
    """

    row: int
    reason: str


class ImageError(ValueError):
    """An example's image cannot be read; the message names both."""


class MissingImageError(ImageError, FileNotFoundError):
    """There is none."""


@dataclass(slots=True)
class Batch:
    """What one forward pass is given.

    Attributes:
        images: uint8 [B, R, R, 3] as loaded; float32 [B, 3, R, R] in -1..1 after `to`. Several per
            example are [B, F, R, R, 3] and [B, F, 3, R, R]. Examples of one image share it.
        tokens: int64 [B, T + 1] to learn from, [B, T] to answer.
        prefix_lengths: [B], tokens up to and including the separator.
        lengths: [B], tokens that are not padding.
        rows: for each example its place in its split.
        cuts: for each example what its text window was too short for.
        image_rows: [B], which of the images each example is about; None if each has its own.
        faults: what could not be read: in place of the lessons that are here, or of the images of
            these prompts.
    """

    images: Tensor
    tokens: Tensor
    prefix_lengths: Tensor
    lengths: Tensor
    rows: list[int]
    cuts: list[Cut | None]
    image_rows: Tensor | None = None
    faults: list[Unreadable] = field(default_factory=list)

    def to(self, device: torch.device, non_blocking: bool = False) -> Batch:
        """The same batch with its tensors on `device`, the images as the model takes them."""
        moved = self._with_tensors(lambda tensor: tensor.to(device, non_blocking=non_blocking))
        if moved.images.dtype is torch.uint8:
            return replace(moved, images=value_range(moved.images.movedim(-1, -3)))
        return moved

    def pin_memory(self) -> Batch:
        """The same batch in memory from which a GPU copies while it computes."""
        return self._with_tensors(Tensor.pin_memory)

    def _with_tensors(self, change: Callable[[Tensor], Tensor]) -> Batch:
        names = ("images", "tokens", "prefix_lengths", "lengths", "image_rows")
        tensors = {name: getattr(self, name) for name in names}
        return replace(self, **{name: change(t) for name, t in tensors.items() if t is not None})


def value_range(pixels: Tensor) -> Tensor:
    """Pixels 0..255 as contiguous float32 from -1 to 1 (big_vision pp/ops_general.py, value_range).

    Done where the batch is to be used: until then an image is a quarter of that size.
    """
    values = pixels.to(torch.float32, memory_format=torch.contiguous_format)
    # By a number, a GPU would multiply with its reciprocal, which is another result.
    return values.div_(values.new_full((), 255)).mul_(2).sub_(1)


class Item(NamedTuple):
    """What a batch is made of: see `Batch`."""

    row: int
    pixels: np.ndarray
    layout: Layout
    faults: tuple[Unreadable, ...] = ()


def collate(items: Sequence[Item]) -> Batch:
    """A batch of what `Lessons` or `Prompts` gave, in a window no longer than its longest text."""
    if not items:
        return nothing()
    rows, pixels, layouts, faults = zip(*items, strict=True)
    window = max(layout.length for layout in layouts)
    distinct = {id(array): array for array in pixels}
    places = {key: place for place, key in enumerate(distinct)}
    is_shared = len(distinct) < len(pixels)
    return Batch(
        images=torch.from_numpy(np.stack(list(distinct.values()))),
        image_rows=torch.tensor([places[id(array)] for array in pixels]) if is_shared else None,
        tokens=torch.from_numpy(np.stack([layout.tokens[:window] for layout in layouts])),
        prefix_lengths=torch.tensor([layout.prefix_length for layout in layouts]),
        lengths=torch.tensor([layout.length for layout in layouts]),
        rows=list(rows),
        cuts=[layout.cut for layout in layouts],
        faults=[fault for those in faults for fault in those],
    )


def nothing() -> Batch:
    """A batch without examples."""
    none = torch.empty(0, dtype=torch.int64)
    images = torch.empty(0, 1, 1, 3, dtype=torch.uint8)
    return Batch(images, none.reshape(0, 0), none, none, rows=[], cuts=[])


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
        antialias_of: those of the components of a mixture, by name.
        prepared: for either value of that flag where image files are kept once they are resized;
            empty to decode them every time.
        skips: an image that cannot be read is left out and told of; otherwise it is an error.
    """

    task: Task
    tokenizer: Tokenizer
    resolution: int
    text_length: int
    antialias: Antialias
    antialias_of: Mapping[str, Antialias] = field(default_factory=dict)
    prepared: Mapping[bool, PreparedImages] = field(default_factory=dict)
    skips: bool = False

    def lesson(self, example: Example, draw: Draw) -> tuple[np.ndarray, Layout]:
        """The image, uint8 [R, R, 3]; prefix and suffix, as drawn this time."""
        prefix, suffix = self.task.target(example, draw)
        layout = training_layout(
            self.tokenizer.encode(prefix), self.tokenizer.encode(suffix),
            tokenizer=self.tokenizer, text_length=self.text_length,
        )  # fmt: skip
        return self._pixels(example, antialias=self.flags(example).train), layout

    def prompt(
        self, example: Example, known: np.ndarray | None = None
    ) -> tuple[np.ndarray, Layout]:
        """The image, uint8 [R, R, 3], or `known`, if it was read before; the prefix alone."""
        layout = prompt_layout(
            self.tokenizer.encode(example.prefix),
            tokenizer=self.tokenizer, text_length=self.text_length,
        )  # fmt: skip
        if known is None:
            known = self._pixels(example, antialias=self.flags(example).evaluate)
        return known, layout

    def blank(self, example: Example) -> np.ndarray:
        """Something in place of an image that cannot be read."""
        one = np.zeros((self.resolution, self.resolution, 3), np.uint8)
        return np.stack([one] * len(example.images)) if isinstance(example.image, tuple) else one

    def flags(self, example: Example) -> Antialias:
        """How the example's images are shrunk."""
        return self.antialias_of.get(self.task.component(example), self.antialias)

    def _pixels(self, example: Example, *, antialias: bool) -> np.ndarray:
        """The image, resized: uint8 [R, R, 3]; of several, [F, R, R, 3].

        Raises:
            MissingImageError: there is no such file; the message names it and the example.
            ImageError: it is no image; likewise.
        """
        try:
            resized = [self._resized(image, antialias=antialias) for image in example.images]
            return np.stack(resized) if isinstance(example.image, tuple) else resized[0]
        except FileNotFoundError as error:
            raise MissingImageError(f"example {example.id!r}: {error}") from error
        except ValueError as error:
            raise ImageError(f"example {example.id!r}: {error}") from error

    def _resized(self, source: OneImage, *, antialias: bool) -> np.ndarray:
        if isinstance(source, Path) and antialias in self.prepared:
            return self.prepared[antialias](source)
        pixels = source() if callable(source) else images.open_image(source)
        return images.resize(pixels, self.resolution, antialias=antialias)


MOST_IN_A_ROW = 10
"""Examples that cannot be read before it is not they that are at fault, but where they lie."""


class Lessons(Dataset[Item]):
    """Training examples, asked for by (row, epoch).

    If the reader skips, one that cannot be read is replaced by another, of a mixture by one of the
    same task. It depends on the seed, the row and the epoch alone: batches keep their size, and a
    resumed run finds the same.
    """

    def __init__(self, reader: Reader, examples: Sequence[Example], seed: int) -> None:
        self.reader: Reader = reader
        self.examples: Sequence[Example] = examples
        self.seed: int = seed

    def __getitem__(self, index: tuple[int, int]) -> Item:
        row, epoch = index
        chance = np.random.default_rng([self.seed, epoch, row])
        faults: list[Unreadable] = []
        while True:
            example = self.examples[row]
            try:
                lesson = self.reader.lesson(example, Draw(self.seed, example.id, epoch))
                return Item(row, *lesson, tuple(faults))
            except ImageError as error:
                if not self.reader.skips:
                    raise
                faults.append(Unreadable(row, str(error)))
                if len(faults) == MOST_IN_A_ROW:
                    raise ValueError(
                        f"{MOST_IN_A_ROW} examples drawn one after the other cannot be read, too "
                        f"many to go on without; the last is {error}"
                    ) from error
            peers = self._peers(row)
            row = peers[int(chance.integers(len(peers)))]

    def _peers(self, row: int) -> range:
        """The rows of its task in a mixture; all of them otherwise."""
        start = 0
        for share in self.reader.task.shares:
            if row < start + share.examples:
                return range(start, start + share.examples)
            start += share.examples
        return range(len(self.examples))


Look = tuple[Image, bool]
"""An image, and whether it is shrunk with antialiasing."""


class Prompts(Dataset[Item]):
    """Examples to answer, each once, those of one image next to each other.

    They are asked for in order, so that an image is read once; to those who share it the very same
    array is given. Of several processes, each takes an equal stretch, in equally many batches: they
    may have to compute them together. Where there are too few for that, one is given to two. If the
    reader skips, an image that cannot be read is a black one: the batch stays what it is, and the
    answer does not count.

    Attributes:
        batches: the places of the examples that are answered at once.

    Args:
        reader: makes numbers of examples.
        examples: of the split.
        batch: the most that are answered at once.
        rank: of this process.
        processes: how many there are.
    """

    def __init__(
        self, reader: Reader, examples: Sequence[Example], *, batch: int, rank: int, processes: int
    ) -> None:
        self.reader: Reader = reader
        self.examples: Sequence[Example] = examples
        of_image: dict[Image, list[int]] = {}
        for row, example in enumerate(examples):
            of_image.setdefault(example.image, []).append(row)
        ordered = [row for rows in of_image.values() for row in rows]
        first, last = (len(ordered) * place // processes for place in (rank, rank + 1))
        count = math.ceil(math.ceil(len(ordered) / processes) / batch)
        first = max(0, min(first, last - count))
        last = max(last, first + count)
        self.rows: array[int] = array(
            "q", ordered[first:last]
        )  # which loading processes go on sharing
        self.batches: list[list[int]] = cut(len(self.rows), batch=batch, count=count)
        self._latest: tuple[Look | None, np.ndarray | None] = None, None

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Item:
        row = self.rows[index]
        example = self.examples[row]
        look = example.image, self.reader.flags(example).evaluate
        latest, known = self._latest
        try:
            pixels, layout = self.reader.prompt(example, known if latest == look else None)
        except ImageError as error:
            if not self.reader.skips:
                raise
            pixels, layout = self.reader.prompt(example, self.reader.blank(example))
            return Item(row, pixels, layout, (Unreadable(row, str(error)),))
        self._latest = look, pixels
        return Item(row, pixels, layout)


def cut(rows: int, *, batch: int, count: int) -> list[list[int]]:
    """`rows` places in order as `count` batches of at most `batch`, none of them empty."""
    batches, first = [], 0
    for left in reversed(range(count)):
        last = min(first + batch, rows - left)
        batches.append(list(range(first, last)))
        first = last
    return batches


class Order(Sampler[list[tuple[int, int]]]):
    """Micro-batches of (row, epoch), for a whole run.

    The examples of an update depend on the seed and its number alone: not on how many processes
    there are, nor on how it is cut into micro-batches. An update may straddle two epochs.

    Args:
        stream: says which example comes at which place.
        batch_size: per update, over all processes.
        micro_batch: per forward pass of one process.
        steps: updates.
        rank: of this process.
        processes: how many there are.

    Raises:
        ValueError: the batch cannot be cut into such micro-batches.
    """

    def __init__(
        self,
        stream: Stream,
        *,
        batch_size: int,
        micro_batch: int,
        steps: int,
        rank: int = 0,
        processes: int = 1,
    ) -> None:
        self.micro_batches: int = accumulation(batch_size, micro_batch, processes) * steps
        self.stream = stream
        self.micro_batch: int = micro_batch
        self.rank: int = rank
        self.processes: int = processes
        self.start = 0

    def __len__(self) -> int:
        return self.micro_batches

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        for number in range(self.start, self.micro_batches):
            first = (number * self.processes + self.rank) * self.micro_batch
            yield [self.stream.at(place) for place in range(first, first + self.micro_batch)]


def accumulation(batch_size: int, micro_batch: int, processes: int) -> int:
    """Forward passes of one process per update.

    Raises:
        ValueError: `batch_size` is no multiple of what all processes take at once.
    """
    together = micro_batch * processes
    if batch_size % together:
        most, rest = divmod(batch_size, processes)
        remedy = (
            f"it cannot be shared by {processes} processes: take another number of devices"
            if rest
            else f"a micro_batch that divides {most} will do"
        )
        raise ValueError(
            f"recipe.batch_size={batch_size} is no multiple of micro_batch={micro_batch} times "
            f"{processes} process(es); {remedy}"
        )
    return batch_size // together
