"""How processes that `srun` has started hear of one another's end.

Nobody watches over them as torchrun and Lightning do over theirs, unless srun was told
`--kill-on-bad-exit`: where one is refused or killed, the others wait for it, before they have met
for half an hour. So each has a connection to the first for as long as it lives. The operating
system closes it, however a process ends; who ends well says so before.
"""

from __future__ import annotations

import atexit
import os
import selectors
import socket
import sys
import threading
import time
from contextlib import suppress
from typing import NamedTuple

from pg_transfer.process.losses import LOST, OthersLost
from pg_transfer.process.processes import rank

GRACE = 10.0
"""Seconds in which a process that has lost another may find out, and end, by itself."""
PATIENCE = 300.0
"""Seconds that a process waits for the others to be there at all."""
TURN = 0.5
"""Seconds that each process leaves to the one before it to tell what is wrong with both."""
LINGER = 30.0
"""Seconds for which the first of them, once it has failed, is there for those who come later."""

READY, GO, BYE = b"r", b"g", b"b"
_PAUSE = 0.1


class Place(NamedTuple):
    """Where a process is among those of its run.

    Attributes:
        host: of the first process.
        port: at which the processes meet, until they have.
        rank: of this one.
        processes: how many there are.
        run: tells this run's processes from those of others.
    """

    host: str
    port: int
    rank: int
    processes: int
    run: str


class Ties:
    """This process's connections: to the first one, or of the first to all others.

    Attributes:
        lost: set once another process has ended without a farewell.
        is_met: all have come and were ready.
    """

    def __init__(self, place: Place) -> None:
        self.place = place
        self.lost = threading.Event()
        self.is_met = False
        self._go, self._all_here = threading.Event(), threading.Event()
        self._is_over = False
        self._others: dict[socket.socket, bool] = {}
        """Whether each is ready."""
        self._is_ready = False
        self._changes = threading.Lock()
        self._listener = self._listen() if place.rank == 0 else None
        watch = self._watch_others if place.rank == 0 else self._watch_first
        threading.Thread(target=watch, daemon=True).start()
        atexit.register(self._leave)

    def meet(self) -> None:
        """Waits until all processes are ready to meet, and the port is free for that.

        Raises:
            OthersLost: one has ended.
            ValueError: one has not come.
        """
        if self.is_met:
            return
        latest = time.monotonic() + PATIENCE
        with self._changes:
            self._is_ready = True
            self._tell_ready()
        while not self._go.wait(_PAUSE):
            if self.lost.is_set():
                raise OthersLost(LOST)
            if time.monotonic() > latest and not self._all_here.is_set():
                raise ValueError(
                    f"{self._missing()} of this run did not come to {self.place.host} port "
                    f"{self.place.port} within {PATIENCE:.0f} seconds: look for its error, and "
                    f"whether nodes reach each other there (MASTER_ADDR, MASTER_PORT)"
                )
        self.is_met = True

    def part(self) -> None:
        """Says that this process is done, and needs the others no more."""
        with self._changes:
            self._is_over = True
            self._send(BYE)

    def _missing(self) -> str:
        if self.place.rank:
            return "process 0"
        return f"{self.place.processes - 1 - len(self._others)} of the processes"

    def _leave(self) -> None:
        """At the end of this process: of one that has failed, those who come late hear of it."""
        is_failure, self._is_over = not self._is_over, True
        if is_failure and self._listener is not None:
            self._all_here.wait(LINGER)

    # The first process.

    def _listen(self) -> socket.socket:
        is_dual = socket.has_dualstack_ipv6()
        family = socket.AF_INET6 if is_dual else socket.AF_INET
        try:
            return socket.create_server(
                ("", self.place.port), family=family, dualstack_ipv6=is_dual,
                backlog=self.place.processes,
            )  # fmt: skip
        except OSError as error:
            raise ValueError(
                f"the port at which the processes of this run are to meet, {self.place.port}, is "
                f"taken on {socket.gethostname()}: choose another one by MASTER_PORT in the "
                f"environment of all of them"
            ) from error

    def _watch_others(self) -> None:
        """Takes in who comes, until all are there; then whatever they say."""
        assert self._listener is not None
        with selectors.DefaultSelector() as waiting:
            waiting.register(self._listener, selectors.EVENT_READ)
            while waiting.get_map():
                for key, _ in waiting.select():
                    if key.fileobj is not self._listener:
                        self._hear(key.fileobj, waiting)  # type: ignore[arg-type]
                        continue
                    if other := self._welcomed(self._listener):
                        waiting.register(other, selectors.EVENT_READ)
                    if len(self._others) == self.place.processes - 1:
                        waiting.unregister(self._listener)
                        self._listener.close()  # the group meets at this port
                        self._all_here.set()

    def _welcomed(self, listener: socket.socket) -> socket.socket | None:
        """Whoever has come, if that is a process of this run."""
        other, _ = listener.accept()
        kept_alive(other)
        wanted = self.place.run.encode()
        other.settimeout(_PAUSE * 10)
        with suppress(OSError):
            if other.recv(len(wanted), socket.MSG_WAITALL) == wanted:
                other.sendall(wanted)
                other.settimeout(None)
                self._others[other] = False
                if self.lost.is_set():  # which it is to hear as well
                    other.shutdown(socket.SHUT_RDWR)
                return other
        other.close()
        return None

    def _hear(self, other: socket.socket, waiting: selectors.BaseSelector) -> None:
        said = _word_of(other)
        if said == READY:
            with self._changes:
                self._others[other] = True
                self._tell_ready()
            return
        waiting.unregister(other)
        if said != BYE and not self._is_over:
            self._lose()

    def _tell_ready(self) -> None:
        if self.place.rank:
            if self._others:
                self._send(READY)
        elif self._is_ready and self._all_here.is_set() and all(self._others.values()):
            self._go.set()
            self._send(GO)

    def _send(self, word: bytes) -> None:
        for other in self._others:
            with suppress(OSError):  # who has gone is noticed where it is listened to
                other.sendall(word)

    # Every other process.

    def _watch_first(self) -> None:
        """Comes to the first process, and hears what it says."""
        while (first := self._reached()) is None:
            time.sleep(_PAUSE)
        with self._changes:
            self._others[first] = True
            self._all_here.set()
            if self._is_ready:
                self._tell_ready()
        while (said := _word_of(first)) == GO:
            self._go.set()
        if said != BYE and not self._is_over:
            self._lose()

    def _reached(self) -> socket.socket | None:
        """The first process, if it is there already."""
        wanted = self.place.run.encode()
        with suppress(OSError):
            first = socket.create_connection((self.place.host, self.place.port), PATIENCE)
            kept_alive(first)
            with suppress(OSError):
                first.sendall(wanted)
                if first.recv(len(wanted), socket.MSG_WAITALL) == wanted:
                    first.settimeout(None)
                    return first
            first.close()
        return None

    def fail(self) -> None:
        """Has the others know, before this process has ended."""
        self.lost.set()
        for other in list(self._others):
            with suppress(OSError):
                other.shutdown(socket.SHUT_RDWR)

    def _lose(self) -> None:
        """Tells the others, and ends this process if it does not come to its end by itself."""
        if self.lost.is_set():
            return
        self.fail()
        last_resort = threading.Timer(GRACE, self._end)
        last_resort.daemon = True
        last_resort.start()

    def _end(self) -> None:
        if self._is_over:
            return
        if self._listener is not None:
            self._all_here.wait(LINGER)
        if self.place.rank == 0:
            print(f"\nerror: {LOST}", file=sys.stderr)
        sys.stderr.flush()
        os._exit(1)


_held: list[Ties] = []
"""This process's, once it has some."""


def hold(place: Place) -> Ties:
    """The ties of this process, from now until its end."""
    if not _held:
        _held.append(Ties(place))
    return _held[0]


def meet_tied() -> None:
    """Waits until all to whom this process has ties are ready to meet; see `Ties.meet`."""
    if _held:
        _held[0].meet()


def has_turn() -> bool:
    """Whether it is left to this process to tell why it fails: those before it have their turns.

    What is wrong is wrong for many as a rule, and is to be told once. With one that has told it all
    others end: by these ties, by torchrun or by Lightning.
    """
    number = rank()
    until = time.monotonic() + (min(1 + number * TURN, 5) if number else 0)
    while time.monotonic() < until:
        if _held and _held[0].lost.is_set():
            return False
        time.sleep(_PAUSE)
    if _held:
        _held[0].fail()
    return True


def _word_of(other: socket.socket) -> bytes:
    """The next that it says; nothing once it is gone."""
    try:
        return other.recv(1)
    except OSError:
        return b""


def kept_alive(other: socket.socket) -> None:
    """Has the system find out, within ten minutes or so, that the other machine is gone."""
    other.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 30), ("TCP_KEEPCNT", 20)):
        if hasattr(socket, name):  # of Linux
            other.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
