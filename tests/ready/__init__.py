"""A Python that has imported already what takes programs seconds, for tests that start many."""

from __future__ import annotations

import atexit
import os
import subprocess
import sys
import tempfile
import time
from functools import cache
from pathlib import Path

TESTS = Path(__file__).parents[1]


@cache
def python() -> str:
    """An executable that takes the place of `sys.executable`, until this process ends.

    It can be told to stop, and be killed, also with its process group, which has to be of this
    session. Where the system is not Linux, whose signals it takes, it is `sys.executable` itself.
    """
    if sys.platform != "linux":
        return sys.executable
    folder = tempfile.TemporaryDirectory()
    found, link = Path(folder.name, "python"), Path(folder.name, "link")
    code = (TESTS / "ready/python.py").read_text()
    found.write_text(f"#!{sys.executable} -SE\n{code}\n\nmain({str(link)!r})\n")
    found.chmod(0o755)
    paths = os.pathsep.join([str(TESTS.parent / "src"), str(TESTS.parent)])
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.ready.server", str(link)], cwd=TESTS.parent,
        env=os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}, stdin=subprocess.PIPE,
    )  # fmt: skip

    def end() -> None:
        server.communicate()
        folder.cleanup()

    atexit.register(end)
    while not link.exists():
        assert server.poll() is None
        time.sleep(0.01)
    return str(found)
