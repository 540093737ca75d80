"""A line now and then while a large file is read, that nobody takes the program for dead."""

from __future__ import annotations

import time
from pathlib import Path

from pg_transfer.process.console import say

PAUSE_SECONDS = 10.0
"""Between two lines; a file that takes less to read is read without a word."""


class SlowReading:
    """Called with a file, the bytes that are read of it, and those it has, tells of it in time."""

    def __init__(self) -> None:
        self._path: Path | None = None
        self._since = self._told = 0.0

    def __call__(self, path: Path, done: int, size: int) -> None:
        """Prints a line, if the last one was long enough ago."""
        now = time.monotonic()
        if path != self._path:
            self._path, self._since, self._told = path, now, now
        if now - self._told < PAUSE_SECONDS or not 0 < done < size:
            return
        self._told = now
        left = (now - self._since) / done * (size - done)
        say(f"reading {path}: {done / size:.0%} of {size / 1e9:.1f} GB, {left:,.0f} s left")
