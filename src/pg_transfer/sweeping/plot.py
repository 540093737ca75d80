"""A picture of a sweep: how the trials learnt, and what each setting did to the score."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pg_transfer.process.console import printable
from pg_transfer.process.whole_files import whole
from pg_transfer.sweeping.results import Results, Row

COLOURS = {
    "best": "#f06e14", "finished": "#3b82c4", "pruned": "#b5b5b0", "failed": "#d62828",
    "unfinished": "#8a6fc4",
}  # fmt: skip
MARKS = {"best": "*", "finished": "o", "pruned": "v", "failed": "x", "unfinished": "s"}
PANEL_INCHES = (4.4, 3.4)
COLUMNS = 3
MOST_PANELS = 9
LONGEST = 40
"""Letters of a setting in the picture."""

FEW = 5
"""So many numbers are written out below the axis, if"""

APART = 0.2
"""of its length lie between each and the next."""


def draw_sweep(results: Results, path: Path) -> None:
    """Saves the picture as PNG: a row of panels for every group of trials that can be compared."""
    with rc_context({"text.parse_math": False}):  # a $ among settings is no formula
        _draw(results, path)


def _draw(results: Results, path: Path) -> None:
    groups = list(dict.fromkeys(row.group for row in results.rows if row.scores))
    panels = ["", *_shown(results)]
    columns = min(COLUMNS, len(panels))
    lines = -(-len(panels) // columns)
    count = max(1, len(groups))
    size = (PANEL_INCHES[0] * columns, PANEL_INCHES[1] * lines * count + 0.5)
    figure = Figure(figsize=size, dpi=110, layout="constrained")
    for place, group in enumerate(groups or [""]):
        # A trial that failed before its first score belongs to none: it is shown with the first.
        rows = [row for row in results.rows if row.group == group or not (place or row.scores)]
        best = results.best.get(group)
        for number, setting in enumerate(panels):
            spot = place * lines * columns + number + 1
            axes = figure.add_subplot(lines * count, columns, spot)
            if setting:
                _effect(axes, setting, rows, best)
            else:
                _course(axes, rows, best, group)
    kinds = [kind for kind in COLOURS if any(_kind(row, results) == kind for row in results.rows)]
    for kind in kinds:
        figure.axes[0].plot([], [], MARKS[kind], color=COLOURS[kind], label=kind)
    figure.legend(loc="outside upper right", ncols=len(kinds), frameon=False)
    with whole(path) as unfinished:
        figure.savefig(unfinished, format="png")


def _shown(results: Results) -> list[str]:
    """The settings that get a panel: a task has its own."""
    names = [name for name in results.varied if name != "task"]
    return names[: MOST_PANELS - 1]


def _kind(row: Row, results: Results) -> str:
    return "best" if row in results.best.values() else row.trial.state


def _course(axes: Axes, rows: Sequence[Row], best: Row | None, group: str) -> None:
    """Scores against the part of the training that was done; trials differ in their updates."""
    for row in sorted(rows, key=lambda one: one is best):  # the best on top
        kind = "best" if row is best else row.trial.state
        done = [one.step / one.steps for one in row.scores]
        axes.plot(
            done, [one.score for one in row.scores], marker=".", color=COLOURS[kind],
            linewidth=2.2 if row is best else 1.2, linestyle="--" if kind == "pruned" else "-",
        )  # fmt: skip
        if row.scores:
            axes.plot(done[-1], row.scores[-1].score, MARKS[kind], color=COLOURS[kind])
    axes.set(xlabel="part of the training", ylabel=group, title="course", xlim=(0, 1.03))
    axes.grid(alpha=0.25)


def are_apart(places: Sequence[float], *, is_log: bool) -> bool:
    """Whether numbers that are written below each of these do not overlap."""
    along = sorted(math.log(place) if is_log else place for place in places)
    return all(
        after - before >= APART * (along[-1] - along[0]) for before, after in pairwise(along)
    )


def _effect(axes: Axes, setting: str, rows: Sequence[Row], best: Row | None) -> None:
    """The last score against one setting; a failed trial has none, and lies on the lower edge."""
    values = {row.trial.number: row.varied.get(setting, "") for row in rows}
    numbers = {number: as_number(value) for number, value in values.items()}
    places: dict[int, float]
    if all(value is not None for value in numbers.values()):
        places = {number: value for number, value in numbers.items() if value is not None}
        least, most = min(places.values()), max(places.values())
        is_log = least > 0 and most / least >= 8
        if is_log:
            axes.set_xscale("log")
        written = dict(zip(places.values(), values.values(), strict=True))
        if len(written) <= FEW and are_apart(list(written), is_log=is_log):
            axes.set_xticks(list(written), list(written.values()))
            axes.minorticks_off()
    else:
        words = list(dict.fromkeys(values.values()))
        places = {number: float(words.index(value)) for number, value in values.items()}
        axes.set_xticks(range(len(words)), [_label(word) for word in words])
        axes.set_xlim(-0.5, len(words) - 0.5)
    for row in sorted(rows, key=lambda one: one is best):
        kind = "best" if row is best else row.trial.state
        place, size = places[row.trial.number], 13 if row is best else 6
        if row.score is None:
            axes.plot(
                place, 0.03, MARKS[kind], color=COLOURS[kind], transform=axes.get_xaxis_transform()
            )
        else:
            axes.plot(place, row.score, MARKS[kind], color=COLOURS[kind], markersize=size)
    axes.set(xlabel=_label(setting), title=_label(setting.rpartition(".")[2]))
    axes.grid(alpha=0.25)


def _label(text: str) -> str:
    """What there is room for, in letters that do not steer anything."""
    line = printable(" ".join(text.split()))
    return (line if len(line) <= LONGEST else f"{line[:LONGEST]}…") or "(not set)"


def as_number(text: str) -> float | None:
    """What a setting's text says, if that is a finite number."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if abs(value) < float("inf") else None
