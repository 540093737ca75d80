"""Image files to pixels (big_vision pp/ops_image.py).

JPEG files are decoded by Pillow, which equals TensorFlow's accurate inverse DCT; the paper's code
left TensorFlow at its default, a faster one. On COCO photographs that is 1.2 grey levels per pixel
on average, 22 at most. PNG, GIF and BMP decode alike, and all that follows decoding is equal.
"""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, UnidentifiedImageError

# Only formats that decode in this process: Pillow hands EPS files, whatever their name, to a
# Ghostscript program.
ENDINGS: dict[str, tuple[str, ...]] = {
    "JPEG": (".jpg", ".jpeg"), "PNG": (".png",), "GIF": (".gif",), "BMP": (".bmp",),
    "WEBP": (".webp",), "TIFF": (".tif", ".tiff"), "PPM": (".ppm", ".pgm", ".pbm", ".pnm"),
}  # fmt: skip
"""The formats that are read, and what the names of their files end in, in capitals or not."""

FORMATS = tuple(ENDINGS)
IMAGE_ENDINGS = tuple(ending for endings in ENDINGS.values() for ending in endings)

SAME_SHAPE = 0.02
"""How far two shapes of an image may differ, as sizes are rounded."""

EXIF_ORIENTATION = 0x0112
ON_ITS_SIDE = range(5, 9)
"""Values of it that ask to show the width as the height."""


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

    def __str__(self) -> str:
        return self.name

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


class MarkedImage(ABC):
    """An image file in which something is drawn once it is resized, so that all of it is seen.

    Called, its pixels at its own size, uint8 [H, W, 3], with what is drawn.

    Attributes:
        path: of the file.
    """

    path: Path

    @abstractmethod
    def marked(self, picture: Picture) -> np.ndarray:
        """The pixels of the file's image, resized or not, with what is drawn: uint8 [H, W, 3].

        Raises:
            ValueError: that cannot be in an image like this.
        """

    def __call__(self) -> np.ndarray:
        """The pixels, uint8 [H, W, 3].

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: it cannot be read as an image, or has no place for what is drawn.
        """
        return self.marked(read_image(self.path))


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
    with opened(path) as picture:
        head = _head(picture)
        return Picture(to_rgb(picture), head)


def read_head(path: Path | Content) -> Head:
    """The head of an image file; a PNG, whose EXIF may stand behind the pixels, is decoded."""
    with opened(path) as picture:
        return _head(picture)


def image_size(path: Path | Content) -> tuple[int, int]:
    """Width and height of an image file, by its header: a quick look at whether it can be opened.

    Errors are those of `open_image`, of which some show only when all of it is read.
    """
    with opened(path) as picture:
        return picture.size


def have_one_shape(size: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether one size is the other but for its scale; both are width and height."""
    one, two = size[0] * other[1], other[0] * size[1]
    return abs(one - two) <= SAME_SHAPE * two


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
def opened(path: Path | Content) -> Iterator[Image.Image]:
    """The image in a file, as it is stored; errors that whoever reads it meets name the file.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: see `open_image`.
    """
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
