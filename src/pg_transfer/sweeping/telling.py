"""What a sweep says while it goes: a line when a trial starts, is scored and ends."""

from __future__ import annotations

from collections.abc import Sequence

from pg_transfer.process.console import say
from pg_transfer.reporting.scores_file import Score
from pg_transfer.sweeping.trials import OUTPUT, Trial, joined_settings


def tell_start(trial: Trial) -> None:
    """Its settings, and where to follow what it prints."""
    say(f"trial {trial.number}: {' '.join(joined_settings(trial.settings))}")
    say(f"  prints into {trial.folder / OUTPUT}")


def tell_scores(trial: Trial, scores: Sequence[Score]) -> None:
    """Each of its new scores."""
    for one in scores:
        say(
            f"trial {trial.number}: {one.split}/{one.metric} {one.score:.2f} "
            f"after {one.step} of {one.steps} updates"
        )


def tell_end(trial: Trial) -> None:
    """How it ended."""
    say(f"trial {trial.number}: {trial.state}{f', {trial.reason}' if trial.reason else ''}")
