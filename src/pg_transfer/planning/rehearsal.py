"""An update gone through with tensors that have no values: what it takes, before weights are read.

The code is that of the training itself, module, loss, adapters and optimiser included. What a
device adds is not in it: scratch space of its libraries, and what its allocator cannot hand out.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn
from torch.distributed.device_mesh import DeviceMesh

from pg_transfer.adapters import is_target
from pg_transfer.adapters.four_bit import BLOCK
from pg_transfer.model.config import PaliGemmaConfig
from pg_transfer.model.paligemma import PaliGemma
from pg_transfer.planning.ledger import Ledger, fake_mode
from pg_transfer.planning.pretended import pretended_group
from pg_transfer.training.batches import Batch
from pg_transfer.training.module import TransferModule
from pg_transfer.training.optimizer import adamw
from pg_transfer.training.order import accumulation
from pg_transfer.training.recipe import Recipe
from pg_transfer.training.sharding import COMPUTE, WHOLE_BITS, shard
from pg_transfer.training.tuning import Tuning

PARTS = ("weights", "gradients", "optimiser", "activations", "logits")
"""What memory is held by; activations are also images, and whatever lives for a moment."""

COMPUTED = {"bf16-mixed": torch.bfloat16}
KEPT = {"bf16-true": torch.bfloat16, "16-true": torch.float16}
PRECISIONS = ("32-true", *COMPUTED, *KEPT)

FOUR_BIT = 1 / 2 + 1 / BLOCK + 4 / (256 * BLOCK)
"""Bytes of a weight of 4 bits: half a byte, a scale of a byte for every block of weights, and one
of four for every 256 of those."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """An update of a run, as far as it matters for what it takes.

    Attributes:
        config: the model's numbers.
        recipe: of the run.
        tuning: what learns.
        rematerialise: how many blocks are computed again for their gradients; True for all.
        precision: Lightning's word for it, of `PRECISIONS`.
        processes: that share an update.
        shares_weights: of which each holds a piece of the weights (FSDP), and not all of them.
        images: of every example, such as the frames of a video.
        prefix: tokens of every example's prefix, separator included.
        text: tokens of every example, its end included; the most that the recipe lets through
            unless said otherwise, of which all but the least possible prefix are learnt.
    """

    config: PaliGemmaConfig
    recipe: Recipe
    tuning: Tuning
    rematerialise: bool | int
    precision: str
    processes: int = 1
    shares_weights: bool = False
    images: int = 1
    prefix: int = 3
    text: int | None = None

    @property
    def twice(self) -> int:
        """Blocks that are computed again for their gradients."""
        return self.config.twice(self.rematerialise)

    @property
    def is_rounded(self) -> bool:
        """Whether weights beneath adapters have 4 bits."""
        return self.tuning.adapters is not None and self.tuning.adapters.kind == "qlora"

    @property
    def tokens(self) -> int:
        """Of every example, those of its images included."""
        text = self.recipe.text_length + 1 if self.text is None else self.text
        return self.image_tokens + text

    @property
    def image_tokens(self) -> int:
        """Of every example."""
        return self.images * self.config.vision.image_tokens

    def __post_init__(self) -> None:
        there_are = tuple(COMPUTE) if self.shares_weights else PRECISIONS
        if self.precision not in there_are:
            raise ValueError(
                f"trainer.precision={self.precision} cannot be planned for; what can is "
                f"{', '.join(there_are)}"
            )
        if self.shares_weights and self.is_rounded:
            raise ValueError(WHOLE_BITS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What an update takes of one process.

    Attributes:
        micro_batch: examples per forward pass.
        passes: forward passes per update.
        twice: blocks that are computed again for their gradients.
        parameters: weights, adapters included.
        learning: those of them that learn.
        memory: bytes by `PARTS` at the moment when they are the most.
        flops: of an update's products; what is computed twice counts twice.
    """

    micro_batch: int
    passes: int
    twice: int
    parameters: int
    learning: int
    memory: dict[str, int]
    flops: int

    @property
    def peak(self) -> int:
        """Bytes, all together."""
        return sum(self.memory.values())


def rehearse(update: Update, micro_batch: int) -> Demand:
    """What an update takes with micro-batches of that size.

    It is a later update, when the optimiser has its moments; and where there are several passes
    one behind the first, when there are gradients already.

    Weights of 4 bits, of which there are none without values, are taken for those that they stand
    for, and the difference is worked out.

    Raises:
        ValueError: the recipe's batch cannot be cut into such micro-batches; weights that are
            shared cannot be planned for within a run.
    """
    if not update.shares_weights:
        return _gone_through(update, micro_batch)
    with pretended_group(update.processes) as mesh:
        return _gone_through(update, micro_batch, mesh)


def _gone_through(update: Update, micro_batch: int, mesh: DeviceMesh | None = None) -> Demand:
    """The demand; the mesh is of the processes that share the weights."""
    recipe, tuning = update.recipe, update.tuning
    if update.is_rounded:
        assert tuning.adapters is not None
        tuning = replace(tuning, adapters=replace(tuning.adapters, kind="lora"))
    passes = accumulation(recipe.batch_size, micro_batch, update.processes)
    with torch.device("meta"):
        model = PaliGemma(update.config, rematerialise=update.rematerialise)
    tuning.store(model, recipe)
    module = TransferModule(model, recipe, steps=2, end=1, seed=0, tuning=tuning).train()
    if update.precision in KEPT:
        module.to(KEPT[update.precision])
    ledger = Ledger(update.config.language.vocabulary)
    fake = fake_mode()
    with fake:
        if mesh is None:
            _leave_values(module)
            model.tie()
        else:
            shard(module, model, mesh=mesh, compute=COMPUTE[update.precision])
        side = update.config.vision.resolution
        images = torch.empty(micro_batch, update.images, 3, side, side)
    batch = _batch(update, images)
    learning = [parameter for parameter in module.parameters() if parameter.requires_grad]
    with fake, ledger, ledger.sees_resizing():
        ledger.enter(module.parameters(), "weights")
        optimizer = _with_moments(module, ledger)
        for parameter in learning:
            if passes > 1 or (update.processes > 1 and mesh is None):
                parameter.grad = torch.empty_like(parameter)
                ledger.enter([parameter.grad], "gradients")
            parameter.register_post_accumulate_grad_hook(
                lambda learnt: ledger.enter([_gradient(learnt)], "gradients")
            )
        ledger.enter([batch.images], "activations")
        with _computing(update.precision):
            loss = module.losses(batch).mean()
        loss.backward()
    del optimizer  # with its moments, which had to be there until now
    memory = {part: ledger.at_peak[part] for part in PARTS}
    if update.is_rounded:
        rounded = _rounded(module)
        memory["weights"] -= sum(round(w.numel() * (w.itemsize - FOUR_BIT)) for w in rounded)
        # One at a time is made whole again, to compute with.
        memory["activations"] += max((weight.nbytes for weight in rounded), default=0)
    return Demand(
        micro_batch=micro_batch,
        passes=passes,
        twice=update.twice,
        parameters=sum(parameter.numel() for parameter in module.parameters()),
        learning=sum(parameter.numel() for parameter in learning),
        memory=memory,
        flops=ledger.flops * passes,
    )


def _leave_values(module: nn.Module) -> None:
    """Puts parameters and buffers without values in the place of those on the meta device."""
    for owner in module.modules():
        for name, parameter in list(owner._parameters.items()):
            if parameter is not None:
                empty = torch.empty(parameter.shape, dtype=parameter.dtype)
                owner._parameters[name] = nn.Parameter(empty, requires_grad=parameter.requires_grad)
        for name, buffer in list(owner._buffers.items()):
            if buffer is not None:
                owner._buffers[name] = torch.empty(buffer.shape, dtype=buffer.dtype)


def _batch(update: Update, images: torch.Tensor) -> Batch:
    """Texts of the longest kind, the first with another prefix, as prefixes mostly differ."""
    text = update.tokens - update.image_tokens
    micro_batch = len(images)
    prefixes = torch.full((micro_batch,), update.prefix)
    if micro_batch > 1:
        prefixes[0] -= 1
    return Batch(
        images=images,
        tokens=torch.ones(micro_batch, text, dtype=torch.long),
        prefix_lengths=prefixes,
        lengths=torch.full((micro_batch,), text),
        rows=list(range(micro_batch)),
        cuts=[None] * micro_batch,
    )


def _with_moments(module: TransferModule, ledger: Ledger) -> torch.optim.Optimizer:
    """The optimiser with its state, made by an update with gradients that are gone behind it."""
    optimizer = adamw(module.model, module.recipe, module.parts)
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            parameter.grad = torch.empty_like(parameter)
    optimizer.step()
    optimizer.zero_grad()
    for state in optimizer.state.values():
        ledger.enter((one for one in state.values() if one.ndim), "optimiser")
    ledger.at_peak.clear()
    ledger.flops = 0
    return optimizer


def _rounded(module: TransferModule) -> list[torch.Tensor]:
    """The weights that `to_four_bit` would round."""
    adapted = [part for part, learning in module.parts.items() if learning.mode == "adapted"]
    weights = []
    for name, layer in module.model.named_modules():
        is_hit = any(is_target(name, part) for part in adapted if part != "projector")
        if is_hit and layer.in_features % BLOCK == 0:  # type: ignore[operator]
            weights.append(layer.weight)  # its base's, where there is an adapter
    return weights


def _gradient(parameter: torch.Tensor) -> torch.Tensor:
    assert parameter.grad is not None
    return parameter.grad


def _computing(precision: str) -> AbstractContextManager[Any]:
    """What Lightning runs a step under."""
    if precision in COMPUTED:
        return torch.autocast("cpu", COMPUTED[precision], cache_enabled=False)
    return nullcontext()
