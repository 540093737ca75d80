"""A page of answers to look through in a browser: one HTML file that needs nothing else.

What users and models have written reaches it as JSON that cannot end its element, and is shown as
text only. The format, one JSON value a line: the heading; then each example, after those of its
pictures that no earlier one has.
"""

from __future__ import annotations

import json
import math
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from pg_transfer.process.whole_files import write_whole
from pg_transfer.reporting.pictures import draw_outlines
from pg_transfer.task import Answer, Clip, Example, Image, Outline, Scores, Task

SIDE_PX = 320
JPEG_QUALITY = 70

_PLACE = "@@DATA@@"
_ESCAPES = str.maketrans({character: f"\\u{ord(character):04x}" for character in "<>&"})


class Side(NamedTuple):
    """Answers to a whole split, and the verdict on them.

    Attributes:
        label: what they are called on the page.
        answers: one for each example of the split, in its order.
        scores: of these answers.
    """

    label: str
    answers: Sequence[Answer]
    scores: Scores


def write_page(path: Path, task: Task, sides: Sequence[Side], *, split: str, most: int) -> Path:
    """Saves the page, and gives its path back.

    Args:
        path: of the page.
        task: whose examples were answered.
        sides: one, or two to compare example by example.
        split: what was answered.
        most: examples on the page. Of a larger split they are drawn at random, the same ones each
            time, so that pages of several runs show the same.

    Raises:
        ValueError: the sides do not answer the same examples, or none are to be shown.
    """
    answered = [[answer.example.id for answer in side.answers] for side in sides]
    if any(ids != answered[0] for ids in answered):
        labels = " and ".join(side.label for side in sides)
        raise ValueError(f"{labels} do not answer the same examples in the same order")
    if most < 1:
        raise ValueError(f"page={most} is no number of examples to show")
    total = len(answered[0])
    heading = {
        "title": f"{type(task).__name__} {split}",
        "total": total,
        "counts": sorted(
            {
                name
                for side in sides
                for name, value in side.scores.metrics.items()
                if isinstance(value, int)
            }
        ),
        "sides": [{"label": side.label, "metrics": _finite(side.scores.metrics)} for side in sides],
    }
    template = (resources.files("pg_transfer.reporting") / "page.html").read_text(encoding="utf-8")
    before, after = template.split(_PLACE)

    def parts() -> Iterator[str]:
        yield before
        yield _line(heading)
        yield from map(_line, _examples(task, sides, sampled(total, most)))
        yield after

    write_whole(path, parts())
    return path


def sampled(total: int, most: int) -> list[int]:
    """At most so many of the rows of a split, drawn at random, the same ones each time."""
    return sorted(Random(0).sample(range(total), min(most, total)))


def _examples(task: Task, sides: Sequence[Side], chosen: Sequence[int]) -> Iterator[Any]:
    """Pictures as data URIs, numbered as they come, and examples that refer to those numbers."""
    numbers: dict[object, int] = {}
    drawn = 0
    for row in chosen:
        shown = []
        is_outlined = False
        for side in sides:
            answer = side.answers[row]
            outlines = task.outlines(answer)
            is_outlined |= bool(outlines)
            number = numbers.get(_identity(answer.example.image)) if not outlines else None
            if number is None:
                yield _data_uri(answer.example.image, outlines)
                number, drawn = drawn, drawn + 1
                if not outlines:
                    numbers[_identity(answer.example.image)] = number
            scores = _finite(side.scores.examples[row])
            shown.append({"answer": answer.text, "scores": scores, "picture": number})
        yield _described(task, sides[0].answers[row].example) | {
            "outlined": is_outlined,
            "sides": shown,
        }


def _described(task: Task, example: Example) -> dict[str, Any]:
    return {
        "id": example.id,
        "prompt": example.prefix,
        "kind": task.kind(example),
        "references": list(Counter(example.suffixes).items()),
    }


def _identity(image: Image) -> Path | Clip | int | tuple[Path | int, ...]:
    """What two examples share if they show the same image; a function need not be hashable."""
    if isinstance(image, tuple):
        return tuple(one if isinstance(one, Path) else id(one) for one in image)
    return image if isinstance(image, Path | Clip) else id(image)


def _data_uri(image: Image, outlines: Sequence[Outline]) -> str:
    file = BytesIO()
    draw_outlines(image, outlines, side_px=SIDE_PX).save(file, "JPEG", quality=JPEG_QUALITY)
    return f"data:image/jpeg;base64,{b64encode(file.getvalue()).decode()}"


def _finite(scores: Mapping[str, float]) -> dict[str, float | None]:
    """JSON knows neither infinity nor NaN."""
    return {name: value if math.isfinite(value) else None for name, value in scores.items()}


def _line(value: Any) -> str:
    """JSON in ASCII without <, > and &, which could end or open an HTML element."""
    return json.dumps(value, allow_nan=False).translate(_ESCAPES) + "\n"
