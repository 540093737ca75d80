"""Which processes a run may start, and what it has to have been started as."""

from __future__ import annotations

import os
import signal

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from lightning.fabric.plugins.environments.cluster_environment import ClusterEnvironment
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.pytorch import Trainer
from lightning.pytorch.strategies.launchers import (
    _MultiProcessingLauncher,
    _SubprocessScriptLauncher,
)

from pg_transfer.process.processes import (
    is_by_srun,
    is_by_torchrun,
    is_in_slurm,
    started_from_outside,
)
from pg_transfer.process.stopping import Requests, Stopped


def starter() -> list[ClusterEnvironment]:
    """Who starts a run's processes, where Lightning would find out wrongly; else nothing.

    In a SLURM job it takes SLURM's variables for those of processes that `srun` has started. In the
    script of a job, or where `srun` has started one alone, it would wait for others, or take fewer
    devices than it was told.

    Raises:
        ValueError: `srun` was not told how many tasks there are on a node.
    """
    if is_by_torchrun() or not is_in_slurm():
        return []
    if not is_by_srun():
        return [LightningEnvironment()]
    if "SLURM_NTASKS_PER_NODE" not in os.environ:
        raise ValueError(
            f"srun has started {started_from_outside()} tasks, and does not say how many on each "
            f"node: give it, or sbatch, --ntasks-per-node instead of --ntasks"
        )
    return [SLURMEnvironment()]


def require_processes(trainer: Trainer) -> None:
    """Raises ValueError where other processes than the trainer's were started, or some are missing.

    It would wait for them for half an hour, or each would train alone.
    """
    count, wanted = started_from_outside(), trainer.num_devices * trainer.num_nodes
    sizes = f"trainer.devices={trainer.num_devices} and trainer.num_nodes={trainer.num_nodes}"
    if count == 1 and trainer.num_nodes > 1 and "MASTER_ADDR" not in os.environ:
        raise ValueError(
            f"{sizes}, and nobody has started the processes of the other nodes: start a process "
            f"for each device by srun or torchrun (docs/several_gpus.md), or say "
            f"trainer.num_nodes=1"
        )
    if count > 1 and count != wanted:
        raise ValueError(
            f"{count} processes were started by torchrun or SLURM, and {sizes} ask for {wanted}: "
            f"start a process for each device, or set trainer.devices to those of a node and "
            f"trainer.num_nodes"
        )


def hear_while_meeting(trainer: Trainer, requests: Requests) -> None:
    """Has requests to stop heard while processes wait for one another to come.

    Torch waits outside Python, where a signal's handler is not called until all have come.
    """
    strategy, launcher = trainer.strategy, trainer.strategy.launcher
    meet = strategy.setup_environment

    def end_others() -> None:
        if isinstance(launcher, _SubprocessScriptLauncher):
            launcher.kill(signal.SIGTERM)

    def meet_heard() -> None:
        try:
            with requests.heard_in_a_library(end_others):
                meet()
        except Stopped:
            end_others()
            raise

    strategy.setup_environment = meet_heard  # type: ignore[method-assign]


def refuse_ranks_of_their_own(trainer: Trainer) -> None:
    """Raises ValueError where several devices would each train another run of a sweep.

    Lightning starts a process for every further device by the command line of the first, and in a
    multirun that is the line of the sweep: each would begin a sweep of its own, in a folder and
    with settings of its own, and all would add up their gradients.
    """
    starts = isinstance(trainer.strategy.launcher, _SubprocessScriptLauncher)
    if starts and started_from_outside() == 1 and trainer.world_size > 1 and is_multirun():
        raise ValueError(
            f"a sweep with {trainer.world_size} devices per run needs a process of its own for "
            f"every run, or each device would train with other settings. Leave out "
            f"hydra/launcher=..., as hydra/launcher=processes starts them, or use "
            f"python -m pg_transfer.sweep; on a cluster let SLURM start a task per device "
            f"(hydra.launcher.tasks_per_node={trainer.world_size})"
        )


def refuse_copies(trainer: Trainer) -> None:
    """Raises ValueError where processes would be spawned or forked, which keep what they find."""
    if isinstance(trainer.strategy.launcher, _MultiProcessingLauncher):
        raise ValueError(
            "trainer.strategy spawns or forks processes, whose scores this one would not have: "
            "take trainer.strategy=ddp, under which each is a program of its own"
        )


def is_multirun() -> bool:
    """Whether this process runs one after another of a sweep's runs, and not a run alone."""
    return HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN
