"""Hydra's multirun (`train.py -m`) with a process for every run, and its results at the end."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hydra._internal.utils import get_args_parser
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobReturn, JobStatus, setup_globals
from hydra.experimental.callback import Callback
from hydra.types import HydraContext, RunMode, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict

from pg_transfer.process.console import say
from pg_transfer.project import ROOT
from pg_transfer.reporting.scores_file import Score, read_scores
from pg_transfer.running.additions import refuse_typed_additions
from pg_transfer.running.judging import learnt_by_heart
from pg_transfer.running.mixing import with_components
from pg_transfer.sweeping.places import places
from pg_transfer.sweeping.processes import Stopped, Work, run_trials
from pg_transfer.sweeping.summary import show_summary, write_summary
from pg_transfer.sweeping.telling import tell_end, tell_scores, tell_start
from pg_transfer.sweeping.trials import Trial, read_trial, split_settings

OF_THE_SWEEP = ("hydra.sweep", "hydra/sweep", "hydra.launcher", "hydra/launcher", "hydra.mode",
                "hydra.run.", "hydra.callbacks", "hydra/callbacks")  # fmt: skip
"""How settings begin that are about the sweep, and no run's."""


def launch_batch(
    context: HydraContext,
    config: DictConfig,
    batch: Sequence[Sequence[str]],
    *,
    first: int,
    parallel: int,
) -> list[JobReturn]:
    """Runs every list of settings in a process of its own; what came of each.

    One that finished in an earlier try with the same folder and settings is not run again.

    Args:
        context: knows how settings become a configuration.
        config: of the sweep.
        batch: settings of each run.
        first: number of the first.
        parallel: how many at a time.

    Raises:
        ValueError: `run=` is given, which names one folder, or a folder holds another trial.
        SystemExit: told to stop.
    """
    setup_globals()
    sweep = Path(config.hydra.sweep.dir)
    planned = [plan(context, config, list(one), first + row) for row, one in enumerate(batch)]
    for learnt in dict.fromkeys(learnt_by_heart(with_components(own)) for own, _ in planned):
        if learnt:
            say(f"note: the trials are compared by {learnt}")
    foreman = Batch([work for _, work in planned])
    try:
        run_trials(foreman, places(parallel, planned[0][0]))
    except Stopped as told:
        show_summary(write_summary(sweep))
        say(f"to go on: the same command with hydra.sweep.dir={sweep}")
        sys.exit(told.exit_code)
    ends = [read_trial(work.trial.folder) or work.trial for _, work in planned]
    if any(trial.state != "finished" for trial in ends):  # else the sweep's end tells all
        show_summary(write_summary(sweep))
    return [returned(settings, end) for (settings, _), end in zip(planned, ends, strict=True)]


def plan(
    context: HydraContext, config: DictConfig, overrides: list[str], number: int
) -> tuple[DictConfig, Work]:
    """The configuration of one run, and the command that runs it."""
    own = context.config_loader.load_sweep_config(config, overrides)
    with open_dict(own):
        own.hydra.job.id, own.hydra.job.num = str(number), number
    before = HydraConfig.instance().cfg
    HydraConfig.instance().set_config(own)
    try:  # the name of a folder may look up what Hydra knows of the run
        folder = Path(own.hydra.sweep.dir) / str(own.hydra.sweep.subdir)
    finally:
        HydraConfig.instance().cfg = before
    refuse_typed_additions(own.hydra)
    settings = list(own.hydra.overrides.task)
    if any(setting.startswith("run=") for setting in settings):
        raise ValueError(
            f"run= names the folder of one run, and these are several; hydra.sweep.dir="
            f"{own.run} names that of a sweep"
        )
    others = [one for one in own.hydra.overrides.hydra if not one.startswith(OF_THE_SWEEP)]
    program = sys.modules["__main__"].__file__ or sys.argv[0]
    command = [
        sys.executable, str(Path(program).resolve()), *flags(sys.argv[1:]), *settings,
        *others, f"run={quoted(str(folder))}",
    ]  # fmt: skip
    return own, Work(Trial(number, folder, split_settings(settings)), command)


def flags(arguments: Sequence[str]) -> Iterator[str]:
    """Those of Hydra's flags that say where the configuration lies."""
    given = get_args_parser().parse_args(list(arguments))
    for name in ("config_path", "config_name", "config_dir"):
        if getattr(given, name) is not None:
            yield f"--{name.replace('_', '-')}={getattr(given, name)}"


def quoted(text: str) -> str:
    """As a value in Hydra's grammar, which reads commas, equal signs and brackets otherwise."""
    escaped = text.replace("'", "\\'")
    return f"'{escaped}'"


class Batch:
    """Hands out runs whose settings are known beforehand."""

    def __init__(self, works: Sequence[Work]) -> None:
        self.waiting = list(works)
        for work in works:
            earlier = read_trial(work.trial.folder)
            if earlier is not None and earlier.settings != work.trial.settings:
                raise ValueError(
                    f"{work.trial.folder} holds another trial, {earlier.settings}; repeat the "
                    f"command of its sweep to go on with it, or choose another hydra.sweep.dir"
                )
            if earlier is not None and earlier.state == "finished":
                self.waiting.remove(work)
                say(f"trial {earlier.number} is finished already")

    def next(self) -> Work | None:
        """The next run, which is announced; None if all have been handed out."""
        if not self.waiting:
            return None
        work = self.waiting.pop(0)
        tell_start(work.trial)
        return work

    def heard(self, trial: Trial, scores: Sequence[Score]) -> str:
        """Prints the scores; empty, as no run of a list that is given beforehand is given up."""
        tell_scores(trial, scores)
        return ""

    def ended(self, trial: Trial) -> None:
        """Prints how it ended."""
        tell_end(trial)


def returned(config: DictConfig, trial: Trial) -> JobReturn:
    """What Hydra's sweepers want to know of a run: its score, or the error."""
    scores = read_scores(trial.folder)
    is_well = trial.state == "finished"
    job = JobReturn(
        overrides=list(config.hydra.overrides.task),
        hydra_cfg=OmegaConf.masked_copy(config, "hydra"),
        working_dir=str(Path.cwd()),
        task_name=config.hydra.job.name,
        status=JobStatus.COMPLETED if is_well else JobStatus.FAILED,
    )
    job.return_value = (
        scores[-1].score if is_well else ValueError(f"trial {trial.number}: {trial.reason}")
    )
    return job


class NoteTrials(Callback):
    """Notes each run of a multirun, whatever launches it, and tells the results at the end.

    `hydra/launcher=processes` does the first by itself: there every run is one of its own.
    """

    def __init__(self) -> None:
        self.trial: Trial | None = None

    def on_job_start(
        self, config: DictConfig, *, task_function: TaskFunction, **kwargs: Any
    ) -> None:
        """Saves the run as one that is under way; outside of a multirun nothing."""
        if config.hydra.mode == RunMode.MULTIRUN:
            if str(ROOT) not in sys.path:  # a cluster's job starts with another program
                sys.path.insert(0, str(ROOT))
            folder = Path(config.hydra.runtime.output_dir)
            settings = split_settings(list(config.hydra.overrides.task))
            self.trial = Trial(config.hydra.job.num, folder, settings)
            self.trial.save()

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **kwargs: Any) -> None:
        """Saves how it ended: finished, or failed and why."""
        if self.trial is None:
            return
        if job_return.status == JobStatus.COMPLETED:
            self.trial.ended("finished").save()
        else:
            self.trial.ended("failed", str(job_return._return_value)).save()
        self.trial = None

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Saves the sweep's table and plot, and prints the table."""
        show_summary(write_summary(Path(config.hydra.sweep.dir)))
