"""Several processes that are not there, for a plan of what one of them holds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch.distributed
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.testing._internal.distributed.fake_pg import FakeStore


@contextmanager
def pretended_group(processes: int) -> Iterator[DeviceMesh]:
    """The mesh of a group whose first process this is, and whose others answer at once.

    The first has the largest piece of every tensor. PyTorch's own planners pretend in this way.

    Raises:
        ValueError: this process is in a real group.
    """
    if torch.distributed.is_initialized():
        raise ValueError(
            "processes that run together cannot plan; python -m pg_transfer.plan does, with the "
            "same settings"
        )
    torch.distributed.init_process_group("fake", rank=0, world_size=processes, store=FakeStore())
    try:
        yield init_device_mesh("cpu", (processes,))
    finally:
        torch.distributed.destroy_process_group()
