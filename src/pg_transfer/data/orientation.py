"""How a camera was held, by an image file's EXIF: not obeyed, as by the paper's code."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

from PIL import Image

from pg_transfer.data.images import FORMATS, Content

TAG = 0x0112
ON_ITS_SIDE = range(5, 9)
"""Values of it that ask to show the width as the height."""


def orientation(file: Path | Content) -> int:
    """What a file's EXIF says, 1 to 8; 1, which is upright, where it says nothing.

    Raises:
        Exception: it is no image, or a damaged one; Pillow's parsers of EXIF have no errors of
            their own.
    """
    opened = BytesIO(file.data) if isinstance(file, Content) else file
    with Image.open(opened, formats=FORMATS) as picture:
        return picture.getexif().get(TAG, 1)
