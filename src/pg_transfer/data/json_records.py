"""The records of published JSON files, whole or one at a time.

A million of them together take gigabytes, and little of each is wanted. Twenty million lines take
minutes, of which `progress_told` tells.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, TextIO, TypeVar

from pg_transfer.data.release import fault

PIECE = 2**22
"""Characters that are read at once; a longer record takes several times as many."""

TOLD_LINES = 10_000
"""So many lines are read between two words on how far it has come."""

Record = dict[str, Any]
Tell = Callable[[Path, int, int], None]
"""What is told of a file that is read: how many of its bytes are, and how many it has."""

Found = TypeVar("Found")

_SPACE = re.compile(r"\s*")
_TELL: ContextVar[Tell | None] = ContextVar("_TELL", default=None)


@contextmanager
def progress_told(tell: Tell) -> Iterator[None]:
    """Within it `tell` is called now and then while a file of many lines is read."""
    token = _TELL.set(tell)
    try:
        yield
    finally:
        _TELL.reset(token)


def read_json(path: Path) -> Any:
    """What a JSON file holds.

    Raises:
        ValueError: it is cut short, or no JSON.
    """
    try:
        return json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise _no_json(path, error) from error


def read_records(path: Path, *lists: str) -> Record:
    """A JSON file: an object that has the named `lists` of objects, and whatever else.

    Raises:
        ValueError: it is cut short, no JSON, or has no such lists.
    """
    content = read_json(path)
    for name in lists:
        records = content.get(name) if isinstance(content, dict) else None
        if not isinstance(records, list) or not all(isinstance(one, dict) for one in records):
            raise fault(path, "the whole file", f"no list of records named {name!r}")
    return content


def each_record(path: Path, name: str | None = None) -> Iterator[Record]:
    """The records of a list, one at a time: the file's own, or `name` in the file's object.

    Raises:
        ValueError: as `read_records`, though perhaps after some records.
    """

    def records(stream: _Stream) -> Iterator[Record]:
        if name is None:
            yield from stream.objects()
            return
        found = False
        for key in stream.names():
            if key == name:
                found = True
                yield from stream.objects()
            else:
                stream.value()
        if not found:
            raise _Unlike

    what = "no list of records" + (f" named {name!r}" if name else "")
    return _each(path, records, otherwise=what)


def each_named_record(path: Path) -> Iterator[tuple[str, Record]]:
    """The records of a file's object, one at a time, each behind its name in it.

    Raises:
        ValueError: it is cut short, no JSON, or no object of objects; perhaps after some records.
    """

    def records(stream: _Stream) -> Iterator[tuple[str, Record]]:
        for key in stream.names():
            yield key, _object(stream.value())

    return _each(path, records, otherwise="no object of records")


def each_line(path: Path) -> Iterator[Record]:
    """The records of a file that has one on each line, one at a time; empty lines have none.

    Raises:
        ValueError: a line is cut short, no JSON, or no object; perhaps after some records.
    """
    tell, size = _TELL.get(), path.stat().st_size
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if tell is not None and number % TOLD_LINES == 0:
                tell(path, file.tell(), size)
            if not line.strip():
                continue
            try:
                record = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise _no_json(path, error, f"line {number}") from error
            if not isinstance(record, dict):
                raise fault(path, f"line {number}", f"{record!r:.40}, no record")
            yield record


class _Unlike(Exception):
    """JSON, but of another form."""


def _each(
    path: Path, read: Callable[[_Stream], Iterator[Found]], *, otherwise: str
) -> Iterator[Found]:
    """What `read` finds in a file, which is read to its end."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            stream = _Stream(file)
            yield from read(stream)
            stream.require_end()
    except _Unlike as error:
        raise fault(path, "the whole file", otherwise) from error
    except (ValueError, RecursionError) as error:
        raise _no_json(path, error) from error


def _no_json(path: Path, error: Exception, place: str = "the whole file") -> ValueError:
    return fault(path, place, f"cut short or no JSON ({error})")


def _object(value: Any) -> Record:
    if not isinstance(value, dict):
        raise _Unlike
    return value


class _Stream:
    """JSON of a file, of which no more is held than the value that is read, and a piece."""

    def __init__(self, file: TextIO) -> None:
        self._file, self._text, self._place = file, "", 0
        self._decode = json.JSONDecoder().raw_decode

    def names(self) -> Iterator[str]:
        """Those of the object that comes next; whoever takes one reads its value."""
        for _ in self._members("{", "}"):
            key = self.value()
            if not isinstance(key, str) or self._sign() != ":":
                raise ValueError("an object's member without a name")
            yield key

    def objects(self) -> Iterator[Record]:
        """Those that the list consists of which comes next."""
        for _ in self._members("[", "]"):
            yield _object(self.value())

    def value(self) -> Any:
        """The next one, whole."""
        self._skip_space()
        while True:
            try:
                value, end = self._decode(self._text, self._place)
            except ValueError:
                if not self._read_on():
                    raise
                continue
            # A number that goes to the end of what was read may go on behind it.
            if end < len(self._text) or not self._read_on():
                self._place = end
                return value

    def require_end(self) -> None:
        """Raises ValueError if anything but space is left."""
        self._skip_space()
        if self._place < len(self._text):
            raise ValueError(f"more behind the end: {self._text[self._place :][:20]!r}")

    def _members(self, opening: str, closing: str) -> Iterator[None]:
        """Comes back before each member of what lies between two brackets."""
        if self._sign() != opening:
            raise _Unlike
        self._skip_space()
        if self._text.startswith(closing, self._place):
            self._place += 1
            return
        while True:
            yield
            sign = self._sign()
            if sign == closing:
                return
            if sign != ",":
                raise ValueError(f"neither a comma nor {closing} behind a member, but {sign!r}")

    def _sign(self) -> str:
        self._skip_space()
        if self._place == len(self._text):
            raise ValueError("it ends early")
        self._place += 1
        return self._text[self._place - 1]

    def _skip_space(self) -> None:
        while True:
            match = _SPACE.match(self._text, self._place)
            assert match is not None
            self._place = match.end()
            if self._place < len(self._text) or not self._read_on():
                return

    def _read_on(self) -> bool:
        """Reads as much again as is held, that a long value is not begun with too often."""
        rest = self._text[self._place :]
        more = self._file.read(max(PIECE, len(rest)))
        if more:
            self._text, self._place = rest + more, 0
        return bool(more)
