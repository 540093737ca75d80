"""A finished checkpoint in the place of an older one, where either may be a file or a folder."""

from __future__ import annotations

import glob
import shutil
import time
from contextlib import suppress
from pathlib import Path

UNFINISHED = ".part"


def new_folder(path: Path) -> Path:
    """An empty folder to be finished and `put` at `path`; those that others did not finish go.

    It has a name of its own each time. Where several machines see one disk, some remember for half
    a minute which folder a name meant: that of the save before, which is the checkpoint by now.
    """
    clear_unfinished(path)
    unfinished = path.with_name(f"{path.name}.{time.time_ns()}{UNFINISHED}")
    unfinished.mkdir(parents=True)
    return unfinished


def clear_unfinished(path: Path) -> None:
    """Removes what processes that died have left beside `path` of files and folders for it."""
    for left in path.parent.glob(f"{glob.escape(path.name)}*{UNFINISHED}"):
        clear(left)


def put(finished: Path, path: Path) -> None:
    """Gives `finished` the name `path`; what was there goes.

    A file takes the place of a file at once. A folder cannot, so that for a moment what was there
    has another name, from which `settle` gives it back after a crash.
    """
    if not (finished.is_dir() or path.is_dir()):
        finished.replace(path)
        return
    older = _older(path)
    if path.exists():
        clear(older)
        path.rename(older)
    finished.rename(path)
    clear(older)


def settle(path: Path) -> None:
    """Gives `path` back to what lay there before a `put` that did not come to its end."""
    with suppress(FileNotFoundError):  # as there was none, or another process was faster
        if not path.exists():
            _older(path).rename(path)


def clear(path: Path) -> None:
    """Removes a file or a folder, if there is one."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _older(path: Path) -> Path:
    return path.with_name(path.name + ".older")
