"""Whether two models compute the same."""

from __future__ import annotations

import torch
from torch import Tensor

from pg_transfer.model.paligemma import PaliGemma
from pg_transfer.process.console import say

MOST = {torch.float32: 1e-3, torch.bfloat16: 5e-2, torch.float16: 1e-2}
"""By how much logits may differ, as a part of the largest, by the dtype of the weights. Merging
rounds each weight once more, and kernels add in another order; a wrong or a lost weight does far
more than that."""


@torch.no_grad()
def probe(model: PaliGemma) -> Tensor:
    """Float32 logits [1, T, W] for one made-up image and text; always the same ones."""
    generator = torch.Generator().manual_seed(0)
    side = model.config.vision.resolution
    images = torch.rand(1, 3, side, side, generator=generator) * 2 - 1
    tokens = torch.randint(0, model.config.language.vocabulary, (1, 24), generator=generator)
    features = model(images, tokens, prefix_lengths=torch.tensor([16]), lengths=torch.tensor([24]))
    return model.logits(features)


def compare(what: str, expected: Tensor, model: PaliGemma, *, refuse: bool = True) -> Tensor:
    """The logits of `model`, having said by how much they differ from those expected.

    Raises:
        ValueError: they differ by too much, and that is to be refused.
    """
    found = probe(model)
    difference, largest = (found - expected).abs().max().item(), expected.abs().max().item()
    say(f"{what}: logits differ by at most {difference:.2g}; the largest is {largest:.3g}")
    most = MOST[model.lm_head.weight.dtype] * largest
    if refuse and not difference <= most:  # NaN is refused, too
        raise ValueError(
            f"{what} differ in their logits by {difference:.2g}, and no more than {most:.2g} would "
            f"be rounding; nothing was written"
        )
    return found


def dtype_name(dtype: torch.dtype) -> str:
    """As a person writes it: "bfloat16"."""
    return str(dtype).removeprefix("torch.")
