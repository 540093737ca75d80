"""The rows of published CSV files, one at a time, and lists of numbers."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from pg_transfer.data.release import fault

_NUMBER = re.compile(r"\s*[0-9]{1,18}\s*")


def each_row(path: Path, columns: Sequence[str]) -> Iterator[dict[str, str]]:
    """What the rows below the first line, which names the columns, have in some of them.

    Raises:
        ValueError: it is no table, has no such columns, or a row has more or fewer cells; perhaps
            after some rows.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file)
            header = next(rows, [])
            if missing := [name for name in columns if name not in header]:
                what = f"no columns {' and '.join(missing)}, but {header!r:.80}"
                raise fault(path, "line 1", what)
            places = {name: header.index(name) for name in columns}
            for row in filter(None, rows):  # an empty line is no row
                if len(row) != len(header):
                    what = f"{len(row)} cells under {len(header)} names"
                    raise fault(path, f"line {rows.line_num}", what)
                yield {name: row[place] for name, place in places.items()}
    except (csv.Error, UnicodeDecodeError) as error:
        raise fault(path, "the whole file", f"no table ({error})") from error


def read_numbers(path: Path) -> list[int]:
    """The numbers in a file, one a line.

    Raises:
        ValueError: a line is something else, or there is none.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise fault(path, "the whole file", f"no text ({error})") from error
    if not lines:
        raise fault(path, "the whole file", "it is empty")
    return [number_of(path, f"line {place}", line) for place, line in enumerate(lines, 1)]


def number_of(path: Path, place: str, text: str) -> int:
    """The number that a file has written there.

    Raises:
        ValueError: it is none.
    """
    if not _NUMBER.fullmatch(text):
        raise fault(path, place, f"{text!r:.40} is no number")
    return int(text)
