"""Where trials run: each of those at work at the same time has GPUs of its own."""

from __future__ import annotations

import os
from collections.abc import Mapping

from omegaconf import DictConfig

VISIBLE = "CUDA_VISIBLE_DEVICES"


def places(parallel: int, config: DictConfig) -> list[Mapping[str, str]]:
    """What the environment of each of the trials at a time has besides.

    Args:
        parallel: how many those are.
        config: of any of them; says which devices a trial takes.

    Raises:
        ValueError: there are not as many GPUs, or a trial takes all that there are.
    """
    if parallel < 1:
        raise ValueError(f"parallel={parallel}: at least one trial has to run at a time")
    gpus = visible_gpus() if parallel > 1 and config.trainer.accelerator != "cpu" else []
    if not gpus:
        return [{}] * parallel
    devices = config.trainer.devices
    if type(devices) is not int or devices < 1:
        raise ValueError(
            f"trainer.devices={devices} and parallel={parallel}: to share the GPUs among trials, "
            f"say how many each takes, e.g. trainer.devices=1"
        )
    if parallel * devices > len(gpus):
        raise ValueError(
            f"parallel={parallel} trials with trainer.devices={devices} each need "
            f"{parallel * devices} GPUs, and there are {len(gpus)}: lower either of them"
        )
    return [
        {VISIBLE: ",".join(gpus[place * devices : (place + 1) * devices])}
        for place in range(parallel)
    ]


def visible_gpus() -> list[str]:
    """The names of the GPUs that this process may use."""
    if VISIBLE in os.environ:
        return [name.strip() for name in os.environ[VISIBLE].split(",") if name.strip()]
    import torch  # which takes seconds

    return [str(number) for number in range(torch.cuda.device_count())]
