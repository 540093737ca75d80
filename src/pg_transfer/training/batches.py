"""What one forward pass is given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from pg_transfer.text.sequence import Cut, Layout

COLOURS = 3
"""They come last in a batch as it is loaded, and no image is so narrow."""


class Unreadable(NamedTuple):
    """An example whose image could not be read.

    Attributes:
        row: its place in its split.
        reason: with its id and the file.
    """

    row: int
    reason: str


@dataclass(slots=True)
class Batch:
    """What one forward pass is given.

    Attributes:
        images: 0..255 [B, R, R, 3] as loaded, uint8 but for frames of videos; float32 [B, 3, R, R]
            in -1..1 after `to`. Several per example are [B, F, R, R, 3] and [B, F, 3, R, R].
            Examples of one image share it.
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
        if moved.images.shape[-1] == COLOURS:
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
