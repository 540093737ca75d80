"""Pictures of answers: what is meant is green, what was answered is orange."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from pg_transfer.data import images
from pg_transfer.process.whole_files import whole
from pg_transfer.reporting.fonts import Font, font_for
from pg_transfer.task import Answer, Clip, OneImage, Outline, Task
from pg_transfer.task import Image as Source

COLOURS = {"truth": (20, 150, 60), "answer": (240, 110, 20)}
CELL_PX = 260
MARGIN_PX = 6
LINE_PX = 17
COLUMNS = 4
MASK_OPACITY = 0.45
TEXT_PX = 13
LABEL_PX = 12
MOST_LETTERS = 24
MOST_LINES = 2
"""Of each text below a picture."""
FRAMES = 4
"""Of a video that are shown: the first, the last and some between, two a row."""

Graded = tuple[Answer, dict[str, float]]
Line = tuple[str, str | tuple[int, int, int]]
"""A text and its colour."""


def draw_answers(task: Task, graded: Sequence[Graded], path: Path) -> None:
    """Saves a grid of answers with their scores as a PNG."""
    outlined = [task.outlines(answer) for answer, _ in graded]
    described = [
        _describe(answer, scores, outlines)
        for (answer, scores), outlines in zip(graded, outlined, strict=True)
    ]
    font = font_for("".join(text for lines in described for text, _ in lines), TEXT_PX)
    width_px = CELL_PX - 2 * MARGIN_PX
    texts: list[list[Line]] = [
        [(line, colour) for text, colour in lines for line in _wrapped(text, font, width_px)]
        for lines in described
    ]
    columns = min(COLUMNS, len(graded))
    rows = -(-len(graded) // columns)
    cell_height = CELL_PX + LINE_PX * max(map(len, texts)) + 2 * MARGIN_PX
    sheet = Image.new("RGB", (columns * CELL_PX, rows * cell_height), "white")
    write = ImageDraw.Draw(sheet)
    for number, ((answer, _), outlines, lines) in enumerate(
        zip(graded, outlined, texts, strict=True)
    ):
        row, column = divmod(number, columns)
        left, top = column * CELL_PX, row * cell_height
        picture = draw_outlines(answer.example.image, outlines, side_px=CELL_PX - 2 * MARGIN_PX)
        middle = (CELL_PX - picture.width) // 2, (CELL_PX - picture.height) // 2
        sheet.paste(picture, (left + middle[0], top + middle[1]))
        for place, (line, colour) in enumerate(lines):
            corner = left + MARGIN_PX, top + CELL_PX + LINE_PX * place
            write.text(corner, line, fill=colour, font=font)
    with whole(path) as unfinished:
        sheet.save(unfinished, "PNG")


def draw_outlines(source: Source, outlines: Sequence[Outline], *, side_px: int) -> Image.Image:
    """The image with boxes and masks drawn into it, its longer side `side_px` long.

    Labels stand in the boxes, what is meant above and what was answered below. Of several images
    all are shown, the outlines in the first; of a video `FRAMES`, for which there are none.
    """
    if isinstance(source, tuple):
        pixels, share = _side_by_side([_pixels(one) for one in source])
        outlines = [_in_the_first(outline, share) for outline in outlines]
    else:
        pixels = _pixels(source)
    picture = Image.fromarray(_tinted(pixels, outlines, side_px) if outlines else pixels)
    scale = side_px / max(picture.size)
    width, height = (max(1, round(side * scale)) for side in picture.size)
    picture = picture.resize((width, height))
    draw = ImageDraw.Draw(picture)
    for outline in outlines:
        draw.rectangle(_corners(outline, picture.size), outline=COLOURS[outline.kind], width=3)
    for outline in outlines:
        if outline.label:
            _write_label(draw, outline, picture.size)
    return picture


def _corners(outline: Outline, size: tuple[int, int]) -> tuple[float, float, float, float]:
    """Left, top, right and bottom in pixels."""
    width, height = size
    ymin, xmin, ymax, xmax = outline.box
    top, left = ymin * height, xmin * width
    # An answered box may be narrower than a pixel; Pillow refuses what ends before it starts.
    return left, top, max(left, xmax * width - 1), max(top, ymax * height - 1)


def _write_label(draw: ImageDraw.ImageDraw, outline: Outline, size: tuple[int, int]) -> None:
    left, top, _, bottom = _corners(outline, size)
    label = " ".join(outline.label.split())[:MOST_LETTERS]
    font = font_for(label, LABEL_PX)
    left = max(0, min(left, size[0] - draw.textlength(label, font=font)))  # not out of the picture
    edge, anchor = (bottom, "ld") if outline.kind == "answer" else (top, "la")
    around = draw.textbbox((left, edge), label, font=font, anchor=anchor)
    draw.rectangle(around, fill=COLOURS[outline.kind])
    draw.text((left, edge), label, fill="white", font=font, anchor=anchor)


def _pixels(source: OneImage | Clip) -> np.ndarray:
    if isinstance(source, Clip):
        return _sheet(list(source.frames()))
    return source() if callable(source) else images.open_image(source)


def _sheet(frames: Sequence[np.ndarray]) -> np.ndarray:
    """Some of a video's frames."""
    count = min(FRAMES, len(frames))
    places = [round(place * (len(frames) - 1) / max(1, count - 1)) for place in range(count)]
    height, width = frames[0].shape[:2]
    shown = [np.asarray(Image.fromarray(frames[one]).resize((width, height))) for one in places]
    shown += [np.full_like(shown[0], 255)] * (count > 2 and count % 2)
    rows = [np.concatenate(shown[start : start + 2], axis=1) for start in range(0, count, 2)]
    return np.concatenate(rows)


def _side_by_side(sources: Sequence[np.ndarray]) -> tuple[np.ndarray, float]:
    """Images made equally high, in one, and the share of its width that is the first's."""
    pictures = [Image.fromarray(pixels) for pixels in sources]
    height = min(picture.height for picture in pictures)
    widths = [max(1, round(one.width * height / one.height)) for one in pictures]
    resized = [one.resize((width, height)) for one, width in zip(pictures, widths, strict=True)]
    return np.concatenate([np.asarray(one) for one in resized], axis=1), widths[0] / sum(widths)


def _in_the_first(outline: Outline, share: float) -> Outline:
    """An outline of an image that is only the left share of a picture."""
    ymin, xmin, ymax, xmax = outline.box
    mask = outline.mask
    if mask is not None:
        mask = np.pad(mask, ((0, 0), (0, round(mask.shape[1] * (1 / share - 1)))))
    return outline._replace(box=(ymin, xmin * share, ymax, xmax * share), mask=mask)


def _describe(answer: Answer, scores: dict[str, float], outlines: Sequence[Outline]) -> list[Line]:
    """What stands below a picture; an answer or truth that is drawn is not spelled out, too."""
    drawn = {outline.kind for outline in outlines}
    texts: list[Line] = [(answer.example.prefix, "black")]
    if "answer" not in drawn:
        texts.append((answer.text.strip() or "(nothing)", COLOURS["answer"]))
    if "truth" not in drawn and answer.example.suffixes:
        (common, _), *_ = Counter(answer.example.suffixes).most_common(1)
        texts.append((common, COLOURS["truth"]))
    texts.append(
        (", ".join(f"{name} {value:.2f}" for name, value in list(scores.items())[:2]), "dimgray")
    )
    return texts


def _tinted(pixels: np.ndarray, outlines: Sequence[Outline], side_px: int) -> np.ndarray:
    tinted = pixels.astype(np.float32)
    for outline in reversed(outlines):  # the truth's edge on top of the answer
        if outline.mask is not None:
            is_truth = outline.kind == "truth"
            mask = _fitted(outline.mask, pixels)
            where = _edge(mask, side_px) if is_truth else mask
            opacity = 1.0 if is_truth else MASK_OPACITY
            colour = np.array(COLOURS[outline.kind], dtype=np.float32)
            tinted[where] = (1 - opacity) * tinted[where] + opacity * colour
    return tinted.astype(np.uint8)


def _fitted(mask: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """The mask at the size of the picture, which may be a smaller copy of the annotated one.

    It may also be the black one that stands for an image that cannot be read.
    """
    height, width = pixels.shape[:2]
    if mask.shape == (height, width):
        return mask
    picture = Image.fromarray(mask.astype(np.uint8))
    return np.asarray(picture.resize((width, height), Image.Resampling.NEAREST)) > 0


def _edge(mask: np.ndarray, side_px: int) -> np.ndarray:
    """The pixels of the mask that touch the outside, in lines visible at `side_px`."""
    width = max(1, round(max(mask.shape) / side_px * 2))
    inside = np.pad(mask, width)
    for axis in (0, 1):
        inside = inside & np.roll(inside, width, axis) & np.roll(inside, -width, axis)
    return mask & ~inside[width:-width, width:-width]


def _wrapped(text: str, font: Font, width_px: int) -> list[str]:
    """The text in at most `MOST_LINES`, cut off where they do not suffice."""
    lines: list[str] = []
    rest = " ".join(text.split())
    while rest and len(lines) < MOST_LINES:
        line = _fitting(rest, font, width_px)
        if len(line) < len(rest):
            if len(lines) == MOST_LINES - 1:
                line = _fitting(rest, font, width_px - font.getlength("…")) + "…"
            elif " " in line or rest[len(line)] == " ":  # break between words where there are any
                line = rest[: rest.rindex(" ", 0, len(line) + 1)]
        lines.append(line)
        rest = rest[len(line) :].strip()
    return lines


def _fitting(text: str, font: Font, width_px: float) -> str:
    """As much of the text's beginning as is not wider."""
    ends = range(1, len(text) + 1)
    return text[: bisect_right(ends, width_px, key=lambda end: font.getlength(text[:end]))]
