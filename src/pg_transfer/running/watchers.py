"""What looks on while a run learns and answers: scores, counts, saves, stops, follows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lightning.pytorch import Callback
from lightning.pytorch.loggers.logger import Logger
from omegaconf import DictConfig

from pg_transfer.display.progress import Progress
from pg_transfer.display.samples import ShowSamples
from pg_transfer.process.stopping import Requests
from pg_transfer.running.parts import build_trackers
from pg_transfer.text.tokenizer import Tokenizer
from pg_transfer.tracking.follow import Follow
from pg_transfer.tracking.guard import Guard
from pg_transfer.training.alike import RequireAlike
from pg_transfer.training.checkpoints import KeepCheckpoints
from pg_transfer.training.data import TransferData
from pg_transfer.training.ending import EndTogether
from pg_transfer.training.left_out import LeftOut
from pg_transfer.training.metrics_log import KeepLog, MetricsLog
from pg_transfer.training.scoring import ScoreTask
from pg_transfer.training.stop_when_asked import StopWhenAsked
from pg_transfer.training.stopping import StopEarly
from pg_transfer.training.telling import TellScores
from pg_transfer.training.trouble import TellTrouble
from pg_transfer.training.watching import CountCuts, RatesByPart, Speedometer
from pg_transfer.training.weights import LAST

IN_STEP = (
    "recipe", "tuning", "seed", "resolution", "validations", "patience", "score_before",
    "evaluation_batch", "beams", "temperature", "nucleus", "on_error",
)  # fmt: skip
"""Settings by which processes take their steps together."""


@dataclass(frozen=True, slots=True)
class Watchers:
    """What the trainer calls, and those of them that are asked at the end.

    Attributes:
        scorer: keeps answers and scores.
        keeper: knows the best score.
        stopper: ends the training early, if it may.
        trackers: where the run is followed besides its folder.
        called: all of them, in the order in which Lightning calls them.
        loggers: of a run that learns.
    """

    scorer: ScoreTask
    cuts: CountCuts
    left_out: LeftOut
    trouble: TellTrouble
    speed: Speedometer
    keeper: KeepCheckpoints
    stopper: StopEarly | None
    trackers: list[Guard]
    called: list[Callback]
    loggers: list[Logger]


def build_watchers(
    config: DictConfig,
    data: TransferData,
    tokenizer: Tokenizer,
    folder: Path,
    *,
    splits: Sequence[str],
    learns: bool,
    label: str,
    requests: Requests | None,
) -> Watchers:
    """The watchers of a run.

    Args:
        config: of the run.
        data: its loaders.
        tokenizer: of its model.
        folder: where they write.
        splits: that are learnt from or scored.
        learns: it does not only score.
        label: how it answers, for the names of files.
        requests: to stop, if there may be any.

    Raises:
        ValueError: the tracker is set up wrongly.
    """
    scorer = ScoreTask(
        data, tokenizer, folder=folder, pictured=config.pictured, page=config.page, label=label
    )
    cuts = CountCuts(data, scorer, action=config.on_cut)
    keeper = KeepCheckpoints(folder / "checkpoints", scorer, minutes=config.checkpoint_minutes)
    speed = Speedometer(config.recipe.batch_size)
    left_out, trouble = LeftOut(data, scorer, folder=folder), TellTrouble(data, folder=folder)
    teller = TellScores(folder, data, scorer)
    last = folder / "checkpoints" / LAST
    called: list[Callback] = [
        RequireAlike(
            data, splits, micro_batch=config.micro_batch, rematerialise=config.model.rematerialise,
            last=last if learns else None,
            settings={name: config.get(name) for name in IN_STEP},
        ),
        Progress(scorer), speed, RatesByPart(), cuts, scorer, left_out, trouble, teller
    ]  # fmt: skip
    stopper = None
    if learns and config.patience is not None:
        stopper = StopEarly(scorer, patience=config.patience)
        called.append(stopper)
    called += [keeper, ShowSamples(scorer, keeper, count=config.get("samples", 0))]
    if requests is not None:
        called.append(StopWhenAsked(requests, keeper))
    loggers: list[Logger] = []
    trackers: list[Guard] = []
    if learns:
        log = MetricsLog(folder, goes_on=last.exists())
        loggers.append(log)
        called.append(KeepLog(log))
        trackers = build_trackers(config, folder)
        loggers += trackers
        called += [Follow(tracker, scorer, log) for tracker in trackers]
    called.append(EndTogether())
    return Watchers(
        scorer, cuts, left_out, trouble, speed, keeper, stopper, trackers, called, loggers
    )
