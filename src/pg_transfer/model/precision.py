"""What products are computed in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


def product_dtype(tensor: Tensor) -> torch.dtype:
    """What autocast multiplies in where it is at work, or else the tensor's own dtype.

    What several products read is cast to it once, as autocast would for each of them anew.
    """
    device = tensor.device.type
    if torch.is_autocast_enabled(device) and tensor.dtype != torch.float64:
        return torch.get_autocast_dtype(device)
    return tensor.dtype


def float32_product(features: Tensor, table: Tensor) -> Tensor:
    """`features` [..., D] times `table` [W, D], at least float32 [..., W]; the reference's logits.

    Factors are rounded to `product_dtype`. Sums are float32 on a GPU, where a CPU rounds them as
    well, and so does a GPU where autograd has to follow.
    """
    dtype = product_dtype(table)
    features, table = features.to(dtype), table.to(dtype)
    follows = torch.is_grad_enabled() and (features.requires_grad or table.requires_grad)
    if features.is_cuda and dtype in (torch.bfloat16, torch.float16) and not follows:
        rows = features.reshape(-1, features.shape[-1])
        sums = torch.mm(rows, table.T, out_dtype=torch.float32)
        return sums.view(*features.shape[:-1], -1)
    product = features @ table.T
    return product.to(torch.promote_types(dtype, torch.float32))


@contextmanager
def casts_kept(*parts: nn.Module) -> Iterator[None]:
    """Within it, the weights of linear layers are in their `product_dtype` already.

    Autocast casts them for every product, Lightning's keeping none: all weights of the model, four
    times the work of a product with few rows, for each token of an answer. Layers below a module
    with `reads_weights` are left alone, as it does more with them than multiply.
    """
    layers = [
        layer
        for part in parts
        for layer in _linear_layers(part)
        if type(layer.weight) is nn.Parameter and product_dtype(layer.weight) != layer.weight.dtype
    ]
    own = [layer.weight for layer in layers]
    try:
        for layer, weight in zip(layers, own, strict=True):
            layer.weight = nn.Parameter(weight.detach().to(product_dtype(weight)), False)
        yield
    finally:
        for layer, weight in zip(layers, own, strict=True):
            layer.weight = weight


def _linear_layers(module: nn.Module) -> Iterator[nn.Linear]:
    if getattr(module, "reads_weights", False):
        return
    if isinstance(module, nn.Linear):
        yield module
    for child in module.children():
        yield from _linear_layers(child)
