"""A sharded checkpoint in one file: `python -m pg_transfer.consolidate RUN/checkpoints/last.ckpt`.

This project reads either; a file can be opened with torch alone, and carried about.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from pg_transfer.process.console import quiet_libraries, reports_errors, say
from pg_transfer.training.shards import read_whole
from pg_transfer.training.weights import write_file


def consolidate(folder: Path, file: Path) -> None:
    """Writes what is in the pieces of a checkpoint to one file, by way of memory.

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: it is a damaged one, or `file` is there already.
    """
    if not folder.exists():
        raise FileNotFoundError(f"no checkpoint {folder}")
    if not folder.is_dir():
        say(f"{folder} is one file already")
        return
    if file.exists():
        raise ValueError(f"{file} is there already; choose another name with --to")
    write_file(read_whole(folder), file)
    say(f"written: {file}, {file.stat().st_size / 1e9:.2f} GB")


def parser() -> argparse.ArgumentParser:
    """What the command line takes."""
    parser = argparse.ArgumentParser(
        prog="python -m pg_transfer.consolidate", description="Puts a sharded checkpoint together."
    )
    parser.add_argument("folder", type=Path, help="checkpoints/last.ckpt of a run")
    parser.add_argument("--to", type=Path, metavar="FILE", help="whole.ckpt beside it unless given")
    return parser


@reports_errors
def main(options: argparse.Namespace) -> None:
    """Does what the command line asks for."""
    quiet_libraries()
    consolidate(options.folder, options.to or options.folder.with_name("whole.ckpt"))


if __name__ == "__main__":
    main(parser().parse_args())
