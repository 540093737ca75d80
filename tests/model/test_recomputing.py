"""What is computed again gives the same gradients, to the bit, and is not held."""

from __future__ import annotations

import weakref
from contextlib import nullcontext

import pytest
import torch
from torch import Tensor, nn

from pg_transfer.model import gemma, siglip
from pg_transfer.model.recomputing import recomputing

TOKENS, WIDTH, HIDDEN = 10, 8, 64


def gated(*, recomputes: bool) -> nn.Module:
    return gemma.MLP(WIDTH, HIDDEN, recomputes=recomputes)


def plain(*, recomputes: bool) -> nn.Module:
    return siglip.MLP(WIDTH, HIDDEN, 0.0, recomputes=recomputes)


def autograd_of(form: str, mlp: nn.Module, x: Tensor) -> Tensor:
    """The formula as it is written in the papers, kept by autograd as it likes."""
    weights = dict(mlp.named_parameters())
    linear = nn.functional.linear
    if form == "gated":
        opened = nn.functional.gelu(linear(x, weights["gate_proj.weight"]), approximate="tanh")
        return linear(opened * linear(x, weights["up_proj.weight"]), weights["down_proj.weight"])
    hidden = linear(x, weights["fc1.weight"], weights["fc1.bias"])
    opened = nn.functional.gelu(hidden, approximate="tanh")
    return linear(opened, weights["fc2.weight"], weights["fc2.bias"])


@pytest.mark.parametrize("mixed", [False, True], ids=["float32", "bfloat16 compute"])
@pytest.mark.parametrize(("form", "build"), [("gated", gated), ("plain", plain)])
def test_gradients_are_those_of_autograd(form, build, mixed) -> None:
    torch.manual_seed(0)
    mlp, x = build(recomputes=True), torch.randn(2, TOKENS, WIDTH, requires_grad=True)
    weight = torch.randn(2, TOKENS, WIDTH)
    wanted = [x, *mlp.parameters()]
    context = torch.autocast("cpu", torch.bfloat16) if mixed else nullcontext()
    with context:
        results = [mlp(x), autograd_of(form, mlp, x.to(torch.bfloat16) if mixed else x)]
    gradients = [torch.autograd.grad((r * weight).sum(), wanted) for r in results]
    assert torch.equal(*results)
    for ours, expected in zip(*gradients, strict=True):
        assert torch.equal(ours, expected)


def kept_by(build, *, recomputes: bool) -> int:
    """Bytes as wide as the hidden layer that are there between forward and backward pass."""
    alive: dict[int, int] = {}

    class Watched(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            made = function(*args, **(kwargs or {}))
            if isinstance(made, Tensor) and made.numel() == TOKENS * HIDDEN:
                storage = made.untyped_storage()
                if storage._cdata not in alive:
                    alive[storage._cdata] = storage.nbytes()
                    weakref.finalize(storage, alive.pop, storage._cdata)
            return made

    mlp = build(recomputes=recomputes)
    x = torch.randn(1, TOKENS, WIDTH, requires_grad=True)
    with Watched():
        result = mlp(x)
    held = sum(alive.values())
    result.sum().backward()
    del result
    assert not alive
    return held


def test_what_is_held_by_hand() -> None:
    """Of gate, gelu(gate), up and their product the first and third; without a gate one of two."""
    layer = TOKENS * HIDDEN * 4
    assert kept_by(gated, recomputes=True) == 2 * layer
    assert kept_by(gated, recomputes=False) == 4 * layer
    assert kept_by(plain, recomputes=True) == layer
    assert kept_by(plain, recomputes=False) == 2 * layer


def test_how_often_each_is_made() -> None:
    """Once more for the gradient, though one is made of the other and both are wanted."""
    made: list[str] = []

    def double(x: Tensor) -> Tensor:
        made.append("double")
        return 2 * x

    def product(one: Tensor, other: Tensor) -> Tensor:
        made.append("product")
        return one * other

    x, y = (torch.randn(3, requires_grad=True) for _ in range(2))
    weight = torch.randn(3, requires_grad=True)
    with recomputing(True) as again:
        doubled = again(2 * x, double, x)
        result = again(doubled * y, product, doubled, y) * weight
    found = torch.autograd.grad(result.sum(), (x, y, weight), retain_graph=True)
    assert made == ["double", "product"]
    # x' = 2 y w, y' = 2 x w, w' = 2 x y
    for ours, expected in zip(found, (2 * y * weight, 2 * x * weight, 2 * x * y), strict=True):
        torch.testing.assert_close(ours, expected)
    for ours, again in zip(found, torch.autograd.grad(result.sum(), (x, y, weight)), strict=True):
        assert torch.equal(ours, again)  # of a graph that was kept


def test_a_copy_in_another_order_is_kept_as_it_is() -> None:
    """A product reads the transposed tensor: another order at the same place."""
    x, weight = torch.randn(4, 4, requires_grad=True), torch.randn(4, 4, requires_grad=True)
    with recomputing(True) as again:
        tripled = again(3 * x, lambda x: 3 * x, x)
        result = tripled.T @ weight
    (found,) = torch.autograd.grad(result.sum(), weight)
    torch.testing.assert_close(found, 3 * x @ torch.ones(4, 4))


def test_nothing_is_recorded_where_nothing_is_learnt() -> None:
    with torch.no_grad(), recomputing(True) as again:
        x = torch.randn(3)
        assert again(x, torch.neg, x) is x
