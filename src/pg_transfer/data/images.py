"""Image files to pixels, resized exactly as TensorFlow does (big_vision pp/ops_image.py).

JPEG files are decoded by Pillow, which equals TensorFlow's accurate inverse DCT; the paper's code
left TensorFlow at its default, a faster one. On COCO photographs that is 1.2 grey levels per pixel
on average, 22 at most. PNG, GIF and BMP decode alike, and all that follows decoding is equal.
"""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, UnidentifiedImageError

# Only formats that decode in this process: Pillow hands EPS files, whatever their name, to a
# Ghostscript program.
FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "PPM")

EXIF_ORIENTATION = 0x0112
ON_ITS_SIDE = range(5, 9)
"""Values of it that ask to show the width as the height."""

STRIP = 2**17
"""Values of an image that are resized at once: what a core keeps at hand."""


class Content(NamedTuple):
    """An image file that lies inside another one.

    Attributes:
        name: what errors call it.
        data: all of it.
    """

    name: str
    data: bytes

    def __str__(self) -> str:
        return self.name


class Head(NamedTuple):
    """What an image file says of its pixels.

    Attributes:
        width: in pixels, as they are stored.
        height: likewise.
        is_on_its_side: its EXIF asks to show the width as the height, which is not obeyed.
    """

    width: int
    height: int
    is_on_its_side: bool


class Picture(NamedTuple):
    """An image that was read.

    Attributes:
        pixels: uint8 RGB [H, W, 3].
        head: of its file, whatever size the pixels have been given since.
    """

    pixels: np.ndarray
    head: Head


class StoredImage(ABC):
    """An image file inside another file; called, its pixels, uint8 [H, W, 3]."""

    @property
    @abstractmethod
    def name(self) -> str:
        """Where it is, for whoever has to mend it."""

    @abstractmethod
    def read(self) -> bytes:
        """The file's content."""

    def __call__(self) -> np.ndarray:
        """The pixels, uint8 [H, W, 3].

        Raises:
            ValueError: the content is no image, or a damaged one; the message has `name`.
        """
        return open_image(self.content)

    @property
    def content(self) -> Content:
        """The file's content, with a name for errors."""
        return Content(self.name, self.read())


def open_image(path: Path | Content) -> np.ndarray:
    """The pixels of an image file, uint8 RGB [H, W, 3], as `tf.io.decode_image` reads it.

    Grey is replicated, palettes are expanded, of 16 bits the high 8 are kept, alpha is dropped (not
    composited), EXIF orientation is ignored, and of an animation the first frame is taken.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is empty, cut short, not an image, or absurdly large.
    """
    return read_image(path).pixels


def read_image(path: Path | Content) -> Picture:
    """Pixels and head of an image file, which is opened once; see `open_image`."""
    with _opened(path) as picture:
        head = _head(picture)
        return Picture(to_rgb(picture), head)


def read_head(path: Path | Content) -> Head:
    """The head of an image file; a PNG, whose EXIF may stand behind the pixels, is decoded."""
    with _opened(path) as picture:
        return _head(picture)


def image_size(path: Path | Content) -> tuple[int, int]:
    """Width and height of an image file, by its header: a quick look at whether it can be opened.

    Errors are those of `open_image`, of which some show only when all of it is read.
    """
    with _opened(path) as picture:
        return picture.size


def to_rgb(picture: Image.Image, kind: str | None = None) -> np.ndarray:
    """The pixels of an image, uint8 RGB [H, W, 3]; see `open_image`.

    Args:
        picture: the image.
        kind: the format of its file, if the image itself no longer knows.

    Raises:
        ValueError: grey levels of other than 8 or 16 bits.
    """
    if picture.mode[0] in "IF":
        # Pillow opens 16 bits of these formats, in some versions, as 32; no others have them.
        is_deep = picture.mode == "I" and (kind or picture.format) in ("PNG", "PPM")
        if not is_deep and not picture.mode.startswith("I;16"):
            raise ValueError(
                f"pixels of mode {picture.mode}, which do not say what is white: save them with "
                f"8 or 16 bits"
            )
        grey = np.asarray(picture)
        return np.repeat((grey >> 8).astype(np.uint8)[:, :, None], 3, axis=2)
    picture.load()
    picture.info.pop("transparency", None)  # else Pillow warns that it will be lost
    return np.array(picture if picture.mode == "RGB" else picture.convert("RGB"))


def orientation(picture: Image.Image) -> int:
    """How the camera was held, 1 to 8, by an image's EXIF; 1, upright, where it says nothing.

    To be asked before the pixels are decoded, which closes the file that a TIFF's EXIF is in.
    """
    if picture.format == "PNG":
        picture.load()  # where it can fail: looking for the EXIF behind the pixels does so, too
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the EXIF nothing else counts
        try:
            return int(picture.getexif().get(EXIF_ORIENTATION, 1))
        except Exception:  # Pillow's parsers of EXIF have no errors of their own
            return 1


def _head(picture: Image.Image) -> Head:
    return Head(*picture.size, orientation(picture) in ON_ITS_SIDE)


@contextmanager
def _opened(path: Path | Content) -> Iterator[Image.Image]:
    """The image in a file, with errors that name it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            file = BytesIO(path.data) if isinstance(path, Content) else path
            with Image.open(file, formats=FORMATS) as picture:
                yield picture
    except FileNotFoundError:
        raise FileNotFoundError(f"no image file {path}") from None
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        much = str(error).partition(",")[0]
        raise ValueError(
            f"{path}: too large to decode, as that could fill the memory ({much}); shrink it, or "
            f"leave it out of the data"
        ) from error
    except Exception as error:  # on damaged files Pillow raises whatever its parsers stumble upon
        raise ValueError(
            f"{path}: cannot be read as an image ({_reason(path, error)}); fetch the file again, "
            f"or convert it to one of {', '.join(FORMATS)}"
        ) from error


def _reason(path: Path | Content, error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:  # a folder, or a link to itself
        return error.strerror
    if (len(path.data) if isinstance(path, Content) else path.stat().st_size) == 0:
        return "the file is empty"
    if isinstance(error, UnidentifiedImageError):  # whose words name an object in memory
        return "it begins like none of these"
    return str(error)


def resize(pixels: np.ndarray, size: int | tuple[int, int], *, antialias: bool) -> np.ndarray:
    """`tf.image.resize(pixels, size)`, bilinear, half-pixel centres, in the dtype it came in.

    Args:
        pixels: uint8 or float32, [H, W] or [H, W, C].
        size: height and width of the result, or one number for a square.
        antialias: widen the filter when shrinking; without it only the two nearest rows and columns
            count, however much is skipped between them.

    Returns:
        The dtype of `pixels`: uint8 truncated, not rounded; float32 as computed. The very same
        array if it has that size already.

    Raises:
        ValueError: another dtype, or an empty input or output.
    """
    height, width = (size, size) if isinstance(size, int) else size
    if pixels.dtype not in (np.uint8, np.float32):
        raise ValueError(f"resize takes uint8 or float32, not {pixels.dtype}")
    if min(*pixels.shape[:2], height, width) < 1:
        raise ValueError(f"cannot resize {pixels.shape[:2]} to {(height, width)}: no pixels")
    if pixels.shape[:2] == (height, width):
        return pixels
    resize_strip = _filter if antialias else _interpolate
    old = pixels.reshape(*pixels.shape[:2], -1)
    new = np.empty((height, width, old.shape[2]), pixels.dtype)
    step = max(1, STRIP // (max(old.shape[1], width) * old.shape[2]))
    for first in range(0, height, step):
        strip = resize_strip(old, height, width, slice(first, first + step))
        new[first : first + step] = strip.clip(0, 255) if new.dtype == np.uint8 else strip
    return new.reshape(height, width, *pixels.shape[2:])


# The two kernels differ in which direction comes first, and float32 sums depend on it. Either way
# what is summed lies in whole lines of memory: columns are turned into rows and back.


def _interpolate(old: np.ndarray, height: int, width: int, rows: slice) -> np.ndarray:
    """Those rows of the result, each between two old ones (TensorFlow resize_bilinear_op.cc)."""
    lower, upper, fraction = (each[rows] for each in _neighbours(old.shape[0], height))
    needed = np.unique([lower, upper])
    columns = np.ascontiguousarray(old.take(needed, axis=0).transpose(1, 2, 0)).astype(np.float32)
    wide = _between(columns, *_neighbours(old.shape[1], width))
    lines = np.ascontiguousarray(wide.transpose(2, 0, 1))
    return _between(lines, needed.searchsorted(lower), needed.searchsorted(upper), fraction)


def _between(
    lines: np.ndarray, lower: np.ndarray, upper: np.ndarray, fraction: np.ndarray
) -> np.ndarray:
    first = lines.take(lower, axis=0)
    result = lines.take(upper, axis=0)
    result -= first
    result *= fraction[:, None, None]
    result += first
    return result


def _filter(old: np.ndarray, height: int, width: int, rows: slice) -> np.ndarray:
    """Those rows of the result, each a weighted sum of old ones (scale_and_translate_op.cc)."""
    sources, weights = (each[:, rows] for each in _triangle(old.shape[0], height))
    start, stop = sources.min(), sources.max() + 1
    tall = _weighted_sum(old[start:stop].astype(np.float32), sources - start, weights)
    columns = np.ascontiguousarray(tall.transpose(1, 2, 0))
    return _weighted_sum(columns, *_triangle(old.shape[1], width)).transpose(2, 0, 1)


def _weighted_sum(lines: np.ndarray, sources: np.ndarray, weights: np.ndarray) -> np.ndarray:
    total = np.zeros((sources.shape[1], *lines.shape[1:]), np.float32)
    for source, weight in zip(sources, weights, strict=True):
        term = lines.take(source, axis=0)
        term *= weight[:, None, None]
        total += term
    return total


@lru_cache(maxsize=1024)
def _neighbours(old: int, new: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each of `new` places the old index below and above, and how far it lies between."""
    scale = np.float32(old) / np.float32(new)
    place = (np.arange(new, dtype=np.float32) + np.float32(0.5)) * scale - np.float32(0.5)
    below = np.floor(place)
    lower = np.maximum(below, 0).astype(np.int64)
    upper = np.minimum(np.ceil(place), old - 1).astype(np.int64)
    return lower, upper, place - below


@lru_cache(maxsize=1024)
def _triangle(old: int, new: int) -> tuple[np.ndarray, np.ndarray]:
    """Old indices and their weights, both [taps, new], of a triangle as wide as `old / new`."""
    step = np.float32(1 / float(np.float32(new) / np.float32(old)))
    radius = max(step, np.float32(1))
    centre = (np.arange(new, dtype=np.float32) + np.float32(0.5)) * step
    first = np.ceil(centre - radius - np.float32(0.5)).clip(0, old - 1).astype(np.int64)
    last = np.floor(centre + radius - np.float32(0.5)).clip(0, old - 1).astype(np.int64)
    sources = first + np.arange((last - first).max() + 1)[:, None]
    distance = np.abs(sources.astype(np.float32) + np.float32(0.5) - centre)
    weights = np.maximum(np.float32(1) - distance * (np.float32(1) / radius), np.float32(0))
    weights[sources > last] = 0
    total = np.zeros(new, np.float32)
    for weight in weights:  # one by one: np.sum may add in another order
        total += weight
    return np.minimum(sources, old - 1), weights * (np.float32(1) / total)
