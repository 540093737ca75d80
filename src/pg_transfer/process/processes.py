"""Which of several processes this one is, before they have met; from what their starters say.

torchrun sets RANK, SLURM sets SLURM_PROCID, and Lightning, which starts processes on one node by
itself, sets LOCAL_RANK.
"""

from __future__ import annotations

import os


def rank() -> int:
    """This process's number among all; 0 where it is alone."""
    for name in ("RANK", "SLURM_PROCID", "LOCAL_RANK"):
        if os.environ.get(name, "").isdigit():
            return int(os.environ[name])
    return 0


def is_first() -> bool:
    """Whether this is the process that stands for its whole run, on all nodes."""
    node = os.environ.get("NODE_RANK", os.environ.get("GROUP_RANK", "0"))
    return rank() == 0 and node == "0"


def started_from_outside() -> int:
    """How many processes torchrun or SLURM have started; 1 where neither has started this one."""
    if "TORCHELASTIC_RUN_ID" in os.environ:
        return int(os.environ.get("WORLD_SIZE", "1"))
    if "SLURM_PROCID" in os.environ and "SLURM_STEP_ID" in os.environ:  # by srun
        return int(os.environ.get("SLURM_STEP_NUM_TASKS", "1"))
    return 1
