"""A process for each trial: started, listened to, stopped, and never two in one folder."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, NamedTuple, Protocol

from pg_transfer.process.console import printable
from pg_transfer.process.locking import has_locked
from pg_transfer.reporting.scores_file import Score, read_scores
from pg_transfer.sweeping.trials import OUTPUT, Trial

LOCK = ".lock"
PAUSE_S = 0.3
PATIENCE_S = 300.0
"""For a process that was asked to stop, which saves a checkpoint first; then it is ended."""

REPORT = "report.json"
"""What a run writes at its very end."""

STOPPED = {130, 143, -signal.SIGINT, -signal.SIGTERM}
"""Exit codes of a run that was told to stop, by whom ever: it can go on later."""


class Work(NamedTuple):
    """A trial and the command that runs it."""

    trial: Trial
    command: Sequence[str]


class Foreman(Protocol):
    """Hands out trials and is told how they do."""

    def next(self) -> Work | None:
        """What to start now; None if there is nothing more, or nothing yet."""

    def heard(self, trial: Trial, scores: Sequence[Score]) -> str:
        """Takes a trial's new scores; why it is to be given up, empty if it is not."""
        ...

    def ended(self, trial: Trial) -> None:
        """Takes a trial that has ended, saved already."""


class Stopped(BaseException):
    """The sweep was told to stop by a signal; its trials have been, too."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number

    @property
    def exit_code(self) -> int:
        """As shells count: 130 for Ctrl-C."""
        return 128 + self.number


class Child:
    """The process of one trial, in a group of its own that signals reach as a whole.

    Args:
        work: what to run.
        place: of the environment, e.g. the GPU that it may use.

    Raises:
        ValueError: another process is at work in the folder, e.g. of a sweep that was killed.
    """

    def __init__(self, work: Work, place: Mapping[str, str]) -> None:
        self.trial, self.place = work.trial, place
        self.given_up = ""
        self._deadline: float | None = None
        self._heard = len(read_scores(self.trial.folder))
        self.trial.folder.mkdir(parents=True, exist_ok=True)
        # The child inherits the lock: it holds as long as the child lives, whatever becomes of us.
        with lock(self.trial.folder, "its trial") as held, self._output.open("ab") as output:
            self.trial.save()
            self.process = subprocess.Popen(
                work.command,
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                env=os.environ | place, start_new_session=True, pass_fds=(held.fileno(),),
            )  # fmt: skip

    @property
    def _output(self) -> Path:
        return self.trial.folder / OUTPUT

    def new_scores(self) -> list[Score]:
        """Those that have come since the last time."""
        scores = read_scores(self.trial.folder)
        new, self._heard = scores[self._heard :], len(scores)
        return new

    def stop(self, number: int) -> None:
        """Asks the process to stop; if it does not within `PATIENCE_S`, `poll` ends it."""
        if self._deadline is None:
            self._deadline = time.monotonic() + PATIENCE_S
            self._send(number)

    def poll(self) -> int | None:
        """Its exit code, None while it runs."""
        code = self.process.poll()
        if code is None and self._deadline is not None and time.monotonic() > self._deadline:
            self._send(signal.SIGKILL)
        return code

    def outcome(self, code: int) -> Trial:
        """The trial with how it ended."""
        if self.given_up:
            return self.trial.ended("pruned", self.given_up)
        if code in STOPPED or self._deadline is not None:
            return self.trial
        if code == 0:  # also that of a run that was told to stop by others, which leaves no report
            is_whole = (self.trial.folder / REPORT).is_file() and read_scores(self.trial.folder)
            return self.trial.ended("finished") if is_whole else self.trial
        return self.trial.ended("failed", error_in(self._output, code))

    def _send(self, number: int) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)


def error_in(output: Path, code: int) -> str:
    """What a failed run said last: the error that is a user's to read, or a bug's last line."""
    text = output.read_text(encoding="utf-8", errors="replace") if output.is_file() else ""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    told = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    if told:
        return printable(told[-1])
    if code < 0:
        return f"it was ended by the system ({signal.Signals(-code).name}); out of memory?"
    return f"{printable(lines[-1]) if lines else 'it said nothing'} (exit code {code})"


@contextmanager
def lock(folder: Path, what: str) -> Iterator[IO[str]]:
    """Holds the folder for this process and those that it hands the file to.

    Raises:
        ValueError: it is held already.
    """
    with (folder / LOCK).open("a+", encoding="utf-8") as file:
        if not has_locked(file, with_children=True):
            raise ValueError(
                f"{folder}: {what} is still at work, perhaps left over from a sweep that was "
                f"killed (fuser {folder / LOCK} tells the process). Wait for it, or end it, and "
                f"start again"
            )
        yield file


def run_trials(foreman: Foreman, places: Sequence[Mapping[str, str]]) -> None:
    """Runs what `foreman` hands out, as many at a time as there are places.

    Raises:
        Stopped: by Ctrl-C or SIGTERM, once every trial has stopped, too.
    """
    free, running = list(places), list[Child]()
    with signals_noted() as told:
        try:
            while not told:
                while free and (work := foreman.next()) is not None:
                    running.append(Child(work, free.pop(0)))
                if not running:
                    return
                for child in list(running):
                    code = child.poll()  # before the scores, lest one come in between
                    reason = foreman.heard(child.trial, child.new_scores())
                    if reason and code is None:
                        child.given_up = reason
                        child.stop(signal.SIGINT)
                    if code is not None:
                        running.remove(child)
                        free.insert(0, child.place)
                        end(child, code, foreman)
                time.sleep(PAUSE_S)
        finally:  # nothing is left running, whatever has happened
            for child, code in stopping(running, told[0] if told else signal.SIGINT):
                foreman.heard(child.trial, child.new_scores())
                end(child, code, foreman)
    raise Stopped(told[0])


def end(child: Child, code: int, foreman: Foreman) -> None:
    """Writes down how a trial ended, and tells of it."""
    trial = child.outcome(code)
    trial.save()
    foreman.ended(trial)


def stopping(running: Sequence[Child], number: int) -> list[tuple[Child, int]]:
    """Stops all of them by that signal, and waits; the exit code of each."""
    for child in running:
        child.stop(number)
    ended: list[tuple[Child, int]] = []
    for child in running:
        while (code := child.poll()) is None:
            time.sleep(PAUSE_S)
        ended.append((child, code))
    return ended


@contextmanager
def signals_noted() -> Iterator[list[int]]:
    """A list to which Ctrl-C and SIGTERM are added within it.

    Raising at once would leave a process running that has just been started and is in no list yet.
    """
    told: list[int] = []
    earlier = {
        one: signal.signal(one, lambda number, _: told.append(number))
        for one in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield told
    finally:
        for one, handler in earlier.items():
            signal.signal(one, handler)
