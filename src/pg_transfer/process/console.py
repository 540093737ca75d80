"""What a person sees on the terminal: tables, one clear line for an error, no noise."""

from __future__ import annotations

import atexit
import errno
import functools
import logging
import os
import re
import select
import shlex
import signal
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Any, NoReturn, TypeVar, cast

from hydra.core.hydra_config import HydraConfig
from hydra.errors import (
    CompactHydraException,
    InstantiationException,
    MissingConfigException,
    OverrideParseException,
)
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from rich.console import Console
from rich.table import Table

from pg_transfer.process.losses import LOST, is_loss
from pg_transfer.process.near_names import meant
from pg_transfer.process.processes import rank
from pg_transfer.process.secrecy import without_secrets
from pg_transfer.process.shortage import is_shortage
from pg_transfer.process.stopping import WARNING, Stopped, queue_again

T = TypeVar("T")

PIPE_CLOSED = 128 + signal.SIGPIPE
"""How a program ends whose reader has gone: by `| head`, which has seen enough."""


class Terminal(Console):
    """Rich's, but for how it ends when nobody reads it any more."""

    def on_broken_pipe(self) -> None:
        """Ends the program in silence."""
        reader_is_gone()
        sys.exit(PIPE_CLOSED)


def reader_is_gone() -> bool:
    """Whether nobody reads what is printed any more; what is left of it is then thrown away.

    Python itself would tell of it, with a traceback, as late as at its end.
    """
    try:
        poll, pipe = select.poll(), sys.stdout.fileno()
        poll.register(pipe, select.POLLERR)
        if not any(seen & select.POLLERR for _, seen in poll.poll(0)):
            return False
        os.dup2(os.open(os.devnull, os.O_WRONLY), pipe)
    except (AttributeError, ValueError, OSError):  # no file at all, or closed, or no such system
        return False
    return True


atexit.register(reader_is_gone)  # help and lists are printed in many places, and end the program

# Of several processes one speaks. What is printed holds file names and words of others: no markup.
CONSOLE = Terminal(quiet=rank() != 0, markup=False)

# What a user can mend by another file, setting or download. Everything else is a bug and keeps its
# traceback.
USER_ERRORS = (ValueError, FileNotFoundError, PermissionError, FloatingPointError, ImportError)

OURS = ("pg_transfer", "tasks")
"""An import of these that fails is a bug."""

TAKES_MORE = ("trainer.", "logger.", "task.")
"""Groups of settings of classes, which may take others than those that are named."""

# The same of what an operating system says.
REMEDIES = {
    errno.ENOSPC: "free some space, or choose another folder, and start again: what was saved last "
    "is whole",
    errno.EDQUOT: "free some of your share of the disk, or choose another folder, and start again: "
    "what was saved last is whole",
    errno.EFBIG: "allow larger files (ulimit -f), or choose another folder, and start again: what "
    "was saved last is whole",
    errno.EACCES: "let this user read and write there, or choose another folder",
    errno.EPERM: "let this user read and write there, or choose another folder",
    errno.EROFS: "choose a folder that can be written to",
    errno.ENOENT: "look at its spelling: a file that is read has to be there, and of one that is "
    "written the folder",
    errno.ENOTDIR: "a part of this path is a file, not a folder: choose another one",
    errno.EISDIR: "this is a folder, and a file is wanted",
    errno.EEXIST: "this exists already and is of another kind: choose another one",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ELOOP: "this is a link that leads to itself: mend it, or name the file",
    errno.EIO: "the disk, or the network that it is reached by, has failed: try again",
    errno.ENOTEMPTY: "there is something in this folder: choose another one",
    errno.EMFILE: "allow more open files (ulimit -n), or lower workers",
}

# What Hydra says of +group=file for a group that has its place among the defaults already.
_CHOSEN_TWICE = re.compile(r"Multiple values for (\S+?)\.|(\S+) appears more than once")

# What steers a terminal, and halves of letters, which no terminal takes: names of files have them.
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def reports_errors(main: Callable[..., T]) -> Callable[..., T]:
    """`main`, whose `USER_ERRORS` end the program with their message alone and exit code 1.

    With PG_TRACEBACK=1 in the environment they keep their traceback. Around Hydra's `main` it tells
    of a wrong command line, inside it of all else; but of a sweep's runs Hydra has to know which
    failed, and goes on with the others.
    """

    @functools.wraps(main)
    def guarded(*arguments: Any) -> T:
        os.environ.setdefault("HYDRA_FULL_ERROR", "1")  # else Hydra prints and exits by itself
        try:
            return main(*arguments)
        except KeyboardInterrupt:  # before anything listens: while libraries are imported
            if os.environ.get("PG_TRACEBACK"):
                raise
            if not rank():
                print("\nstopped by SIGINT", file=sys.stderr)
            sys.exit(128 + signal.SIGINT)
        except Exception as error:
            if isinstance(error, BrokenPipeError) and reader_is_gone():
                sys.exit(PIPE_CLOSED)
            message = user_message(error)
            is_in_sweep = HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN
            if message is None or is_in_sweep or os.environ.get("PG_TRACEBACK"):
                raise
            who = f"error in process {rank()}" if rank() else "error"
            print(f"\n{who}: {printable(message)}", file=sys.stderr)
            sys.exit(1)

    return guarded


def user_message(error: BaseException) -> str | None:
    """What to tell a user about `error`; None if it is no error of theirs."""
    if isinstance(error, InstantiationException):
        # Hydra's wrapping of what a constructor raised, or of what cannot be called like that.
        cause = error.__cause__
        if cause is None or (isinstance(cause, TypeError) and _is_raised_by_hydra(cause)):
            return f"the settings do not fit: {' '.join(str(error).splitlines())}"
        return user_message(cause)
    if isinstance(error, CompactHydraException):
        return _of_command_line(error)
    if isinstance(error, OmegaConfBaseException):
        first = str(error).splitlines()[0]
        told = first.removeprefix("ValueError raised while resolving interpolation: ")
        is_bare = told == first and error.full_key  # OmegaConf's words, without the setting
        return f"{error.full_key}: {told}" if is_bare else told
    if is_loss(error):
        return LOST
    if is_shortage(error):
        return (
            "out of memory: take a smaller number where one is large, such as the resolution, the "
            "batch or the length of texts"
        )
    if isinstance(error, OSError) and error.errno in REMEDIES:
        place = "" if error.filename is None else f"{error.filename}: "
        return f"{place}{error.strerror}; {REMEDIES[error.errno]}"
    if not isinstance(error, USER_ERRORS) or str(getattr(error, "name", "")).startswith(OURS):
        return None
    return str(error)


def _of_command_line(error: CompactHydraException) -> str:
    cause = error.__cause__
    parent = getattr(cause, "parent_node", None)
    if isinstance(cause, OmegaConfBaseException) and isinstance(parent, DictConfig):
        name, there = (
            str(cause.full_key),
            ", ".join(sorted(set(map(str, parent)) - {"hydra"})) or "none",
        )
        within = name.rpartition(".")[0]
        whole = cast(dict[str, Any], OmegaConf.to_container(parent._get_root()))
        guess, added = meant(name, whole), ""
        if name.startswith(TAKES_MORE) and not guess:
            added = f". One that a class takes besides is added by +{name}=..."
        place = f"in {within} " if within else ""
        return f"there is no setting {name}{guess}; {place}there are {there}{added}"
    if isinstance(error, OverrideParseException):
        if "=" not in error.override:
            return f"{error.override}: a setting is written name=value; --help lists what there is"
        return (
            f"{error.override} cannot be read: {str(error).splitlines()[0]}. Brackets, commas and "
            f"spaces need quotes, and the shell takes one pair away: 'splits.train=\"train[:9]\"'"
        )
    if isinstance(error, MissingConfigException) and error.options and error.missing_cfg_file:
        missing = str(error.missing_cfg_file)
        group, _, option = missing.rpartition("/")
        instead = ""
        if missing.startswith("model/"):  # names on the hub have a slash of their own
            group, _, option = missing.partition("/")
            instead = f", which may start from other weights: model.weights={option}"
        return f"there is no {group}={option}; it can be {', '.join(error.options)}{instead}"
    if twice := _CHOSEN_TWICE.search(str(error)):
        group = twice[1] or twice[2]
        return f"{group}= has its place already, and once is enough: {group}=..., without a +"
    if "No match in the defaults list" in str(error):
        name = str(error).partition(". No match")[0].rpartition(" ")[2].strip("'")
        return f"{name}= is nothing to choose here; --help lists what there is"
    return str(error).partition("Config search path:")[0].strip()


def _is_raised_by_hydra(error: BaseException) -> bool:
    """Whether a call failed before it began: by its arguments."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and str(trace.tb_frame.f_globals.get("__name__")).startswith("hydra.")


def printable(text: str) -> str:
    """The text without secrets, and without characters that would steer the terminal."""
    return _CONTROLS.sub(lambda match: ascii(match[0])[1:-1], without_secrets(text))


def quiet_libraries() -> None:
    """Silences notices that a user can do nothing about."""
    for name in ("lightning.pytorch", "lightning.fabric", "httpx"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # Tells which process has ended, before it ends the others.
    logging.getLogger("lightning.fabric.strategies.launchers").setLevel(logging.INFO)
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # warns of kernels for CPUs
    for message in (
        r".*does not have many workers.*",
        r".*This DataLoader will create \d+ worker processes.*",  # repeated at each evaluation
        r".*`isinstance\(treespec, LeafSpec\)` is deprecated.*",
        r".*exists and is not empty.*",
        r".*recommended to use `self.log\(.*sync_dist=True.*",  # all processes log the same
    ):
        warnings.filterwarnings("ignore", message=message)


def say(line: str) -> None:
    """Prints a line as it is: paths and commands stay whole, to be copied."""
    CONSOLE.print(printable(line), highlight=False, soft_wrap=True)


def end_stopped(stopped: Stopped, command: Sequence[str]) -> NoReturn:
    """Ends a program that was asked to stop, and says how to go on; a warned job is queued again.

    Args:
        stopped: why.
        command: to go on with.
    """
    say(f"\n{stopped}; to go on: {shlex.join(command)}")
    is_first = not CONSOLE.quiet and os.environ.get("SLURM_PROCID", "0") == "0"
    if stopped.signal == WARNING and is_first:
        say(queue_again(sys.argv[1:]))
    sys.exit(stopped.code)


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
