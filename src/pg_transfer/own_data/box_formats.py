"""What the four numbers of a box may mean."""

from __future__ import annotations

from typing import Any

CORNERS = ("xyxy", "xywh", "cxcywh", "yxyx")
NORMALISED = "_normalised"
BOX_FORMATS = (*CORNERS, *(name + NORMALISED for name in CORNERS))
"""Corners; left, top, width, height; centre, width, height; corners, rows first. In pixels, or as
fractions of the image."""


def require_form(form: Any) -> None:
    """Raises ValueError if that is no meaning of a box's numbers."""
    if form not in BOX_FORMATS:
        found = "is not said" if form is None else f"is {form!r}"
        raise ValueError(
            f"what the numbers of a box mean {found}: set box_format to one of "
            f"{', '.join(BOX_FORMATS)}"
        )
