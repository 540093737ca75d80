"""The files of a published data set: found or said to be missing, read, and checked.

A wrong file or record would go unnoticed in training and cost score; so each fault is one error
that names the file, the record and what to do.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")

MOST_FOLDERS_TOLD = 10

MOST_TOLD = 1000
"""Faults that are told one by one; of the others it is said how many there are."""

_MISSING: ContextVar[list[str] | None] = ContextVar("_MISSING", default=None)


@contextmanager
def missing_images_allowed() -> Iterator[list[str]]:
    """Within it an image that is nowhere is given the path where it should be.

    For a look over a whole data set, which is to find out all that is wrong with it. Gives a list
    that fills with a sentence for each record that cannot be read without its image.
    """
    missing: list[str] = []
    token = _MISSING.set(missing)
    try:
        yield missing
    finally:
        _MISSING.reset(token)


def missing_images() -> list[str] | None:
    """The list that `missing_images_allowed` gave; None where they are not allowed."""
    return _MISSING.get()


class Faults:
    """What is wrong with records, each told once, however often it is met."""

    def __init__(self) -> None:
        self._known: set[int] = set()
        self._first: list[str] = []

    def add(self, error: ValueError) -> None:
        """Another one."""
        if (key := hash(str(error))) not in self._known:
            self._known.add(key)
            if len(self._first) < MOST_TOLD:
                self._first.append(str(error))

    @property
    def sentences(self) -> list[str]:
        """The first of them, in the order in which they were met, and the number of the others."""
        others = len(self._known) - len(self._first)
        return [*self._first, *([f"{others:,} more records that cannot be"] if others else [])]


_FAULTS: ContextVar[Faults | None] = ContextVar("_FAULTS", default=None)


@contextmanager
def all_faults_wanted() -> Iterator[Faults]:
    """Within it records that cannot be are left out, where the others can be read without them.

    For a look over a whole data set. Gives what fills with their faults.
    """
    faults = Faults()
    token = _FAULTS.set(faults)
    try:
        yield faults
    finally:
        _FAULTS.reset(token)


def tried(make: Callable[..., Value], *given: Any) -> Value | None:
    """What `make(*given)` gives; None if that cannot be, and all such faults are wanted.

    Raises:
        ValueError: it cannot be, and the first fault is enough.
    """
    try:
        return make(*given)
    except ValueError as error:
        faults = _FAULTS.get()
        if faults is None:
            raise
        faults.add(error)
        return None


def fault(path: Path, record: str, what: str) -> ValueError:
    """The error to raise about a record that the published file cannot have."""
    return ValueError(
        f"{path}, {record}: {what}. The published file is not like that: download it again."
    )


def find_file(name: str, folders: Sequence[Path], *, fetch: str) -> Path:
    """The file of that name in the first of `folders` that has one.

    Args:
        name: of the file.
        folders: where it may lie.
        fetch: what to download, and whence.

    Raises:
        FileNotFoundError: it is in none of them.
    """
    for folder in folders:
        if (folder / name).is_file():
            return folder / name
    looked = " or ".join(map(str, folders))
    raise FileNotFoundError(f"there is no {name} in {looked}.\n{fetch}")


def find_images(
    names: Mapping[Key, Sequence[str]], folders: Sequence[Path], *, fetch: str
) -> dict[Key, Path]:
    """For each key the image that has one of its names, from the first folder that has it.

    Args:
        names: what the file of each key may be called.
        folders: where they may lie; those that do not exist are passed over.
        fetch: what to download, and whence.

    Raises:
        FileNotFoundError: some are in none of the folders.
        ValueError: a name that leads out of its folder.
    """
    for options in names.values():
        for name in options:
            refuse_path(name)
    existing = [folder for folder in folders if folder.is_dir()]
    present: dict[str, Path] = {}
    for folder in existing:
        with os.scandir(folder) as entries:
            for entry in entries:
                present.setdefault(entry.name, folder / entry.name)
    found = {}
    missing = []
    for key, options in names.items():
        path = next((present[name] for name in options if name in present), None)
        if path is None and missing_images() is not None:
            path = (existing or [*folders])[0] / options[0]
        if path is None:
            missing.append(options[0])
        else:
            found[key] = path
    _refuse_missing(missing, names, folders, fetch=fetch)
    return found


def find_nested_images(
    names: Mapping[Key, Sequence[str]], folders: Sequence[Path], *, fetch: str
) -> dict[Key, Path]:
    """For each key the image that lies at its path below the first folder that has it.

    Args:
        names: the path of each key, by its parts.
        folders: below which it may lie; those that do not exist are passed over.
        fetch: what to download, and whence.

    Raises:
        FileNotFoundError: some are below none of the folders.
        ValueError: a part of a path that leads out of its folder.
    """
    for parts in names.values():
        for part in parts:
            refuse_path(part)
    existing = [folder for folder in folders if folder.is_dir()] or [*folders]
    found = {}
    missing = []
    for key, parts in names.items():
        options = [folder.joinpath(*parts) for folder in existing]
        path = next((option for option in options if option.is_file()), None)
        if path is None and missing_images() is not None:
            path = options[0]
        if path is None:
            missing.append("/".join(parts))
        else:
            found[key] = path
    _refuse_missing(missing, names, folders, fetch=fetch)
    return found


def with_their_folders(folders: Iterable[Path]) -> list[Path]:
    """Each folder, and behind it those in it."""
    found = []
    for folder in folders:
        inner = folder.iterdir() if folder.is_dir() else ()
        found += [folder, *sorted(one for one in inner if one.is_dir())]
    return found


def _refuse_missing(
    missing: Sequence[str], names: Collection[Any], folders: Sequence[Path], *, fetch: str
) -> None:
    """Raises FileNotFoundError if any images are."""
    if not missing:
        return
    existing = [folder for folder in folders if folder.is_dir()]
    looked = [str(folder) for folder in existing or folders]
    if len(looked) > MOST_FOLDERS_TOLD:
        looked = [looked[0], f"{len(looked) - 1} other folders"]
    raise FileNotFoundError(
        f"{len(missing)} of {len(names)} images are not in {' or '.join(looked)}"
        f"{'' if existing else ', none of which exists'}; the first is {missing[0]}.\n{fetch}"
    )


def refuse_path(name: str) -> None:
    """Raises ValueError unless `name` is that of a file: a path in it could lead anywhere."""
    if not isinstance(name, str) or name in ("", ".", "..") or set(name) & {"/", "\\", "\0"}:
        raise ValueError(
            f"{name!r} is no name of an image: annotations name files, not paths, which could lead "
            f"out of the data set. Fetch them again from their publisher"
        )


def field(record: Mapping[str, Any], name: str, kind: type[Value]) -> Value:
    """What a record says, which has to be of that kind, e.g. `str`; true is no `int`.

    Raises:
        TypeError: it says nothing of the sort, or something of another kind.
    """
    if name not in record:
        raise TypeError(f"it has no {name!r}")
    value = record[name]
    if type(value) is not kind:
        raise TypeError(f"its {name} is {value!r:.40}, no {kind.__name__}")
    return value


def refuse_repeated(path: Path, kind: str, ids: Iterable[Hashable]) -> None:
    """Raises ValueError if an id comes twice; `kind` is what the file calls it."""
    repeated = [one for one, count in Counter(ids).items() if count > 1]
    if repeated:
        others = f"; so do {len(repeated) - 1} others" if len(repeated) > 1 else ""
        raise fault(path, f"{kind} {repeated[0]!r}", f"it comes twice{others}")
