"""A small model, and adapters that have learnt."""

from __future__ import annotations

import torch
from torch import Tensor

from pg_transfer.adapters import (
    is_adapter,
)
from pg_transfer.model.config import LanguageConfig, PaliGemmaConfig, VisionConfig
from pg_transfer.model.paligemma import PaliGemma

TOY = PaliGemmaConfig(
    vision=VisionConfig(width=64, depth=2, heads=4, mlp=96, resolution=28),
    language=LanguageConfig(
        width=64, depth=2, mlp=96, heads=4, kv_heads=1, head_width=32, query_scale=32**-0.5,
        vocabulary=512,
    ),
)  # fmt: skip
SIX = ("q_proj", "k_proj", "v_proj")
LAYERS = {
    "vision": [
        f"model.vision_tower.encoder.layers.{layer}.{name}"
        for layer in range(2)
        for name in (*(f"self_attn.{n}" for n in (*SIX, "out_proj")), "mlp.fc1", "mlp.fc2")
    ],
    "projector": ["model.multi_modal_projector.linear"],
    "language": [
        f"model.language_model.layers.{layer}.{name}"
        for layer in range(2)
        for name in (
            *(f"self_attn.{n}" for n in (*SIX, "o_proj")),
            *(f"mlp.{n}_proj" for n in ("gate", "up", "down")),
        )
    ],
}
PREFIXES, LENGTHS = torch.tensor([4, 2]), torch.tensor([8, 5])


def toy(seed: int = 0, dtype: torch.dtype = torch.float32) -> PaliGemma:
    model = PaliGemma(TOY).eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.1, generator=generator)
    return model.to(dtype)


def stir(model: torch.nn.Module) -> None:
    """Give all adapters values, as if they had learnt."""
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for name, parameter in sorted(model.named_parameters()):
            if is_adapter(name):
                parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator))


def inputs() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    images = torch.rand(2, 3, 28, 28, generator=generator) * 2 - 1
    tokens = torch.randint(3, 512, (2, 8), generator=generator)
    return images, tokens.masked_fill(torch.arange(8) >= LENGTHS[:, None], 0)


def logits(model: PaliGemma) -> Tensor:
    images, tokens = inputs()
    return model.logits(model(images, tokens, prefix_lengths=PREFIXES, lengths=LENGTHS))
