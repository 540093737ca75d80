"""Draws docs/pictures/model.png: how the model works, by its own sizes, mask, tokens and loss.

    python scripts/draw_model.py

Nothing in the picture is written by hand that the code decides: sizes come from `model.config`, who
sees whom from `prefix_lm_sights`, the tokens from `training_layout`, what carries loss from
`supervised`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from pg_transfer.model.config import PaliGemmaConfig, VisionConfig, released  # noqa: E402
from pg_transfer.model.paligemma import prefix_lm_sights  # noqa: E402
from pg_transfer.text.sequence import training_layout  # noqa: E402
from pg_transfer.text.tokenizer import BUILTIN, Tokenizer  # noqa: E402
from pg_transfer.training.loss import supervised  # noqa: E402
from tasks.shapes import Shape, paint_picture  # noqa: E402

SIZE, RESOLUTION = "paligemma_3b", 224
DRAWN_RESOLUTION = 42  # of the mask: so few image tokens that each can be seen
PREFIX, SUFFIX = "the red circle", "<loc0102><loc0512><loc0614><loc1023>"
TEXT_LENGTH = 13
SHAPES = (Shape("large", "red", "circle", 1, 3), Shape("small", "blue", "square", 3, 1),
          Shape("small", "yellow", "triangle", 0, 0))  # fmt: skip

SCALE = 2  # drawn larger and shrunk, for smooth edges
INK, FAINT, LOSS, PAPER = (35, 35, 40), (135, 135, 140), (214, 40, 40), (255, 255, 255)
COLOURS = {"image": (150, 132, 224), "prefix": (92, 152, 214), "suffix": (232, 150, 62),
           "padding": (214, 214, 218)}  # fmt: skip
Point = tuple[float, float]


class Lesson(NamedTuple):
    """What the model is fed, and what it is corrected on.

    Attributes:
        names: of the tokens, L.
        uses: a key of `COLOURS` for each.
        sees: bool [L, L], by whom and whom.
        targets: what each has to predict; None without loss.
    """

    names: list[str]
    uses: list[str]
    sees: np.ndarray
    targets: list[str | None]


def lay_out(image_tokens: int) -> Lesson:
    """A lesson, by the code that makes lessons."""
    tokenizer = Tokenizer(BUILTIN)
    layout = training_layout(
        tokenizer.encode(PREFIX), tokenizer.encode(SUFFIX),
        tokenizer=tokenizer, text_length=TEXT_LENGTH,
    )  # fmt: skip
    ids = [int(one) for one in layout.tokens]
    lengths = torch.tensor([layout.length]), torch.tensor([layout.prefix_length])
    has_loss = supervised(lengths[1], lengths[0], TEXT_LENGTH)[0].tolist()
    rows = []
    sights = prefix_lm_sights(
        lengths[1], lengths[0], image_tokens=image_tokens, text_tokens=TEXT_LENGTH
    )
    total = image_tokens + TEXT_LENGTH
    for sight in sights:
        seen = torch.zeros(1, 1, sight.queries, total, dtype=torch.bool)
        seen[..., : sight.keys] = True if sight.mask is None else sight.mask
        rows.append(seen[0, 0].numpy())
    spelt = [readable(tokenizer, one) for one in ids]
    uses = ["padding" if place >= layout.length else
            "prefix" if place < layout.prefix_length else "suffix"
            for place in range(TEXT_LENGTH)]  # fmt: skip
    return Lesson(
        [f"image {place + 1}" for place in range(image_tokens)] + spelt[:-1],
        ["image"] * image_tokens + uses,
        np.concatenate(rows),
        [None] * image_tokens
        + [name if has else None for name, has in zip(spelt[1:], has_loss, strict=True)],
    )


def readable(tokenizer: Tokenizer, one: int) -> str:
    """A token's name, in letters that the font has."""
    named = {tokenizer.bos: "bos", tokenizer.eos: "eos", tokenizer.pad: "pad"}
    piece = named.get(one) or tokenizer.pieces([one])[0]
    return piece.replace("\n", "\\n").replace("▁", " ").strip()


class Sheet:
    """A picture with a pen; all measures are pixels of the finished one."""

    def __init__(self, width: int, height: int) -> None:
        self.image = Image.new("RGB", (width * SCALE, height * SCALE), PAPER)
        self.pen = ImageDraw.Draw(self.image)

    def box(self, corner: Point, size: Point, fill: object, *, edge: object = None) -> None:
        """A rectangle with round corners."""
        (x, y), (w, h) = corner, size
        ends = [x * SCALE, y * SCALE, (x + w) * SCALE, (y + h) * SCALE]
        self.pen.rounded_rectangle(ends, 4 * SCALE, fill=fill, outline=edge, width=SCALE)  # type: ignore[arg-type]

    def cell(self, corner: Point, size: Point, fill: object) -> None:
        """A rectangle of the mask, with a gap behind it."""
        (x, y), (w, h) = corner, size
        ends = [x * SCALE, y * SCALE, (x + w - 1) * SCALE, (y + h - 1) * SCALE]
        self.pen.rectangle(ends, fill=fill)  # type: ignore[arg-type]

    def text(self, at: Point, words: str, *, size: int = 13, fill: object = INK,
             anchor: str = "mm") -> None:  # fmt: skip
        """Words; `anchor` as Pillow has it."""
        font = ImageFont.load_default(size=size * SCALE)
        self.pen.text(
            (at[0] * SCALE, at[1] * SCALE),
            words,
            fill=fill,
            font=font,
            anchor=anchor,
            align="center",
        )  # type: ignore[arg-type]

    def arrow(self, start: Point, end: Point, *, fill: object = INK) -> None:
        """Straight, with a head."""
        (x0, y0), (x1, y1) = start, end
        length = max(((x1 - x0) ** 2 + (y1 - y0) ** 2) ** 0.5, 1e-6)
        dx, dy = (x1 - x0) / length, (y1 - y0) / length
        back = x1 - 8 * dx, y1 - 8 * dy
        line = [x0 * SCALE, y0 * SCALE, back[0] * SCALE, back[1] * SCALE]
        self.pen.line(line, fill=fill, width=2 * SCALE)  # type: ignore[arg-type]
        corners = [end, (back[0] - 4 * dy, back[1] + 4 * dx), (back[0] + 4 * dy, back[1] - 4 * dx)]
        self.pen.polygon([(x * SCALE, y * SCALE) for x, y in corners], fill=fill)  # type: ignore[arg-type]

    def paste(self, picture: Image.Image, corner: Point, side: int) -> None:
        """A square picture."""
        shrunk = picture.resize((side * SCALE, side * SCALE), Image.Resampling.NEAREST)
        self.image.paste(shrunk, (int(corner[0] * SCALE), int(corner[1] * SCALE)))


def draw_flow(sheet: Sheet, config: PaliGemmaConfig, given: Lesson) -> None:
    """The left half: from the image and the text to the loss."""
    vision, language = config.vision, config.language
    side, left, top = 160, 30, 64
    sheet.paste(Image.fromarray(paint_picture(SHAPES)), (left, top), side)
    patches = vision.resolution // vision.patch
    for line in range(patches + 1):
        offset = line * side / patches
        for ends in ((left + offset, top, left + offset, top + side),
                     (left, top + offset, left + side, top + offset)):  # fmt: skip
            sheet.pen.line([end * SCALE for end in ends], fill=(255, 255, 255), width=1)
    caption = f"{vision.resolution} px, {patches} x {patches} patches of {vision.patch} px"
    sheet.text((left, top + side + 14), caption, size=12, fill=FAINT, anchor="lm")
    parts = (
        (230, 150, "SigLIP", f"{vision.depth} layers, width {vision.width:,}",
         f"{vision.heads} heads, sees all patches"),
        (430, 130, "projector", "one linear layer", f"{vision.width:,} to {language.width:,}"),
    )  # fmt: skip
    for x, width, name, *lines in parts:
        sheet.box((x, top + 44), (width, 74), (244, 242, 252), edge=COLOURS["image"])
        sheet.text((x + width / 2, top + 60), name, size=16)
        for place, line in enumerate(lines):
            sheet.text((x + width / 2, top + 82 + 17 * place), line, size=12)
    middle = top + 81
    sheet.arrow((left + side + 4, middle), (226, middle))
    sheet.arrow((384, middle), (426, middle))
    sheet.text((left, top - 22), "image", size=15, anchor="lm")
    count = vision.image_tokens
    sheet.text((305, top + 134), f"[B, {count}, {vision.width:,}]", size=12, fill=FAINT)
    sheet.text((495, top + 134), f"[B, {count}, {language.width:,}]", size=12, fill=FAINT)
    draw_strip(sheet, config, given, top=304)


def draw_strip(sheet: Sheet, config: PaliGemmaConfig, given: Lesson, *, top: int) -> None:
    """The sequence, Gemma over it, and what is predicted."""
    language, left, step, width = config.language, 118, 43, 40
    text = [place for place, use in enumerate(given.uses) if use != "image"]
    right = left + step * len(text)
    sheet.pen.line([end * SCALE for end in (495, 208, 495, 256)], fill=INK, width=2 * SCALE)
    sheet.pen.line([end * SCALE for end in (495, 256, 70, 256)], fill=INK, width=2 * SCALE)
    sheet.arrow((70, 256), (70, top - 4))
    sheet.box((28, top), (width * 2, 34), COLOURS["image"])
    sheet.text((28 + width, top + 17), f"{config.vision.image_tokens} tokens", size=12)
    for place, token in enumerate(text):
        x = left + step * place
        use = given.uses[token]
        sheet.box((x, top), (width, 34), COLOURS[use])
        sheet.text((x + width / 2, top + 17), short(given.names[token]), size=10)
    for use, name in (("prefix", "prefix: the request"), ("suffix", "suffix: the answer"),
                      ("padding", "padding")):  # fmt: skip
        places = [place for place, token in enumerate(text) if given.uses[token] == use]
        if places:
            x = left + step * (places[0] + places[-1]) / 2 + width / 2
            sheet.text(
                (x, top - 13), name, size=12, fill=COLOURS[use] if use != "padding" else FAINT
            )
    tall = 82
    sheet.box((28, top + 62), (right - 28, tall), (250, 246, 240), edge=COLOURS["suffix"])
    sheet.text(((28 + right) / 2, top + 84), "Gemma", size=18)
    heads = f"{language.heads} heads, {language.kv_heads} of keys and values"
    line = f"{language.depth} layers, width {language.width:,}, {heads}; a prefix-LM: see the mask"
    sheet.text(((28 + right) / 2, top + 108), line, size=12)
    shape = f"[B, {config.vision.image_tokens} + T, {language.width:,}]"
    sheet.text(((28 + right) / 2, top + 128), shape, size=12, fill=FAINT)
    for x in (68, *(left + step * place + width / 2 for place in range(len(text)))):
        sheet.arrow((x, top + 37), (x, top + 60), fill=FAINT)
    for place, token in enumerate(text):
        target = given.targets[token]
        if target is None:
            continue
        x = left + step * place + width / 2
        sheet.arrow((x, top + 62 + tall + 2), (x, top + 172), fill=LOSS)
        sheet.box((x - width / 2, top + 174), (width, 34), PAPER, edge=LOSS)
        sheet.text((x, top + 191), short(target), size=10, fill=LOSS)
    rows = f"Logits only where loss is: [tokens with loss, {language.vocabulary:,}]."
    sheet.text((28, top + 232), rows, size=13, anchor="lm")
    words = "Each of these positions is corrected on the token that follows it in the sequence."
    sheet.text((28, top + 252), words, size=13, fill=FAINT, anchor="lm")


def short(name: str) -> str:
    """`<loc0102>` on two lines."""
    return name.strip("<>").replace("loc", "loc\n") if name.startswith("<loc") else name


def draw_mask(sheet: Sheet, given: Lesson, *, left: int, top: int, side: int) -> None:
    """The right half: who sees whom."""
    for row, use in enumerate(given.uses):
        y = top + row * side
        sheet.text((left - 8, y + side / 2), given.names[row], size=11, anchor="rm",
                   fill=FAINT if use == "padding" else INK)  # fmt: skip
        sheet.cell((left + row * side, top - 10), (side, 6), COLOURS[use])
        for column, seen in enumerate(given.sees[row]):
            colour = COLOURS[given.uses[column]] if seen else (243, 243, 245)
            sheet.cell((left + column * side, y), (side, side), colour)
        target = given.targets[row]
        if target is not None:
            x = left + side * len(given.uses) + 6
            sheet.arrow((x, y + side / 2), (x + 20, y + side / 2), fill=LOSS)
            sheet.text((x + 26, y + side / 2), target, size=11, fill=LOSS, anchor="lm")
    width = side * len(given.uses)
    sheet.text((left, top - 30), "the mask: each row sees what is coloured in it", size=15,
               anchor="lm")  # fmt: skip
    foot = f"drawn with {given.uses.count('image')} image tokens; in red, what a row has to predict"
    sheet.text((left + width, top + width + 14), foot, size=12, fill=FAINT, anchor="rm")


def draw() -> Image.Image:
    """The whole picture."""
    config = released(SIZE, resolution=RESOLUTION)
    few = VisionConfig(width=1, depth=1, heads=1, mlp=1, resolution=DRAWN_RESOLUTION)
    given = lay_out(few.image_tokens)
    sheet = Sheet(1310, 584)
    draw_flow(sheet, config, given)
    draw_mask(sheet, given, left=772, top=64, side=20)
    width, height = sheet.image.size
    return sheet.image.resize((width * 3 // (2 * SCALE), height * 3 // (2 * SCALE)),
                              Image.Resampling.LANCZOS)  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> None:
    """Writes the picture."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--to", type=Path, default=ROOT / "docs" / "pictures" / "model.png")
    draw().quantize(256).save(parser.parse_args(arguments).to, optimize=True)


if __name__ == "__main__":
    main()
