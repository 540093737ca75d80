"""The trials of a sweep: one run each, in a folder of its own that says how it ended."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal, get_args

from pg_transfer.process.whole_files import write_whole

TRIAL = "trial.json"
OUTPUT = "output.txt"
"""What a trial printed, in its folder."""

State = Literal["unfinished", "finished", "pruned", "failed"]
"""Unfinished is one that is at work, or was cut short and can go on."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One run of a sweep.

    Attributes:
        number: from 0; names the folder unless Hydra was told otherwise.
        folder: of the run.
        settings: as on the command line, by name: those of all trials, too.
        state: how it ended.
        reason: of a failed one, its error; of a pruned one, why it was given up.
    """

    number: int
    folder: Path
    settings: dict[str, str]
    state: State = "unfinished"
    reason: str = ""

    def ended(self, state: State, reason: str = "") -> Trial:
        """The same trial with how it ended."""
        return replace(self, state=state, reason=reason)

    def save(self) -> None:
        """Writes `trial.json` into its folder."""
        row = asdict(self) | {"folder": None}  # wherever the file lies
        write_whole(self.folder / TRIAL, [json.dumps(row, indent=1) + "\n"])


def read_trial(folder: Path) -> Trial | None:
    """The trial in `folder`, None if there is none.

    Raises:
        ValueError: a damaged file.
    """
    path = folder / TRIAL
    if not path.is_file():
        return None
    try:
        row = json.loads(path.read_text(encoding="utf-8"))
        trial = Trial(**row | {"folder": folder})
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path} says nothing of a trial: {error}") from error
    if trial.state not in get_args(State):
        raise ValueError(f"{path}: state {trial.state!r} is none of {', '.join(get_args(State))}")
    return trial


def read_trials(sweep: Path) -> list[Trial]:
    """All trials below the folder of a sweep, by number."""
    found = [read_trial(path.parent) for path in sweep.rglob(TRIAL)]
    return sorted((one for one in found if one is not None), key=lambda trial: trial.number)


def split_settings(overrides: Sequence[str]) -> dict[str, str]:
    """`["recipe.lr=1e-5"]` as `{"recipe.lr": "1e-5"}`; a removal (`~x`) has an empty value."""
    return {name: value for name, _, value in (one.partition("=") for one in overrides)}


def joined_settings(settings: dict[str, str]) -> list[str]:
    """The opposite of `split_settings`."""
    return [
        f"{name}={value}" if value or not name.startswith("~") else name
        for name, value in settings.items()
    ]
