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


class Request(NamedTuple):
    """What is to be answered."""

    image: Path
    prompt: str


def find_images(places: Sequence[str]) -> list[Path]:
    """The image files in `places`, each once, in the order in which they are first met.

    Args:
        places: files; folders, of which the images are taken by their names, but not those in
            sub-folders, nor what is hidden; or patterns, of which all is taken that they match:
            `photos/**/*.jpg`.

    Raises:
        FileNotFoundError: no such file or folder, no image in a folder, or nothing matches.
    """
    found: dict[Path, Path] = {}
    for place in places:
        if not place or "\0" in place:
            raise FileNotFoundError(f"{place!r} is no name of a file, folder or pattern")
        for path in _files(place):
            # Unlike `resolve`, no error over a link to itself, which opening it tells better.
            found.setdefault(Path(os.path.realpath(path)), path)
    return list(found.values())


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
    """The rows of a JSONL file: `image`, seen from the file's folder, and `prompt`.

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
            image, prompt = row["image"], row["prompt"]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise ValueError(
                f'{path}, line {number}: not a row such as {{"image": "cat.jpg", "prompt": '
                f'"detect cat"}} ({type(error).__name__}: {error})'
            ) from error
        if not (isinstance(image, str) and isinstance(prompt, str)):
            raise ValueError(f"{path}, line {number}: `image` and `prompt` have to be strings")
        requests.append(Request(path.parent / image, prompt))
    if not requests:
        raise ValueError(f"{path} has no rows")
    return requests


def refuse_secret_requests(requests: Sequence[Request]) -> None:
    """Raises ValueError if a secret would be saved beside an answer; it is not shown."""
    texts = (text for request in requests for text in (request.prompt, str(request.image)))
    if (place := secret_among(texts)) is not None:
        number, is_name = divmod(place, 2)
        what = "name of the image" if is_name else f"prompt about {requests[number].image}"
        raise ValueError(
            f"the {what}{f' of request {number + 1}' if is_name else ''} holds what looks like a "
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

    def check(self, paths: Sequence[Path]) -> None:
        """Has a look at the header of every file.

        Raises:
            FileNotFoundError: one is not there.
            ValueError: one is no image, or of those that are skipped there are no others.
        """
        self._has_others = len(set(paths)) > 1
        for path in paths:
            if not _is_unicode(str(path)):  # and no file of answers could name it
                raise ValueError(f"{path}: the name of this file is not in UTF-8; rename it")
            self._tried(image_size, path)
        if paths and len(self.faults) == len(paths):
            raise none_readable(self.faults)

    def opened(self, requests: Iterable[Request]) -> Iterator[tuple[Request, np.ndarray]]:
        """The requests with the pixels of their images, one that follows itself opened once.

        Raises:
            FileNotFoundError: an image is not there.
            ValueError: it cannot be read.
        """
        latest, pixels = None, None
        for request in requests:
            if request.image != latest:
                latest, pixels = request.image, self.read(request.image)
            if pixels is not None:
                yield request, pixels

    def read(self, path: Path) -> np.ndarray | None:
        """The pixels of an image; None if it is left out. Errors are those of `opened`."""
        return None if path in self.faults else self._tried(open_image, path)

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
    """What to say where every image was left out."""
    return ValueError(
        f"none of the {len(faults):,} images can be read, so that there is nothing to answer; the "
        f"first: {next(iter(faults.values()))}"
    )


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def pixels_of(image: Picture) -> np.ndarray:
    """The pixels of an image, uint8 RGB [H, W, 3].

    Raises:
        FileNotFoundError: no such file.
        ValueError: the file cannot be read, or the array is none of pixels.
    """
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
