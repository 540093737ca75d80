"""Files in COCO's format: captions or objects of images, and the folder that the images lie in."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from pg_transfer.data.json_texts import parse_json
from pg_transfer.data.release import tried
from pg_transfer.own_data.rows import Row, Source, joined, split_in

CAPTION_COLUMNS = ("id", "image", "width", "height", "captions")
OBJECT_COLUMNS = (
    "id", "image", "width", "height", "boxes", "box_format", "labels", "masks", "crowd",
)  # fmt: skip

NAMES = ("captions", "instances", "annotations", "_annotations")
"""How the names of files begin in a folder; a file that is named alone may be called anything."""

Content = dict[str, Any]
ByImage = dict[Any, list[Content]]


def is_coco(content: Any) -> bool:
    """Whether what a JSON file holds lists images and annotations."""
    return isinstance(content, dict) and all(
        isinstance(content.get(name), list) for name in ("images", "annotations")
    )


def find_coco(folder: Path) -> dict[str, list[Path]]:
    """The files in COCO's format in and below a folder, by what they annotate.

    Keys are "captions" and "objects"; files of other names (person_keypoints) are not read, nor
    are lists of rows.

    Raises:
        ValueError: a file whose name says that it is one, and that is not.
    """
    found = defaultdict(list)
    for path in sorted({*folder.glob("*.json"), *folder.glob("*/*.json")}):
        if path.name.startswith(NAMES):
            content = _parsed(path)
            if not isinstance(content, list):
                found[_kind(path, _checked(path, content))].append(path)
    return dict(found)


def read_coco(paths: Sequence[Path], root: Path) -> Source:
    """A row per image: its captions, or its objects with boxes, labels and masks.

    Args:
        paths: of annotations, a split each.
        root: the folder in or below which the images are.

    Raises:
        ValueError: a record that cannot be right.
        FileNotFoundError: the images are in none of the usual places.
    """
    return joined([_source(path, root) for path in paths])


def _source(path: Path, root: Path) -> Source:
    content = _checked(path, _parsed(path))
    kind = _kind(path, content)
    columns = CAPTION_COLUMNS if kind == "captions" else OBJECT_COLUMNS
    make = _captions if kind == "captions" else _objects
    split = split_in(path)
    folder = _image_folder(path, root, split, content["images"])
    return Source(f"COCO {kind}", columns, partial(make, path, folder, split, content))


def _parsed(path: Path) -> Any:
    try:
        return parse_json(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: no JSON, or cut short ({error})") from error


def _checked(path: Path, content: Any) -> Content:
    if not is_coco(content):
        raise ValueError(
            f"{path}: not in COCO's format: it has no lists `images` and `annotations`"
        )
    if not content["images"]:
        raise ValueError(f"{path}: its list of images is empty")
    return content


def _kind(path: Path, content: Content) -> str:
    annotations = content["annotations"]
    if annotations and isinstance(annotations[0], dict) and "caption" in annotations[0]:
        return "captions"
    if isinstance(content.get("categories"), list):
        return "objects"
    raise ValueError(f"{path}: its annotations have no captions, and it has no `categories`")


def _image_folder(path: Path, root: Path, split: str | None, images: Sequence[Any]) -> Path:
    """The first of the usual places that has the file's first image."""
    years = [path.stem.removeprefix(kind) for kind in ("captions_", "instances_")]
    names = [".", "images", *([split] if split else []), *years]
    places = dict.fromkeys(
        [path.parent, *(root / name for name in names), *(root / "images" / name for name in names)]
    )
    first = _field(path, images[0], "file_name", str)
    for place in places:
        if os.path.isfile(place / first):  # noqa: PTH113  (of a name too long pathlib raises)
            return place
    looked = ", ".join(map(str, places))
    raise FileNotFoundError(
        f"{path}: its first image, {first}, is in none of {looked}; say images=... with the folder "
        f"that the file names are relative to"
    )


def _captions(path: Path, folder: Path, split: str | None, content: Content) -> Iterator[Row]:
    by_image = _by_image(path, content)
    for image in content["images"]:
        if row := tried(_caption_row, path, folder, split, image, by_image):
            yield row


def _caption_row(
    path: Path, folder: Path, split: str | None, image: Content, by_image: ByImage
) -> Row:
    values = _image(path, image)
    captions = [_field(path, one, "caption", str) for one in by_image[image["id"]]]
    return Row(f"{path}, image {image['id']}", folder, split, values | {"captions": captions})


def _objects(path: Path, folder: Path, split: str | None, content: Content) -> Iterator[Row]:
    names: dict[int, str] = {}
    for one in content["categories"]:
        number, name = _field(path, one, "id", int), _field(path, one, "name", str)
        if names.setdefault(number, name) != name:
            raise ValueError(f"{path}: category {number} is {names[number]!r} and {name!r}")
    by_image = _by_image(path, content)
    for image in content["images"]:
        if row := tried(_object_row, path, folder, split, image, by_image, names):
            yield row


def _object_row(
    path: Path,
    folder: Path,
    split: str | None,
    image: Content,
    by_image: ByImage,
    names: Mapping[int, str],
) -> Row:
    values = _image(path, image)
    objects = by_image[image["id"]]
    labels = []
    for one in objects:
        category = _field(path, one, "category_id", int)
        if category not in names:
            raise ValueError(f"{path}, annotation {one.get('id')}: there is no category {category}")
        labels.append(names[category])
    return Row(
        f"{path}, image {image['id']}",
        folder,
        split,
        values
        | {
            "boxes": [_field(path, one, "bbox", list) for one in objects],
            "box_format": "xywh",
            "labels": labels,
            "masks": [one.get("segmentation") for one in objects],
            "crowd": [one.get("iscrowd") for one in objects],
        },
        drops_thin=True,  # COCO's instances_train2017.json has two such boxes
    )


def _image(path: Path, image: Content) -> dict[str, Any]:
    """What a row says of it, besides its annotations."""
    values = {"id": str(image["id"]), "image": _field(path, image, "file_name", str)}
    for side in ("width", "height"):
        if side in image:
            values[side] = _field(path, image, side, int)
    return values


def _by_image(path: Path, content: Content) -> ByImage:
    images = Counter(_field(path, one, "id", int, str) for one in content["images"])
    repeated = [image for image, count in images.items() if count > 1]
    if repeated:
        raise ValueError(f"{path}: image {repeated[0]!r} is listed twice")
    grouped: ByImage = {image: [] for image in images}
    for one in content["annotations"]:
        image = tried(_image_of, path, one, grouped)
        if image is not None:
            grouped[image].append(one)
    return grouped


def _image_of(path: Path, annotation: Any, images: ByImage) -> Any:
    image = _field(path, annotation, "image_id", int, str)
    if image not in images:
        raise ValueError(
            f"{path}, annotation {annotation.get('id')}: image {image!r} is not listed"
        )
    return image


def _field(path: Path, record: Any, name: str, *kinds: type) -> Any:
    value = record.get(name) if isinstance(record, dict) else None
    if not isinstance(value, kinds) or isinstance(value, bool):
        wanted = " or ".join(kind.__name__ for kind in kinds)
        raise ValueError(f"{path}: `{name}` should be {wanted} in {record!r:.120}")
    return value
