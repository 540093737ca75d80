"""Some of the answers of an evaluation, as a table with pictures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from pg_transfer.reporting.answers import file_name
from pg_transfer.reporting.page import sampled
from pg_transfer.reporting.pictures import draw_outlines
from pg_transfer.task import Answer, Outline, Scores, Task

SIDE_PX = 512


class Prediction(NamedTuple):
    """One answer.

    Attributes:
        cells: id, kind (where the task has kinds), prompt, answer and truth, by name.
        scores: of the answer, by name; None where it has none of that name.
        image: without anything drawn into it, its longer side `SIDE_PX` long.
        outlines: what may be drawn into it.
    """

    cells: dict[str, str]
    scores: dict[str, float | None]
    image: Image.Image
    outlines: Sequence[Outline]


class Predictions(NamedTuple):
    """Answers to a split: the same examples each time.

    Attributes:
        split: what was answered.
        step: after which update.
        row: the step that the scores of the evaluation are logged under.
        rows: the answers.
        picture: a grid of some of them that is drawn already; None if there is none.
    """

    split: str
    step: int
    row: int
    rows: Sequence[Prediction]
    picture: Path | None

    @property
    def key(self) -> str:
        """What a tracker files them under."""
        return f"predictions/{file_name(self.split)}"

    @property
    def header(self) -> list[str]:
        """The names of the columns, images left out."""
        return [*self.rows[0].cells, *self.rows[0].scores]


def choose(
    task: Task,
    answers: Sequence[Answer],
    scores: Scores,
    *,
    split: str,
    step: int,
    row: int,
    most: int,
    picture: Path | None,
) -> Predictions:
    """At most so many of the answers to a split, with their pictures."""
    chosen = sampled(len(answers), most)
    names = list(dict.fromkeys(name for place in chosen for name in scores.examples[place]))
    has_kinds = any(task.kind(answers[place].example) for place in chosen)
    rows = []
    for place in chosen:
        answer, graded = answers[place], scores.examples[place]
        example = answer.example
        cells = {
            "id": example.id,
            **({"kind": task.kind(example)} if has_kinds else {}),
            "prompt": example.prefix,
            "answer": answer.text,
            "truth": " / ".join(dict.fromkeys(example.suffixes)),
        }
        rows.append(
            Prediction(
                cells,
                {name: _finite(graded.get(name)) for name in names},
                draw_outlines(example.image, [], side_px=SIDE_PX),
                task.outlines(answer),
            )
        )
    return Predictions(split, step, row, rows, picture)


def _finite(value: float | None) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None
