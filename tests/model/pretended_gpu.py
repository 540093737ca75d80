"""A GPU that is none: tensors say that they are on one, and are computed with on the CPU.

What a GPU would refuse is refused, a product of tensors of both kinds above all, and where a
program would wait for it is counted, as is what it would be given to do.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

GPU = torch.device("cuda", 0)
CPU = torch.device("cpu")
aten = torch.ops.aten
WAITS = {aten._local_scalar_dense.default, aten.nonzero.default}
MOVES = {aten._to_copy.default, aten.copy_.default}


class OnGPU(Tensor):
    """A tensor as a program sees it; torch itself knows that it is on the CPU."""

    device = GPU  # type: ignore[assignment]
    is_cuda = True  # type: ignore[assignment]

    @staticmethod
    def __new__(cls, values: Tensor) -> OnGPU:
        return torch.Tensor._make_wrapper_subclass(  # type: ignore[attr-defined]
            cls, values.shape, strides=values.stride(), storage_offset=values.storage_offset(),
            dtype=values.dtype, layout=values.layout, device=CPU,
        )  # fmt: skip

    def __init__(self, values: Tensor) -> None:
        self.values_here = values

    def tolist(self) -> list[Any]:
        """The numbers; which torch gives of none but its own tensors."""
        return self.values_here.tolist()

    def __repr__(self) -> str:  # type: ignore[override]
        return f"OnGPU({self.values_here})"

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        raise AssertionError(f"{func} outside of the pretended GPU")


class PretendedGPU(TorchDispatchMode):
    """Within it tensors can be made on a GPU, moved to it, and computed with there.

    Attributes:
        done: how often each operation was done there.
        waited: how often a program would have waited for its results.
    """

    def __init__(self) -> None:
        super().__init__()
        self.done: Counter[str] = Counter()
        self.waited = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        tensors = [one for one in tree_leaves((args, kwargs)) if isinstance(one, Tensor)]
        there = [one for one in tensors if isinstance(one, OnGPU)]
        here = [one for one in tensors if not isinstance(one, OnGPU)]
        asked = kwargs.get("device")
        on_gpu = bool(there) or (asked is not None and torch.device(asked).type == "cuda")
        if there and func not in MOVES and any(one.ndim for one in here):
            raise RuntimeError(f"{func}: expected all tensors to be on the same device")
        if on_gpu:
            self.done[str(func)] += 1
            self.waited += func in WAITS
            if asked is not None:
                kwargs["device"] = CPU
        args, kwargs = tree_map(_here, (args, kwargs))
        if func is aten.mm.dtype:  # which a CPU has not
            one, other, dtype = *args, *kwargs.values()
            result = one.to(dtype) @ other.to(dtype)
        else:
            result = func(*args, **kwargs)
        if not on_gpu:
            return result
        # What an operation was given and gives back stays what it is.
        known = {id(one.values_here): one for one in there}

        def wrapped(one: Any) -> Any:
            if not isinstance(one, Tensor):
                return one
            return known[id(one)] if id(one) in known else OnGPU(one)

        return tree_map(wrapped, result)


def _here(one: Any) -> Any:
    return one.values_here if isinstance(one, OnGPU) else one


def moved(module: nn.Module) -> nn.Module:
    """The module with its parameters and buffers there."""
    places: dict[int, nn.Parameter] = {}
    for owner in module.modules():
        for name, parameter in owner._parameters.items():
            if parameter is not None:
                there = OnGPU(parameter.detach().clone())
                learns = parameter.requires_grad
                kept = places.setdefault(id(parameter), nn.Parameter(there, learns))
                owner._parameters[name] = kept
        for name, buffer in owner._buffers.items():
            if buffer is not None:
                owner._buffers[name] = OnGPU(buffer)
    return module
