"""What a user's data is: recognised by looking at it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pg_transfer.data.images import IMAGE_ENDINGS
from pg_transfer.data.json_texts import parse_json
from pg_transfer.own_data.coco import find_coco, is_coco, read_coco
from pg_transfer.own_data.held_out import TRAIN, VALIDATION
from pg_transfer.own_data.hub import (
    SAVED,
    read_from_hub,
    read_image_folders,
    read_parquet,
    read_saved,
)
from pg_transfer.own_data.rows import (
    Source,
    joined,
    read_json_lines,
    read_json_list,
    read_table,
    split_in,
)
from pg_transfer.own_data.shards import read_shards
from pg_transfer.own_data.yolo import ENDINGS as YAML
from pg_transfer.own_data.yolo import find_yolo, read_yolo

LINES = (".jsonl", ".ndjson")
TABLES = (".csv", ".tsv")
POSSIBLE = (
    "There may be: a file of JSON lines (.jsonl), a JSON list or COCO annotations (.json), a table "
    "(.csv, .tsv), Parquet (.parquet), tar shards (.tar), a pattern for several of them "
    "(shards/*.tar), YOLO's data.yaml; a folder with such files, of COCO's annotations and images, "
    "of folders of images, or saved by `datasets`; a data set of the Hugging Face hub "
    "(owner/name); or one of these for each split: data={train: a.jsonl, validation: b.jsonl}"
)


def recognise(
    data: str | Path | Sequence[Any] | Mapping[str, Any] | None, *, metric: str | None
) -> Source:
    """The rows of whatever `data` names.

    Args:
        data: a file, pattern, folder or name; or several of these; or one for each split.
        metric: that was asked for; tells which to take where there are captions and objects.

    Raises:
        FileNotFoundError: nothing of that name.
        ValueError: it cannot be recognised, or a record of it cannot be read.
    """
    if not isinstance(data, str | Path | Mapping | Sequence | None):
        raise ValueError(
            f"data={data!r} is no name of a file or folder; one that looks like a number needs "
            f"quotes and the shell's: 'data=\"{data}\"'"
        )
    if not data:
        raise ValueError(f"task=custom needs data=... {POSSIBLE}")
    if isinstance(data, Mapping):
        parts = data.items()
        return joined([
            _of_split(str(key), recognise(one, metric=metric), is_named=True) for key, one in parts
        ])  # fmt: skip
    if isinstance(data, Sequence) and not isinstance(data, str):
        return joined([recognise(one, metric=metric) for one in data])
    path = Path(data)
    if path.is_file() and path.suffix in YAML:
        return read_yolo(path)
    if path.is_file():
        return _of_files([path], _file(path))
    if path.is_dir():
        return _folder(path, metric)
    if any(sign in str(data) for sign in "*?["):
        paths = sorted(Path(path.anchor).glob(str(path.relative_to(path.anchor))))
        if not paths:
            raise FileNotFoundError(f"data={data}: the pattern fits no file")
        return _of_files(paths, _files(paths))
    known = (*LINES, *TABLES, *YAML, ".json", ".parquet", ".tar")
    looks_like_a_name = str(data).count("/") == 1 and not str(data).startswith((".", "~", "/"))
    if not looks_like_a_name or path.suffix in known:
        raise FileNotFoundError(f"data={data}: there is no such file or folder. {POSSIBLE}")
    return read_from_hub(str(data))


def _of_files(paths: Sequence[Path], source: Source) -> Source:
    """A file on its own is all there is, whatever its name; of several, names tell the splits."""
    return _of_split(None, source) if len(paths) == 1 else source


def _of_split(split: str | None, source: Source, *, is_named: bool = False) -> Source:
    return replace(
        source,
        rows=lambda: (row._replace(split=split, is_named=is_named) for row in source.rows()),
    )


def _file(path: Path) -> Source:
    if path.suffix in LINES:
        return read_json_lines(path)
    if path.suffix == ".json":
        return _json(path)
    if path.suffix in TABLES:
        return read_table(path)
    if path.suffix == ".parquet":
        return read_parquet([path])
    if path.suffix == ".tar" or path.name.endswith((".tar.gz", ".tgz")):
        return read_shards([path])
    raise ValueError(f"data={path}: not recognised by its name. {POSSIBLE}")


def _files(paths: Sequence[Path]) -> Source:
    return joined([_file(path) for path in paths])


def _json(path: Path) -> Source:
    try:
        content = parse_json(path.read_bytes())
    except (ValueError, RecursionError) as error:
        if _begins_with_a_row(path):  # JSON lines under another name
            return read_json_lines(path)
        raise ValueError(f"{path}: no JSON, or cut short ({error})") from error
    if isinstance(content, list):
        return read_json_list(path, content)
    if is_coco(content):
        above = path.parent.parent if path.parent.name == "annotations" else path.parent
        return read_coco([path], above)
    found = f"an object with {', '.join(content)}" if isinstance(content, dict) else repr(content)
    raise ValueError(
        f"{path}: neither a list of rows nor in COCO's format (`images` and `annotations`), but "
        f"{found:.200}"
    )


def _begins_with_a_row(path: Path) -> bool:
    try:
        with path.open(encoding="utf-8-sig") as file:
            return isinstance(parse_json(file.readline()), dict)
    except (ValueError, RecursionError):
        return False


def _folder(folder: Path, metric: str | None) -> Source:
    """Tried in the order of how sure a look can be."""
    if any((folder / name).is_file() for name in SAVED):
        return read_saved(folder)
    if found := find_yolo(folder):
        if len(found) > 1:
            raise ValueError(f"data={folder} has {', '.join(one.name for one in found)}: name one")
        return read_yolo(found[0])
    kinds: list[tuple[tuple[str, ...], Callable[[Sequence[Path]], Source]]] = [
        ((".tar",), read_shards),
        (LINES, _files),
        (TABLES, _files),
        ((".parquet",), read_parquet),
    ]
    there = [(_below(folder, *endings), read) for endings, read in kinds]
    if there := [(files, read) for files, read in there if files]:
        files, read = there[0]
        _refuse_splits_elsewhere(folder, files, [path for more, _ in there[1:] for path in more])
        return _of_files(files, read(files))
    if of_coco := find_coco(folder):
        annotations = of_coco[_wanted(folder, of_coco, metric)]
        return _of_files(annotations, read_coco(annotations, folder))
    if lists := [path for path in sorted(folder.glob("*.json")) if path.name[0] != "."]:
        return _of_files(lists, _files(lists))
    inside = [place for place in folder.iterdir() if place.is_dir()]
    if any(entry.suffix.lower() in IMAGE_ENDINGS for place in inside for entry in place.rglob("*")):
        return read_image_folders(folder)
    raise ValueError(f"data={folder}: nothing in the folder is recognised. {POSSIBLE}")


def _below(folder: Path, *endings: str) -> list[Path]:
    """In the folder and in those in it, but no deeper: a folder of images may be very large."""
    patterns = [f"{above}*{ending}" for ending in endings for above in ("", f"*{os.sep}")]
    found = {path for pattern in patterns for path in folder.glob(pattern)}
    return sorted(path for path in found if path.name[0] != ".")  # macOS's ._train.csv


def _refuse_splits_elsewhere(folder: Path, files: Sequence[Path], others: Sequence[Path]) -> None:
    """Raises ValueError if one of the others, which are not read, tells of a split of its own."""
    splits = {_split_told(path) for path in files}
    for path in others:
        if _split_told(path) not in {None, *splits}:
            raise ValueError(
                f"data={folder} has {files[0].name} and {path.name}, and of a folder files of one "
                f"kind are read. Name those that are meant: data={{train: ..., validation: ...}}"
            )


def _split_told(path: Path) -> str | None:
    split = split_in(Path(path.name))
    return next((names[0] for names in (TRAIN, VALIDATION) if split in names), split)


def _wanted(folder: Path, found: Mapping[str, Sequence[Path]], metric: str | None) -> str:
    if len(found) == 1:
        return next(iter(found))
    if metric is not None and metric != "none":
        return "objects" if metric in ("box_ap", "miou") else "captions"
    names = {kind: ", ".join(path.name for path in paths) for kind, paths in found.items()}
    raise ValueError(
        f"data={folder} has captions ({names['captions']}) and objects ({names['objects']}). Say "
        f"metric=cider to learn captions, metric=box_ap for boxes or metric=miou for masks; or "
        f"name the files: data={{train: {found['captions'][0]}}}"
    )
