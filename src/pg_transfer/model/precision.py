"""What products are computed in."""

from __future__ import annotations

import torch
from torch import Tensor


def product_dtype(tensor: Tensor) -> torch.dtype:
    """What autocast multiplies in where it is at work, or else the tensor's own dtype.

    What several products read is cast to it once, as autocast would for each of them anew.
    """
    device = tensor.device.type
    if torch.is_autocast_enabled(device) and tensor.dtype != torch.float64:
        return torch.get_autocast_dtype(device)
    return tensor.dtype
