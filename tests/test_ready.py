"""Processes of `tests.ready` are started, told to stop and killed as any other."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests import ready

TELLING = """
import os, sys
print(sys.argv, os.getcwd(), os.environ["ASKED"], __name__, flush=True)
print("so", file=sys.stderr)
sys.exit(int(sys.argv[1]))
"""
WAITING = """
import subprocess, sys, time
print("waits", flush=True)
if sys.argv[1] == "2":
    subprocess.run([sys.executable, "waiting.py", "1"])
time.sleep(60)
"""


@pytest.mark.slow
def test_a_program_does_what_it_does_in_another_python(tmp_path: Path) -> None:
    (tmp_path / "telling.py").write_text(TELLING)
    for code in (0, 3):
        new, other = (
            subprocess.run(
                [python, "telling.py", str(code)], cwd=tmp_path, env=os.environ | {"ASKED": "yes"},
                capture_output=True, text=True,
            )
            for python in (ready.python(), sys.executable)
        )  # fmt: skip
        assert new.stdout and (new.returncode, new.stdout, new.stderr) == (
            code, other.stdout, other.stderr,
        )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("asked", [signal.SIGTERM, signal.SIGKILL])
def test_it_is_ended_by_a_signal(asked: signal.Signals, tmp_path: Path) -> None:
    (tmp_path / "waiting.py").write_text(WAITING)
    for end in (os.kill, os.killpg):
        process = subprocess.Popen(
            [ready.python(), "waiting.py", "2"], cwd=tmp_path, process_group=0,
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert process.stdout is not None
        assert [process.stdout.readline() for _ in range(2)] == ["waits\n"] * 2
        end(process.pid, asked)
        assert process.wait(10) == -asked
        if end is os.killpg:  # without a process left that could write
            assert process.communicate(timeout=10) == ("", None)
        else:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
