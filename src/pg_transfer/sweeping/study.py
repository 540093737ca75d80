"""A sweep led by Optuna: which settings next, which trials to give up, all kept in one file."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.pruners import BasePruner, MedianPruner, NopPruner, SuccessiveHalvingPruner
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from pg_transfer.process.console import say
from pg_transfer.reporting.scores_file import Score, read_scores
from pg_transfer.sweeping.processes import Work
from pg_transfer.sweeping.search import Dimension, Options, Search
from pg_transfer.sweeping.telling import tell_end, tell_scores, tell_start
from pg_transfer.sweeping.trials import State, Trial, read_trial, split_settings

JOURNAL = "study.journal"
"""Optuna's record of the trials, in the sweep's folder; a text file, to which lines are added."""

RETRIES = "instead_of"
"""What Optuna notes with a trial that repeats a failed one: its number."""

Method = Literal["grid", "random", "tpe"]
Pruning = Literal["median", "halving", "none"]
METHODS: tuple[Method, ...] = get_args(Method)
PRUNINGS: tuple[Pruning, ...] = get_args(Pruning)

LET_FINISH = 0.8
"""The part of the training after which a trial is not given up any more."""

HOPELESS = 3
"""If so many trials have failed and none has not, the rest would fail, too."""

optuna.logging.set_verbosity(optuna.logging.WARNING)


@dataclass(frozen=True, slots=True)
class Plan:
    """How to search.

    Attributes:
        method: all combinations, drawn at random, or by Optuna's TPE from what earlier ones gave.
        trials: how many in all; None for all combinations.
        prune: when a trial is given up: below the median of the others at the same part of the
            training, or not among the better half of them after the first, second, fourth, eighth
            ... validation.
        spared: as many trials finish before any is given up.
        seed: of what is drawn.
        keep: trials whose checkpoints are kept, the best ones; None keeps all.
    """

    method: Method
    trials: int | None
    prune: Pruning
    spared: int
    seed: int
    keep: int | None

    def __post_init__(self) -> None:
        for name, choices in (("method", METHODS), ("prune", PRUNINGS)):
            if getattr(self, name) not in choices:
                raise ValueError(f"{name}={getattr(self, name)!r} is none of {', '.join(choices)}")
        for name in ("trials", "spared", "seed", "keep"):
            value, may_lack = getattr(self, name), name in ("trials", "keep")
            if not (type(value) is int and value >= 0) and not (value is None and may_lack):
                raise ValueError(f"{name}={value!r} is no whole number from 0 up")


class Study:
    """Hands out trials as Optuna asks for them; a `processes.Foreman`.

    Args:
        folder: of the sweep. A study that lies there is gone on with: trials that were cut short
            first.
        search: what is searched.
        plan: how.
        command: that runs a trial.
    """

    def __init__(
        self,
        folder: Path,
        search: Search,
        plan: Plan,
        *,
        command: Callable[[Trial], Sequence[str]],
    ) -> None:
        self.folder, self.search, self.plan, self.command = folder, search, plan, command
        storage = JournalStorage(JournalFileBackend(str(folder / JOURNAL)))
        self.study = optuna.create_study(
            storage=storage, study_name="sweep", direction="maximize", load_if_exists=True,
            pruner=pruner(plan), sampler=RandomSampler(plan.seed),
        )  # fmt: skip
        self.distributions = {
            name: distribution(one, is_listed=plan.method == "grid")
            for name, one in search.dimensions.items()
        }
        if plan.method == "grid":
            for values in search.grid():
                self.study.enqueue_trial(values, skip_if_exists=True)
        self.cut_short = self._of(TrialState.RUNNING)
        self.at_work: dict[int, optuna.Trial] = {}
        self.states: list[State] = []

    @property
    def is_hopeless(self) -> bool:
        """Whether all trials have failed this time, and enough to expect no better."""
        return len(self.states) >= HOPELESS and set(self.states) == {"failed"}

    def retry(self) -> None:
        """Queues the settings of failed trials once more, in folders of their own."""
        done = {one.user_attrs.get(RETRIES) for one in self._of()}
        for frozen in self._of(TrialState.FAIL):
            if frozen.number not in done:
                self.study.enqueue_trial(frozen.params, user_attrs={RETRIES: frozen.number})

    def next(self) -> Work | None:
        """The trial to start now, if there is one."""
        while self.cut_short:
            frozen = self.cut_short.pop(0)
            asked = optuna.Trial(self.study, frozen._trial_id)
            folder = self.folder / str(frozen.number)
            earlier = read_trial(folder)
            self.at_work[frozen.number] = asked
            if earlier is not None and earlier.state != "unfinished":
                self.ended(earlier)  # the sweep was killed before it could take note
                continue
            return self._work(asked)
        if self.is_hopeless or not self._has_more():
            return None
        # Of its own for every trial: else going on would draw again what was drawn at first.
        self.study.sampler = sampler(self.plan, len(self._of()))
        asked = self.study.ask(self.distributions)
        self.at_work[asked.number] = asked
        return self._work(asked)

    def heard(self, trial: Trial, scores: Sequence[Score]) -> str:
        """Passes new scores on; why the trial is to be given up, if so."""
        tell_scores(trial, scores)
        asked = self.at_work[trial.number]
        if not self._report(asked, trial):
            return ""
        *_, last = read_scores(trial.folder)
        if last.step > LET_FINISH * last.steps:
            return ""
        is_behind = asked.should_prune()  # asked of spared ones, too: halving compares with them
        if not is_behind or len(self._of(TrialState.COMPLETE)) < self.plan.spared:
            return ""
        return f"given up after {last.step} of {last.steps} updates: behind the others"

    def ended(self, trial: Trial) -> None:
        """Takes note of how a trial ended; one that was cut short stays open."""
        asked = self.at_work.pop(trial.number)
        self.states.append(trial.state)
        self._report(asked, trial)
        if trial.state == "finished":
            self.study.tell(asked, read_scores(trial.folder)[-1].score)
        elif trial.state != "unfinished":
            state = TrialState.PRUNED if trial.state == "pruned" else TrialState.FAIL
            self.study.tell(asked, state=state)
        tell_end(trial)
        if self.plan.keep is not None:
            self._remove_checkpoints(self.plan.keep)

    def _of(self, *states: TrialState) -> list[FrozenTrial]:
        """Those of a state, or all."""
        return self.study.get_trials(deepcopy=False, states=states or None)

    def _has_more(self) -> bool:
        if self._of(TrialState.WAITING):
            return True
        own = [one for one in self._of() if RETRIES not in one.user_attrs]
        return self.plan.trials is not None and len(own) < self.plan.trials

    def _work(self, asked: optuna.Trial) -> Work:
        values = {
            name: self.search.dimensions[name].spelled(value)
            for name, value in asked.params.items()
        }
        settings = split_settings(self.search.settings(values))
        trial = Trial(asked.number, self.folder / str(asked.number), settings)
        tell_start(trial)
        return Work(trial, self.command(trial))

    def _report(self, asked: optuna.Trial, trial: Trial) -> bool:
        """Passes on the scores that Optuna does not have yet; whether there were any.

        They are counted by validations, not by updates: trials may differ in their number.
        """
        # A number, as what Optuna hands out is sometimes the very dictionary that `report` fills.
        known = len(self.study._storage.get_trial(asked._trial_id).intermediate_values)
        new = read_scores(trial.folder)[known:]
        for place, one in enumerate(new, start=known + 1):
            asked.report(one.score, place)
        return bool(new)

    def _remove_checkpoints(self, keep: int) -> None:
        """Of all trials that have ended but for the best."""
        finished = sorted(self._of(TrialState.COMPLETE), key=lambda one: -(one.value or 0.0))
        for frozen in [*finished[keep:], *self._of(TrialState.PRUNED, TrialState.FAIL)]:
            checkpoints = self.folder / str(frozen.number) / "checkpoints"
            if checkpoints.is_dir():
                shutil.rmtree(checkpoints)
                say(f"trial {frozen.number}: its checkpoints are removed (--keep {keep})")


def distribution(dimension: Dimension, *, is_listed: bool) -> BaseDistribution:
    """What Optuna draws from; all combinations are listed as texts."""
    if isinstance(dimension, Options):
        return CategoricalDistribution(dimension.values)
    if is_listed:
        return CategoricalDistribution(dimension.listed())
    low, high, is_log = dimension.low, dimension.high, dimension.is_log
    step = None if is_log else dimension.step or None  # Optuna knows no logarithm in steps
    if dimension.is_whole:
        return IntDistribution(int(low), int(high), log=is_log, step=int(step or 1))
    return FloatDistribution(low, high, log=is_log, step=step)


def sampler(plan: Plan, number: int) -> BaseSampler:
    """That draws the trial of that number."""
    seed = (1_000_003 * plan.seed + number) % 2**32
    return TPESampler(seed=seed) if plan.method == "tpe" else RandomSampler(seed=seed)


def pruner(plan: Plan) -> BasePruner:
    """That gives up trials."""
    if plan.prune == "median":
        return MedianPruner(n_startup_trials=plan.spared, n_warmup_steps=0)
    if plan.prune == "halving":
        return SuccessiveHalvingPruner(min_resource=1, reduction_factor=2)
    return NopPruner()
