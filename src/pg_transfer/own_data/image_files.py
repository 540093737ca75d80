"""The images of rows: files that are looked for before training, or stretches of other files."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pg_transfer.data.images import Content, StoredImage, have_one_shape, image_size, read_head
from pg_transfer.data.release import missing_images
from pg_transfer.own_data.columns import as_list
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
    if str(one).startswith("data:"):
        raise ValueError(f"the image {str(one)[:30]}... is written out; save it, and name the file")
    return folder / one


def size_of(image: OneImage) -> tuple[int, int]:
    """Width and height in pixels, by the head of the file."""
    return image_size(_file(image))


def is_on_its_side(image: OneImage) -> bool:
    """Whether an image's EXIF asks to show it turned by a quarter; of one without a head, not."""
    try:
        return read_head(_file(image)).is_on_its_side
    except (OSError, ValueError):
        return False


def _file(image: OneImage) -> Path | Content:
    assert isinstance(image, (Path, StoredImage))
    return image if isinstance(image, Path) else image.content


def require_as_stored(image: OneImage, stored: tuple[int, int], annotated: tuple[int, int]) -> None:
    """Sees to it that boxes are not those of the image as its EXIF, on its side, asks to show it.

    Args:
        image: whose boxes and masks they are.
        stored: its width and height.
        annotated: those that the boxes and masks are made for.

    Raises:
        ValueError: they are made for the image upright.
    """
    shown = stored[1], stored[0]
    if annotated != stored and (
        annotated == shown
        or (have_one_shape(annotated, shown) and not have_one_shape(annotated, stored))
    ):
        raise turned(image, stored)


def turned(image: OneImage, stored: tuple[int, int]) -> ValueError:
    """The error to raise about an image whose boxes are those of the turned one."""
    assert isinstance(image, (Path, StoredImage))
    width, height = stored
    return ValueError(
        f"{image} is stored with {width}x{height} pixels, its EXIF asks to turn it, and its boxes "
        f"or masks are those of the turned image. "
        f"EXIF is not obeyed, as by the paper's code: turn the pixels themselves (ImageMagick's "
        f"`mogrify -auto-orient`, Pillow's `ImageOps.exif_transpose`), or write boxes and masks "
        f"for the image as it is stored"
    )


def require_files(images: Iterable[OneImage]) -> None:
    """Raises FileNotFoundError if some files are missing; each folder is listed once.

    Where missing images are allowed, they are found out when they are read.
    """
    if missing_images() is not None:
        return
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
