"""Columns whose names say that they are the edges of boxes, and what would read them."""

from __future__ import annotations

from collections.abc import Sequence

from pg_transfer.own_data.box_formats import NORMALISED
from pg_transfer.own_data.typed import typed_columns

WAYS: Sequence[tuple[tuple[str, str, str, str], str]] = (
    (("xmin", "ymin", "xmax", "ymax"), "xyxy"),
    (("x0", "y0", "x1", "y1"), "xyxy"),
    (("x1", "y1", "x2", "y2"), "xyxy"),
    (("left", "top", "right", "bottom"), "xyxy"),
    (("x", "y", "width", "height"), "xywh"),
    (("x", "y", "w", "h"), "xywh"),
    (("left", "top", "width", "height"), "xywh"),
)
"""Names of four such columns, in small letters and without underscores, and what they then mean."""

BEFORE = ("bbox", "box")
"""What may stand before each of them."""

IMAGES = ("image", "filename", "file", "imagepath", "path", "imagename", "imageid")
LABELS = ("labels", "label", "class", "classname", "category", "labelname", "name")
"""What tables call the image and the label of a box, likewise, the surest first."""

WITHOUT_ENDING = "imageid"
"""Open Images' name of an image, whose file is called so and .jpg."""


def edges_in(found: Sequence[str]) -> tuple[tuple[str, ...], str] | None:
    """Four columns by whose names a box is in them, in the order of its meaning, and that."""
    plain = {_plain(name): name for name in reversed(found)}
    for before in ("", *BEFORE):
        for edges, form in WAYS:
            if all(before + edge in plain for edge in edges):
                return tuple(plain[before + edge] for edge in edges), form
    return None


def way_to_read(found: Sequence[str]) -> str:
    """What to say of data with such columns; empty of others."""
    if (known := edges_in(found)) is None:
        return ""
    edges, form = known
    plain = {_plain(name): name for name in reversed(found) if name not in edges}
    columns: dict[str, str | Sequence[str]] = {}
    if image := next((name for name in IMAGES if name in plain), None):
        columns["image"] = plain[image]
        if image == WITHOUT_ENDING:
            columns["image"] = f"{{{plain[image]}}}.jpg"
    columns["boxes"] = edges
    if label := next((name for name in LABELS if name in plain), None):
        columns["labels"] = plain[label]
    return (
        f"If {', '.join(edges)} are a box, and an image has a row for each of its boxes, they are "
        f"read by {typed_columns(columns)} box_format={form} ({form}{NORMALISED} if they are "
        f"fractions of the image)"
    )


def _plain(name: str) -> str:
    return name.lower().replace("_", "")
