"""Asks the server for a process, stands for it, and ends as it does.

Who sends it a signal sends it to that process, and who kills it kills that process as well. It is
started in place of a Python, with its arguments, so that it imports next to nothing.
"""

import json
import os
import signal
import socket
import sys
from contextlib import suppress

HEARD = ("SIGTERM", "SIGINT", "SIGUSR1", "SIGUSR2", "SIGHUP")


def number(link):
    """The next of the server's."""
    found = link.recv(8, socket.MSG_WAITALL)
    if not found:
        sys.exit("the server has gone")
    return int.from_bytes(found, "big")


def passed_on(process, asked):
    """The signal, unless it comes too late."""
    with suppress(ProcessLookupError):
        os.kill(process, asked)


def main(server):
    link = socket.socket(socket.AF_UNIX)
    link.connect(server)
    lives, _held = os.pipe()  # open as long as this process lives
    request = json.dumps(
        {
            "python": sys.argv[0], "words": sys.argv[1:], "folder": os.getcwd(),  # noqa: PTH109
            "environment": dict(os.environ), "group": os.getpgrp(),
        }
    ).encode()  # fmt: skip
    socket.send_fds(link, [len(request).to_bytes(8, "big")], [0, 1, 2, lives])
    os.close(lives)
    link.sendall(request)
    process = number(link)
    for name in HEARD:
        signal.signal(getattr(signal, name), lambda asked, _: passed_on(process, asked))
    code = os.waitstatus_to_exitcode(number(link))
    if code < 0:
        if -code != signal.SIGKILL:
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)
