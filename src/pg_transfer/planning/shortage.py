"""Running out of memory, said in one line with the plan's numbers."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from omegaconf import DictConfig

from pg_transfer.planning.asked import remedies, update_of
from pg_transfer.planning.rehearsal import Demand, rehearse
from pg_transfer.planning.room import found_device, gb
from pg_transfer.process.shortage import is_shortage

ANSWERING = "validation_step"
"""A function that is in the traceback where memory ran out over answers."""


@contextmanager
def shortage_explained(config: DictConfig, images: Callable[[], int]) -> Iterator[None]:
    """What is done inside says what to change, if there is not enough memory for it.

    Args:
        config: of the run.
        images: how many an example shows, for which data may have to be read.

    Raises:
        ValueError: there was not.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:  # as torch's own is one of these
        if not is_shortage(error):
            raise
        raise ValueError(explanation(config, images, error)) from error


def explanation(config: DictConfig, images: Callable[[], int], error: BaseException) -> str:
    """What was taken, what there is, and what to do."""
    device = found_device(str(config.trainer.accelerator))
    there = f"{device.name} has {gb(device.bytes)}"
    if any(frame.name == ANSWERING for frame in traceback.extract_tb(error.__traceback__)):
        batch = config.evaluation_batch
        remedy = f"take evaluation_batch={batch // 2}" if batch > 1 else "take a lower resolution"
        return f"out of memory over the answers to {batch} prompts at once; {there}: {remedy}"
    so_far = f"out of memory with micro_batch={config.micro_batch}"
    try:
        update = update_of(config, images=images())
        demand = rehearse(update, config.micro_batch)
    except ValueError as unplanned:
        return f"{so_far}; {there}: take a smaller one, or tuning=lora; {unplanned}"
    return (
        f"{so_far}, which was planned to take {by_part(demand)}; {there}, not all of it free: "
        f"{remedies(update, micro_batch=config.micro_batch)}"
    )


def by_part(demand: Demand) -> str:
    """The peak, and what it consists of."""
    parts = ", ".join(f"{part} {gb(size)}" for part, size in demand.memory.items())
    return f"{gb(demand.peak)} ({parts})"
