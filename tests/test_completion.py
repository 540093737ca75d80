"""The shell completes settings, by Hydra's own means."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("task=", {f"task={path.stem}" for path in (ROOT / "conf/task").glob("*.yaml")}),
        ("task=sh", {"task=shapes"}),
        ("recipe.l", {"recipe.lr="}),
    ],
)
def test_a_shell_completes_what_can_be_set(typed: str, completed: set[str]) -> None:
    # Asked as the function asks that `eval "$(python train.py -sc install=bash)"` defines.
    line = f"python train.py {typed}"
    done = subprocess.run(
        [sys.executable, "train.py", "-sc", "query=bash"],
        env={**os.environ, "COMP_LINE": line, "COMP_POINT": str(len(line))},
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert completed <= set(done.stdout.split())
    assert all(one.startswith(typed) for one in done.stdout.split()), done.stdout


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("bash") is None, reason="needs Bash")
def test_bash_completes_as_documented() -> None:
    page = (ROOT / "docs/command_line.md").read_text(encoding="utf-8")
    documented = next(line for line in page.splitlines() if line.startswith("eval "))
    typed = """
        COMP_WORDS=(python train.py task=sh) COMP_CWORD=2 COMP_LINE="python train.py task=sh"
        COMP_POINT=${#COMP_LINE}
    """
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", f'{typed}\n{documented}\n'
         'hydra_bash_completion; echo "${COMPREPLY[@]}"; complete -p python'],
        env={**os.environ, "PATH": path},
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout.splitlines()[0] == "task=shapes", done
    assert "hydra_bash_completion" in done.stdout
