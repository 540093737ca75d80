"""Which processes a run may start."""

from __future__ import annotations

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from lightning.pytorch import Trainer
from lightning.pytorch.strategies.launchers import _SubprocessScriptLauncher


def refuse_ranks_of_their_own(trainer: Trainer) -> None:
    """Raises ValueError where several devices would each train another run of a sweep.

    Lightning starts a process for every further device by the command line of the first, and in a
    multirun that is the line of the sweep: each would begin a sweep of its own, in a folder and
    with settings of its own, and all would add up their gradients.
    """
    starts = isinstance(trainer.strategy.launcher, _SubprocessScriptLauncher)
    if starts and trainer.world_size > 1 and is_multirun():
        raise ValueError(
            f"a sweep with {trainer.world_size} devices per run needs a process of its own for "
            f"every run, or each device would train with other settings. Leave out "
            f"hydra/launcher=..., as hydra/launcher=processes starts them, or use "
            f"python -m pg_transfer.sweep; on a cluster let SLURM start a task per device "
            f"(hydra.launcher.tasks_per_node={trainer.world_size})"
        )


def is_multirun() -> bool:
    """Whether this process runs one after another of a sweep's runs, and not a run alone."""
    return HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN
