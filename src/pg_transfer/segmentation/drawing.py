"""Objects drawn into the image they were found in: box, mask and label, one colour per label."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from pg_transfer.segmentation.instances import Found

# Okabe and Ito's, which people with any colour vision can tell apart.
COLOURS = (
    (230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66),
    (0, 114, 178), (213, 94, 0), (204, 121, 167),
)  # fmt: skip
MASK_OPACITY = 0.5
LEAST_PX, MOST_PX = 512, 1600
"""The longer side of a picture lies between them: small images have no room for a label."""


def draw_found(pixels: np.ndarray, found: Sequence[Found]) -> Image.Image:
    """The image, uint8 [H, W, 3], with objects drawn into it, enlarged or reduced if need be.

    A label, or where there are none an object, has a colour of its own as long as there are
    enough.
    """
    has_labels = any(one.label for one in found)
    names = [one.label if has_labels else str(number) for number, one in enumerate(found)]
    order = list(dict.fromkeys(names))
    colours = [COLOURS[order.index(name) % len(COLOURS)] for name in names]

    tinted = pixels.astype(np.float32)
    for one, colour in zip(found, colours, strict=True):
        if one.mask is not None:
            tint = MASK_OPACITY * np.array(colour, dtype=np.float32)
            tinted[one.mask] = (1 - MASK_OPACITY) * tinted[one.mask] + tint
    picture = Image.fromarray(tinted.astype(np.uint8))
    longer = max(picture.size)
    scale = min(max(longer, LEAST_PX), MOST_PX) / longer
    width, height = (max(1, round(side * scale)) for side in picture.size)
    picture = picture.resize((width, height))

    boxes = [tuple(scale * edge for edge in one.box) for one in found]
    unit = max(picture.size) / LEAST_PX
    draw = ImageDraw.Draw(picture)
    for (x0, y0, x1, y1), colour in zip(boxes, colours, strict=True):
        # A box may be narrower than a pixel; Pillow refuses what ends before it starts.
        ends = max(x0, x1 - 1), max(y0, y1 - 1)
        draw.rectangle((x0, y0, *ends), outline=colour, width=max(2, round(3 * unit)))
    for (x0, y0, _, _), one, colour in zip(boxes, found, colours, strict=True):
        if one.label:  # after all boxes, so that none crosses it
            _write(draw, one.label, (x0, y0), colour, unit)
    return picture


def _write(
    draw: ImageDraw.ImageDraw,
    label: str,
    corner: tuple[float, float],
    colour: tuple[int, int, int],
    unit: float,
) -> None:
    """A label on its colour in the upper left corner of its box; `unit` pixels are its measure."""
    label = " ".join(label.split())  # Pillow has no length of several lines
    font = ImageFont.load_default(size=15 * unit)
    room = draw.im.size[0] - draw.textlength(label, font) - 8 * unit
    place = max(0, min(corner[0], room)) + 4 * unit, corner[1] + 2 * unit
    left, top, right, bottom = draw.textbbox(place, label, font=font)
    draw.rectangle((left - 4 * unit, top - unit, right + 4 * unit, bottom + unit), fill=colour)
    draw.text(place, label, fill=_ink(colour), font=font)


def _ink(colour: tuple[int, int, int]) -> str:
    """Black or white, whichever can be read on `colour`."""
    red, green, blue = colour
    return "black" if 0.299 * red + 0.587 * green + 0.114 * blue > 120 else "white"
