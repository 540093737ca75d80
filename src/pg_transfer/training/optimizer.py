"""What moves, what decays, and how far at once; big_vision optax.py.

The reference's update is `p -= s(t) * (lr * adam(g) + wd * p)`: weight decay follows the schedule
but not the learning rate. In the terms of AdamW that is a decay of wd / lr, with the learning rate
of the part.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from pg_transfer.adapters import part_of
from pg_transfer.training.recipe import Recipe
from pg_transfer.training.sharding import whole
from pg_transfer.training.tuning import Learning

# The reference decays what is called `kernel`: convolution, attention, MLP and projector weights of
# the vision part. Nothing in Gemma bears that name.
KERNEL = re.compile(
    r"model\.(vision_tower\..*(patch_embedding|_proj|fc\d)|multi_modal_projector\.linear)\.weight"
)


def adamw(model: nn.Module, recipe: Recipe, parts: Mapping[str, Learning]) -> torch.optim.AdamW:
    """The optimiser over what learns, in one group for each learning rate and decay.

    Kernels decay where they learn themselves; adapters, which stand for a change of them, do not.
    Its state names them, and can so be read into whatever holds the same parameters.
    """
    groups: dict[tuple[float, float], list[tuple[str, nn.Parameter]]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            lr = parts[part_of(name)].lr
            assert lr is not None
            decay = recipe.weight_decay / lr if KERNEL.fullmatch(name) else 0.0
            groups.setdefault((lr, decay), []).append((name, parameter))
    return torch.optim.AdamW(
        [
            {"params": parameters, "lr": lr, "weight_decay": decay}
            for (lr, decay), parameters in groups.items()
        ],
        betas=(0.9, recipe.beta2),
        fused=True,
    )


@torch.no_grad()
def clip_gradients(parameters: Iterable[nn.Parameter], clip_norm: float) -> Tensor:
    """The norm of all gradients together, before they are scaled down to `clip_norm` if above.

    Unlike torch's, the scale has no epsilon in it (optax clip_by_global_norm).
    """
    gradients = [p.grad for p in parameters if p.grad is not None]
    norm = whole(torch.nn.utils.get_total_norm(gradients))
    scale = (clip_norm / norm).clamp(max=1.0)
    for gradient in gradients:
        gradient.mul_(scale)
    return norm
