"""From the settings of a run to what is to be planned, and to its micro-batch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from typing import Any, cast

import torch
from omegaconf import DictConfig, OmegaConf

from pg_transfer.adapters import AdapterSettings
from pg_transfer.model.config import released
from pg_transfer.planning.blocks import fewest, quickest
from pg_transfer.planning.rehearsal import Demand, Update, rehearse
from pg_transfer.planning.room import Device, cuts, gb, largest
from pg_transfer.training.recipe import read_recipe
from pg_transfer.training.sharding import FullySharded
from pg_transfer.training.tuning import Tuning, read_tuning

SHARED = FullySharded.__qualname__
AUTO = "auto"
"""A micro-batch, or blocks to compute twice, that are left to the planner."""


def update_of(config: DictConfig, *, images: int) -> Update:
    """An update of the run with these settings.

    Args:
        config: of the run.
        images: that an example shows.

    Raises:
        ValueError: settings that do not fit each other, or that cannot be planned for.
    """
    settings = cast(dict[str, Any], OmegaConf.to_container(config, resolve=True))
    recipe, trainer = read_recipe(settings["recipe"]), settings["trainer"]
    strategy, again = trainer["strategy"], settings["model"]["rematerialise"]
    shares_weights = isinstance(strategy, dict) and strategy["_target_"].endswith(SHARED)
    if not shares_weights and (not isinstance(strategy, str) or "fsdp" in strategy):
        raise ValueError(
            f"what trainer.strategy={strategy} takes cannot be planned; give micro_batch=1 or "
            f"another number"
        )
    return Update(
        config=released(
            settings["model"]["size"], resolution=settings["resolution"], dropout=recipe.dropout
        ),
        recipe=recipe,
        tuning=read_tuning(settings["tuning"]),
        rematerialise=True if again == AUTO else again,
        precision=str(trainer["precision"]),
        processes=processes_of(trainer),
        shares_weights=shares_weights,
        images=images,
    )


def processes_of(trainer: dict[str, Any]) -> int:
    """How many processes Lightning will start for `devices` and `num_nodes`."""
    devices, nodes = trainer.get("devices", 1), trainer.get("num_nodes", 1)
    if isinstance(devices, str) and "," in devices:  # "0,1"; "1," is the second alone
        devices = [place for place in devices.split(",") if place.strip()]
    if isinstance(devices, list):
        return len(devices) * nodes
    if devices in (AUTO, -1, "-1"):
        has_gpus = trainer.get("accelerator", AUTO) != "cpu" and torch.cuda.is_available()
        return (torch.cuda.device_count() if has_gpus else 1) * nodes
    return int(devices) * nodes


Demands = Callable[[int, int], Demand]
"""What an update takes with micro-batches of a size and so many blocks computed twice."""


def demands(update: Update) -> Demands:
    """What the update takes; each is found out once."""
    return cache(lambda size, twice: rehearse(replace(update, rematerialise=twice), size))


def settled(config: DictConfig, device: Device, *, images: int) -> Demand:
    """What the run with these settings takes, with numbers for what they leave to the planner.

    Args:
        config: of the run.
        device: that each process has.
        images: that an example shows.

    Raises:
        ValueError: there is no room for one example, or the batch cannot be shared.
    """
    update = update_of(config, images=images)
    demand = demands(update)
    leaves_blocks = config.model.rematerialise == AUTO
    if config.micro_batch == AUTO:
        return largest_or_quickest(update, demand, device, leaves_blocks=leaves_blocks)
    if leaves_blocks:
        return fewest(update.twice, device.room, partial(demand, config.micro_batch))
    return demand(config.micro_batch, update.twice)


def largest_or_quickest(
    update: Update, demand: Demands, device: Device, *, leaves_blocks: bool
) -> Demand:
    """The demand of the largest micro-batch there is room for; or, of both, of the quickest.

    Raises:
        ValueError: there is no room for one example, or the batch cannot be shared.
    """
    whole, processes = update.recipe.batch_size, update.processes
    if whole % processes:
        raise ValueError(
            f"recipe.batch_size={whole} cannot be shared by {processes} processes: take another "
            f"number of devices"
        )
    share, room = whole // processes, device.room
    try:
        if leaves_blocks:
            return quickest(share, update.tokens, update.twice, room, demand)
        return largest(share, room, lambda size: demand(size, update.twice))
    except ValueError as error:
        raise ValueError(
            f"{error} on {device.name} ({gb(device.bytes)}): {remedies(update)}"
        ) from error


def remedies(update: Update, *, micro_batch: int = 1) -> str:
    """What could be changed to take less memory, and what an update would take then."""
    ways: list[tuple[str, Update, int]] = []
    smaller = cuts(micro_batch)[:-1]
    if smaller:
        ways.append((f"micro_batch={smaller[-1]}", update, smaller[-1]))
    if update.twice < update.config.blocks:
        ways.append(("model.rematerialise=true", replace(update, rematerialise=True), micro_batch))
    if update.tuning.adapters is None:
        kept = "float32" if update.precision == "32-true" else "bfloat16"
        adapted = Tuning(adapters=AdapterSettings(), adapters_lr=1.0, frozen_dtype=kept)
        ways.append(("tuning=lora", replace(update, tuning=adapted), micro_batch))
    found = [f"{name} ({gb(rehearse(other, size).peak)})" for name, other, size in ways]
    return f"take {', or '.join([*found, 'a lower resolution'])}"
