"""Position embeddings for another resolution; big_vision models/vit.py, resample_posemb."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F


def is_square(count: int) -> bool:
    """Whether `count` image tokens form a square grid."""
    return count > 0 and math.isqrt(count) ** 2 == count


def resample_positions(table: Tensor, image_tokens: int) -> Tensor:
    """Float32 [image_tokens, V]: `table` [n, V] stretched from its square grid to another.

    Bilinear, first and last samples staying where they are, in float64 as the reference's
    `scipy.ndimage.zoom(order=1)`. For a few pairs of grids (32 to 16 is one) scipy rounds the
    last row's and column's places to outside the grid and answers zeros there; this does not.
    """
    old, new = math.isqrt(table.shape[0]), math.isqrt(image_tokens)
    grid = table.to(torch.float64).T.reshape(1, -1, old, old)
    resized = F.interpolate(grid, size=(new, new), mode="bilinear", align_corners=True)
    return resized.reshape(-1, new * new).T.float()
