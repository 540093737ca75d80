"""Pictures of answers: what is meant has a green outline, what was answered is filled orange."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from pg_transfer import images
from pg_transfer.task import Answer, Outline, Task
from pg_transfer.task import Image as Source

COLOURS = {"truth": (20, 150, 60), "answer": (240, 110, 20)}
CELL_PX = 260
CAPTION_PX = 62
COLUMNS = 4
MASK_OPACITY = 0.45

Graded = tuple[Answer, dict[str, float]]


def draw_answers(task: Task, graded: Sequence[Graded], path: Path) -> None:
    """Saves a grid of answers with their scores as a PNG."""
    columns = min(COLUMNS, len(graded))
    rows = -(-len(graded) // columns)
    cell_height = CELL_PX + CAPTION_PX
    sheet = Image.new("RGB", (columns * CELL_PX, rows * cell_height), "white")
    for number, (answer, scores) in enumerate(graded):
        row, column = divmod(number, columns)
        cell = _cell(answer, scores, task.outlines(answer))
        sheet.paste(cell, (column * CELL_PX, row * cell_height))
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path)


def draw_outlines(source: Source, outlines: Sequence[Outline], *, side_px: int) -> Image.Image:
    """The image with boxes and masks drawn into it, its longer side `side_px` long."""
    pixels = source() if callable(source) else images.open_image(source)
    picture = Image.fromarray(_tinted(pixels, outlines, side_px) if outlines else pixels)
    scale = side_px / max(picture.size)
    width, height = (max(1, round(side * scale)) for side in picture.size)
    picture = picture.resize((width, height))
    draw = ImageDraw.Draw(picture)
    for outline in outlines:
        ymin, xmin, ymax, xmax = outline.box
        top, left = ymin * height, xmin * width
        # An answered box may be narrower than a pixel; Pillow refuses what ends before it starts.
        right, bottom = max(left, xmax * width - 1), max(top, ymax * height - 1)
        draw.rectangle((left, top, right, bottom), outline=COLOURS[outline.kind], width=3)
    return picture


def _cell(answer: Answer, scores: dict[str, float], outlines: Sequence[Outline]) -> Image.Image:
    picture = draw_outlines(answer.example.image, outlines, side_px=CELL_PX - 12)
    cell = Image.new("RGB", (CELL_PX, CELL_PX + CAPTION_PX), "white")
    cell.paste(picture, ((CELL_PX - picture.width) // 2, (CELL_PX - picture.height) // 2))
    font = ImageFont.load_default(size=13)
    said = "" if outlines and outlines[-1].kind == "answer" else f"→ {answer.text or '(nothing)'}"
    graded = "  ".join(f"{name} {value:.2f}" for name, value in list(scores.items())[:2])
    lines = [answer.example.prefix, said, graded]
    write = ImageDraw.Draw(cell)
    for number, line in enumerate(line for line in lines if line):
        short = _shortened(line, font, CELL_PX - 12)
        write.text((6, CELL_PX + 18 * number), short, fill="black", font=font)
    return cell


def _tinted(pixels: np.ndarray, outlines: Sequence[Outline], side_px: int) -> np.ndarray:
    tinted = pixels.astype(np.float32)
    for outline in reversed(outlines):  # the truth's edge on top of the answer
        if outline.mask is not None:
            is_truth = outline.kind == "truth"
            where = _edge(outline.mask, side_px) if is_truth else outline.mask
            opacity = 1.0 if is_truth else MASK_OPACITY
            colour = np.array(COLOURS[outline.kind], dtype=np.float32)
            tinted[where] = (1 - opacity) * tinted[where] + opacity * colour
    return tinted.astype(np.uint8)


def _edge(mask: np.ndarray, side_px: int) -> np.ndarray:
    """The pixels of the mask that touch the outside, in lines visible at `side_px`."""
    width = max(1, round(max(mask.shape) / side_px * 2))
    inside = np.pad(mask, width)
    for axis in (0, 1):
        inside = inside & np.roll(inside, width, axis) & np.roll(inside, -width, axis)
    return mask & ~inside[width:-width, width:-width]


def _shortened(line: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width_px: int) -> str:
    line = line.replace("\n", " ")
    if font.getlength(line) <= width_px:
        return line
    while line and font.getlength(line + "…") > width_px:
        line = line[:-1]
    return line + "…"
