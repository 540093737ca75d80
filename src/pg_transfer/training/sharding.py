"""A model that several processes hold together: FSDP2 (torch `fully_shard`) under Lightning.

Every parameter is cut along its first dimension into as many pieces as there are processes. A block
is gathered when it is computed and let go afterwards; what belongs to no block, the vocabulary's
table above all, stays for the length of a forward and backward pass. Masters, gradients as they are
added up and the optimiser's state are float32 pieces.
"""

from __future__ import annotations

import atexit
import math
from pathlib import Path
from typing import Any

import torch
import torch.distributed
from lightning.pytorch import LightningModule
from lightning.pytorch.strategies import ModelParallelStrategy, Strategy
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard, register_fsdp_forward_method
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.optim import Optimizer

from pg_transfer.model.paligemma import PaliGemma
from pg_transfer.process.replacing import new_folder, put
from pg_transfer.training.damaged import CheckpointError, reading, require_parts
from pg_transfer.training.shards import (
    WEIGHTS,
    Checkpoint,
    Shards,
    Whole,
    read_rest,
    write_shard,
)
from pg_transfer.training.weights import read_file

COMPUTE: dict[str, torch.dtype | None] = {"32-true": None, "bf16-mixed": torch.bfloat16}
"""What parameters are gathered and computed with under a trainer's precision; None as they are."""

WHOLE_BITS = (
    "tuning=qlora with trainer=fsdp: weights of 4 bits cannot be shared out by processes. Take "
    "trainer=ddp, where each process holds them all, or tuning=lora"
)


class FullySharded(ModelParallelStrategy):
    """Lightning's strategy with all processes in one group, and checkpoints that fit the others.

    Lightning would save with torch.distributed.checkpoint, see `shards.py`, and take the
    optimiser's state of an unsharded run for that of other parameters, where only some learn.

    Args:
        sharded_checkpoints: each process saves its pieces, in a folder that all of them can write
            to; else the first puts everything together in its memory, and saves a file.
    """

    def __init__(self, *, sharded_checkpoints: bool = True) -> None:
        super().__init__(save_distributed_checkpoint=sharded_checkpoints)

    def setup_environment(self) -> None:
        """Starts the group.

        Raises:
            ValueError: a precision that sharded weights do not have here.
        """
        precision = self.precision_plugin.precision
        if precision not in COMPUTE:
            raise ValueError(
                f"trainer.precision={precision} with trainer=fsdp; there are {', '.join(COMPUTE)}"
            )
        self._data_parallel_size = self.num_nodes * self.num_processes
        self._tensor_parallel_size = 1
        super().setup_environment()
        atexit.unregister(_end_group)
        atexit.register(_end_group)

    def lightning_module_state_dict(self) -> dict[str, Any]:
        """Every parameter by name; this process's pieces."""
        assert self.lightning_module is not None
        return dict(self.lightning_module.named_parameters())

    def optimizer_state(self, optimizer: Optimizer) -> dict[str, Any]:
        """The optimiser's state, of this process's pieces; saving may take them out of it."""
        state: dict[str, Any] = Strategy.optimizer_state(self, optimizer)
        return {**state, "state": {place: dict(of) for place, of in state["state"].items()}}

    def save_checkpoint(
        self, checkpoint: dict[str, Any], filepath: Any, storage_options: Any | None = None
    ) -> None:
        """Saves a folder or a file, which appears when it is whole; all processes take part."""
        path, checkpoint_of_ours = Path(self.broadcast(filepath)), Checkpoint(checkpoint)
        if not self._save_distributed_checkpoint:
            for _, (there, name) in checkpoint_of_ours.places():
                value = whole(there[name])
                there[name] = value.cpu() if self.is_global_zero else None
            if self.is_global_zero:
                self.checkpoint_io.save_checkpoint(checkpoint, path)
            self.barrier()
            return
        unfinished = Path(self.broadcast(str(new_folder(path)) if self.is_global_zero else ""))
        write_shard(
            unfinished, checkpoint_of_ours, rank=self.global_rank, processes=self.world_size
        )
        self.barrier()
        if self.is_global_zero:
            put(unfinished, path)
        self.barrier()

    def load_checkpoint(
        self, checkpoint_path: Any, weights_only: bool | None = None
    ) -> dict[str, Any]:
        """Fills this process's pieces of weights and optimiser from a folder or a file of any run.

        Raises:
            ValueError: it is damaged, or of a model of another size.
        """
        path = Path(self.broadcast(checkpoint_path))
        with reading(path):
            return self._take_up(path)

    def _take_up(self, path: Path) -> dict[str, Any]:
        if path.is_dir():
            checkpoint, source = read_rest(path), Shards(path)
            require_parts(path, checkpoint.content)
        else:
            checkpoint = Checkpoint(read_file(path))
            source = Whole(checkpoint)
        assert self.lightning_module is not None
        parameters = dict(self.lightning_module.named_parameters())
        for key in source.keys:
            name = key.partition("/")[2]
            there, place = checkpoint.place(key)
            there[place] = None  # a name that there is not is refused by the module
            if name in parameters:
                there[place] = _filled(parameters[name], key, source, path)
        for optimizer, state in zip(
            self.optimizers, checkpoint.content["optimizer_states"], strict=True
        ):
            optimizer.load_state_dict(state)
        return checkpoint.content


def _end_group() -> None:
    """Ends the group before its threads are torn down with the process, which would abort."""
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def _filled(parameter: nn.Parameter, key: str, source: Shards | Whole, path: Path) -> Tensor:
    """The parameter, or a state of its shape, with this process's rows of what was saved."""
    assert isinstance(parameter, DTensor)
    is_weight = key.startswith(f"{WEIGHTS}/")
    target = parameter.detach() if is_weight else torch.zeros_like(parameter).detach()
    piece: Tensor = target.to_local()  # pyright: ignore
    count = source.length(key)
    each = math.ceil(count / parameter.device_mesh.size())
    first = min(parameter.device_mesh.get_local_rank() * each, count)
    saved = source.rows(key, first, min(first + each, count))
    if saved.shape != piece.shape or count != len(parameter):
        raise CheckpointError(
            f"{path} is of another size than this model: {key} has {count} rows and pieces of "
            f"{tuple(saved.shape)}, and this model's are {tuple(parameter.shape)}"
        )
    piece.copy_(saved)
    return target


def shard(
    module: LightningModule, model: PaliGemma, *, mesh: DeviceMesh, compute: torch.dtype | None
) -> None:
    """Leaves this process its pieces of every parameter; each block is gathered by itself.

    The first process has the weights and sends the others theirs, one parameter after the other:
    no other has to have read them, and none ever holds more than one parameter whole.

    Args:
        module: whose `losses` and `answers` compute with the model.
        model: its; without memory (on the meta device) in all processes but the first.
        mesh: of one dimension, the processes.
        compute: what to gather and compute in; None leaves every parameter its dtype.
    """
    values = {name: parameter.detach() for name, parameter in model.named_parameters()}
    model.to("meta")
    model.tie()
    # The stream of activations is float32 and stays so, whatever the products are taken in.
    policy = MixedPrecisionPolicy(
        param_dtype=compute, reduce_dtype=torch.float32, cast_forward_inputs=False
    )
    for block in (*model.model.vision_tower.encoder.layers, *model.language.layers):
        fully_shard(block, mesh=mesh, mp_policy=policy)
    fully_shard(module, mesh=mesh, mp_policy=policy)
    for method in ("losses", "answers"):  # within which the table is whole
        register_fsdp_forward_method(module, method)
    model.to_empty(device=mesh.device_type)
    model.tie()
    for name, parameter in model.named_parameters():
        _send(values.pop(name), parameter)


def is_sharded(model: nn.Module) -> bool:
    """Whether processes hold the model together."""
    return any(isinstance(parameter, DTensor) for parameter in model.parameters())


@torch.no_grad()
def _send(value: Tensor, parameter: nn.Parameter) -> None:
    """Fills every process's piece of `parameter` from the first process's `value`."""
    assert isinstance(parameter, DTensor)
    mesh, device = parameter.device_mesh, parameter.to_local().device
    whole = torch.empty_like(value, device=device) if value.is_meta else value.to(device)
    parameter.copy_(distribute_tensor(whole, mesh, parameter.placements))


def whole(tensor: Tensor) -> Tensor:
    """A tensor that is cut into pieces put together, in every process; others as they are."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def any_of_all(goes_on: bool, *, device: torch.device) -> bool:
    """Whether it is so in any process."""
    flag: Any = torch.tensor(goes_on, device=device, dtype=torch.uint8)
    torch.distributed.all_reduce(flag, torch.distributed.ReduceOp.MAX)
    return bool(flag)
