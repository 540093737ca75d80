"""Who starts a run's processes, and whether they are as many as its settings say."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.pytorch.strategies.launchers import _SubprocessScriptLauncher

from pg_transfer.process import launching
from pg_transfer.process.launching import (
    refuse_ranks_of_their_own,
    require_processes,
    starter,
)

SCRIPT = {"SLURM_JOB_ID": 7, "SLURM_NTASKS": 8, "SLURM_PROCID": 0}
TASK = SCRIPT | {"SLURM_STEP_NUM_TASKS": 8, "SLURM_NTASKS_PER_NODE": 8}
ALONE = SCRIPT | {"SLURM_NTASKS": 1, "SLURM_STEP_NUM_TASKS": 1}
TORCHRUN = {"TORCHELASTIC_RUN_ID": "a", "WORLD_SIZE": 8}


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in {*TASK, *ALONE, *TORCHRUN, "MASTER_ADDR"}:
        monkeypatch.delenv(name, raising=False)


def setenv(monkeypatch: pytest.MonkeyPatch, variables: dict[str, Any]) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, str(value))


@pytest.mark.parametrize(
    ("variables", "kinds"),
    [
        ({}, []), (TORCHRUN | TASK, []), (TASK, [SLURMEnvironment]),
        (SCRIPT, [LightningEnvironment]), (ALONE, [LightningEnvironment]),
    ],
)  # fmt: skip
def test_slurm_starts_processes_only_where_srun_was_called(
    variables: dict[str, Any], kinds: list[type], monkeypatch: pytest.MonkeyPatch
) -> None:
    setenv(monkeypatch, variables)
    assert list(map(type, starter())) == kinds


def test_tasks_of_a_node_have_to_be_known(monkeypatch: pytest.MonkeyPatch) -> None:
    setenv(monkeypatch, TASK)
    monkeypatch.delenv("SLURM_NTASKS_PER_NODE")
    with pytest.raises(ValueError, match=r"srun has started 8 tasks, .* --ntasks-per-node"):
        starter()


@pytest.mark.parametrize(
    ("variables", "devices", "nodes", "complaint"),
    [
        ({}, 8, 1, None),
        ({}, 8, 2, "nobody has started the processes of the other nodes"),
        ({"MASTER_ADDR": "a"}, 8, 2, None),  # by hand, on each node
        (SCRIPT, 8, 1, None),
        (SCRIPT, 8, 2, "nobody has started the processes of the other nodes"),
        (TASK, 8, 1, None),
        (TASK, 4, 2, None),
        (TASK, 1, 1, "8 processes were started by torchrun or SLURM, .* ask for 1"),
        (TORCHRUN, 4, 1, "8 processes were started by torchrun or SLURM, .* ask for 4"),
    ],
)
def test_processes_are_as_many_as_the_settings_say(
    variables: dict[str, Any], devices: int, nodes: int, complaint: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    setenv(monkeypatch, variables)
    trainer: Any = SimpleNamespace(num_devices=devices, num_nodes=nodes)
    if complaint is None:
        require_processes(trainer)
    else:
        with pytest.raises(ValueError, match=complaint):
            require_processes(trainer)


def test_devices_of_a_sweeps_run_are_slurms_to_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launching, "is_multirun", lambda: True)
    launcher = _SubprocessScriptLauncher(LightningEnvironment(), num_processes=8, num_nodes=1)
    trainer: Any = SimpleNamespace(strategy=SimpleNamespace(launcher=launcher), world_size=8)
    with pytest.raises(ValueError, match="a sweep with 8 devices per run needs a process"):
        refuse_ranks_of_their_own(trainer)
    setenv(monkeypatch, TASK)  # as submitit has it, with hydra.launcher.tasks_per_node=8
    refuse_ranks_of_their_own(trainer)
