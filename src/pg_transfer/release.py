"""The files of a published data set: found or said to be missing, read, and checked.

A wrong file or record would go unnoticed in training and cost score; so each fault is one error
that names the file, the record and what to do.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

Key = TypeVar("Key", bound=Hashable)


def fault(path: Path, record: str, what: str) -> ValueError:
    """The error to raise about a record that the published file cannot have."""
    return ValueError(
        f"{path}, {record}: {what}. The published file has no such record: download it again."
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
    """
    present: dict[str, Path] = {}
    for folder in folders:
        if folder.is_dir():
            with os.scandir(folder) as entries:
                for entry in entries:
                    present.setdefault(entry.name, folder / entry.name)
    found = {}
    missing = []
    for key, options in names.items():
        path = next((present[name] for name in options if name in present), None)
        if path is None:
            missing.append(options[0])
        else:
            found[key] = path
    if missing:
        existing = [str(folder) for folder in folders if folder.is_dir()]
        looked = " or ".join(existing or map(str, folders))
        raise FileNotFoundError(
            f"{len(missing)} of {len(names)} images are not in {looked}"
            f"{'' if existing else ', none of which exists'}; the first is {missing[0]}.\n{fetch}"
        )
    return found


def read_records(path: Path, *lists: str) -> dict[str, Any]:
    """A JSON file: an object that has the named `lists` of objects, and whatever else.

    Raises:
        ValueError: it is cut short, no JSON, or has no such lists.
    """
    try:
        content = json.loads(path.read_bytes())
    except ValueError as error:
        raise fault(path, "the whole file", f"cut short or no JSON ({error})") from error
    for name in lists:
        records = content.get(name) if isinstance(content, dict) else None
        if not isinstance(records, list) or not all(isinstance(one, dict) for one in records):
            raise fault(path, "the whole file", f"no list of records named {name!r}")
    return content


def refuse_repeated(path: Path, kind: str, ids: Iterable[Hashable]) -> None:
    """Raises ValueError if an id comes twice; `kind` is what the file calls it."""
    repeated = [one for one, count in Counter(ids).items() if count > 1]
    if repeated:
        raise fault(
            path, f"{kind} {repeated[0]!r}", f"it comes twice; so do {len(repeated) - 1} others"
        )
