"""Which of several processes this one is, before they have met; from what their starters say.

torchrun sets RANK, SLURM sets SLURM_PROCID, and Lightning, which starts processes on one node by
itself, sets LOCAL_RANK. SLURM sets its variables for the script of a job as well, which is one
process, and whatever it starts inherits them: they tell of several only where `srun` started those.
"""

from __future__ import annotations

import os


def rank() -> int:
    """This process's number among all; 0 where it is alone."""
    for name in ("RANK", "SLURM_PROCID", "LOCAL_RANK"):
        if name == "SLURM_PROCID" and not is_by_srun():
            continue
        if os.environ.get(name, "").isdigit():
            return int(os.environ[name])
    return 0


def is_by_torchrun() -> bool:
    """Whether torchrun has started this process."""
    return "TORCHELASTIC_RUN_ID" in os.environ


def is_by_srun() -> bool:
    """Whether `srun` has started this process as one of several."""
    return "SLURM_PROCID" in os.environ and _number("SLURM_STEP_NUM_TASKS") > 1


def is_in_slurm() -> bool:
    """Whether this process is part of a SLURM job."""
    return "SLURM_NTASKS" in os.environ or "SLURM_JOB_ID" in os.environ


def is_first() -> bool:
    """Whether this is the process that stands for its whole run, on all nodes."""
    node = os.environ.get("NODE_RANK", os.environ.get("GROUP_RANK", "0"))
    return rank() == 0 and node == "0"


def started_from_outside() -> int:
    """How many processes torchrun or SLURM have started; 1 where neither has started this one."""
    if is_by_torchrun():
        return _number("WORLD_SIZE")
    return _number("SLURM_STEP_NUM_TASKS") if is_by_srun() else 1


def nodes_from_outside() -> int:
    """On how many nodes torchrun or SLURM have started processes; 1 where neither has."""
    if is_by_torchrun():
        return _number("GROUP_WORLD_SIZE")
    return _number("SLURM_STEP_NUM_NODES") if is_by_srun() else 1


def _number(name: str) -> int:
    return int(os.environ.get(name, "1"))
