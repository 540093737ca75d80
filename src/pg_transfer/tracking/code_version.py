"""Which code a run is made by."""

from __future__ import annotations

import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
LIBRARIES = ("torch", "lightning")


def code_version(folder: Path = HERE) -> dict[str, Any]:
    """The version of the package, its commit, whether files differ from that, and libraries.

    Args:
        folder: within the working tree to look at; where it is none, as of an installed package,
            there is no `commit`.
    """
    found: dict[str, Any] = {name: _version(name) for name in ("pg_transfer", *LIBRARIES)}
    commit = _git(folder, "rev-parse", "HEAD")
    # An installed package may lie within somebody else's repository, in an ignored folder.
    if commit and _git(folder, "ls-files", "."):
        found["commit"] = commit
        found["dirty"] = bool(_git(folder, "status", "--porcelain", ":/"))
    return found


def described(code: dict[str, Any]) -> str:
    """The same for people, without the libraries."""
    changes = ", with changes" if code.get("dirty") else ""
    commit = f", commit {code['commit'][:10]}{changes}" if "commit" in code else ""
    return f"pg_transfer {code['pg_transfer']}{commit}"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:  # run from its source, without being installed
        return "unknown"


def _git(folder: Path, *words: str) -> str:
    """What git says; nothing where there is no git or no repository."""
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *words], capture_output=True, text=True, timeout=10
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
