"""Position embeddings for another resolution; big_vision models/vit.py, resample_posemb."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pg_transfer.model.config import VisionConfig
from pg_transfer.model.paligemma import PaliGemma


def is_square(count: int) -> bool:
    """Whether `count` image tokens form a square grid."""
    return count > 0 and math.isqrt(count) ** 2 == count


def resized_from(
    image_tokens: int, config: VisionConfig, source: Path, *, resample: bool
) -> int | None:
    """The image side that a checkpoint is for, in pixels, if it is not the model's; else None.

    Args:
        image_tokens: positions in the checkpoint.
        config: of the model.
        source: the checkpoint, for the message.
        resample: whether another resolution is allowed.

    Raises:
        ValueError: it is another and not allowed.
    """
    if image_tokens == config.image_tokens:
        return None
    theirs = math.isqrt(image_tokens) * config.patch
    if not resample:
        raise ValueError(
            f"{source} is made for images of {theirs} px and the model for {config.resolution} px: "
            f"take the checkpoint of {config.resolution} px, or resolution={theirs}, as the "
            f"published transfers do; or model.resample=true, which stretches its position "
            f"embeddings"
        )
    return theirs


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


@torch.no_grad()
def stretch(model: PaliGemma, resolution: int) -> None:
    """Make `model` one for images of `resolution` pixels, where it is not."""
    if resolution == model.config.vision.resolution:
        return
    model.config = replace(model.config, vision=replace(model.config.vision, resolution=resolution))
    embeddings = model.model.vision_tower.embeddings
    table = embeddings.position_embedding.weight
    resampled = resample_positions(table, model.config.vision.image_tokens).to(table.dtype)
    embeddings.position_embedding = nn.Embedding.from_pretrained(resampled, freeze=False)
    embeddings.resolution = resolution
