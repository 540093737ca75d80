"""Tar shards as webdataset writes them: files that share a name up to its first dot are a row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from pg_transfer.data.images import IMAGE_ENDINGS
from pg_transfer.data.json_texts import parse_json
from pg_transfer.data.release import tried
from pg_transfer.own_data.rows import Row, Source, joined, split_in
from pg_transfer.own_data.stored import ImageInTar, members_of

IMAGES = tuple(ending.removeprefix(".") for ending in IMAGE_ENDINGS)
TEXTS = ("txt", "text", "caption", "cls")
ID = "__key__"


def read_shards(paths: Sequence[Path]) -> Source:
    """Rows of an image and what stands beside it: the columns of a .json, `suffix` of a .txt.

    Nothing is unpacked, so that no name in an archive can reach outside it. Of several images the
    columns are called `image` and after what stands between the dots ("left" in "7.left.png").

    Raises:
        ValueError: an archive that is none, a file of an unknown kind, or a .json that is none.
    """
    return joined([_shard(path) for path in paths])


def _shard(path: Path) -> Source:
    rows = list(_rows(path))
    columns = dict.fromkeys(name for row in rows for name in row.values)
    return Source("tar shards", tuple(columns), lambda: iter(rows))


def _rows(path: Path) -> Iterator[Row]:
    split = split_in(path)
    rows: dict[str, dict[str, Any]] = {}
    broken = set()
    with path.open("rb") as file:
        for member in members_of(path):
            name = PurePosixPath(member.name)
            if name.name.startswith("."):  # no row to webdataset either; macOS packs a ._7.jpg
                continue
            stem, _, extension = name.name.partition(".")
            key = str(name.parent / stem)
            values = rows.setdefault(key, {ID: key})
            if not tried(_add, values, file, member, path, extension.lower()):
                broken.add(key)
    for key, values in rows.items():
        if key not in broken:
            yield Row(f"{path}, {key}", path.parent, split, values)


def _add(values: dict[str, Any], file: Any, member: Any, path: Path, extension: str) -> bool:
    """Adds the columns of a file to its row."""
    place = f"{path}, {member.name}"
    for column, value in _columns(file, member, path, extension, place):
        if column in values:
            raise ValueError(f"{place}: a second `{column}` of {values[ID]!r}")
        values[column] = value
    return True


def _columns(
    file: Any, member: Any, path: Path, extension: str, place: str
) -> list[tuple[str, Any]]:
    role, _, kind = extension.rpartition(".")
    if kind in IMAGES:
        image = ImageInTar(path, member.name, member.offset_data, member.size)
        return [(role or "image", image)]
    if kind not in (*TEXTS, "json"):
        raise ValueError(
            f"{place}: a file of an unknown kind; there may be {', '.join((*IMAGES, *TEXTS))}, json"
        )
    file.seek(member.offset_data)
    content = file.read(member.size)
    try:
        if kind in TEXTS:
            return [(role or "suffix", content.decode("utf-8-sig").strip("\r\n"))]
        values = parse_json(content)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{place}: cannot be read ({error})") from error
    if not isinstance(values, dict):
        raise ValueError(f"{place}: {values!r:.60} is no object with named columns")
    return list(values.items())
