"""Fonts that have the letters of what is to be written; Pillow's own has those of English."""

from __future__ import annotations

from functools import cache
from typing import Any, cast

from PIL import ImageFont

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

INSTALLED = (
    "DejaVuSans.ttf", "NotoSans-Regular.ttf", "LiberationSans-Regular.ttf", "Arial Unicode.ttf",
    "Arial.ttf", "arial.ttf", "NotoSansCJK-Regular.ttc", "PingFang.ttc", "msyh.ttc",
    "NotoSansBengali-Regular.ttf", "NotoSansDevanagari-Regular.ttf", "NotoSansTelugu-Regular.ttf",
    "NotoSansThai-Regular.ttf", "Nirmala.ttf", "LeelawUI.ttf",
)  # fmt: skip
"""That machines may have, where Pillow looks for fonts: those of many scripts first."""

NOBODYS = "\U0010ffff"
"""A letter that no font has."""


def font_for(text: str, size_px: int) -> Font:
    """Of Pillow's own and the installed fonts the first that has most of the letters of `text`."""
    letters = {letter for letter in text if letter.isprintable() and letter != " "}
    fonts = [font for name in (None, *INSTALLED) if (font := _opened(name, size_px)) is not None]
    return max(fonts, key=lambda font: sum(_has(font, letter) for letter in letters))


@cache
def _opened(name: str | None, size_px: int) -> Font | None:
    if name is None:
        return ImageFont.load_default(size=size_px)
    try:
        return ImageFont.truetype(name, size_px)
    except OSError:
        return None


@cache
def _has(font: Font, letter: str) -> bool:
    # What a font has no letter for it draws as a box, the same for all.
    drawn, box = (bytes(cast(Any, font.getmask(one))) for one in (letter, NOBODYS))
    return drawn != box
