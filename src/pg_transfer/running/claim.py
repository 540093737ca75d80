"""The folder of a run, which one run at a time has for itself."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from pg_transfer.process.locking import has_locked
from pg_transfer.process.processes import is_first

RUNNING = ".running"
"""Locked in the folder while a run is at work there; says which process that is."""


@contextmanager
def claimed(folder: Path, *, may_have_another: bool) -> Iterator[Path]:
    """Keeps a folder from other runs until the end of this one, however that comes.

    The further processes of a run take part in the claim of its first.

    Args:
        folder: that the run is to write into.
        may_have_another: nobody has asked for this very one, so that where it is taken, the first
            free one of `folder-2`, `folder-3` ... does as well.

    Raises:
        ValueError: the folder is taken.
    """
    if not is_first():
        yield folder
        return
    place, number = folder, 1
    while (file := _locked(place)) is None:
        if not may_have_another:
            raise ValueError(
                f"run={folder} is being trained by {_owner(folder)}; wait for it, or choose "
                f"another folder"
            )
        number += 1
        place = folder.with_name(f"{folder.name}-{number}")
    try:
        yield place
    finally:
        (place / RUNNING).unlink(missing_ok=True)  # while it is ours
        file.close()


def _locked(folder: Path) -> IO[str] | None:
    """The file of the folder, locked by this process while it is open; None if it is another's."""
    while True:
        folder.mkdir(parents=True, exist_ok=True)  # who had it may have removed it
        path = folder / RUNNING
        file = path.open("a+", encoding="utf-8")
        if not has_locked(file):
            file.close()
            return None
        if _is_at(path, file):
            file.truncate(0)
            file.write(f"process {os.getpid()} on host {socket.gethostname()}")
            file.flush()
            return file
        file.close()  # its owner has removed it in the meantime: this locks nothing


def _is_at(path: Path, file: IO[str]) -> bool:
    """Whether the open file is the one at this place."""
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


def _owner(folder: Path) -> str:
    """Who has the folder, as far as that is told."""
    try:
        told = (folder / RUNNING).read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        told = ""
    return told or "another process"
