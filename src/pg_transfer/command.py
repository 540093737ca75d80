"""All programs by one name: `pg-transfer train task=shapes`, `pg-transfer plan task=textvqa`."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Sequence
from typing import NamedTuple

from pg_transfer.project import CONF, ROOT


class Program(NamedTuple):
    """What a command starts.

    Attributes:
        name: a file of the project, or a module.
        does: in a line.
        has_settings: it takes those of `conf/`.
    """

    name: str
    does: str
    has_settings: bool = True


PROGRAMS = {
    "train": Program("train.py", "fine-tunes on a task and scores it"),
    "evaluate": Program("evaluate.py", "scores a run, a checkpoint or a file of answers"),
    "plan": Program("pg_transfer.plan", "memory, micro-batch and time of a run"),
    "check": Program("pg_transfer.check", "goes over a data set before it is trained on"),
    "sweep": Program("pg_transfer.sweep", "searches for the best settings"),
    "predict": Program("pg_transfer.predict", "answers prompts about images", False),
    "export": Program("pg_transfer.export", "writes a model into the files of others", False),
    "consolidate": Program(
        "pg_transfer.consolidate", "puts a sharded checkpoint in one file", False
    ),
}


def listed() -> str:
    """How to call the commands, and what each does."""
    width = max(map(len, PROGRAMS))
    lines = [f"  {name:<{width}}  {program.does}" for name, program in PROGRAMS.items()]
    return "\n".join(
        ["pg-transfer COMMAND ...", *lines, "pg-transfer COMMAND --help tells what it takes"]
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Starts the program that the first argument names, as if it had been started itself.

    Exits with 2 if there is none of that name, and with 1 if its settings are not there.
    """
    name, *rest = (sys.argv[1:] if arguments is None else arguments) or [""]
    if name in ("-h", "--help"):
        print(listed())
        return
    if name not in PROGRAMS:
        error = f"there is no command {name!r}" if name else "which command?"
        print(f"error: {error}\n{listed()}", file=sys.stderr)
        sys.exit(2)
    program = PROGRAMS[name]
    if program.has_settings and not (CONF.is_dir() and (ROOT / "train.py").is_file()):
        print(
            f"error: pg-transfer {name} needs conf/ and train.py, which are not in {ROOT}: install "
            "pg_transfer from a checkout of it, by `pip install -e .`",
            file=sys.stderr,
        )
        sys.exit(1)
    start(program, rest)


def start(program: Program, arguments: Sequence[str]) -> None:
    """Runs a program in this process, as `__main__`.

    Lightning starts the other processes of a run by `sys.argv` and what `__main__` is; both are
    those of the program.
    """
    if program.name.endswith(".py"):
        path = str(ROOT / program.name)
        sys.argv = [path, *arguments]
        sys.path.insert(0, str(ROOT))  # for tasks/, as Python does for a script
        runpy.run_path(path, run_name="__main__")
    else:
        sys.argv = [program.name, *arguments]
        runpy.run_module(program.name, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
