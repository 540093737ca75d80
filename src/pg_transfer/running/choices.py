"""What there is to choose from on the command line, with a line on each."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path

_SEVERAL = re.compile(r"logger=\[(?P<names>[\w-]+(?:\s*,\s*[\w-]+)+)\]")

OF_TRAINING = ("task", "model", "data", "resolution", "tuning", "experiment")
"""Settings that say what evaluate.py reads from a run's folder."""

WITHOUT = (
    "Weights without a run, as they were released or exported, are scored by python train.py "
    "task=... model.weights=... score_only=true"
)

_CHOICE = re.compile(r"(?P<group>\w+)=(?P<option>[\w-]*)")


def choices(folder: Path) -> list[tuple[str, str]]:
    """The options of a config group: their names, and the first comment of their files."""
    return [(path.stem, _first_comment(path)) for path in sorted(folder.glob("*.yaml"))]


def listed(folder: Path) -> str:
    """`choices`, one per line."""
    found = choices(folder)
    width = max(len(name) for name, _ in found)
    return "\n".join(f"  {name:<{width}}  {line}".rstrip() for name, line in found)


def explain_choices(conf: Path, arguments: Sequence[str]) -> None:
    """Ends the program with a list where an option is left empty (`task=`) or does not exist.

    Args:
        conf: the folder of config groups.
        arguments: of the command line. Options of a user's own folders are Hydra's to find.
    """
    for argument in arguments:
        match = _CHOICE.fullmatch(argument)
        if match is None or not (conf / match["group"]).is_dir():
            continue
        group, option = match["group"], match["option"]
        if not option:
            print(f"{group}= can be\n{listed(conf / group)}")
            sys.exit(0)
        has_own = any(
            "hydra.searchpath" in other or other.startswith(("--config-dir", "-cd"))
            for other in arguments
        )
        if not (conf / group / f"{option}.yaml").is_file() and not has_own:
            print(
                f"error: there is no {group}={option}; it can be\n{listed(conf / group)}",
                file=sys.stderr,
            )
            sys.exit(1)


def each_tracker(settings: Sequence[str]) -> list[str]:
    """The settings, in which `logger=[wandb,tensorboard]` has each in a table of its own.

    Of a list Hydra would put all in one table, in which the last stands for all. That it has
    `logger.wandb.mode` and so on is said in Hydra's own words: +logger@logger.wandb=wandb.
    """
    found: list[str] = []
    for setting in settings:
        if (several := _SEVERAL.fullmatch(setting)) is None:
            found.append(setting)
        else:
            names = re.split(r"\s*,\s*", several["names"])
            found += [f"+logger@logger.{name}={name}" for name in names]
    return found


def refuse_settings_of_training(arguments: Sequence[str]) -> None:
    """Raises ValueError where an evaluation is told what a run of training has settled.

    Args:
        arguments: of evaluate.py's command line.
    """
    names = [argument.partition("=")[0].lstrip("+") for argument in arguments]
    odd = [name for name in names if name in OF_TRAINING or name.startswith("model.")]
    if not odd:
        return
    if {"run", "checkpoint"} & set(names):
        raise ValueError(
            f"{odd[0]}= is settled by the run that is scored: leave it out. Other data of the kind "
            f"are given by root=..., and other splits of it by split=..."
        )
    raise ValueError(f"{odd[0]}= is train.py's: a run is scored by evaluate.py run=... {WITHOUT}")


def _first_comment(path: Path) -> str:
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("#") and not line.startswith("# @package"):
            return line.removeprefix("#").strip()
    return ""
