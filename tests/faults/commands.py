"""The programs, called as a user calls them, but in this process: a new one takes seconds."""

from __future__ import annotations

import io
import os
import runpy
import sys
import warnings
from collections.abc import Sequence
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

from hydra.core.global_hydra import GlobalHydra

ROOT = Path(__file__).parents[2]


class Ended(NamedTuple):
    """How a program ended: its exit code, and what it printed."""

    code: int
    out: str
    error: str

    @property
    def message(self) -> str:
        """The error that a user sees."""
        return self.error.partition("error: ")[2].strip()


def call(program: str, arguments: Sequence[str], folder: Path) -> Ended:
    """Runs a script of the project (`train.py`) or a module of it (`-m pg_transfer.check`)."""
    out, error = io.StringIO(), io.StringIO()
    code = 0
    with (
        chdir(folder),
        patch.object(sys, "argv", [program, *arguments]),
        redirect_stdout(out),
        redirect_stderr(error),
    ):
        GlobalHydra.instance().clear()
        try:
            if program.startswith("-m "):
                with warnings.catch_warnings():  # it is imported already, by an earlier test
                    warnings.simplefilter("ignore", RuntimeWarning)
                    runpy.run_module(program.removeprefix("-m "), run_name="__main__")
            else:
                runpy.run_path(str(ROOT / program), run_name="__main__")
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 1
    return Ended(code, out.getvalue(), error.getvalue())


def output_of(program: str, *words: str, folder: Path) -> str:
    """What a program prints that comes to a good end, on a terminal of 120 columns."""
    with patch.dict(os.environ, COLUMNS="120"):
        ended = call(program, words, folder)
    assert ended.code == 0, ended.error
    return ended.out
