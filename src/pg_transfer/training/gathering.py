"""What the processes of a run tell each other: what all have, and what the first makes of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import torch.distributed
from lightning.pytorch import Trainer

T = TypeVar("T")


def together(mine: list[T]) -> list[T]:
    """What all processes have."""
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return mine
    parts: list[Any] = [None] * torch.distributed.get_world_size()
    torch.distributed.all_gather_object(parts, mine)
    return [one for part in parts for one in part]


def once(trainer: Trainer, work: Callable[[], T]) -> T:
    """What the first process makes of it, for all; its error is raised in all of them, too."""
    outcome: Any = None
    if trainer.is_global_zero:
        try:
            outcome = work()
        except Exception as error:
            outcome = error
    outcome = trainer.strategy.broadcast(outcome)
    if isinstance(outcome, Exception):
        raise outcome
    return outcome
