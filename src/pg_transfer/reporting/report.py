"""What a run has reached: its scores, how sure they are, and the published ones beside them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from pg_transfer.metrics.bootstrap import LEVEL, RESAMPLES, Interval, concerned, intervals
from pg_transfer.process.whole_files import write_whole
from pg_transfer.reporting.published import SOURCE, published
from pg_transfer.task import Formula, Scores

NOTHING: Mapping[str, Scores] = MappingProxyType({})
INTERVAL = f"{LEVEL:.0%} interval"


class Line(NamedTuple):
    """One metric on one split; fractions in percent, counts as int.

    Attributes:
        metric: its name.
        ours: None if it can only be worked out elsewhere, by a benchmark's server.
        before: of the weights that the run started from, where they were scored.
        interval: where the metric follows from the examples' scores.
        published: where the same was reported.
        examples: how many the metric is about.
    """

    metric: str
    ours: float | None
    before: float | None
    interval: Interval | None
    published: float | None
    examples: int

    @property
    def difference(self) -> float | None:
        """Ours less the published value."""
        if self.ours is None or self.published is None:
            return None
        return self.ours - self.published


def compare(
    scores: Scores,
    formulas: Mapping[str, Formula],
    *,
    reported: Mapping[str, float],
    before: Mapping[str, float],
) -> list[Line]:
    """A line for each metric of a split, and for those that were only published.

    Args:
        scores: of the split.
        formulas: `Task.formulas`.
        reported: what was published, by metric.
        before: metrics of the weights that the run started from; empty if they were not scored.
    """
    found = intervals(scores, formulas)
    lines = []
    for metric in dict.fromkeys((*scores.metrics, *reported)):
        interval = found.get(metric)
        lines.append(
            Line(
                metric=metric,
                ours=scores.metrics.get(metric),
                before=before.get(metric),
                interval=interval,
                published=reported.get(metric),
                examples=interval.examples if interval else concerned(scores, metric),
            )
        )
    return lines


def cells(lines: Sequence[Line]) -> list[list[str]]:
    """The header and a row for each line, without columns that nothing stands in."""
    has_before = any(line.before is not None for line in lines)
    columns = {
        "metric": [line.metric for line in lines],
        "before": [number(line.before) for line in lines],
        "after" if has_before else "ours": [number(line.ours) for line in lines],
        INTERVAL: [
            f"{line.interval.low:.2f} – {line.interval.high:.2f}" if line.interval else ""
            for line in lines
        ],
        "published": [number(line.published) for line in lines],
        "difference": [
            "" if line.difference is None else f"{line.difference:+.2f}" for line in lines
        ],
        "examples": [number(line.examples) for line in lines],
    }
    filled = {name: column for name, column in columns.items() if any(column)}
    return [list(filled), *(list(row) for row in zip(*filled.values(), strict=True))]


def number(value: float | None) -> str:
    """Counts as they are, fractions with two digits, nothing for None."""
    if value is None:
        return ""
    return f"{value:,}" if isinstance(value, int) else f"{value:.2f}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All that a run is to be judged by.

    Attributes:
        facts: what was scored, by name.
        notes: what a reader has to know, in sentences.
        splits: the lines of each split.
    """

    facts: Mapping[str, str | int]
    notes: Sequence[str]
    splits: Mapping[str, Sequence[Line]]

    def save(self, path: Path) -> None:
        """Writes Markdown to `path`, and JSON beside it."""
        write_whole(path, [self.as_markdown()])
        text = json.dumps(self.as_json(), indent=2, ensure_ascii=False)
        write_whole(path.with_suffix(".json"), [text, "\n"])

    def as_json(self) -> dict[str, Any]:
        """Everything, with all digits."""
        return {
            **self.facts,
            "notes": list(self.notes),
            "interval": {
                "level": LEVEL, "method": "percentile bootstrap over examples",
                "resamples": RESAMPLES,
            },
            "published": SOURCE,
            "splits": {
                split: {line.metric: _as_json(line) for line in lines}
                for split, lines in self.splits.items()
            },
        }  # fmt: skip

    def as_markdown(self) -> str:
        """A page with a table for each split."""
        parts = [", ".join(f"{name} {value}" for name, value in self.facts.items())]
        for split, lines in self.splits.items():
            header, *rows = cells(lines)
            rule = ["---", *["---:"] * (len(header) - 1)]
            table = (f"| {' | '.join(row)} |" for row in (header, rule, *rows))
            parts += [f"## {split}", "\n".join(table)]
        remarks = [
            *self.notes,
            f"Fractions are in percent. {INTERVAL}: percentile bootstrap, {RESAMPLES:,} draws of "
            f"the examples.",
        ]
        if any(line.published is not None for lines in self.splits.values() for line in lines):
            remarks.append(f"Published: {SOURCE}")
        parts.append("\n".join(f"- {remark}" for remark in remarks))
        return "# Report\n\n" + "\n\n".join(parts) + "\n"


def build_report(
    scores: Mapping[str, Scores],
    formulas: Callable[[str], Mapping[str, Formula]],
    *,
    task: str,
    model: str,
    resolution: int,
    facts: Mapping[str, str | int],
    notes: Sequence[str],
    before: Mapping[str, Scores] = NOTHING,
) -> Report:
    """The verdict on each split beside the published one and that on the starting weights.

    Args:
        scores: of each split.
        formulas: `Task.formulas_of`.
        task: its name in `conf/task/`.
        model: its size, a key of `model.config.SIZES`.
        resolution: image side in pixels.
        facts: what was scored, besides these.
        notes: what a reader has to know, besides what the scores themselves remark.
        before: scores of the weights that the run started from.
    """
    known = published(task, model=model, resolution=resolution)
    lines = {
        split: compare(
            verdict,
            formulas(split),
            reported=known.get(split, {}),
            before=before[split].metrics if split in before else {},
        )
        for split, verdict in scores.items()
    }
    about = {"task": task, "model": model, "resolution": resolution, **facts}
    remarks = [remark for verdict in scores.values() for remark in verdict.remarks]
    return Report(facts=about, notes=list(dict.fromkeys((*notes, *remarks))), splits=lines)


def _as_json(line: Line) -> dict[str, Any]:
    interval = line.interval
    return {
        "ours": line.ours,
        "before": line.before,
        "low": interval.low if interval else None,
        "high": interval.high if interval else None,
        "published": line.published,
        "difference": line.difference,
        "examples": line.examples,
    }
