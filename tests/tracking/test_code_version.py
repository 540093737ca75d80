"""Which code runs: told by git where the package lies in a working tree."""

from __future__ import annotations

import subprocess
from pathlib import Path

import torch

from pg_transfer.tracking.code_version import code_version, described


def git(folder: Path, *words: str) -> str:
    command = ["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@b.c", *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_commit_and_changes(tmp_path: Path) -> None:
    package = tmp_path / "src"
    package.mkdir()
    assert "commit" not in code_version(package)
    git(tmp_path, "init", "-q")
    (package / "a.py").write_text("a = 1\n")
    assert "commit" not in code_version(package)  # within the repository, but no part of it
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "a")
    clean = code_version(package)
    assert clean["commit"] == git(tmp_path, "rev-parse", "HEAD") and clean["dirty"] is False
    assert torch.__version__.startswith(clean["torch"])  # wheels of PyPI leave "+cu130" out of it
    (tmp_path / "b.py").touch()  # outside the package
    changed = code_version(package)
    assert changed["dirty"] is True
    assert described(changed).endswith(f"commit {clean['commit'][:10]}, with changes")
