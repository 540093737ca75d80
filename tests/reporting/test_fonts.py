"""Letters of many scripts are drawn, and not boxes in their place."""

from __future__ import annotations

import pytest
from PIL import ImageFont

from pg_transfer.reporting import fonts
from pg_transfer.reporting.fonts import font_for


class Pretended:
    """A font that has some letters; what it lacks is drawn as one byte."""

    def __init__(self, letters: str) -> None:
        self.letters = letters

    def getmask(self, text: str) -> bytes:
        return text.encode() if text in self.letters else b"?"


LATIN, GREEK, BOTH = Pretended("abc"), Pretended("αβ"), Pretended("abüα")


@pytest.mark.parametrize(
    ("text", "font"),
    [
        ("abc", LATIN),
        ("", LATIN),
        ("ab", LATIN),  # the first that has all
        ("αβ", GREEK),
        ("aü", BOTH),
        ("cα中", LATIN),  # nobody has all, and all have as many: the first
        ("αβ中", GREEK),
    ],
)
def test_the_first_font_with_most_letters_is_taken(
    text: str, font: Pretended, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = {None: LATIN, "greek.ttf": GREEK, "both.ttf": BOTH}
    monkeypatch.setattr(fonts, "INSTALLED", ("absent.ttf", "greek.ttf", "both.ttf"))
    monkeypatch.setattr(fonts, "_opened", lambda name, size_px: there.get(name))
    assert font_for(text, 13) is font


def test_english_is_written_in_the_font_that_comes_with_pillow() -> None:
    font = font_for("the small red circle", 13)
    assert isinstance(font, ImageFont.FreeTypeFont)
    assert font.getname() == ImageFont.load_default(size=13).getname()  # type: ignore[union-attr]


def test_what_is_no_letter_is_not_looked_for() -> None:
    own = font_for("a", 13)
    assert font_for("a\nb\tc \x00\ud83d\u200f", 13) is own
    assert font_for("e\u0301 \u0940", 13) is not None  # marks that stand on others


def test_a_letter_that_no_font_has_is_known() -> None:
    own = font_for("a", 13)
    assert fonts._has(own, "a") and not fonts._has(own, "中")
