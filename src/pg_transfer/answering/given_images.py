"""What a prompt is about: images and videos as users give them, opened."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image

from pg_transfer.answering.asked import Request, refuse_unlearnt_count
from pg_transfer.answering.given_videos import Frames, Seen, is_video
from pg_transfer.data.images import image_size, open_image, to_rgb

T = TypeVar("T")

Picture = str | Path | Image.Image | np.ndarray
"""A file, which may be a video, an image of Pillow's, or its pixels: uint8 [H, W, 3]."""

Shown = Picture | list[Picture] | tuple[Picture, ...] | Frames
"""What one prompt is about: an image, or several that are shown together; or a video."""


class GivenImages:
    """Opens the images of requests; told to skip, it goes on without those that cannot be read.

    Args:
        skips: what cannot be read is left out, and does not end the program.
        tell: is given a line about each that is left out, once.
        seen: what is seen of videos; by default nothing.

    Attributes:
        faults: of each image that was left out, why.
    """

    def __init__(
        self, *, skips: bool, tell: Callable[[str], None], seen: Seen | None = None
    ) -> None:
        self.skips, self.tell, self.seen = skips, tell, seen or Seen()
        self.faults: dict[Path, str] = {}
        self._has_others = False

    def check(self, requests: Sequence[Request]) -> None:
        """Has a look at the header of every file.

        Raises:
            FileNotFoundError: one is not there.
            ValueError: one is no image, or of those that are skipped there are no others; or the
                model has learnt from more or fewer at a time.
        """
        shown = list(dict.fromkeys(request.images for request in requests))
        for images in shown:
            if not is_video(images[0]):
                refuse_unlearnt_count(self.seen, len(images), str(images[0]))
        self._has_others = len(shown) > 1
        for path in dict.fromkeys(path for images in shown for path in images):
            if not _is_unicode(str(path)):  # and no file of answers could name it
                raise ValueError(f"{path}: the name of this file is not in UTF-8; rename it")
            self._tried(self.seen.look if is_video(path) else image_size, path)
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
        if is_video(images[0]):
            return self._tried(self.seen.read, images[0])
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


def pixels_of(shown: Shown, seen: Seen) -> tuple[np.ndarray, ...]:
    """The pixels of what a prompt is about, each uint8 RGB [H, W, 3].

    Args:
        shown: it.
        seen: of it, if it is a video.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a file cannot be read, an array is none of pixels, or there is no image.
    """
    if isinstance(shown, Frames):
        return shown
    if not isinstance(shown, list | tuple):
        if isinstance(shown, str | Path) and is_video(Path(shown)):
            return seen.read(Path(shown))
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
