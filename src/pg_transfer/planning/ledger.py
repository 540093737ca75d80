"""A book of the memory that tensors without values would take, while a computation goes over them.

Tensors are PyTorch's fake ones: they have a shape, a dtype and a device, and no memory. What is
computed with them is the very code of a training step, so that the book knows of every tensor that
autograd keeps and of every one that lives for a moment, whatever the model or its adapters do.
"""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode, unset_fake_temporarily
from torch.distributed.tensor import DTensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from pg_transfer.training.shards import piece

aten = torch.ops.aten
INDEXING = {aten.index.Tensor, aten.index_put.default, aten.index_put_.default}
FLOPS = {
    aten.addmm_: flop_registry[aten.addmm],
    aten._scaled_dot_product_flash_attention_for_cpu: flop_registry[
        aten._scaled_dot_product_flash_attention
    ],
    aten._scaled_dot_product_flash_attention_for_cpu_backward: flop_registry[
        aten._scaled_dot_product_flash_attention_backward
    ],
} | flop_registry


def fake_mode() -> FakeTensorMode:
    """Under it new tensors have no values; real ones may be used beside them."""
    return FakeTensorMode(allow_non_fake_inputs=True)


class Ledger(TorchDispatchMode):
    """Counts bytes of the fake tensors that are alive, and floating-point operations.

    Whole numbers and truth values stay real, as the model looks at them (how long texts are, say);
    they are small, and not counted. Of a tensor that processes share, this one's piece is.

    Attributes:
        held: bytes alive, by kind.
        at_peak: the same when they were the most.
        flops: of products, a multiplication and an addition being two.

    Args:
        vocabulary: a tensor whose last side is so long is one of logits.
    """

    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        self.vocabulary = vocabulary
        self.held: Counter[str] = Counter()
        self.at_peak: Counter[str] = Counter()
        self.flops = 0
        self._alive: dict[int, tuple[int, str]] = {}

    @property
    def peak(self) -> int:
        """The most bytes that were alive at one time."""
        return self.at_peak.total()

    def enter(self, tensors: Iterable[Tensor], kind: str) -> None:
        """Books tensors under `kind`, those that are booked already included."""
        for tensor in tensors:
            storage = piece(tensor).untyped_storage()
            key = storage._cdata
            if key in self._alive:
                size, earlier = self._alive[key]
                self.held[earlier] -= size
            else:
                size = storage.nbytes()
                weakref.finalize(storage, self._leave, key)
            self._alive[key] = size, kind
            self.held[kind] += size
        self._look()

    @contextmanager
    def sees_resizing(self) -> Iterator[None]:
        """Within it storages that grow and shrink are counted: FSDP2 frees tensors that way."""
        resize = torch.UntypedStorage.resize_

        def seen(storage: torch.UntypedStorage, size: int) -> Any:
            resized = resize(storage, size)
            if (key := storage._cdata) in self._alive:
                before, kind = self._alive[key]
                self._alive[key] = storage.nbytes(), kind
                self.held[kind] += storage.nbytes() - before
                self._look()
            return resized

        torch.UntypedStorage.resize_ = seen  # pyright: ignore
        try:
            yield
        finally:
            torch.UntypedStorage.resize_ = resize

    def _look(self) -> None:
        if self.held.total() > self.peak:
            self.at_peak = Counter(self.held)

    def _leave(self, key: int) -> None:
        size, kind = self._alive.pop(key)
        self.held[kind] -= size

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if any(issubclass(one, DTensor) for one in types):
            return NotImplemented  # it computes with its pieces, which come here again
        if func is torch.ops.prim.device.default:
            return args[0].device if not isinstance(args[0], FakeTensor) else args[0].fake_device
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        makes_floats = not tensors and getattr(kwargs.get("dtype"), "is_floating_point", False)
        if not (makes_floats or any(isinstance(tensor, FakeTensor) for tensor in tensors)):
            with unset_fake_temporarily():
                return func(*args, **kwargs)
        if any(tensor.layout is not torch.strided for tensor in tensors):
            return self._of_sparse(func, args, kwargs)
        if func in INDEXING:
            args = (args[0], _places(args[1]), *args[2:])
        made = func(*args, **kwargs)
        if func._overloadpacket in FLOPS:
            self.flops += FLOPS[func._overloadpacket](*args, **kwargs, out_val=made)
        new = [leaf for leaf in tree_leaves(made) if isinstance(leaf, FakeTensor)]
        for tensor in new:
            if tensor.layout is torch.strided and (
                tensor.untyped_storage()._cdata not in self._alive
            ):
                is_logits = tensor.ndim > 1 and tensor.shape[-1] == self.vocabulary
                self.enter([tensor], "logits" if is_logits else "activations")
        return made

    def _of_sparse(self, func: Any, args: tuple[Any, ...], kwargs: Any) -> Any:
        """A dense gradient to which rows are added: in place, which fake tensors do not know."""
        if func in (aten.add_.Tensor, aten.add.Tensor):
            dense = [one for one in args if one.layout is torch.strided]
            if dense:
                return dense[0] if func is aten.add_.Tensor else torch.empty_like(dense[0])
        return func(*args, **kwargs)


def _places(indices: Iterable[Tensor | None]) -> list[Tensor | None]:
    """The same indices with places in the stead of truth values, whose sum has to be known."""
    places: list[Tensor | None] = []
    for index in indices:
        if index is None or isinstance(index, FakeTensor) or index.dtype is not torch.bool:
            places.append(index)
        else:
            with unset_fake_temporarily():
                places.extend(index.nonzero().unbind(1))
    return places
