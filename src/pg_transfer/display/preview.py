"""A look at the first batch before training: images as resized, tokens by what they are for."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Sequence
from html import escape
from importlib import resources
from io import BytesIO
from itertools import groupby
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from PIL import Image
from rich.text import Text

from pg_transfer.process.whole_files import write_whole
from pg_transfer.reporting.pictures import draw_outlines
from pg_transfer.reporting.templates import filled
from pg_transfer.task import Answer, Example, Task
from pg_transfer.text.tokenizer import EOS, Tokenizer
from pg_transfer.training.batches import Batch
from pg_transfer.training.loss import supervised

Use = Literal["image", "begin", "prefix", "separator", "suffix", "end", "padding"]

MEANINGS: dict[Use, str] = {
    "image": "image tokens",
    "begin": "beginning of sequence",
    "prefix": "prefix, the request",
    "separator": "separator, a line end",
    "suffix": "suffix, the answer to learn",
    "end": "end of sequence",
    "padding": "padding",
}
_STYLES: dict[Use, str] = {
    "image": "magenta", "begin": "dim", "prefix": "blue", "separator": "bold blue",
    "suffix": "bold yellow", "end": "bold red", "padding": "dim",
}  # fmt: skip
_SHOWN_PX = 448


class Token(NamedTuple):
    """A token of the text window.

    Attributes:
        spelling: the vocabulary's.
        use: what it is there for.
        has_loss: the model has to predict it, and is corrected.
    """

    spelling: str
    use: Use
    has_loss: bool


class Lesson(NamedTuple):
    """What the model is given of one example.

    Attributes:
        id: the example's.
        images: uint8 [F, R, R, 3].
        image_tokens: how many they become.
        tokens: all of the window, padding included.
        prefix: what is decoded from it.
        suffix: likewise, of the tokens with loss.
        drawn: the image with what is meant, and what the suffix's tokens say; None if nothing is
            to be drawn.
        cut: what the window was too short for: a sentence, or empty.
    """

    id: str
    images: np.ndarray
    image_tokens: int
    tokens: list[Token]
    prefix: str
    suffix: str
    drawn: Image.Image | None
    cut: str


def read_lessons(
    batch: Batch,
    examples: Sequence[Example],
    *,
    task: Task,
    tokenizer: Tokenizer,
    image_tokens: int,
) -> list[Lesson]:
    """A batch to learn from, taken apart; which tokens have loss is the loss's own word.

    Args:
        batch: as loaded.
        examples: of the split it is from.
        task: says what can be drawn.
        tokenizer: that made it.
        image_tokens: of one image.
    """
    has_loss = supervised(batch.prefix_lengths, batch.lengths, batch.tokens.shape[1] - 1)
    lessons = []
    for place, row in enumerate(batch.rows):
        ids = batch.tokens[place].tolist()
        prefix, length = int(batch.prefix_lengths[place]), int(batch.lengths[place])
        learnt = [False, *has_loss[place].tolist()]
        image = place if batch.image_rows is None else int(batch.image_rows[place])
        pixels = batch.images[image].numpy().astype(np.uint8)
        images = pixels.reshape(-1, *pixels.shape[-3:])
        cut = batch.cuts[place]
        tokens = [
            Token(_spelling(tokenizer, id), _use(number, id, prefix, length, tokenizer), has)
            for number, (id, has) in enumerate(zip(ids, learnt, strict=True))
        ]
        lessons.append(
            Lesson(
                examples[row].id, images, image_tokens * len(images), tokens,
                prefix=tokenizer.decode(ids[:prefix]),
                suffix=tokenizer.decode(ids[prefix:length]),
                drawn=_drawn(task, examples[row], tokenizer, ids[prefix:length]),
                cut=f"cut: no room for the whole {cut}, raise recipe.text_length" if cut else "",
            )
        )  # fmt: skip
    return lessons


def _drawn(
    task: Task, example: Example, tokenizer: Tokenizer, suffix: list[int]
) -> Image.Image | None:
    said = Answer(example, tokenizer.decode(suffix), tokenizer.pieces(suffix))
    outlines = task.outlines(said)
    return draw_outlines(example.image, outlines, side_px=_SHOWN_PX) if outlines else None


def _spelling(tokenizer: Tokenizer, id: int) -> str:
    return EOS if id == tokenizer.eos else tokenizer.pieces([id])[0]


def _use(number: int, id: int, prefix: int, length: int, tokenizer: Tokenizer) -> Use:
    if number >= length:
        return "padding"
    if number >= prefix:
        return "end" if id == tokenizer.eos else "suffix"
    if number == 0:
        return "begin"
    is_closing = number >= prefix - len(tokenizer.separator) and id in tokenizer.separator
    return "separator" if is_closing else "prefix"


def printed(lessons: Sequence[Lesson]) -> Iterator[Text]:
    """Lines for the terminal: a legend, then each example's tokens and what is learnt from it."""
    legend = Text("tokens: ")
    for use, meaning in MEANINGS.items():
        legend.append(f" {meaning} ", style=_STYLES[use]).append(" ")
    yield legend.append("underlined: carries loss", style="underline")
    for lesson in lessons:
        yield Text()
        frames, side = lesson.images.shape[0], lesson.images.shape[1]
        size = f"{frames} x {side} x {side}" if frames > 1 else f"{side} x {side}"
        yield Text(f"example {lesson.id}", style="bold").append(f"  {size} px", style="dim")
        line = Text(f"[{lesson.image_tokens} image tokens]", style=_STYLES["image"])
        for (use, has_loss), group in groupby(lesson.tokens, key=lambda one: one[1:]):
            style = _STYLES[use] + (" underline" if has_loss else "")
            line.append(" ").append(_run([one.spelling for one in group], use), style=style)
        yield line
        loss = sum(token.has_loss for token in lesson.tokens)
        yield Text(f"learns {loss} tokens: ", style="dim").append(repr(lesson.suffix), style="bold")
        if lesson.cut:
            yield Text(lesson.cut, style="red")


def _run(spellings: Sequence[str], use: Use) -> str:
    if use == "padding":
        return f"[{len(spellings)} padding]"
    return " ".join(spelling.replace("\n", "\\n") for spelling in spellings)


def write_preview(path: Path, lessons: Sequence[Lesson], facts: Sequence[tuple[str, str]]) -> None:
    """Saves the same as one HTML page that needs nothing else; every text is escaped."""
    template = (resources.files("pg_transfer.display") / "preview.html").read_text(encoding="utf-8")
    rows = "".join(
        f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in facts
    )
    legend = "".join(_span(meaning, use) for use, meaning in MEANINGS.items())
    page = {
        "@@FACTS@@": rows,
        "@@LEGEND@@": legend + _span("carries loss", "suffix", has_loss=True),
        "@@LESSONS@@": "".join(map(_article, lessons)),
    }
    write_whole(path, [filled(template, page)])


def _article(lesson: Lesson) -> str:
    figures = "".join(
        f'<figure><img width="{_SHOWN_PX}" alt="" src="{_data_uri(Image.fromarray(pixels))}">'
        "<figcaption>as the model sees it</figcaption></figure>"
        for pixels in lesson.images
    )
    if lesson.drawn is not None:
        figures += (
            f'<figure><img alt="" src="{_data_uri(lesson.drawn)}"><figcaption>green: what is '
            "meant; orange: what the suffix says</figcaption></figure>"
        )
    tokens = _span(f"{lesson.image_tokens} image tokens", "image")
    shown = [one for one in lesson.tokens if one.use != "padding"]
    tokens += "".join(_span(one.spelling, one.use, has_loss=one.has_loss) for one in shown)
    if padding := len(lesson.tokens) - len(shown):
        tokens += _span(f"{padding} padding", "padding")
    loss = sum(token.has_loss for token in lesson.tokens)
    return (
        f"<article>{figures}<div><h2>{escape(lesson.id)}</h2>"
        f'<p class="tokens">{tokens}</p><dl><dt>prefix</dt><dd>{escape(lesson.prefix)}</dd>'
        f"<dt>learns {loss} tokens</dt><dd>{escape(lesson.suffix)}</dd></dl>"
        f'<p class="cut">{escape(lesson.cut)}</p></div></article>\n'
    )


def _span(text: str, use: Use, *, has_loss: bool = False) -> str:
    names = f"{use} loss" if has_loss else use
    shown = escape(text.replace("\n", "\\n").replace("▁", "·"))
    return f'<span class="{names}" title="{escape(MEANINGS[use])}">{shown}</span>'


def _data_uri(picture: Image.Image) -> str:
    file = BytesIO()
    picture.save(file, "PNG")
    return f"data:image/png;base64,{b64encode(file.getvalue()).decode()}"
