"""The table and the plot of the README and of docs/speed.md, from the results that are kept.

pip install matplotlib && python benchmarks/overview.py
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot
from side_by_side import RESULTS, table

ROOT = Path(__file__).parents[1]
PLOT = ROOT / "docs" / "pictures" / "speed.png"
MARK = "<!-- {end}{name}, by benchmarks/overview.py -->"
OURS, THEIRS, SUFFIX = "ours", "transformers", "transformers, suffix logits"
SOURCES = ("training_step-small-cpu", "training_step-small-cpu-896", "generation-small-cpu")


def main() -> None:
    measured = [row for name in SOURCES for row in rows_of(name)]
    compared = [comparison(pair) for pair in pairs(measured)]
    for page in ("README.md", "docs/speed.md"):
        insert(ROOT / page, "compared", as_table(compared))
    planned = (RESULTS / "planned_memory-cpu.md").read_text(encoding="utf-8")
    insert(ROOT / "docs/speed.md", "planned", planned.partition("\n\n")[0])
    draw(compared)


def rows_of(name: str) -> list[dict[str, Any]]:
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))["rows"]


def pairs(rows: list[dict[str, Any]]) -> list[dict[str, dict[str, Any]]]:
    """What was measured of each case, by side."""
    cases: dict[str, dict[str, dict[str, Any]]] = {}
    for row in rows:
        kind = row.get("kind", "a training step")
        cases.setdefault(f"{kind}, {row['resolution']} px", {})[row["side"]] = row
    return [{"name": {"name": name}, **sides} for name, sides in cases.items()]


def comparison(sides: dict[str, dict[str, Any]]) -> dict[str, Any]:
    ours, theirs, suffix = sides[OURS], sides[THEIRS], sides.get(SUFFIX)
    ratios = {key: theirs[key] / ours[key] for key in ("seconds", "processor", "gb")}
    than_suffix = None if suffix is None else suffix["processor"] / ours["processor"]
    return {"name": sides["name"]["name"], "ours": ours, "suffix": than_suffix, **ratios}


def as_table(compared: list[dict[str, Any]]) -> str:
    head = ["what transformers takes, times ours", "processor time", "by the clock", "memory",
            "processor time with logits of the suffix alone"]  # fmt: skip
    return table(head, [
        [
            one["name"], *(f"{one[key]:.1f}" for key in ("processor", "seconds", "gb")),
            "" if one["suffix"] is None else f"{one['suffix']:.1f}",
        ]
        for one in compared
    ])  # fmt: skip


def insert(page: Path, name: str, text: str) -> None:
    """Puts a table between the marks of that name on a page."""
    begin, end = (MARK.format(end=end, name=name) for end in ("", "end of "))
    old = page.read_text(encoding="utf-8")
    new, count = re.subn(
        f"{re.escape(begin)}.*?{re.escape(end)}",
        lambda _: f"{begin}\n\n{text}\n\n{end}",
        old,
        flags=re.DOTALL,
    )
    if count != 1:
        raise SystemExit(f"{page} has not one place for the table, between {begin} and {end}")
    page.write_text(new, encoding="utf-8")


def draw(compared: list[dict[str, Any]]) -> None:
    figure, axes = pyplot.subplots(1, 2, figsize=(9, 3.2), sharey=True, layout="constrained")
    names = [one["name"] for one in compared]
    for axis, key, title in zip(
        axes, ("processor", "gb"), ("processor time", "peak of memory"), strict=True
    ):
        bars = axis.barh(names, [one[key] for one in compared], color="#4878a8")
        axis.bar_label(bars, fmt="%.1f", padding=3)
        axis.axvline(1, color="#333333", linewidth=1)
        axis.set_title(f"{title} of transformers, ours = 1", fontsize=10)
        axis.spines[["top", "right"]].set_visible(False)
        axis.margins(x=0.12)
    axes[0].invert_yaxis()
    figure.savefig(PLOT, dpi=150)


if __name__ == "__main__":
    main()
