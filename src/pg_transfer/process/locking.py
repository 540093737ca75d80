"""Files that one process at a time has for itself, until it ends, however that comes."""

from __future__ import annotations

import errno
import fcntl
from typing import IO, Any

TAKEN = (errno.EACCES, errno.EAGAIN)
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)
"""What a file system says that knows no locks: there everyone has the file."""


def has_locked(file: IO[Any], *, with_children: bool = False) -> bool:
    """Whether the file is this process's from now on; not if another has it.

    Args:
        file: open for writing, by which it is held.
        with_children: processes that inherit the open file hold it as well, and on their own once
            this one has died. Else they do not: loading processes that outlive a killed run do not
            keep it; but it goes when this process closes the file by whatever handle, so that
            nothing else may open it.
    """
    lock = fcntl.flock if with_children else fcntl.lockf
    try:
        lock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in TAKEN:
            return False
        if error.errno not in NO_LOCKS:
            raise
    return True
