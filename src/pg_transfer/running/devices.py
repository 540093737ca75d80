"""On which devices a run is scored: what the user says, else what the run had and is at hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from pg_transfer.process.processes import nodes_from_outside, started_from_outside
from pg_transfer.training.gpus import gpu_count

GPUS = ("gpu", "cuda")
"""What Lightning's accelerators of NVIDIA are called."""

ALL = ("auto", "-1", -1)
"""Its words for all devices of a node."""


class AtHand(NamedTuple):
    """What this process finds where it was started.

    Attributes:
        gpus: of this machine.
        processes: that torchrun or SLURM have started, on all nodes; 1 if neither has.
        nodes: that they were started on.
    """

    gpus: int
    processes: int = 1
    nodes: int = 1


def found() -> AtHand:
    """What is at hand here."""
    return AtHand(gpu_count(), started_from_outside(), nodes_from_outside())


def scoring_trainer(
    learnt_on: Mapping[str, Any], asked: Mapping[str, Any], at_hand: AtHand
) -> tuple[dict[str, Any], list[str]]:
    """The trainer's settings for scoring, and what of the run's gave way to what is at hand.

    Answers do not depend on the number of devices, unless they are drawn.

    Args:
        learnt_on: the run's `trainer`.
        asked: the user's; None stands for the run's. One with a `_target_` was chosen whole.
        at_hand: what there is.
    """
    given = {key: value for key, value in asked.items() if value is not None}
    if "_target_" in given:
        return given, []
    before = dict(learnt_on)
    settings = before | given
    if "accelerator" not in given and before.get("accelerator") in GPUS and not at_hand.gpus:
        settings["accelerator"] = "auto"
    if "num_nodes" not in given and _nodes(before) != at_hand.nodes:
        settings["num_nodes"] = at_hand.nodes
    if "devices" not in given:
        settings["devices"] = _devices(settings, at_hand)
    is_alone = _count(settings, at_hand) == 1 and _nodes(settings) == 1
    if "strategy" not in given and is_alone:
        settings["strategy"] = "auto"  # which needs no port, and holds all weights on one device
    notes = [
        f"trainer.{key}={settings[key]}, where the run had {before.get(key, 1)}, by what is at "
        f"hand; answers do not depend on it, unless they are drawn"
        for key in ("accelerator", "num_nodes", "devices")
        if key not in given and settings.get(key, 1) != before.get(key, 1)
    ]
    return settings, notes


def _nodes(settings: Mapping[str, Any]) -> int:
    return settings.get("num_nodes") or 1


def _devices(settings: Mapping[str, Any], at_hand: AtHand) -> Any:
    """The run's devices, as far as they are at hand."""
    devices = settings.get("devices", "auto")
    if at_hand.processes > 1:  # each of them is one
        each = at_hand.processes // at_hand.nodes
        return devices if _count(settings, at_hand) == each else each
    most = _most(settings, at_hand)
    if most is None or devices in ALL:
        return devices
    named = _named(devices)
    if named is None:
        return min(int(devices), most)
    if all(place.isdigit() and int(place) < most for place in named):
        return devices
    return min(len(named), most)


def _count(settings: Mapping[str, Any], at_hand: AtHand) -> int:
    """How many devices of a node the settings mean."""
    devices = settings.get("devices", "auto")
    if devices in ALL:
        return _most(settings, at_hand) or 1
    named = _named(devices)
    return int(devices) if named is None else len(named)


def _named(devices: Any) -> list[str] | None:
    """The devices of a list, or of a text such as "0,1" or "1,"; None for their number."""
    if isinstance(devices, list):
        return [str(place) for place in devices]
    if isinstance(devices, int) or str(devices).isdigit():
        return None
    return [place.strip() for place in str(devices).split(",") if place.strip()]


def _most(settings: Mapping[str, Any], at_hand: AtHand) -> int | None:
    """Devices that there are; None for processors, of which any number of processes shares one.

    Where Lightning looks for itself (`auto`) and finds no GPU, one process is enough: each would
    hold a model of its own in the same memory.
    """
    accelerator = settings.get("accelerator", "auto")
    if accelerator == "auto":
        return at_hand.gpus or 1
    return at_hand.gpus if accelerator in GPUS else None
