"""Forks processes for `tests.ready.python`: `-m tests.ready.server SOCKET`, which ends as its input
or its parent does.

What they do is what a new Python does, but for modules of others that are imported already:
environment variables that these read as they are imported have no effect.
"""

from __future__ import annotations

import fcntl
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import sys
from contextlib import suppress
from functools import cache
from importlib.machinery import SourceFileLoader
from pathlib import Path

import torch
from lightning.fabric.utilities import rank_zero

compiled = cache(SourceFileLoader.source_to_code)
"""Once for all processes, also where no bytecode is written (PYTHONDONTWRITEBYTECODE)."""


def main() -> None:
    torch.set_num_threads(1)
    SourceFileLoader.source_to_code = lambda _, *source, **how: compiled(None, *source, **how)
    for program in ("evaluation", "transfer"):
        importlib.import_module(f"pg_transfer.running.{program}")
    for name in [one for one in sys.modules if one.partition(".")[0] in ("pg_transfer", "tasks")]:
        del sys.modules[name]
    gc.freeze()  # so that no process copies all of it to look what it can do without
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(f"{sys.argv[1]}.new")
    listener.listen(64)
    os.replace(f"{sys.argv[1]}.new", sys.argv[1])  # noqa: PTH105
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those who wait
    parent = os.getppid()
    while os.getppid() == parent:
        ready = select.select([listener, 0], [], [], 5)[0]
        if 0 in ready:
            return
        if not ready:
            continue
        link, _ = listener.accept()
        if not os.fork():
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            listener.close()
            run(become(link))  # and ends as a Python does
            return
        link.close()


def become(link: socket.socket) -> list[str]:
    """In a new process, its words; in this one, waits for that and tells how it ended."""
    length, descriptors, _, _ = socket.recv_fds(link, 8, 4)
    asked = json.loads(link.recv(int.from_bytes(length, "big"), socket.MSG_WAITALL))
    process = os.fork()
    if process:
        link.sendall(process.to_bytes(8, "big"))
        for descriptor in descriptors:
            os.close(descriptor)
        _, status = os.waitpid(process, 0)
        with suppress(BrokenPipeError):  # nobody wants to know, if it was killed as well
            link.sendall(status.to_bytes(8, "big"))
        os._exit(0)
    link.close()
    try:
        os.setpgid(0, asked["group"])
    except PermissionError:  # that is of a new session, as this one will be
        os.setsid()
    *streams, lives = descriptors
    for place, descriptor in enumerate(streams):
        os.dup2(descriptor, place)
        os.close(descriptor)
    fcntl.fcntl(lives, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(lives, fcntl.F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(lives, fcntl.F_SETFL, fcntl.fcntl(lives, fcntl.F_GETFL) | os.O_ASYNC)
    if select.select([lives], [], [], 0)[0]:  # it was killed meanwhile
        os._exit(1)
    sys.executable = asked["python"]
    os.chdir(asked["folder"])
    os.environ.clear()
    os.environ.update(asked["environment"])
    return asked["words"]


def run(words: list[str]) -> None:
    """What a Python does with these arguments."""
    rank_zero.rank_zero_only.rank = rank_zero._get_rank() or 0  # was looked up in importing it
    if words[0] == "-u":
        words = words[1:]
    added = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    if words[0] == "-m":
        sys.argv, sys.path[:1] = words[1:], [str(Path.cwd()), *added]
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
    elif words[0] == "-c":
        sys.argv, sys.path[:1] = ["-c", *words[2:]], ["", *added]
        exec(compile(words[1], "<string>", "exec"), {"__name__": "__main__"})
    else:
        sys.argv, sys.path[:1] = words, [str(Path(words[0]).resolve().parent), *added]
        runpy.run_path(words[0], run_name="__main__")


if __name__ == "__main__":
    main()
