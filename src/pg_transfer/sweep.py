r"""Searches for the best settings: `python -m pg_transfer.sweep task=shapes recipe.lr=1e-3,3e-3`.

    python -m pg_transfer.sweep task=textvqa final_split=false \
        'recipe.lr=tag(log, interval(1e-6, 1e-4))' recipe.dropout=0.0,0.1 --trials 20 --parallel 4

Every trial is a `train.py` in a process of its own, led by Optuna; docs/sweeps.md tells more.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig, OmegaConf

from pg_transfer.process.console import quiet_libraries, reports_errors, say
from pg_transfer.process.secrecy import refuse_secrets, refuse_typed_secrets
from pg_transfer.process.whole_files import write_whole
from pg_transfer.project import CONF, ROOT
from pg_transfer.sweeping.multirun import quoted
from pg_transfer.sweeping.places import places
from pg_transfer.sweeping.processes import Stopped, lock, run_trials
from pg_transfer.sweeping.search import Search, read_search
from pg_transfer.sweeping.study import METHODS, PRUNINGS, Plan, Study
from pg_transfer.sweeping.summary import show_summary, write_summary
from pg_transfer.sweeping.trials import Trial, joined_settings

SEARCH = "search.json"
"""What is searched and how, in the sweep's folder."""

REPEATED = {"seed", "task"}
"""What differs where nothing is chosen: a run is repeated, or there are several."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a sweep was started with, and is gone on with.

    Attributes:
        settings: as typed.
        plan: how to search.
    """

    settings: list[str]
    plan: Plan


@reports_errors
def sweep(options: Namespace) -> None:
    """Runs the trials, or those that are missing, and tells what came of them.

    Raises:
        ValueError: settings that do not fit, a folder of another sweep, or trials failed.
        SystemExit: told to stop.
    """
    quiet_libraries()
    folder = options.to or Path("runs/sweeps") / f"{datetime.now():%Y-%m-%d_%H-%M-%S}"
    asked = read_asked(folder, options)
    search, configs = composed(asked.settings)
    plan = fitting(asked.plan, search)
    require_held_out(configs, search)
    room = places(options.parallel, configs[0])
    folder.mkdir(parents=True, exist_ok=True)
    with lock(folder, "a sweep"):
        save_asked(folder, Asked(asked.settings, plan))
        study = Study(folder, search, plan, command=command)
        if options.retry:
            study.retry()
        say(f"sweep in {folder}: {described(search, plan)}")
        try:
            run_trials(study, room)
        except Stopped as told:
            show_summary(write_summary(folder))
            say(f"to go on: python -m pg_transfer.sweep --to {shlex.quote(str(folder))}")
            sys.exit(told.exit_code)
        show_summary(write_summary(folder))
    if failed := [state for state in study.states if state == "failed"]:
        rest = "; no more were started, as the others would fail, too" if study.is_hopeless else ""
        raise ValueError(
            f"{len(failed)} of {len(study.states)} trials failed, for the reasons above"
            f"{rest}. Once it is mended, repeat them: python -m pg_transfer.sweep --to "
            f"{shlex.quote(str(folder))} --retry"
        )


def command(trial: Trial) -> list[str]:
    """What runs a trial."""
    settings = joined_settings(trial.settings)
    return [sys.executable, str(ROOT / "train.py"), *settings, f"run={quoted(str(trial.folder))}"]


def composed(settings: list[str]) -> tuple[Search, list[DictConfig]]:
    """What is to be searched, and configurations of trials.

    Every value is tried, so that a wrong one is told before any trial.

    Raises:
        ValueError: a setting names one run, or does not fit.
    """
    from pg_transfer.planning.asked import AUTO
    from pg_transfer.running.additions import refuse_additions
    from pg_transfer.running.choices import each_tracker
    from pg_transfer.running.mixing import with_components
    from pg_transfer.running.settings import refuse_odd_values, register_resolvers
    from pg_transfer.training.recipe import read_recipe

    for setting in settings:
        if setting.startswith(("run=", "hydra.sweep", "hydra.run", "hydra/sweeper")):
            raise ValueError(f"{setting}: every trial has a folder of its own, below that of --to")
    refuse_typed_secrets(settings)
    register_resolvers()
    with initialize_config_dir(str(CONF), version_base=None):
        search = read_search(settings, GlobalHydra.instance().config_loader())
        configs = []
        for example in map(each_tracker, search.examples()):
            refuse_additions(example, "train")
            config = compose("train", overrides=["run=trial", *example])
            refuse_secrets(OmegaConf.to_container(config, resolve=True))  # type: ignore[arg-type]
            configs.append(with_components(config))
            refuse_odd_values(configs[-1], left=AUTO)
            read_recipe(OmegaConf.to_container(config.recipe, resolve=True))  # type: ignore[arg-type]
    return search, configs


def fitting(plan: Plan, search: Search) -> Plan:
    """The plan, if this search can be made by it.

    Raises:
        ValueError: nothing to search, no end to it, or scores that cannot be compared.
    """
    if not search.dimensions:
        raise ValueError(
            "nothing is searched: give a setting several values, such as recipe.lr=1e-5,3e-5 or "
            "'recipe.lr=tag(log, interval(1e-6, 1e-4))'"
        )
    if plan.method == "grid":
        if not search.is_finite:
            raise ValueError(
                "an interval has no end of values: say how many to try, --trials 20, or name them, "
                "recipe.lr=1e-5,3e-5"
            )
        if plan.trials is not None:
            raise ValueError("--search grid tries all combinations; leave --trials out")
    elif plan.trials is None or plan.trials < 1:
        raise ValueError(f"--search {plan.method} needs to know how many to try: --trials 20")
    if "task" in search.dimensions and (plan.method != "grid" or plan.prune != "none"):
        raise ValueError(
            "scores of different tasks cannot be compared: leave --trials, --search and --prune "
            "out to try all combinations, or sweep each task on its own"
        )
    return plan


def require_held_out(configs: Sequence[DictConfig], search: Search) -> None:
    """Raises ValueError if settings would be chosen by scores of what is learnt from."""
    from pg_transfer.running.judging import learnt_by_heart

    learnt = next(filter(None, map(learnt_by_heart, configs)), "")
    if learnt and not search.dimensions.keys() <= REPEATED:
        raise ValueError(f"the trials would be compared by {learnt}")
    if learnt:
        say(f"note: the trials are compared by {learnt}")


def described(search: Search, plan: Plan) -> str:
    """The plan in words."""
    names = ", ".join(search.dimensions)
    if plan.method == "grid":
        return f"all combinations of {names}, {len(search.grid())} trials"
    how = "drawn at random" if plan.method == "random" else "by Optuna's TPE"
    return f"{plan.trials} trials over {names}, {how}"


def read_asked(folder: Path, options: Namespace) -> Asked:
    """What was asked for now, or when the sweep in `folder` was started.

    Raises:
        ValueError: the folder is that of another sweep, or nothing is asked for.
    """
    typed = vars(options)
    path = folder / SEARCH
    if not path.is_file():
        if options.to and not options.settings:
            raise ValueError(
                f"--to {folder}: no sweep lies there to go on with; look at its spelling, or begin "
                f"one there with settings, such as recipe.lr=1e-5,3e-5"
            )
        has_trials = options.trials is not None
        chosen = {
            "method": options.method or ("tpe" if has_trials else "grid"),
            "trials": options.trials,
            "prune": options.prune or ("median" if has_trials else "none"),
            "spared": 5 if options.spared is None else options.spared,
            "seed": options.seed or 0,
            "keep": options.keep,
        }
        return Asked(list(options.settings), Plan(**chosen))
    try:
        saved = json.loads(path.read_text(encoding="utf-8"))
        earlier = Asked([*map(str.strip, saved["settings"])], Plan(**saved["plan"]))
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{path} does not say what was searched: {error}") from error
    if options.settings and options.settings != earlier.settings:
        raise ValueError(
            f"{folder} holds another sweep, of {shlex.join(earlier.settings)}; leave the settings "
            f"out to go on with it, or choose another --to"
        )
    plan: dict[str, Any] = asdict(earlier.plan)
    for name in ("method", "seed"):
        if typed[name] not in (None, plan[name]):
            raise ValueError(
                f"{folder} holds a sweep with {name} {plan[name]}; that cannot be changed on the "
                f"way, and {typed[name]} needs another --to"
            )
    plan |= {name: typed[name] for name in plan if typed[name] is not None}
    return Asked(earlier.settings, Plan(**plan))


def save_asked(folder: Path, asked: Asked) -> None:
    """Writes down what was asked for."""
    write_whole(folder / SEARCH, [json.dumps(asdict(asked), indent=1) + "\n"])


def parser() -> argparse.ArgumentParser:
    """What the command line takes."""
    made = argparse.ArgumentParser(
        prog="python -m pg_transfer.sweep",
        description="Trains with many settings and compares the task's first metric on the "
        "validation split.",
        epilog="a,b  choice(a, b)  range(1, 9)  interval(0, 1)  int(interval(1, 9))  "
        "tag(log, interval(1e-6, 1e-3))  glob(*): what a setting may be, in Hydra's words",
    )
    option = made.add_argument
    option(
        "settings", nargs="*", metavar="setting=value",
        help="as for train.py, and with several values for what is searched",
    )  # fmt: skip
    option("--trials", type=_count, metavar="N", help="how many; left out, all combinations")
    option("--parallel", type=_count, default=1, metavar="N", help="at a time, each on own GPUs")
    option(
        "--to", type=Path, metavar="FOLDER",
        help="of the sweep; one that was cut short goes on there. Default: runs/sweeps/<date>",
    )  # fmt: skip
    option(
        "--search", dest="method", choices=METHODS,
        help="default: tpe (Optuna's) with --trials, else grid",
    )  # fmt: skip
    option(
        "--prune", choices=PRUNINGS,
        help="give up trials that are behind; default: median with --trials, else none",
    )  # fmt: skip
    option(
        "--spare", dest="spared", type=int, metavar="N",
        help="so many have to finish before any is given up (5)",
    )  # fmt: skip
    option("--seed", type=int, metavar="N", help="of what is drawn (0)")
    option(
        "--keep", type=_count, metavar="N",
        help="keep the checkpoints of the N best trials, and remove those of the others",
    )  # fmt: skip
    option("--retry", action="store_true", help="repeat the trials that have failed")
    return made


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text)):
        raise argparse.ArgumentTypeError(f"{text} is no whole number above 0")
    return int(text)


def main() -> None:
    """Sweeps, as told on the command line."""
    sweep(parser().parse_intermixed_args())


if __name__ == "__main__":
    main()
