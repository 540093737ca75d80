"""What moves, what decays, and how far at once; big_vision optax.py.

The reference's update is `p -= s(t) * (lr * adam(g) + wd * p)`: weight decay follows the schedule
but not the learning rate. In the terms of AdamW that is a decay of wd / lr.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from pg_transfer.training.recipe import Recipe

# The reference decays what is called `kernel`: convolution, attention, MLP and projector weights of
# the vision part. Nothing in Gemma bears that name.
KERNEL = re.compile(
    r"model\.(vision_tower\..*(patch_embedding|_proj|fc\d)|multi_modal_projector\.linear)\.weight"
)
PARTS = {
    "vision tower": "model.vision_tower.",
    "projector": "model.multi_modal_projector.",
    "language model": "model.language_model.",
}


def freeze(model: nn.Module, recipe: Recipe) -> None:
    """Let only those parameters learn that the recipe trains."""
    for name, parameter in model.named_parameters():
        is_language = name.startswith(PARTS["language model"])
        frozen = recipe.freeze_language if is_language else recipe.freeze_vision
        parameter.requires_grad_(not frozen)


def adamw(model: nn.Module, recipe: Recipe) -> torch.optim.AdamW:
    """The optimiser over what learns, in two groups: kernels, which decay, and the rest."""
    learning = {n: p for n, p in model.named_parameters() if p.requires_grad}
    decay = recipe.weight_decay / recipe.lr
    groups = [
        {"params": [p for n, p in learning.items() if KERNEL.fullmatch(n)], "weight_decay": decay},
        {"params": [p for n, p in learning.items() if not KERNEL.fullmatch(n)]},
    ]
    groups = [group for group in groups if group["params"]]
    betas = (0.9, recipe.beta2)
    return torch.optim.AdamW(groups, lr=recipe.lr, betas=betas, fused=True, weight_decay=0.0)


@torch.no_grad()
def clip_gradients(parameters: Iterable[nn.Parameter], clip_norm: float) -> Tensor:
    """The norm of all gradients together, before they are scaled down to `clip_norm` if above.

    Unlike torch's, the scale has no epsilon in it (optax clip_by_global_norm).
    """
    gradients = [p.grad for p in parameters if p.grad is not None]
    norm = torch.nn.utils.get_total_norm(gradients)
    scale = (clip_norm / norm).clamp(max=1.0)
    for gradient in gradients:
        gradient.mul_(scale)
    return norm
