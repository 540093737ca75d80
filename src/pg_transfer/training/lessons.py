"""A split's examples as lessons to learn from, and as prompts to answer."""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence

import numpy as np
from torch.utils.data import Dataset

from pg_transfer.task import Draw, Example, Image, Share
from pg_transfer.training.batches import Item, Unreadable
from pg_transfer.training.reader import ImageError, Reader

MOST_IN_A_ROW = 10
"""Examples that cannot be read before it is not they that are at fault, but where they lie."""


class Lessons(Dataset[Item]):
    """Training examples, asked for by (row, epoch).

    If the reader skips, one that cannot be read is replaced by another, of a mixture by one of the
    same task. It depends on the seed, the row and the epoch alone: batches keep their size, and a
    resumed run finds the same.

    Args:
        reader: of images and texts.
        examples: the rows.
        seed: of the run.
        shares: what the rows are mixed of.
    """

    def __init__(
        self,
        reader: Reader,
        examples: Sequence[Example],
        seed: int,
        shares: Sequence[Share] = (),
    ) -> None:
        self.reader, self.examples, self.seed, self.shares = reader, examples, seed, shares

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
        for share in self.shares:
            if row < start + share.examples:
                return range(start, start + share.examples)
            start += share.examples
        return range(len(self.examples))


Look = tuple[Image, bool, tuple[int, int] | None]
"""An image, whether it is shrunk with antialiasing, and the size that its boxes are made for."""


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
        self.reader, self.examples = reader, examples
        of_image: dict[Image, list[int]] = {}
        for row, example in enumerate(examples):
            of_image.setdefault(example.image, []).append(row)
        ordered = [row for rows in of_image.values() for row in rows]
        first, last = (len(ordered) * place // processes for place in (rank, rank + 1))
        count = math.ceil(math.ceil(len(ordered) / processes) / batch)
        first = max(0, min(first, last - count))
        last = max(last, first + count)
        self.rows = array("q", ordered[first:last])  # which loading processes go on sharing
        self.batches = cut(len(self.rows), batch=batch, count=count)
        self._latest: tuple[Look | None, np.ndarray | None] = None, None

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Item:
        row = self.rows[index]
        example = self.examples[row]
        annotated = self.reader.task.annotated_size(example)
        look = example.image, self.reader.flags(example).evaluate, annotated
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
