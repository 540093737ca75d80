"""Tensors a few rows at a time, so that none is ever held twice."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

BLOCK_BYTES = 8 * 2**20
"""About how much of a tensor is read or written at once."""


def rows_at_once(row_bytes: int) -> int:
    """How many rows of that size make up a block; at least one."""
    return max(1, BLOCK_BYTES // max(1, row_bytes))


def blocks_of(tensor: Tensor) -> Iterator[Tensor]:
    """The rows of `tensor` in order, in blocks; a view of it may have any strides."""
    return iter(tensor.split(rows_at_once(tensor.itemsize * math.prod(tensor.shape[1:]))))


def bytes_of(block: Tensor, dtype: torch.dtype) -> memoryview:
    """The values of `block` as `dtype`, outermost axis first, as they are kept in a file."""
    values = block.detach().to("cpu", dtype).contiguous()
    return values.flatten().view(torch.uint8).numpy().data
