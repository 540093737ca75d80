"""Rows of named columns, wherever they come from; and files of them: JSON lines, JSON, CSV, TSV."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from pg_transfer.data.json_texts import parse_json
from pg_transfer.data.release import tried

DELIMITERS = ",;\t"

_NAMES = "train|training|val|valid|validation|dev|eval|test"
_SPLIT = re.compile(rf"(?<![a-z])({_NAMES})(?:20\d\d)?(?![a-z])")
_FOLDER = re.compile(rf"({_NAMES})(?:20\d\d)?")


class Row(NamedTuple):
    """One record.

    Attributes:
        place: where it stands, for whoever has to mend it: "my.jsonl, line 7".
        folder: what the names of its files are relative to.
        split: that its file is about; None if nothing says so.
        values: by column. An image is the name of a file, or an `Image` that reads itself.
        is_named: the user says that it is of that split, whatever else would.
        drops_thin: its format is known to have boxes without an area, which are left out.
        objects: where each of its objects stands, if not all in one place.
    """

    place: str
    folder: Path
    split: str | None
    values: Mapping[str, Any]
    is_named: bool = False
    drops_thin: bool = False
    objects: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Source:
    """Rows, and what is known of them before they are read.

    Attributes:
        kind: what they were recognised as, e.g. "JSON lines".
        columns: of any of the rows, in the order in which they were met.
        rows: reads them, as often as it is called; they are never in memory together.
    """

    kind: str
    columns: tuple[str, ...]
    rows: Callable[[], Iterator[Row]]


def joined(sources: Sequence[Source]) -> Source:
    """The rows of several sources, one after the other."""
    kinds = dict.fromkeys(source.kind for source in sources)
    columns = dict.fromkeys(name for source in sources for name in source.columns)
    return Source(
        " and ".join(kinds),
        tuple(columns),
        lambda: chain.from_iterable(source.rows() for source in sources),
    )


def split_in(path: Path) -> str | None:
    """The split that a name speaks of: "train" in "captions_train2017.json" or "train/0.json"."""
    match = _SPLIT.search(path.stem.lower()) or _FOLDER.fullmatch(path.parent.name.lower())
    return match[1] if match else None


def read_json_lines(path: Path) -> Source:
    """A file with one JSON object per line; empty lines count for nothing.

    Raises:
        ValueError: a line is no JSON object.
    """
    return _source("JSON lines", path, partial(_lines, path))


def read_json_list(path: Path, rows: Sequence[Any]) -> Source:
    """A JSON file that is one list of objects.

    Raises:
        ValueError: one of them is no object.
    """
    numbered = [(f"record {number}", row) for number, row in enumerate(rows, start=1)]
    return _source("a JSON list", path, lambda: iter(numbered))


def read_table(path: Path) -> Source:
    """A table with a header: comma, semicolon or tab between the cells.

    Raises:
        ValueError: it is not UTF-8, or a line has more or fewer cells than the header.
    """
    with path.open(encoding="utf-8-sig", newline="") as file:
        header = _decoded(path, file.readline)
    delimiter = max(DELIMITERS, key=header.count)
    kind = "tab-separated values" if delimiter == "\t" else "comma-separated values"
    return _source(kind, path, partial(_cells, path, delimiter))


def _source(kind: str, path: Path, records: Callable[[], Iterable[tuple[str, Any]]]) -> Source:
    def rows() -> Iterator[Row]:
        split = split_in(path)
        for place, values in records():
            if tried(_require_columns, path, place, values):
                yield Row(f"{path}, {place}", path.parent, split, values)

    columns = tuple(dict.fromkeys(name for row in rows() for name in row.values))
    if not columns:
        raise ValueError(
            f"{path}: there is not a single row in it; was it written to its end? A row has an "
            f"image, a request and an answer"
        )
    return Source(kind, columns, rows)


def _require_columns(path: Path, place: str, values: Any) -> bool:
    if not isinstance(values, dict):
        raise ValueError(
            f"{path}, {place}: {values!r:.60} is no object with named columns, such as "
            f'{{"image": "1.jpg", "prefix": "caption en", "suffix": "a cat"}}'
        )
    return True


def _lines(path: Path) -> Iterator[tuple[str, Any]]:
    with path.open(encoding="utf-8-sig", newline="\n") as file:
        number = 0
        while line := _decoded(path, file.readline):
            number += 1
            if not line.strip():
                continue
            if number == 1 and line.lstrip().startswith("["):
                raise ValueError(
                    f"{path}: a JSON list, not JSON lines: call it "
                    f"{path.with_suffix('.json').name}, or write one row a line, without brackets "
                    f"around them and commas between"
                )
            if record := tried(_line, path, number, line):
                yield record


def _line(path: Path, number: int, line: str) -> tuple[str, Any]:
    try:
        return f"line {number}", parse_json(line)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}, line {number}: no JSON, or cut short ({error})") from error


def _cells(path: Path, delimiter: str) -> Iterator[tuple[str, dict[str, str]]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, delimiter=delimiter, strict=True)
        header: list[str] | None = None
        while True:
            try:
                cells = _decoded(path, partial(next, reader, None))
            except csv.Error as error:
                raise ValueError(f"{path}, line {reader.line_num}: no table ({error})") from error
            if cells is None:
                return
            if header is None:
                header = [name.strip() for name in cells]
                if len(set(header)) != len(header) or not all(header):
                    raise ValueError(
                        f"{path}, line 1: the header has an empty or repeated name: {header}"
                    )
            elif cells and (row := tried(_named, path, reader.line_num, header, cells)):
                yield f"line {reader.line_num}", row


def _named(path: Path, line: int, header: list[str], cells: list[str]) -> dict[str, str]:
    if len(cells) != len(header):
        raise ValueError(f"{path}, line {line}: {len(cells)} cells under {len(header)} names")
    return dict(zip(header, cells, strict=True))


def _decoded(path: Path, read: Callable[[], Any]) -> Any:
    try:
        return read()
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: no UTF-8 text ({error}); save it as UTF-8") from error
