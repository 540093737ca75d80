"""What a person sees on the terminal: tables, one clear line for an error, no noise."""

from __future__ import annotations

import functools
import logging
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from hydra.errors import InstantiationException
from omegaconf.errors import OmegaConfBaseException
from rich.console import Console
from rich.table import Table

# Of several processes one speaks.
CONSOLE = Console(quiet=os.environ.get("LOCAL_RANK", "0") != "0")

# What a user can mend by another file, setting or download. Everything else is a bug and keeps its
# traceback.
USER_ERRORS = (ValueError, FileNotFoundError, PermissionError, FloatingPointError, ImportError)


def reports_errors(main: Callable[..., None]) -> Callable[..., None]:
    """`main`, whose `USER_ERRORS` end the program with their message alone and exit code 1.

    With PG_TRACEBACK=1 in the environment they keep their traceback.
    """

    @functools.wraps(main)
    def guarded(config: Any) -> None:
        try:
            main(config)
        except Exception as error:
            message = user_message(error)
            if message is None or os.environ.get("PG_TRACEBACK"):
                raise
            print(f"\nerror: {message}", file=sys.stderr)
            sys.exit(1)

    return guarded


def user_message(error: BaseException) -> str | None:
    """What to tell a user about `error`; None if it is no error of theirs."""
    if isinstance(error, InstantiationException):
        # Hydra's wrapping of what a constructor raised.
        return user_message(error.__cause__) if error.__cause__ else str(error)
    if isinstance(error, OmegaConfBaseException):
        first = str(error).splitlines()[0]
        return first.removeprefix("ValueError raised while resolving interpolation: ")
    return str(error) if isinstance(error, USER_ERRORS) else None


def quiet_libraries() -> None:
    """Silences notices that a user can do nothing about."""
    for name in ("lightning.pytorch", "lightning.fabric", "httpx"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for message in (
        r".*does not have many workers.*",
        r".*`isinstance\(treespec, LeafSpec\)` is deprecated.*",
        r".*exists and is not empty.*",
    ):
        warnings.filterwarnings("ignore", message=message)


def say(line: str) -> None:
    """Prints a line as it is: paths and commands stay whole, to be copied."""
    CONSOLE.print(line, markup=False, highlight=False, soft_wrap=True)


def score_table(title: str, cells: Sequence[Sequence[str]]) -> Table:
    """A header and rows of names and numbers."""
    header, *rows = cells
    table = Table(title=title, title_justify="left", title_style="bold")
    for place, name in enumerate(header):
        table.add_column(name, justify="right" if place else "left")
    for row in rows:
        table.add_row(*row)
    return table


def facts_table(title: str, facts: Sequence[tuple[str, str]]) -> Table:
    """Names and what they are."""
    table = Table(title=title, title_justify="left", title_style="bold", show_header=False)
    for name, value in facts:
        table.add_row(name, value)
    return table
