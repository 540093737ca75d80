"""What a tracker is told, and how its run is found again."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from lightning.pytorch.loggers.logger import Logger

from pg_transfer.process.whole_files import write_whole
from pg_transfer.tracking.predictions import Predictions

IDS = "tracker.json"
"""The file in a run's folder with the ids that trackers know the run by."""


@dataclass(frozen=True, slots=True)
class Told:
    """A run, as a tracker is told of it.

    Attributes:
        folder: of the run.
        name: for people.
        settings: all of them, resolved.
        code: which code runs, see `code_version`.
    """

    folder: Path
    name: str
    settings: Mapping[str, Any]
    code: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class BestModel:
    """The best weights of a run, with what else `pg_transfer.load` needs of its folder.

    Attributes:
        files: by their names within the folder.
        facts: which weights they are, by name.
    """

    files: Mapping[str, Path]
    facts: Mapping[str, float | str]


class Tracker(ABC):
    """One service. Every method but the constructor may raise whatever the service does.

    Attributes:
        title: what people call it.
        logger: Lightning's; None before `start`.
        known: of everything that earlier starts of the run have sent, by name, the last update
            that arrived, counted as Lightning does; None where that cannot be told.

    Args:
        predictions: rows of each evaluation's table; 0 for none.
        log_model: keep the best weights there, too, at the end.

    Raises:
        ValueError: a setting that cannot be.
        ImportError: the service's library is not installed.
    """

    title: ClassVar[str]

    def __init__(self, *, predictions: int = 0, log_model: bool = False) -> None:
        if type(predictions) is not int or predictions < 0:
            raise ValueError(f"logger.predictions={predictions} is no whole number from 0 up")
        if not isinstance(log_model, bool):
            raise ValueError(f"logger.log_model={log_model} is neither true nor false")
        self.predictions, self.log_model = predictions, log_model
        self.logger: Logger | None = None
        self.known: Mapping[str, int] | None = None

    @abstractmethod
    def start(self, run: Told) -> None:
        """Begins the run there, or goes on with the one that its folder names."""

    @property
    @abstractmethod
    def where(self) -> str:
        """An address, a folder or a command: how to look at it."""

    def log_metrics(self, metrics: Mapping[str, float], step: int | None) -> None:
        """Numbers of an update or an evaluation, but for those that are known there already."""
        assert self.logger is not None
        new = {name: value for name, value in metrics.items() if not self.knows(name, step)}
        if new.keys() - {"epoch"}:  # which every row has
            self.logger.log_metrics(new, step)

    def knows(self, name: str, step: int | None) -> bool:
        """Whether an earlier start of the run has sent this: a run repeats what it was cut in."""
        return step is not None and step <= (self.known or {}).get(name, -1)

    @abstractmethod
    def log_predictions(self, predictions: Predictions) -> None:
        """Some of the answers of an evaluation."""

    @abstractmethod
    def log_best(self, best: BestModel) -> None:
        """The best weights; asked for only with `log_model`."""

    @abstractmethod
    def finish(self, *, is_whole: bool) -> None:
        """The run has ended: as it should, or cut short."""


def known_id(folder: Path, service: str) -> str | None:
    """What the service knows the run in `folder` by; None if it does not yet."""
    path = folder / IDS
    return json.loads(path.read_text(encoding="utf-8")).get(service) if path.exists() else None


def keep_id(folder: Path, service: str, run_id: str) -> None:
    """Remembers it for when the run is gone on with."""
    path = folder / IDS
    ids = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    write_whole(path, [json.dumps(ids | {service: run_id}, indent=2) + "\n"])
