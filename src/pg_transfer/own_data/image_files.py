"""The images of rows: files that are looked for before training, or stretches of other files."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pg_transfer.data.images import image_size
from pg_transfer.own_data.columns import as_list
from pg_transfer.own_data.stored import StoredImage
from pg_transfer.task import OneImage


def read_images(cell: Any, folder: Path, *, several: bool) -> tuple[OneImage, ...]:
    """What a row names: files relative to `folder`, or images stored elsewhere.

    Raises:
        ValueError: it names none, or something that is no image.
    """
    those = as_list(cell) if several else [cell]
    if not isinstance(those, list) or not those:
        raise ValueError(f"`images` is {those!r:.60}, not a list of one or more")
    return tuple(_image(one, folder) for one in those)


def _image(one: Any, folder: Path) -> OneImage:
    if isinstance(one, StoredImage):
        return one
    if not isinstance(one, (str, Path)) or not str(one).strip():
        what = "missing" if one is None else f"{one!r:.60}, not the name of a file"
        raise ValueError(f"the image is {what}")
    if str(one).startswith(("http://", "https://")):
        raise ValueError(f"the image {one} is an address; download the images and name the files")
    return folder / one


def size_of(image: OneImage) -> tuple[int, int]:
    """Width and height in pixels, by the head of the file."""
    if isinstance(image, Path):
        return image_size(image)
    assert isinstance(image, StoredImage)
    return image.size


def require_files(images: Iterable[OneImage]) -> None:
    """Raises FileNotFoundError if some files are missing; each folder is listed once."""
    wanted: dict[Path, set[str]] = defaultdict(set)
    for image in images:
        if isinstance(image, Path):
            wanted[image.parent].add(image.name)
    missing = []
    for folder, names in wanted.items():
        present = {entry.name for entry in folder.iterdir()} if folder.is_dir() else set()
        missing += [folder / name for name in sorted(names - present)]
    if missing:
        total = sum(map(len, wanted.values()))
        raise FileNotFoundError(
            f"{len(missing):,} of {total:,} images are missing; the first is {missing[0]}. Names "
            f"of images are relative to the file that has them, or to images=..."
        )
