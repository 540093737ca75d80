"""Linear layers of 4 bits a weight (nf4, arXiv:2305.14314), through bitsandbytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

BLOCK = 64
"""Weights that share a scale.

Where a row is no multiple of it, bitsandbytes (0.50) takes wrong scales on a CPU, and errs by 25 %
instead of 9 %. Such layers are left as they are: SigLIP's `fc2`, of 4304, and no other released.
"""


def to_four_bit(model: nn.Module, names: Sequence[str]) -> None:
    """Rounds the weights of the linear layers `names` to 4 bits, one after the other.

    They compute in the dtype that they had. Works on a CPU as on a GPU.

    Raises:
        ImportError: bitsandbytes is missing.
    """
    try:
        import bitsandbytes
    except ImportError as error:
        raise ImportError(
            "weights of 4 bits (tuning=qlora) need the library bitsandbytes: "
            "pip install 'pg_transfer[qlora]'"
        ) from error
    kinds: Any = bitsandbytes.nn
    for name in names:
        layer = model.get_submodule(name)
        assert isinstance(layer, nn.Linear)
        if layer.in_features % BLOCK:
            continue
        rounded = kinds.Linear4bit(
            layer.in_features, layer.out_features, bias=False, device="meta",
            compute_dtype=layer.weight.dtype, quant_type="nf4",
        )  # fmt: skip
        # Where a CPU has it, evaluation would pack the weights in a way that training cannot read.
        rounded.support_avx512bf16_for_cpu = False
        weight = kinds.Params4bit(
            layer.weight.data, requires_grad=False, quant_type="nf4", module=rounded
        )
        rounded.weight = weight.to(layer.weight.device)
        rounded.bias = layer.bias
        model.set_submodule(name, rounded.train(layer.training))


def is_four_bit(layer: nn.Module) -> bool:
    """Whether `layer` has rounded weights; PEFT's wrapper, of the same name, is no linear layer."""
    return isinstance(layer, nn.Linear) and type(layer).__name__ == "Linear4bit"


def compute_in(model: nn.Module, dtype: torch.dtype) -> None:
    """Has rounded layers multiply, and be merged, in `dtype`; they stay rounded."""
    for layer in model.modules():
        if is_four_bit(layer):
            rounded: Any = layer
            rounded.compute_dtype = rounded.weight.quant_state.dtype = dtype


def plain(layer: Any) -> Tensor:
    """The weight of a linear layer as float32 [out, in], whatever it is kept as."""
    if not is_four_bit(layer):
        return layer.weight.detach().float()
    from bitsandbytes.functional import dequantize_4bit

    return dequantize_4bit(layer.weight.data, layer.weight.quant_state).float()
