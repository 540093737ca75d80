"""A tracker that fails never stops a run: it is said once, and the run goes on."""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lightning.pytorch.loggers.logger import Logger
from lightning.pytorch.utilities import rank_zero_only

from pg_transfer.tracking.predictions import Predictions
from pg_transfer.tracking.tracker import BestModel, Told, Tracker

REST_SECONDS, LONGEST_REST_SECONDS = 60.0, 3600.0
"""For so long a tracker that has failed is left alone: it may take its time to fail again."""


class Guard(Logger):
    """What Lightning and we log to, in the first process, in place of the tracker itself.

    A tracker that fails is left alone for a while and then tried again, so that one that was out
    of reach for an hour has the rest of the run. All that it misses is in `metrics.csv`.

    Args:
        tracker: not started.
        told: of the run.
        say: prints a line for people.
        clock: gives seconds.
    """

    def __init__(
        self,
        tracker: Tracker,
        told: Told,
        *,
        say: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self.tracker, self.told, self.say, self.clock = tracker, told, say, clock
        self._is_started = self._is_finished = self._is_failing = False
        self._missed = 0
        self._rest, self._until = REST_SECONDS, float("-inf")

    @property
    def name(self) -> str:
        """The service, as people call it."""
        return self.tracker.title

    @property
    def version(self) -> str:
        """The run's name for people."""
        return self.told.name

    def start(self) -> None:
        """Begins the run there; tried again with all that follows, if it fails."""
        self._attempt("to start", lambda: None)
        if self._is_started:
            self.say(self.address)

    def log_hyperparams(self, params: dict[str, Any] | Namespace, *_: Any, **__: Any) -> None:
        """Nothing: the tracker is told of the settings at its start."""

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Numbers of an update or an evaluation; never raises, see the class."""
        self._attempt("to log numbers", lambda: self.tracker.log_metrics(metrics, step))

    def catch_up(self, rows: Sequence[Mapping[str, float]]) -> None:
        """Sends what a run that goes on has logged and the tracker does not know, if it can tell.

        A killed process takes with it what it had not sent yet.

        Args:
            rows: all that counts, each with its `step`.
        """
        if self.tracker.known is not None:
            self._attempt("to log numbers", lambda: self._send(rows))

    def _send(self, rows: Sequence[Mapping[str, float]]) -> None:
        for row in rows:
            numbers = {name: value for name, value in row.items() if name != "step"}
            self.tracker.log_metrics(numbers, int(row["step"]))

    def log_predictions(self, make: Callable[[], Predictions]) -> None:
        """Some of the answers of an evaluation, drawn here so that this may fail, too."""
        self._attempt("to log answers", lambda: self.tracker.log_predictions(make()))

    def log_best(self, best: BestModel) -> None:
        """The best weights of the run."""
        self._attempt("to keep the best weights", lambda: self.tracker.log_best(best))

    def finalize(self, status: str) -> None:
        """Lightning says how a loop has ended; of a good end more may follow, scores at least."""
        if status != "success":
            self._finish(is_whole=False)

    def finish(self) -> None:
        """Nothing more follows."""
        self._finish(is_whole=True)

    @rank_zero_only
    def _finish(self, *, is_whole: bool) -> None:
        if self._is_started and not self._is_finished:
            self._until = float("-inf")
            self._attempt("to end the run", lambda: self.tracker.finish(is_whole=is_whole))
            self._is_finished = True
        if self._missed:
            self.say(
                f"{self.tracker.title} has missed {self._missed} record(s); metrics.csv and the "
                f"run's folder have them all"
            )
            self._missed = 0

    @rank_zero_only
    def _attempt(self, purpose: str, work: Callable[[], None]) -> None:
        if self.clock() < self._until:
            self._missed += 1
            return
        try:
            if not self._is_started:
                self.tracker.start(self.told)
                self._is_started = True
            work()
        except Exception as error:
            self._missed += 1
            self._rest_after(purpose, error)
        else:
            self._is_failing = False
            self._rest = REST_SECONDS

    @property
    def where(self) -> str:
        """How to look at the run there; empty if it never began."""
        return self.tracker.where if self._is_started else ""

    @property
    def address(self) -> str:
        """What the tracker is called, and how to look at the run there."""
        return f"{self.tracker.title}: {self.where}"

    def _rest_after(self, purpose: str, error: Exception) -> None:
        if not self._is_failing:  # for the first time, or after it had worked again
            self._is_failing = True
            reason = " ".join(str(error).split())[:300]
            self.say(
                f"note: {self.tracker.title} failed {purpose} ({type(error).__name__}: {reason}). "
                f"The run goes on, and all is in its folder; it will be tried again"
            )
        self._until = self.clock() + self._rest
        self._rest = min(2 * self._rest, LONGEST_REST_SECONDS)
