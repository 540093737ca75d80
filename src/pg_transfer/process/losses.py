"""That another process of a run is gone, and how that is told."""

from __future__ import annotations

import re

LOST = "another process of this run has failed, or was killed: look for its error"

# What gloo and NCCL say to a process whose partner is gone.
_OF_LIBRARIES = re.compile(
    r"Connection (closed|reset) by peer|remote process exited|NCCL communicator was aborted"
)


def is_loss(error: BaseException) -> bool:
    """Whether it was raised since another process is gone, and says nothing of why."""
    return isinstance(error, RuntimeError) and _OF_LIBRARIES.search(str(error)) is not None
