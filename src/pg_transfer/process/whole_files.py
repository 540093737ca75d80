"""Files that appear once they are complete: a crash leaves the older one, or none."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pg_transfer.process.replacing import clear, put


def write_whole(path: Path, parts: Iterable[str]) -> None:
    """Writes a text, part by part, in place of an older one.

    Raises:
        OSError: with the file's name, which that of a full disk lacks.
    """
    with whole(path) as unfinished:
        try:
            with unfinished.open("w", encoding="utf-8") as file:
                file.writelines(parts)
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(unfinished)) from error


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A path to write to, which takes the place of `path` once all of it is on the disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(path.name + ".part")
    if unfinished.is_dir():
        clear(unfinished)
    try:
        yield unfinished
        with unfinished.open("rb+") as file:
            os.fsync(file.fileno())
        put(unfinished, path)
    except Exception:
        _require_room(unfinished)
        raise
    finally:
        unfinished.unlink(missing_ok=True)  # of a full disk it may be the larger part
    if os.name == "posix":  # the new name itself
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _require_room(path: Path) -> None:
    """Raises OSError if nothing can be added to `path`; libraries keep the reason to themselves."""
    try:
        with path.open("ab") as file:
            file.write(bytes(2**20))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
