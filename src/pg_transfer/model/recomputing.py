"""What a gradient needs and gets by computing it again, as that is cheaper than to hold it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

Again = Callable[..., Tensor]
"""Of `tensor, make, *inputs`: marks a tensor as what `make` gives of the inputs; answers it."""


class _Recipe:
    """How a tensor is made again.

    One that another is made of is wanted for itself a moment later, and held until then.
    """

    def __init__(self, make: Callable[..., Tensor], inputs: list[Tensor | _Recipe]) -> None:
        self._make, self._inputs = make, inputs
        self._wanted = 0  # how often it is still to be asked for
        self._held: Tensor | None = None

    def kept(self, shape: torch.Size) -> Callable[[], Tensor]:
        """What stands for the tensor in a graph."""
        self._wanted += 1
        return lambda: self._unpacked().view(shape)

    def _unpacked(self) -> Tensor:
        self._wanted -= 1
        made, self._held = self._made(), None
        return made

    def _made(self) -> Tensor:
        if self._held is not None:
            return self._held
        parts = [one._on_the_way() if isinstance(one, _Recipe) else one for one in self._inputs]
        return self._make(*parts)

    def _on_the_way(self) -> Tensor:
        made = self._made()
        self._held = made if self._wanted > 0 else None
        return made


@contextmanager
def recomputing(enabled: bool) -> Iterator[Again]:
    """Within it, marked tensors are not kept for the gradient; it has them made again.

    What is computed within has to use a tensor after it was marked. Where autograd would keep a
    copy of it, or a view that is in another order, that is kept.

    Args:
        enabled: if not, all is kept. So it has to be within `torch.utils.checkpoint`, which keeps
            nothing but would not see what is kept here.
    """
    if not (enabled and torch.is_grad_enabled()):
        yield lambda tensor, make, *inputs: tensor
        return
    marked: list[tuple[Tensor, _Recipe]] = []

    def recipe_of(tensor: Tensor) -> _Recipe | None:
        return next((recipe for known, recipe in marked if _is_same(tensor, known)), None)

    def again(tensor: Tensor, make: Callable[..., Tensor], *inputs: Tensor) -> Tensor:
        marked.append((tensor, _Recipe(make, [recipe_of(one) or one.detach() for one in inputs])))
        return tensor

    def pack(tensor: Tensor) -> Tensor | Callable[[], Tensor]:
        recipe = recipe_of(tensor)
        return tensor if recipe is None else recipe.kept(tensor.shape)

    with saved_tensors_hooks(pack, _unpack):
        yield again
    marked.clear()  # `pack` lives as long as the graph


def _is_same(one: Tensor, other: Tensor) -> bool:
    """Whether both are the same numbers at the same place, if in another shape."""
    return (
        one.untyped_storage()._cdata == other.untyped_storage()._cdata
        and one.dtype == other.dtype
        and one.numel() == other.numel()
        and one.is_contiguous()
        and other.is_contiguous()
    )


@torch.no_grad()
def _unpack(kept: Tensor | Callable[[], Tensor]) -> Tensor:
    return kept if isinstance(kept, Tensor) else kept()
