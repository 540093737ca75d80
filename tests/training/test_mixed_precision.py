"""With bfloat16 compute what several products read is cast and kept for the gradient once."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from pg_transfer.adapters import AdapterSettings, attach
from pg_transfer.model.attention import Sight
from pg_transfer.model.config import released
from pg_transfer.model.gemma import rotation
from pg_transfer.model.paligemma import PaliGemma

TOKENS = 7
CONFIG = released("tiny", resolution=56)


def read(model: PaliGemma) -> tuple[Tensor, int]:
    """What the first layer's attention makes of some tokens; and how often it keeps them."""
    torch.manual_seed(0)
    width = CONFIG.language.width
    x = torch.randn(1, TOKENS, width, requires_grad=True)
    angles = rotation(torch.arange(TOKENS)[None], CONFIG.language.head_width)
    kept: Counter[int] = Counter()

    def pack(tensor: Tensor) -> Tensor:
        if tensor.numel() == TOKENS * width and tensor.dtype == torch.bfloat16:
            kept[tensor.untyped_storage()._cdata] += 1
        return tensor

    attention = model.language.layers[0].self_attn
    with torch.autocast("cpu", torch.bfloat16), saved_tensors_hooks(pack, lambda kept: kept):
        result = attention(x, angles, [Sight(TOKENS, TOKENS)], None)
    return result, len(kept)


def initialised() -> PaliGemma:
    model = PaliGemma(CONFIG)
    model.initialise(torch.Generator().manual_seed(0))
    return model


def test_tokens_are_kept_once_for_three_products() -> None:
    _, copies = read(initialised())
    assert copies == 1


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_adapters_compute_what_pefts_own_casts_give_and_keep_one_copy(dtype) -> None:
    model = initialised().to(dtype)
    attach(model, AdapterSettings(rank=4, parts=("language",)))
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(".lora_" in name)
        if ".lora_B." in name:
            torch.nn.init.normal_(parameter, std=0.1)
    ours, copies = read(model)
    assert copies == 1
    for module in model.modules():
        if hasattr(module, "lora_A"):
            module._forward_pre_hooks.clear()
            module.cast_input_dtype_enabled = True
    theirs, copies = read(model)
    assert torch.equal(ours, theirs)
    assert copies == 3


def test_adapters_without_autocast_still_get_their_own_dtype() -> None:
    """A base in bfloat16 beside adapters in float32, one time with autocast and then without."""
    model = initialised().to(torch.bfloat16)
    attach(model, AdapterSettings(rank=4, parts=("language",)))
    layer = model.language.layers[0].self_attn.q_proj
    x = torch.randn(1, TOKENS, CONFIG.language.width, dtype=torch.bfloat16)
    with torch.autocast("cpu", torch.bfloat16):
        layer(x)
    assert layer(x).dtype == torch.bfloat16
