"""A launcher for Hydra that starts a process for every run, as a user would one by one.

Hydra's own runs them in one process, one after another. There a run that fails ends the sweep, what
one leaves in memory is missing in the next, and several devices per run start sweeps of their own.
Hydra looks for launchers in this namespace at every start, so that no more is imported than needed.
"""

from __future__ import annotations

from collections.abc import Sequence

from hydra.core.config_store import ConfigStore
from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

# No dataclass: Hydra runs this file without making it known as a module, which those need.
SETTINGS = {
    "_target_": "hydra_plugins.pg_transfer_processes.launcher.ProcessLauncher",
    "parallel": 1,  # runs at a time, each with GPUs of its own
}

ConfigStore.instance().store(
    group="hydra/launcher", name="processes", node=SETTINGS, provider="pg_transfer"
)


class ProcessLauncher(Launcher):
    """Runs the runs of a batch, `parallel` at a time."""

    def __init__(self, parallel: int) -> None:
        self.parallel = parallel

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Keeps what is known of the sweep; `task_function` is not: every run is a process."""
        self.hydra_context, self.config = hydra_context, config

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        """Runs the batch and waits for its end; of each run, in order, its score or its error.

        See `pg_transfer.sweeping.multirun.launch_batch`, which is imported here because Hydra reads
        this file at every start.
        """
        from pg_transfer.sweeping.multirun import launch_batch

        return launch_batch(
            self.hydra_context, self.config, job_overrides,
            first=initial_job_idx, parallel=self.parallel,
        )  # fmt: skip
