"""Images as users give them: files, folders, patterns, rows with prompts, and pixels."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
from PIL import Image

from pg_transfer.data.images import image_size, open_image, to_rgb
from pg_transfer.data.json_texts import parse_json, read_lines
from pg_transfer.process.secrecy import secret_among

T = TypeVar("T")

Picture = str | Path | Image.Image | np.ndarray
"""A file, an image of Pillow's, or its pixels: uint8 [H, W, 3]."""

ENDINGS = (
    ".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm",
)  # fmt: skip
"""What the names of images in a folder end in, in capitals or not."""


Shown = Picture | list[Picture] | tuple[Picture, ...]
"""What one prompt is about: an image, or several that are shown together."""


class Request(NamedTuple):
    """What is to be answered.

    Attributes:
        images: one, or several that are shown together.
        prompt: about them.
    """

    images: tuple[Path, ...]
    prompt: str

    @property
    def named(self) -> dict[str, str | list[str]]:
        """The images as a row has them: `image`, or `images` if they are several."""
        first, *others = map(str, self.images)
        return {"images": [first, *others]} if others else {"image": first}


def find_images(places: Sequence[str], *, once: bool = True) -> list[Path]:
    """The image files in `places`, in the order in which they are met.

    Args:
        places: files; folders, of which the images are taken by their names, but not those in
            sub-folders, nor what is hidden; or patterns, of which all is taken that they match:
            `photos/**/*.jpg`.
        once: a file that is met again is left out, whatever it is called there.

    Raises:
        FileNotFoundError: no such file or folder, no image in a folder, or nothing matches.
    """
    found: list[Path] = []
    for place in places:
        if not place or "\0" in place:
            raise FileNotFoundError(f"{place!r} is no name of a file, folder or pattern")
        found += _files(place)
    if not once:
        return found
    distinct: dict[str, Path] = {}
    for path in found:
        # Unlike `resolve`, no error over a link to itself, which opening it tells better.
        distinct.setdefault(os.path.realpath(path), path)
    return list(distinct.values())


def _files(place: str) -> list[Path]:
    path = Path(place).expanduser()
    if path.is_dir():
        files = sorted(
            file
            for file in path.iterdir()
            # macOS puts a `._a.jpg`, which is no image, beside `a.jpg` on disks of others.
            if file.suffix.lower() in ENDINGS and not file.name.startswith(".")
        )
        if not files:
            raise FileNotFoundError(
                f"no images in the folder {place}, that is no file whose name ends in "
                f"{', '.join(ENDINGS)}; sub-folders are not entered, {place}/**/*.jpg does that"
            )
        return files
    if path.exists() or glob.escape(place) == place:
        return [path]  # what is not there is an error when it is looked at
    # Path.glob takes no pattern that begins at the root.
    matches = glob.glob(str(path), recursive=True)  # noqa: PTH207
    files = sorted(file for match in matches if (file := Path(match)).is_file())
    if not files:
        raise FileNotFoundError(f"no file matches {place}")
    return files


def read_prompts(path: Path) -> list[Request]:
    """The rows of a JSONL file: `image`, or a list of `images`, and `prompt`.

    Images are seen from the file's folder.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a row is no such one, or there are none.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no file of prompts at {path}")
    requests = []
    for number, line in enumerate(read_lines(path), start=1):
        if not line.strip():
            continue
        try:
            row = parse_json(line)
            prompt = row["prompt"]
            images = row["images"] if "images" in row else [row["image"]]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise ValueError(
                f'{path}, line {number}: not a row such as {{"image": "cat.jpg", "prompt": '
                f'"detect cat"}} ({type(error).__name__}: {error})'
            ) from error
        if {"image", "images"} <= row.keys():
            raise ValueError(f"{path}, line {number}: has both `image` and `images`; say one")
        if not (isinstance(prompt, str) and isinstance(images, list) and images) or not all(
            isinstance(image, str) for image in images
        ):
            raise ValueError(
                f"{path}, line {number}: `image` and `prompt` have to be strings, and `images` a "
                f"list of such"
            )
        requests.append(Request(tuple(path.parent / image for image in images), prompt))
        refuse_other_count(len(requests[0].images), len(images), f"{path}, line {number}")
    if not requests:
        raise ValueError(f"{path} has no rows")
    return requests


def refuse_other_count(first: int, count: int, where: str) -> None:
    """Raises ValueError if a prompt is about more or fewer images than the first one."""
    if count != first:
        raise ValueError(
            f"{where}: this prompt is about {count} and the first about {first} images; a model "
            f"has learnt from one number of them, so ask about others in another call"
        )


def refuse_secret_requests(requests: Sequence[Request]) -> None:
    """Raises ValueError if a secret would be saved beside an answer; it is not shown."""
    texts = [
        (text, f"name of an image of request {number}" if is_name else f"prompt about {first}")
        for number, (images, prompt) in enumerate(requests, start=1)
        for first in [images[0]]
        for is_name, text in [(False, prompt), *((True, str(image)) for image in images)]
    ]
    if (place := secret_among(text for text, _ in texts)) is not None:
        raise ValueError(
            f"the {texts[place][1]} holds what looks like a "
            f"secret, such as a token or a password, and it would be saved with the answer: leave "
            f"it out"
        )


class GivenImages:
    """Opens the images of requests; told to skip, it goes on without those that cannot be read.

    Args:
        skips: what cannot be read is left out, and does not end the program.
        tell: is given a line about each that is left out, once.

    Attributes:
        faults: of each image that was left out, why.
    """

    def __init__(self, *, skips: bool, tell: Callable[[str], None]) -> None:
        self.skips, self.tell = skips, tell
        self.faults: dict[Path, str] = {}
        self._has_others = False

    def check(self, requests: Sequence[Request]) -> None:
        """Has a look at the header of every file.

        Raises:
            FileNotFoundError: one is not there.
            ValueError: one is no image, or of those that are skipped there are no others.
        """
        shown = list(dict.fromkeys(request.images for request in requests))
        self._has_others = len(shown) > 1
        for path in dict.fromkeys(path for images in shown for path in images):
            if not _is_unicode(str(path)):  # and no file of answers could name it
                raise ValueError(f"{path}: the name of this file is not in UTF-8; rename it")
            self._tried(image_size, path)
        if shown and not any(map(self._is_whole, shown)):
            raise none_readable(self.faults)

    def _is_whole(self, images: Iterable[Path]) -> bool:
        return self.faults.keys().isdisjoint(images)

    def opened(self, requests: Iterable[Request]) -> Iterator[tuple[Request, Shown]]:
        """The requests with the pixels of their images; those that follow themselves opened once.

        Raises:
            FileNotFoundError: an image is not there.
            ValueError: it cannot be read.
        """
        latest: tuple[Path, ...] = ()
        shown: Shown | None = None
        for request in requests:
            if request.images != latest:
                latest, shown = request.images, self.read(request.images)
            if shown is not None:
                yield request, shown

    def read(self, images: Sequence[Path]) -> Shown | None:
        """The pixels of images; None if one is left out. Errors are those of `opened`."""
        if not self._is_whole(images):
            return None
        pixels = [self._tried(open_image, path) for path in images]
        whole = tuple(one for one in pixels if one is not None)
        if len(whole) < len(images):
            return None
        return whole if len(images) > 1 else whole[0]

    def _tried(self, read: Callable[[Path], T], path: Path) -> T | None:
        try:
            return read(path)
        except (FileNotFoundError, ValueError) as error:
            if not self.skips:
                kind = FileNotFoundError if isinstance(error, FileNotFoundError) else ValueError
                others = "; or leave it out with --on-error skip" if self._has_others else ""
                raise kind(f"{error}{others}") from error
            self.faults[path] = str(error)
            self.tell(f"left out: {error}")
            return None


def none_readable(faults: Mapping[Path, str]) -> ValueError:
    """What to say where nothing is left that could be asked about."""
    return ValueError(
        f"{len(faults):,} images cannot be read, and without them there is nothing to answer; the "
        f"first: {next(iter(faults.values()))}"
    )


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def pixels_of(shown: Shown) -> tuple[np.ndarray, ...]:
    """The pixels of what a prompt is about, each uint8 RGB [H, W, 3].

    Raises:
        FileNotFoundError: no such file.
        ValueError: a file cannot be read, an array is none of pixels, or there is no image.
    """
    if not isinstance(shown, list | tuple):
        return (_pixels_of(shown),)
    if not shown:
        raise ValueError("a prompt about no image")
    return tuple(map(_pixels_of, shown))


def _pixels_of(image: Picture) -> np.ndarray:
    if isinstance(image, str | Path):
        return open_image(Path(image))
    if isinstance(image, Image.Image):
        return to_rgb(image.copy(), image.format)
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(
            f"an image as an array is uint8 [H, W, 3], red before green and blue; this one is "
            f"{image.dtype} {list(image.shape)}"
        )
    return image
