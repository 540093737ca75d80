"""Which example comes when, and in which micro-batch."""

from __future__ import annotations

import math
from collections.abc import Iterator

from torch.utils.data import Sampler

from pg_transfer.training.streams import Stream


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
        self.micro_batches = accumulation(batch_size, micro_batch, processes) * steps
        self.stream = stream
        self.micro_batch, self.rank, self.processes = micro_batch, rank, processes
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
        share, rest = divmod(batch_size, processes)
        fitting = dict.fromkeys(str(one) for one in (math.gcd(share, micro_batch), share))
        remedy = (
            f"it cannot be shared by {processes} processes: take another number of devices"
            if rest
            else f"micro_batch={' or '.join(fitting)} will do"
        )
        raise ValueError(
            f"recipe.batch_size={batch_size} is no multiple of micro_batch={micro_batch} times "
            f"{processes} process(es); {remedy}"
        )
    return batch_size // together
