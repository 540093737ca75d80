"""Files that appear once they are complete: a crash leaves the older one, or none."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pg_transfer.process.replacing import UNFINISHED, put

_NUMBER = re.compile(r"\(os error (\d+)\)")
"""Of the operating system's error, in those of safetensors."""


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
    unfinished = path.with_name(path.name + UNFINISHED)
    try:
        yield unfinished
        with unfinished.open("rb+") as file:
            os.fsync(file.fileno())
        put(unfinished, path)
    except Exception as error:
        raise_reason(error, unfinished)
        raise
    finally:
        unfinished.unlink(missing_ok=True)  # of a full disk it may be the larger part
    if os.name == "posix":  # the new name itself
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def raise_reason(error: Exception, path: Path) -> None:
    """Raises the OSError that kept `path` from being written; libraries keep it to themselves.

    Raises:
        OSError: the one in the words of `error`, or what comes of adding to the file.
    """
    if isinstance(error, OSError):
        return
    if number := _NUMBER.search(str(error)):
        code = int(number[1])
        raise OSError(code, os.strerror(code), str(path)) from error
    try:
        with path.open("ab") as file:
            file.write(bytes(2**20))
            file.flush()
            os.fsync(file.fileno())
    except OSError as reason:
        raise OSError(reason.errno, reason.strerror, str(path)) from error
