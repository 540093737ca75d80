"""A finished checkpoint in the place of an older one, where either may be a file or a folder."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path


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
