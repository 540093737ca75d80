"""A tracker that fails, wherever it does, leaves a run as it would have been."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from lightning.pytorch.loggers.logger import Logger

from pg_transfer.running.assemble import Run
from pg_transfer.running.choices import each_tracker
from pg_transfer.running.parts import build_trackers
from pg_transfer.tracking.guard import Guard
from pg_transfer.tracking.plain import Plain
from pg_transfer.tracking.predictions import Predictions
from pg_transfer.tracking.tracker import BestModel, Told, Tracker
from tests.short_runs import settings


class Failing(Tracker):
    """Raises in those methods that are named, and counts all calls."""

    title = "Test"

    def __init__(self, *names: str) -> None:
        super().__init__(predictions=2, log_model=True)
        self.names, self.calls = names, []

    def _call(self, name: str) -> None:
        self.calls.append(name)
        if name in self.names:
            raise ConnectionError(f"no server to {name}")

    @property
    def where(self) -> str:
        return "there"

    def start(self, run: Told) -> None:
        self._call("start")

    def log_metrics(self, metrics: Mapping[str, float], step: int | None) -> None:
        self._call("log_metrics")

    def log_predictions(self, predictions: Predictions) -> None:
        self._call("log_predictions")

    def log_best(self, best: BestModel) -> None:
        self._call("log_best")

    def finish(self, *, is_whole: bool) -> None:
        self._call("finish")


METHODS = ("start", "log_metrics", "log_predictions", "log_best", "finish")
TOLD = Told(Path("run"), "name", {}, {})


def losses(folder: Path) -> list[str]:
    with (folder / "metrics.csv").open() as file:
        return [row["loss"] for row in csv.DictReader(file) if row["loss"]]


@pytest.mark.slow
@pytest.mark.parametrize("failing", [METHODS, METHODS[1:]])
def test_a_run_is_the_same_with_a_tracker_that_fails_everywhere(
    train: Callable[..., Run], tmp_path: Path, failing: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    alone = train(tmp_path / "alone")
    said: list[str] = []
    tracker = Failing(*failing)
    guard = Guard(tracker, TOLD, say=said.append)
    monkeypatch.setattr("pg_transfer.running.watchers.build_trackers", lambda *_: [guard])
    followed = train(tmp_path / "followed")
    guard.log_best(BestModel({}, {}))
    guard.finish()
    assert losses(tmp_path / "alone") == losses(tmp_path / "followed") != []
    assert alone.score("val") == followed.score("val")
    notes = [line for line in said if line.startswith("note: ")]
    assert notes == [
        f"note: Test failed {'to start' if 'start' in failing else 'to log numbers'} "
        f"(ConnectionError: no server to {failing[0]}). The run goes on, and all is in its "
        f"folder; it will be tried again"
    ]
    assert "Test has missed" in said[-1] and "metrics.csv" in said[-1]


def test_every_method_is_called_of_one_that_works(
    train: Callable[..., Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    guard = Guard(tracker := Failing(), TOLD, say=said.append)
    monkeypatch.setattr("pg_transfer.running.watchers.build_trackers", lambda *_: [guard])
    train(tmp_path)
    guard.log_best(BestModel({}, {}))
    guard.finish()
    assert set(tracker.calls) == set(METHODS)
    assert tracker.calls[0] == "start" and tracker.calls.count("start") == 1
    assert tracker.calls[-1] == "finish" and tracker.calls.count("finish") == 1
    assert said == ["Test: there"]


def test_of_two_each_gets_everything_though_the_other_fails(
    train: Callable[..., Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    broken, whole = Failing(*METHODS), Failing()
    guards = [Guard(tracker, TOLD, say=said.append) for tracker in (broken, whole)]
    monkeypatch.setattr("pg_transfer.running.watchers.build_trackers", lambda *_: guards)
    end_of_two = train(tmp_path)
    for guard in end_of_two.watchers.trackers:
        guard.log_best(BestModel({}, {}))
        guard.finish()
    assert broken.calls == ["start"]
    assert set(whole.calls) == set(METHODS)
    assert whole.calls.count("log_predictions") == 2  # at both validations


def test_several_trackers_are_a_table_each(tmp_path: Path) -> None:
    words = each_tracker(["logger=[csv-like, tensorboard]", "logger=wandb", "seed=1"])
    assert words == [
        "+logger@logger.csv-like=csv-like", "+logger@logger.tensorboard=tensorboard",
        "logger=wandb", "seed=1",
    ]  # fmt: skip
    pytest.importorskip("tensorboard")
    words = each_tracker(["logger=[wandb,tensorboard]"])
    config = settings(
        tmp_path, *words, "logger.wandb.mode=offline", "logger.tensorboard.predictions=3"
    )
    both = build_trackers(config, tmp_path)
    assert [guard.name for guard in both] == ["W&B", "TensorBoard"]
    assert both[1].tracker.predictions == 3
    assert [
        guard.name for guard in build_trackers(settings(tmp_path, "logger=wandb"), tmp_path)
    ] == ["W&B"]
    assert build_trackers(settings(tmp_path), tmp_path) == []
    inside = settings(tmp_path, "logger=tensorboard", "+logger@logger.wandb=wandb")
    with pytest.raises(ValueError, match=r"logger.wandb is a tracker among the settings of"):
        build_trackers(inside, tmp_path)
    with pytest.raises(ValueError, match=r"logger.mode=offline: there is no tracker"):
        build_trackers(settings(tmp_path, "+logger.mode=offline"), tmp_path)


def test_one_that_fails_is_left_alone_for_a_while_and_then_tried_again() -> None:
    now = 0.0
    said: list[str] = []
    guard = Guard(tracker := Failing("start"), TOLD, say=said.append, clock=lambda: now)
    guard.start()
    now = 59.0
    guard.log_metrics({})
    guard.log_metrics({})
    assert tracker.calls == ["start"]
    now = 61.0  # fails again: now for two minutes
    guard.log_metrics({})
    now = 180.0
    guard.log_metrics({})
    assert tracker.calls == ["start"] * 2 and len(said) == 1
    tracker.names = ()
    now = 182.0
    guard.log_metrics({})
    guard.log_metrics({})
    assert tracker.calls == ["start"] * 3 + ["log_metrics"] * 2
    tracker.names = ("log_metrics",)  # another failure, said as well
    guard.log_metrics({})
    assert len(said) == 2
    guard.finish()
    # The start, four times numbers before it worked, and those of the end.
    assert said[-1].startswith("Test has missed 6 record(s)")


class Listed(Logger):
    """Keeps what it is sent."""

    name = version = ""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[tuple[int | None, dict[str, float]]] = []

    def log_hyperparams(self, *_: object, **__: object) -> None:
        """They do not matter here."""

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        self.sent.append((step, dict(metrics)))


def test_a_tracker_catches_up_with_what_it_does_not_know() -> None:
    rows = [
        {"step": 0, "epoch": 0, "loss": 3.0},
        {"step": 1, "epoch": 0, "loss": 2.0},
        {"step": 1, "epoch": 0, "val/mIoU": 9.0},
    ]
    tracker = Plain(logger := Listed())
    guard = Guard(tracker, TOLD, say=print)
    guard.start()
    guard.catch_up(rows)  # one that cannot tell what it has gets nothing twice by this
    assert not logger.sent
    tracker.known = {"loss": 0, "epoch": 1}
    guard.catch_up(rows)
    assert logger.sent == [(1, {"loss": 2.0}), (1, {"val/mIoU": 9.0})]
    guard.log_metrics({"loss": 3.1, "epoch": 0}, 0)  # repeated, and known
    guard.log_metrics({"loss": 1.0, "epoch": 0}, 2)
    assert logger.sent[2:] == [(2, {"loss": 1.0, "epoch": 0})]
