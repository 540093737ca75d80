"""Data sets of YOLO: a data.yaml that names classes and folders of images, and labels beside those.

It looks like this::

    data.yaml                  path: ., train: images/train, val: images/val, names: [cat, dog]
    images/train/1.jpg
    labels/train/1.txt         0 0.5 0.5 0.25 0.5         class, centre, width and height, or
                               1 0.1 0.1 0.6 0.1 0.6 0.6  class and the corners of a polygon

All are fractions of the image. An image without a file of labels has no object.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from pg_transfer.data.images import IMAGE_ENDINGS
from pg_transfer.data.release import tried
from pg_transfer.own_data.rows import Row, Source, joined

COLUMNS = ("id", "image", "boxes", "box_format", "labels", "masks")
SPLITS = ("train", "val", "test")
ENDINGS = (".yaml", ".yml")
IMAGES, LABELS = "images", "labels"
NO_LABELS = ("classes", "labels", "notes")
"""What tools of annotation call other texts that they write beside labels."""

Box = list[float]
Polygon = list[float]


def find_yolo(folder: Path) -> list[Path]:
    """The files in a folder that name classes and images, as YOLO's data.yaml does.

    Raises:
        ValueError: that of this very name cannot be read.
    """
    found = []
    for path in sorted(path for ending in ENDINGS for path in folder.glob(f"*{ending}")):
        try:
            content = _content(path)
        except ValueError:
            if path.stem == "data":
                raise
            continue  # whatever it is
        is_half = isinstance(content, dict) and bool({"names", *SPLITS} & content.keys())
        if _is_yolo(content) or (is_half and path.stem == "data"):  # to be told what it lacks
            found.append(path)
    return found


def read_yolo(path: Path) -> Source:
    """A row per image, with its boxes, labels and, where there are polygons, masks.

    Args:
        path: of the data.yaml.

    Raises:
        ValueError: it is none.
        FileNotFoundError: there are no images, or no labels of them, or labels of others.
    """
    content = _content(path)
    if not _is_yolo(content):
        raise ValueError(
            f"{path}: not YOLO's: it needs `names` of the classes, and `train` or `val` with a "
            f"folder of images"
        )
    if "kpt_shape" in content:
        raise ValueError(f"{path}: it has keypoints (`kpt_shape`), which are nothing to learn here")
    names = _names(path, content["names"])
    root = path.parent / str(content.get("path") or "")
    # Often it is that of another machine. (Of a name too long pathlib raises.)
    root = root if os.path.isdir(root) else path.parent  # noqa: PTH112
    sources = []
    for split in SPLITS:
        places = content.get(split)
        for place in places if isinstance(places, list) else [places]:
            if place is not None:
                images = _images(path, root, split, place)
                sources.append(
                    Source("a YOLO data set", COLUMNS, partial(_rows, split, root, images, names))
                )
    return joined(sources)


def _content(path: Path) -> Any:
    try:
        return yaml.safe_load(path.read_bytes())
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        words = " ".join(str(error).split())
        raise ValueError(f"{path}: no YAML, or cut short ({words})") from error


def _is_yolo(content: Any) -> bool:
    return isinstance(content, dict) and "names" in content and bool({*SPLITS} & content.keys())


def _names(path: Path, names: Any) -> dict[int, str]:
    numbered = dict(enumerate(names)) if isinstance(names, list) else names
    if not isinstance(numbered, dict) or not all(type(number) is int for number in numbered):
        raise ValueError(f"{path}: `names` is {names!r:.60}, neither a list nor 0: cat, 1: dog")
    for number, name in numbered.items():
        if isinstance(name, bool) or not isinstance(name, str | int | float):
            raise ValueError(
                f"{path}: the name of class {number} is {name!r:.60}, no text; names that YAML "
                f"takes for something else (yes, no, on, off, null) need quotes: '\"on\"'"
            )
    return {number: str(name) for number, name in numbered.items()}


def _images(path: Path, root: Path, split: str, place: Any) -> list[Path]:
    """The images of a split: those in a folder, or those that a .txt lists."""
    if not isinstance(place, str):
        raise ValueError(f"{path}: `{split}` is {place!r:.60}, not a folder of images")
    # Exports of Roboflow say ../train/images of the folder beside the file.
    places = root / place, root / place.removeprefix("../")
    found = next((one for one in places if os.path.exists(one)), None)  # noqa: PTH110
    if found is None:
        raise FileNotFoundError(f"{path}: `{split}` is {place}, which is not in {root}")
    if found.is_file():
        images = [found.parent / line.strip() for line in _lines(found) if line.strip()]
    else:
        images = [one for one in _shown(found, "*") if one.suffix.lower() in IMAGE_ENDINGS]
    if not images:
        raise FileNotFoundError(f"{path}: `{split}` is {place}, and there is no image in {found}")
    if not any(os.path.isfile(_labels_of(image)) for image in images):  # noqa: PTH113
        raise FileNotFoundError(
            f"{path}: no image of `{split}` has labels; those of {images[0]} would be "
            f"{_labels_of(images[0])}"
        )
    if found.is_dir():
        _require_images(found, images)
    return images


def _shown(folder: Path, pattern: str) -> list[Path]:
    """The files below a folder, without hidden ones such as macOS's ._1.jpg."""
    return sorted(path for path in folder.rglob(pattern) if not path.name.startswith("."))


def _require_images(folder: Path, images: Sequence[Path]) -> None:
    """Raises FileNotFoundError if there is a file of labels without an image."""
    known = {_labels_of(image) for image in images}
    beside = _shown(_labels_of(folder / "x").parent, "*.txt")
    strays = [path for path in beside if path not in known and path.stem not in NO_LABELS]
    if strays:
        raise FileNotFoundError(
            f"{len(strays):,} files of labels have no image in {folder}; the first is {strays[0]}. "
            f"Fetch the images, or take the labels away"
        )


def _labels_of(image: Path) -> Path:
    """The file of an image's labels: the last images/ of its path is labels/."""
    parts = list(image.parts)
    for place in reversed(range(len(parts) - 1)):
        if parts[place] == IMAGES:
            parts[place] = LABELS
            break
    return Path(*parts).with_suffix(".txt")


def _rows(
    split: str, root: Path, images: Sequence[Path], names: Mapping[int, str]
) -> Iterator[Row]:
    for image in images:
        if row := tried(_row, split, root, image, names):
            yield row


def _row(split: str, root: Path, image: Path, names: Mapping[int, str]) -> Row:
    path = _labels_of(image)
    boxes: list[Box] = []
    labels: list[str] = []
    masks: list[list[Polygon] | None] = []
    for number, line in enumerate(_lines(path), start=1):
        if not line.strip():
            continue
        try:
            label, box, polygon = _object(line, names)
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: {error}") from error
        boxes.append(box)
        labels.append(label)
        masks.append(None if polygon is None else [polygon])
    name = str(image.relative_to(root)) if image.is_relative_to(root) else str(image)
    values = (name, name, boxes, "cxcywh_normalised", labels, masks)
    return Row(
        str(path), root, split, dict(zip(COLUMNS, values, strict=True)),
        drops_thin=True,  # as COCO's, of which many are made
    )  # fmt: skip


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError:
        return []
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: no UTF-8 text ({error})") from error


def _object(line: str, names: Mapping[int, str]) -> tuple[str, Box, Polygon | None]:
    """A line's label, box (centre, width, height), and polygon if it is one."""
    first, *rest = line.split()
    try:
        numbers = list(map(float, rest))
        number = int(float(first)) if float(first).is_integer() else -1
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{line!r:.60} are not all numbers") from error
    if number not in names:
        raise ValueError(f"there is no class {first} among the {len(names)} `names`")
    if not all(map(math.isfinite, numbers)):
        raise ValueError(f"{line!r:.60} has a number that is none")
    if len(numbers) == 4:
        return names[number], numbers, None
    if len(numbers) < 6 or len(numbers) % 2:
        raise ValueError(
            f"{line!r:.60} has {len(numbers)} numbers behind the class: a box has four (centre, "
            f"width, height), a polygon two for each of three corners or more"
        )
    left, right = min(numbers[::2]), max(numbers[::2])
    top, bottom = min(numbers[1::2]), max(numbers[1::2])
    box = [(left + right) / 2, (top + bottom) / 2, right - left, bottom - top]
    return names[number], box, numbers
