"""Data sets as the library `datasets` keeps them: of the hub, saved in a folder, or Parquet files.

They are mapped into memory, not read into it; no code of theirs is run.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from pg_transfer.own_data.rows import Row, Source, joined, split_in
from pg_transfer.own_data.stored import ImageInDataset

SAVED = ("dataset_dict.json", "dataset_info.json")
"""What `save_to_disk` leaves in a folder."""

PACKED = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".zst", ".lz4", ".7z", ".rar")


def read_from_hub(name: str) -> Source:
    """A data set of the Hugging Face hub.

    Args:
        name: "owner/name", with ":configuration" and "@revision" behind it if need be.

    Raises:
        FileNotFoundError: there is none of that name, or it cannot be fetched.
        ValueError: it has several configurations, or comes as a program.
    """
    library = _library()
    path, _, revision = name.partition("@")
    path, _, configuration = path.partition(":")
    try:
        found = library.load_dataset(path, configuration or None, revision=revision or None)
    except RuntimeError as error:  # "Dataset scripts are no longer supported"
        raise ValueError(
            f"data={name}: {error}. Some of those have been turned into Parquet files: try "
            f"data={path}@refs/convert/parquet"
        ) from error
    except (OSError, library.exceptions.DatasetsError) as error:
        raise FileNotFoundError(
            f"data={name}: no such file or folder here, and as a data set of the Hugging Face hub "
            f"it cannot be fetched ({error}). A private or gated one needs `hf auth login`"
        ) from error
    return _splits(f"the data set {path}", found, Path())


def read_saved(folder: Path) -> Source:
    """What `save_to_disk` wrote.

    Raises:
        ValueError: it cannot be read.
    """
    try:
        found = _library().load_from_disk(str(folder))
    except Exception as error:  # it, and Arrow below it, raise many kinds
        raise ValueError(f"{folder}: cannot be read as a saved data set ({error})") from error
    return _splits("a saved data set", found, folder)


def read_parquet(paths: Sequence[Path]) -> Source:
    """Parquet files; `split_in` their names are their splits.

    Raises:
        ValueError: one cannot be read.
    """
    library = _library()
    sources = []
    for path in paths:
        try:
            found = library.Dataset.from_parquet(str(path))
        except Exception as error:  # it, and Arrow below it, raise many kinds
            raise ValueError(f"{path}: cannot be read as a Parquet file ({error})") from error
        sources.append(_dataset("Parquet", found, path.parent, split_in(path), str(path)))
    return joined(sources)


def read_image_folders(folder: Path) -> Source:
    """Images in folders that are named after what they show, below folders of splits or not.

    Raises:
        ValueError: it cannot be read, or has an archive, which `datasets` would unpack.
    """
    for path in folder.rglob("*"):
        if path.suffix.lower() in PACKED:
            raise ValueError(
                f"{path}: an archive among folders of images; unpack it, or take it away"
            )
    try:
        found = _library().load_dataset("imagefolder", data_dir=str(folder.absolute()))
    except Exception as error:  # it raises many kinds
        raise ValueError(f"{folder}: cannot be read as folders of images ({error})") from error
    return _splits("folders of images", found, folder)


def _library() -> Any:
    try:
        import datasets
    except ImportError as error:
        raise ImportError(
            "data sets of the hub, saved ones, Parquet files and folders of images are read by "
            "datasets, which is not installed: pip install 'pg_transfer[data]'"
        ) from error
    if not sys.stderr.isatty():  # its bars would fill a log
        datasets.disable_progress_bars()
    return datasets


def _splits(kind: str, found: Any, folder: Path) -> Source:
    parts = found.items() if isinstance(found, Mapping) else [(None, found)]
    return joined([_dataset(kind, part, folder, split, kind) for split, part in parts])


def _dataset(kind: str, found: Any, folder: Path, split: str | None, name: str) -> Source:
    library = _library()
    images, several = [], []
    for column, feature in found.features.items():
        item = getattr(feature, "feature", None)
        if isinstance(feature, library.Image):
            images.append(column)
            found = found.cast_column(column, library.Image(decode=False))
        elif isinstance(item, library.Image):
            several.append(column)
            found = found.cast_column(column, library.List(library.Image(decode=False)))
    rest = found.remove_columns([*images, *several])
    where = f"{name}, {split} row" if split and name == kind else f"{name}, row"

    def rows() -> Iterator[Row]:
        cells = found.select_columns([*images, *several]).with_format("arrow")
        for number, values in enumerate(_spelled(rest)):
            shown = cells[number] if cells.column_names else {}  # looked at without being read
            place = f"{where} {number + 1}"
            stored: dict[str, Any] = {}
            for column in images:
                if _is_there(shown[column][0]):
                    stored[column] = ImageInDataset(found, column, number, place)
            for column in several:
                if (those := shown[column][0]).is_valid:
                    stored[column] = [
                        ImageInDataset(found, column, number, place, n) if _is_there(one) else None
                        for n, one in enumerate(those)
                    ]
            yield Row(place, folder, split, values | stored)

    return Source(kind, tuple(found.column_names), rows)


def _is_there(cell: Any) -> bool:
    """Whether a cell of Arrow's holds an image, or the name of one."""
    return cell.is_valid and (cell["bytes"].is_valid or cell["path"].is_valid)


def _spelled(found: Any) -> Iterator[dict[str, Any]]:
    """The rows, in which numbers of classes are their names."""
    if not found.column_names:
        return iter({} for _ in range(len(found)))
    readers = {column: _reader(feature) for column, feature in found.features.items()}
    return ({column: readers[column](row[column]) for column in readers} for row in found)


def _reader(feature: Any) -> Any:
    if hasattr(feature, "int2str"):
        return lambda value: None if value is None or value < 0 else feature.int2str(value)
    if isinstance(feature, dict):
        readers = {name: _reader(part) for name, part in feature.items()}
        return partial(_read_struct, readers)
    if (item := getattr(feature, "feature", None)) is not None:
        read = _reader(item)
        return lambda values: None if values is None else [read(value) for value in values]
    return lambda value: value


def _read_struct(readers: Mapping[str, Any], value: Any) -> Any:
    return None if value is None else {name: read(value[name]) for name, read in readers.items()}
