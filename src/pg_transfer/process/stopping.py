"""Being asked to stop: by Ctrl-C, by SIGTERM, by SLURM's warning that the time is nearly up."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

from pg_transfer.process.processes import rank

WARNING = signal.SIGUSR1
"""What `#SBATCH --signal=USR1@120` sends: save, stop, and have the job queued again."""

HINT = b"\nasked to stop: once this update is finished and saved; at once with Ctrl-C again\n"

PLACES = ("run=", "--to")
"""What names the folder of a run, and of answers, on a command line."""

ASKING = (signal.SIGINT, signal.SIGTERM, WARNING)


MOMENT_S = 1.0
"""In which Python calls a handler, if it does at all."""


class Stopped(BaseException):
    """The program was asked to stop, and has come to a place where nothing is lost.

    Attributes:
        signal: that asked.
    """

    def __init__(self, asked: signal.Signals) -> None:
        super().__init__(f"stopped by {asked.name}")
        self.signal = asked

    @property
    def code(self) -> int:
        """The exit code that shells and schedulers know: 130, 143 or 138."""
        return 128 + self.signal


class Requests:
    """What has been asked of this process, while it is entered.

    A request is obeyed at once, by raising `Stopped` wherever the program is, unless `waits`: then
    whoever has set that looks at `asked` where it can stop. Who presses Ctrl-C twice is obeyed.

    Args:
        end: ends the program, and says how to go on.

    Attributes:
        asked: the first signal that came.
        waits: there is something to finish first.
    """

    def __init__(self, end: Callable[[Stopped], object] = lambda stopped: None) -> None:
        self.end = end
        self.asked: signal.Signals | None = None
        self.waits = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Requests:
        if threading.current_thread() is threading.main_thread():
            self._before = {one: signal.getsignal(one) for one in ASKING}
        self.listen()
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        for one, handler in self._before.items():
            signal.signal(one, handler)
        if isinstance(error, Stopped):
            self.end(error)

    def listen(self) -> None:
        """Has signals come here; again after others have put their handlers in place."""
        for one in self._before:
            signal.signal(one, self._receive)

    @contextmanager
    def heard_in_a_library(self, farewell: Callable[[], object]) -> Iterator[None]:
        """Around a wait in a library, from which no handler of Python's is called.

        The first request ends the program from another thread, if it is not obeyed in a moment.

        Args:
            farewell: what is to be done before.
        """
        if not self._before:  # not the main thread, whose signals these are
            yield
            return
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        threading.Thread(target=self._obey_for, args=(reader, farewell), daemon=True).start()
        before = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(before)
            os.close(writer)

    def _obey_for(self, reader: int, farewell: Callable[[], object]) -> None:
        """Waits for a signal's number, until the other end is closed."""
        with open(reader, "rb", buffering=0) as numbers:
            while number := numbers.read(1):
                if number[0] not in ASKING:
                    continue
                time.sleep(MOMENT_S)
                if self.asked is not None:
                    return
                stopped = Stopped(signal.Signals(number[0]))
                farewell()
                with suppress(SystemExit):
                    self.end(stopped)
                sys.stdout.flush()
                os._exit(stopped.code)

    def obey(self) -> None:
        """Raises Stopped if that was asked for."""
        if self.asked is not None:
            raise Stopped(self.asked)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        # Schedulers repeat themselves, and to every process of a job; a person means it.
        is_impatient = self.asked is not None and number == signal.SIGINT
        self.asked = self.asked or signal.Signals(number)
        if is_impatient or not self.waits:
            self.waits = False
            self.obey()
        elif rank() == 0:
            os.write(2, HINT)  # whatever was being printed when the signal came, may be half done


def queue_again(arguments: Sequence[str]) -> str:
    """Has SLURM start this job once more; what came of it, in a sentence.

    Args:
        arguments: of the command line; without `run=`, or `--to` of `predict`, the job would not
            find what it has done.
    """
    job = os.environ.get("SLURM_JOB_ID")
    if job is None:
        return "not queued again: this is no SLURM job"
    if array := os.environ.get("SLURM_ARRAY_JOB_ID"):
        job = f"{array}_{os.environ['SLURM_ARRAY_TASK_ID']}"
    if not any(one.startswith(PLACES) for one in arguments):
        return (
            f"not queued again: without {' or '.join(PLACES)} on its command line the job would "
            f"begin anew"
        )
    try:
        subprocess.run(["scontrol", "requeue", job], check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        reason = getattr(error, "stderr", None) or error
        return f"job {job} could not be queued again: {str(reason).strip()}"
    return f"job {job} is queued again"
