"""How much memory a device has, and the largest micro-batch that it has room for."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

import torch

from pg_transfer.planning.rehearsal import Demand

GB = 1e9

DEVICES = {
    "h200": 150.1, "h100": 85.0, "a100": 85.0, "a100-40gb": 42.4, "l40s": 47.6, "a6000": 51.0,
    "l4": 23.6, "a10g": 23.8, "rtx5090": 34.1, "rtx4090": 25.4, "rtx3090": 25.4, "v100-32gb": 34.1,
    "t4": 15.8,
}  # fmt: skip
"""10^9 bytes of memory, of which a driver leaves a little less."""

WITHOUT_BFLOAT16 = ("v100-32gb", "t4")
"""Those that came before NVIDIA's Ampere."""

OUTSIDE = 1.5
"""GB of a GPU that are not torch's: the driver's context, scratch space of its libraries."""
USABLE = 0.95
"""Of the rest, what torch's allocator can be expected to hand out; what is left is in pieces."""
USABLE_OF_MACHINE = 0.75
"""Of the memory of a machine without a GPU, which has more to do."""


def gb(size: float) -> str:
    """Bytes in GB, for people."""
    return f"{size / GB:.3g} GB"


@dataclass(frozen=True, slots=True)
class Device:
    """Where a run is to be.

    Attributes:
        name: for people.
        bytes: of memory.
        room: those of them that a plan may fill.
    """

    name: str
    bytes: int
    room: int


def gpu(name: str, memory: float) -> Device:
    """A GPU of so many bytes."""
    return Device(name, int(memory), int((memory - OUTSIDE * GB) * USABLE))


def asked_device(name: str) -> Device:
    """The device of that name, of `DEVICES`, or one of so many GB ("80").

    Raises:
        ValueError: there is none; the message names those there are.
    """
    known = DEVICES.get(name.lower())
    if known is not None:
        return gpu(name.lower(), known * GB)
    try:
        memory = float(name)
    except ValueError:
        memory = 0.0
    if not OUTSIDE < memory < float("inf"):
        raise ValueError(
            f"--device {name} is not known; there are {', '.join(DEVICES)}, or say how many GB it "
            f"has, more than {OUTSIDE}: --device 80"
        )
    return gpu(f"a GPU of {memory:g} GB", memory * GB)


def found_device(accelerator: str = "auto") -> Device:
    """The device of this machine.

    Args:
        accelerator: Lightning's word for it; "cpu" looks at no GPU.
    """
    if accelerator != "cpu" and torch.cuda.is_available():
        memory = torch.cuda.get_device_properties(0).total_memory
        return gpu(torch.cuda.get_device_name(0), memory)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Device("this machine, without a GPU", memory, int(memory * USABLE_OF_MACHINE))


def cuts(share: int) -> list[int]:
    """The micro-batches that so many examples can be cut into evenly, from 1 up."""
    return [size for size in range(1, share + 1) if share % size == 0]


def largest(share: int, room: int, demand: Callable[[int], Demand]) -> Demand:
    """The demand of the largest micro-batch that `room` bytes hold.

    What a step takes is the most of several moments, each of which grows evenly with the
    micro-batch: it grows ever faster, so that the line through two sizes never lies above what a
    larger one takes.

    Args:
        share: examples of an update that a process has; they are cut evenly.
        room: bytes.
        demand: what it takes with micro-batches of a size.

    Raises:
        ValueError: there is no room for a single example.
    """
    known = [demand(1)]
    if known[0].peak > room:
        raise ValueError(
            f"a single example at a time takes {gb(known[0].peak)}, and there is room for "
            f"{gb(room)}"
        )
    untried = cuts(share)[1:]
    while untried:
        size = untried[0]
        if len(known) > 1:
            untried = [size for size in untried if _line(*known[-2:], size) <= room]
            if not untried:
                break
            size = untried[-1]
        tried = demand(size)
        if tried.peak > room:
            untried = [smaller for smaller in untried if smaller < size]
        else:
            known.append(tried)
            untried = [larger for larger in untried if larger > size]
    return known[-1]


def _line(first: Demand, last: Demand, micro_batch: int) -> float:
    """Where the line through two demands is at another micro-batch, in bytes."""
    slope = (last.peak - first.peak) / (last.micro_batch - first.micro_batch)
    return last.peak + slope * (micro_batch - last.micro_batch)
