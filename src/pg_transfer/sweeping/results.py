"""What came of a sweep: every trial with its scores, and the best of each task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pg_transfer.reporting.scores_file import Score, read_scores
from pg_transfer.sweeping.trials import Trial, read_trials


@dataclass(frozen=True, slots=True)
class Row:
    """A trial and how it did.

    Attributes:
        trial: with its settings and its state.
        varied: those of its settings that are not the same in all trials.
        scores: at each validation.
    """

    trial: Trial
    varied: dict[str, str]
    scores: list[Score]

    @property
    def score(self) -> float | None:
        """The last: that of the weights that the run ends with."""
        return self.scores[-1].score if self.scores else None

    @property
    def highest(self) -> float | None:
        """The best on the way, whose weights the run keeps, too."""
        return max((one.score for one in self.scores), default=None)

    @property
    def group(self) -> str:
        """What scores can be compared within: the task, if tasks are swept over, and the metric."""
        task = self.varied.get("task", "")
        metric = f"{self.scores[-1].split}/{self.scores[-1].metric}" if self.scores else ""
        return f"{task} {metric}".strip()


@dataclass(frozen=True, slots=True)
class Results:
    """A sweep as it stands.

    Attributes:
        folder: of the sweep.
        rows: by number.
        fixed: the settings that all trials have.
    """

    folder: Path
    rows: list[Row]
    fixed: dict[str, str]

    @property
    def varied(self) -> list[str]:
        """The names of the settings that differ."""
        return list(dict.fromkeys(name for row in self.rows for name in row.varied))

    @property
    def best(self) -> dict[str, Row]:
        """Of each group that has a finished trial, the one with the highest score; the first."""
        found: dict[str, Row] = {}
        for row in self.rows:
            if row.trial.state != "finished" or row.score is None:
                continue
            if row.group not in found or row.score > (found[row.group].score or 0.0):
                found[row.group] = row
        return found

    def as_good_as(self, best: Row) -> list[Row]:
        """The other finished trials of its group that have the very score of the best."""
        return [
            row
            for row in self.rows
            if row is not best
            and row.trial.state == "finished"
            and (row.group, row.score) == (best.group, best.score)
        ]

    def count(self, state: str) -> int:
        """How many trials ended like that."""
        return sum(row.trial.state == state for row in self.rows)


def read_results(sweep: Path) -> Results:
    """The results of the sweep in that folder so far."""
    trials = read_trials(sweep)
    names = dict.fromkeys(name for trial in trials for name in trial.settings)
    differs = [name for name in names if _differs(name, trials)]
    rows = [
        Row(
            trial,
            {name: trial.settings.get(name, "") for name in differs},
            read_scores(trial.folder),
        )
        for trial in trials
    ]
    fixed = {name: trials[0].settings[name] for name in names if name not in differs}
    return Results(sweep, rows, fixed)


def _differs(name: str, trials: Sequence[Trial]) -> bool:
    return len({trial.settings.get(name) for trial in trials}) > 1
