"""The one activation of both towers."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def gelu(x: Tensor) -> Tensor:
    """GELU, approximated by a tanh."""
    return F.gelu(x, approximate="tanh")
