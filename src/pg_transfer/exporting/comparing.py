"""Whether two models compute the same."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from pg_transfer.model.paligemma import PaliGemma
from pg_transfer.process.console import say

MOST = {torch.float32: 1e-3, torch.bfloat16: 5e-2, torch.float16: 1e-2}
"""By how much logits may differ, as a part of the largest, by the coarsest dtype of the weights.
Merging rounds each weight once more, and kernels add in another order; a wrong or a lost weight
does far more than that."""


class Probe(NamedTuple):
    """What a model makes of one made-up image and text, always the same ones.

    Attributes:
        logits: float32 [1, T, W].
        most: the part of the largest by which others may differ.
    """

    logits: Tensor
    most: float


@torch.no_grad()
def probe(model: PaliGemma) -> Probe:
    """Asks `model`, which computes as in evaluation."""
    model.eval()
    generator = torch.Generator().manual_seed(0)
    side = model.config.vision.resolution
    images = torch.rand(1, 3, side, side, generator=generator) * 2 - 1
    tokens = torch.randint(0, model.config.language.vocabulary, (1, 24), generator=generator)
    features = model(images, tokens, prefix_lengths=torch.tensor([16]), lengths=torch.tensor([24]))
    return Probe(model.logits(features), max(MOST.get(p.dtype, 0) for p in model.parameters()))


def compare(what: str, expected: Probe, model: PaliGemma, *, refuse: bool = True) -> Probe:
    """What `model` makes of it, having said by how much that differs from what was expected.

    Raises:
        ValueError: they differ by too much, and that is to be refused.
    """
    found = probe(model)
    difference = (found.logits - expected.logits).abs().max().item()
    largest = expected.logits.abs().max().item()
    say(f"{what}: logits differ by at most {difference:.2g}; the largest is {largest:.3g}")
    most = max(found.most, expected.most) * largest
    if refuse and not difference <= most:  # NaN is refused, too
        raise ValueError(
            f"{what} differ in their logits by {difference:.2g}, and no more than {most:.2g} would "
            f"be rounding; nothing was written"
        )
    return found


def dtype_name(dtype: torch.dtype) -> str:
    """As a person writes it: "bfloat16"."""
    return str(dtype).removeprefix("torch.")
