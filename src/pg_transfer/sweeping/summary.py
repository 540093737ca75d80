"""The end of a sweep: a table, a picture and what to type next, printed and left in its folder."""

from __future__ import annotations

import csv
import json
import shlex
from base64 import b64encode
from collections import Counter
from collections.abc import Sequence
from html import escape
from importlib import resources
from io import StringIO
from pathlib import Path
from urllib.parse import quote

from pg_transfer.process.console import CONSOLE, facts_table, printable, say, score_table
from pg_transfer.process.whole_files import write_whole
from pg_transfer.project import typed
from pg_transfer.reporting.templates import filled
from pg_transfer.sweeping.plot import draw_sweep
from pg_transfer.sweeping.results import Results, Row, read_results
from pg_transfer.sweeping.trials import OUTPUT, joined_settings

NAME = "sweep"
"""Of the files with the results, without their endings."""

MOST_REASON = 200
"""Characters of a reason in the terminal; the files have all."""


def write_summary(folder: Path) -> Results:
    """Writes sweep.json, .csv, .png and .html into the folder of a sweep; what they say."""
    results = read_results(folder)
    best = list(results.best.values())
    table = cells(results)
    file = StringIO()
    csv.writer(file, lineterminator="\n").writerows([table[0], *table[1]])
    write_whole(folder / f"{NAME}.csv", [file.getvalue()])
    header, rows = with_reasons(*table)
    write_whole(folder / f"{NAME}.json", [json.dumps(as_json(results), indent=1) + "\n"])
    draw_sweep(results, folder / f"{NAME}.png")
    template = (resources.files("pg_transfer.sweeping") / "sweep.html").read_text(encoding="utf-8")
    picture = b64encode((folder / f"{NAME}.png").read_bytes()).decode()
    page = {
        "@@NAME@@": _text(str(folder)),
        "@@FIXED@@": _text(" ".join(joined_settings(results.fixed))),
        "@@BEST@@": "".join(f"<p>{_text(line)}</p>" for line in verdict(results)),
        "@@NEXT@@": _text("\n".join(commands(results))),
        "@@HEADER@@": "".join(f"<th>{_text(name)}</th>" for name in header),
        "@@ROWS@@": "\n".join(
            _html_row(row, texts, folder, is_best=row in best)
            for row, texts in zip(results.rows, rows, strict=True)
        ),
        "@@PICTURE@@": f"data:image/png;base64,{picture}",
    }
    write_whole(folder / f"{NAME}.html", [filled(template, page)])
    return results


def show_summary(results: Results) -> None:
    """Prints the same: the table, the best, where the files lie, what to type next."""
    header, rows = cells(results)
    names = short_names(results.varied)
    narrow = [[names.get(name, name) for name in header], *rows]
    CONSOLE.print(score_table("sweep", [texts[:-1] for texts in narrow]))  # the reasons follow
    for row in results.rows:
        if row.trial.state == "failed":
            say(f"trial {row.trial.number} failed: {_shortened(row.trial.reason, MOST_REASON)}")
    if results.fixed:
        CONSOLE.print(facts_table("in all trials", list(results.fixed.items())))
    for line in verdict(results):
        say(line)
    say(f"table and picture: {results.folder / f'{NAME}.html'} (.csv, .json, .png beside it)")
    for line in commands(results):
        say(line)


def cells(results: Results) -> tuple[list[str], list[list[str]]]:
    """The names of the columns, and the texts of every trial; empty for what there is not."""
    metrics = dict.fromkeys(
        f"{one.split}/{one.metric}" for row in results.rows for one in row.scores
    )
    score = " or ".join(metrics) or "score"
    header = ["trial", *results.varied, "state", score, "highest", "update", "why"]
    rows = [
        [
            str(row.trial.number), *(row.varied[name] for name in results.varied), row.trial.state,
            _number(row.score), _number(row.highest),
            f"{row.scores[-1].step}/{row.scores[-1].steps}" if row.scores else "",
            row.trial.reason,
        ]
        for row in results.rows
    ]  # fmt: skip
    return header, rows


def with_reasons(header: list[str], rows: list[list[str]]) -> tuple[list[str], list[list[str]]]:
    """The same, but without the last column, the reasons, where no trial has one."""
    if any(texts[-1] for texts in rows):
        return header, rows
    return header[:-1], [texts[:-1] for texts in rows]


def short_names(settings: Sequence[str]) -> dict[str, str]:
    """Of each setting the last part of its name, `lr` of `recipe.lr`, where no two share one."""
    last = {name: name.rpartition(".")[2] for name in settings}
    counts = Counter(last.values())
    return {name: short if counts[short] == 1 else name for name, short in last.items()}


def verdict(results: Results) -> list[str]:
    """A line on the best of every group, and one on how many ended how."""
    lines = []
    for group, row in results.best.items():
        lines.append(
            f"best{f' of {group}' if group else ''}: trial {row.trial.number} with "
            f"{_number(row.score)} ({' '.join(joined_settings(row.varied)) or 'the only one'})"
        )
        if others := results.as_good_as(row):
            lines.append(
                f"as good: trial{'s' if len(others) > 1 else ''} "
                f"{', '.join(str(other.trial.number) for other in others)}; the first of the "
                f"best is named"
            )
    states = ("finished", "pruned", "failed", "unfinished")
    counts = [f"{results.count(state)} {state}" for state in states if results.count(state)]
    return [*lines, f"trials: {', '.join(counts)}"]


def commands(results: Results) -> list[str]:
    """What to type next."""
    lines = []
    for row in results.best.values():
        score = [*typed("evaluate"), f"run={row.trial.folder}"]
        train = [*typed("train"), *joined_settings(row.trial.settings)]
        lines += [f"score it: {shlex.join(score)}", f"its settings again: {shlex.join(train)}"]
    failed = [row for row in results.rows if row.trial.state == "failed"]
    lines += [f"what a failed one said: {row.trial.folder / OUTPUT}" for row in failed[:1]]
    return lines


def as_json(results: Results) -> dict[str, object]:
    """Everything in numbers and names, for other programs."""
    return {
        "best": {group: row.trial.number for group, row in results.best.items()},
        "fixed": results.fixed,
        "trials": [
            {
                "number": row.trial.number,
                "folder": str(row.trial.folder.relative_to(results.folder)),
                "settings": row.varied,
                "state": row.trial.state,
                "reason": row.trial.reason,
                "score": row.score,
                "highest": row.highest,
                "scores": [one._asdict() for one in row.scores],
            }
            for row in results.rows
        ],
    }


def _html_row(row: Row, texts: list[str], folder: Path, *, is_best: bool) -> str:
    number, *others = map(_text, texts)
    # Percent-encoded, as a folder called "javascript:..." would be a program to a browser.
    link = quote(row.trial.folder.relative_to(folder).as_posix(), errors="surrogateescape")
    kind = "best" if is_best else row.trial.state
    texts = [f'<a href="{link}/">{number}</a>', *others]
    return f'<tr class="{kind}">' + "".join(f"<td>{text}</td>" for text in texts) + "</tr>"


def _text(text: str) -> str:
    """The text as HTML, of which no letter steers anything."""
    return escape(printable(text))


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _shortened(text: str, most: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 1]}…"
