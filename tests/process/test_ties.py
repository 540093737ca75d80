"""Processes that srun has started end when one of them does, and tell of it once."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from pg_transfer.process.losses import LOST

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.slow

# One of several processes, which does what it is told to before they meet, and after.
PROCESS = """
import os, socket, sys, time
from pg_transfer.process import ties
from pg_transfer.process.console import reports_errors
from pg_transfer.process.ties import Place, hold, meet_tied

ties.GRACE, ties.PATIENCE, ties.LINGER = 0.3, 5.0, 10.0
port, count, before, after = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
number = int(os.environ["RANK"])

def do(what):
    name, _, told = what.partition(":")
    if name == "fail":
        raise ValueError(told)
    if name == "sleep":
        time.sleep(float(told))
    if name == "die":
        os._exit(9)

@reports_errors
def main():
    if before == "late":
        time.sleep(1)
    held = hold(Place("localhost", port, number, count, run="test"))
    do(before)
    meet_tied()
    if number == 0:  # as torch does
        socket.create_server(("", port)).close()
    print("met", flush=True)
    do(after)
    held.part()

main()
"""


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("localhost", 0))
        return free.getsockname()[1]


def together(*done: tuple[str, str], port: int | None = None) -> list[tuple[int, str, str]]:
    """How each process has ended and what it said, by what it was told to do before and after."""
    place, started = str(port or free_port()), []
    for number, (before, after) in enumerate(done):
        command = [sys.executable, "-c", PROCESS, place, str(len(done)), before, after]
        named = {"RANK": str(number), "PYTHONPATH": str(ROOT / "src")}
        started.append(
            subprocess.Popen(
                command, env=os.environ | named, text=True,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            )
        )  # fmt: skip
    said = [one.communicate(timeout=20) for one in started]
    return [(one.returncode, *words) for one, words in zip(started, said, strict=True)]


NOTHING = "", ""


def test_all_meet_and_part_and_the_port_is_free_for_torch() -> None:
    ended = together(NOTHING, ("late", ""), ("", "sleep:0.5"))  # each ends when it is done
    assert ended == [(0, "met\n", "")] * 3


@pytest.mark.parametrize("rank", [0, 1, 2])
def test_one_that_is_refused_ends_all_before_they_meet(rank: int) -> None:
    others = [("sleep:9", ""), NOTHING, ("late", "")]  # busy, waiting, not there yet
    others[rank] = "fail:no data here", ""
    ended = together(*others)
    assert [code for code, *_ in ended] == [1, 1, 1] and not any(said for _, said, _ in ended)
    who = f"error in process {rank}" if rank else "error"
    wanted = f"{who}: no data here"
    told = [line for *_, complaints in ended for line in complaints.splitlines() if line]
    assert [line for line in told if line != f"error: {LOST}"] == [wanted]
    assert (f"error: {LOST}" in told) == (rank > 0)


def test_one_that_is_killed_ends_all_after_they_met() -> None:
    """Also those that hear nothing of it by their library."""
    ended = together(("", "sleep:9"), ("", "sleep:9"), ("", "die"))
    assert [code for code, *_ in ended] == [1, 1, 9]
    assert [complaints.strip() for *_, complaints in ended] == [f"error: {LOST}", "", ""]


def test_what_is_wrong_with_all_is_told_once() -> None:
    ended = together(*[("", "fail:wrong for all")] * 4)
    assert [complaints.strip() for *_, complaints in ended] == ["error: wrong for all", "", "", ""]
    ended = together(("", "sleep:9"), *[("", "fail:wrong on this node")] * 2)
    assert [complaints.strip() for *_, complaints in ended] == [
        f"error: {LOST}", "error in process 1: wrong on this node", "",
    ]  # fmt: skip


def test_a_process_that_never_comes_is_missed() -> None:
    port = free_port()
    for rank, missing in ((0, "1 of the processes"), (1, "process 0")):
        code = f"import os; os.environ['RANK'] = '{rank}'\n{PROCESS}"
        done = subprocess.run(
            [sys.executable, "-c", code, str(port), "2", "", ""], capture_output=True, text=True,
            env=os.environ | {"PYTHONPATH": str(ROOT / "src")}, timeout=20, check=False,
        )  # fmt: skip
        assert done.returncode == 1
        wanted = f"{missing} of this run did not come to localhost port {port} within 5 seconds"
        assert wanted in done.stderr


def test_a_port_that_is_taken_is_told() -> None:
    with socket.create_server(("", 0)) as taken:
        (first,) = together(NOTHING, port=taken.getsockname()[1])
    assert first[0] == 1 and "choose another one by MASTER_PORT" in first[2]


def test_a_stranger_is_none_of_the_processes() -> None:
    port = free_port()

    def knock() -> None:
        while True:
            with suppress(OSError), socket.create_connection(("localhost", port)) as stranger:
                stranger.sendall(b"GET / HTTP/1.1")
                return

    visit = threading.Thread(target=knock)
    visit.start()
    ended = together(NOTHING, ("late", ""), port=port)
    visit.join()
    assert ended == [(0, "met\n", "")] * 2


def test_a_process_that_waits_can_be_stopped() -> None:
    code = f"import os; os.environ['RANK'] = '1'\n{PROCESS}"
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(free_port()), "2", "", ""],
        env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
    )
    time.sleep(0.5)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=5) == -signal.SIGTERM
