"""What FSDP2 gathers at a time, and in which numbers it computes and adds up."""

from __future__ import annotations

import torch
from torch.distributed.fsdp import FSDPModule
from torch.distributed.tensor import DTensor

from pg_transfer.model.config import released
from pg_transfer.model.paligemma import PaliGemma
from pg_transfer.planning.pretended import pretended_group
from pg_transfer.training.module import TransferModule
from pg_transfer.training.sharding import shard
from tests.planning.test_rehearsal import RECIPE


def test_each_block_is_a_unit_of_float32_masters_and_sums() -> None:
    model = PaliGemma(released("tiny", resolution=28))
    module = TransferModule(model, RECIPE, steps=2, end=1, seed=0)
    with pretended_group(2) as mesh:
        shard(module, model, mesh=mesh, compute=torch.bfloat16)
        units = {name for name, part in module.named_modules() if isinstance(part, FSDPModule)}
        vision = {f"model.model.vision_tower.encoder.layers.{number}" for number in range(2)}
        language = {f"model.model.language_model.layers.{number}" for number in range(3)}
        assert units == {"", *vision, *language}  # and the rest in the root
        for part in module.modules():
            if isinstance(part, FSDPModule):
                policy = part._get_fsdp_state()._mp_policy
                assert policy.param_dtype is torch.bfloat16
                assert policy.reduce_dtype is torch.float32
        for parameter in module.parameters():
            assert isinstance(parameter, DTensor) and parameter.dtype is torch.float32
            assert len(parameter.to_local()) == -(-len(parameter) // 2)
