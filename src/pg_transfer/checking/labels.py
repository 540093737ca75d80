"""A page of what is to be learnt, read back from its tokens, for a person to see if it is right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from pg_transfer.data.images import open_image
from pg_transfer.reporting.page import Side, write_page
from pg_transfer.segmentation.instances import answered_outlines
from pg_transfer.task import (
    Answer,
    Clip,
    Draw,
    Example,
    OneImage,
    Outline,
    Scores,
    Task,
    pieces_of,
)
from pg_transfer.text.tokenizer import Tokenizer


class Targets(Task):
    """A task in whose place its targets are shown, as if they had been answered.

    Args:
        task: whose targets they are.
    """

    def __init__(self, task: Task) -> None:
        self.task = task
        self._codec = getattr(task, "mask_codec", None)

    def examples(self, split: str) -> Sequence[Example]:
        """The task's own."""
        return self.task.examples(split)

    def score(self, answers: Sequence[Answer]) -> Scores:
        """The task's own verdict, which a page of targets does not ask for."""
        return self.task.score(answers)

    def kind(self, example: Example) -> str:
        """The task's own, by which the page can be filtered."""
        return self.task.kind(example)

    def outlines(self, answer: Answer) -> list[Outline]:
        """The boxes and masks that the tokens of the target stand for."""
        if "<loc" not in answer.text or isinstance(answer.example.image, Clip):
            return []
        height, width = _pixels(answer.example.images[0]).shape[:2]
        return answered_outlines(answer.text, self._codec, height=height, width=width)


def write_labels(
    path: Path,
    task: Task,
    examples: Sequence[Example],
    tokenizer: Tokenizer | None,
    *,
    split: str,
) -> Path:
    """Saves a page that shows a target of each example with its image, and gives its path back.

    Args:
        path: of the page.
        task: of the examples.
        examples: at least one, each with something to learn.
        tokenizer: to tell how long the texts are; None if there is none at hand.
        split: that they are of.
    """
    answers = []
    lengths: list[dict[str, float]] = []
    for example in examples:
        prefix, suffix = task.target(example, Draw(0, example.id, 0))
        answers.append(Answer(replace(example, prefix=prefix), suffix, pieces_of(suffix)))
        parts = {"prefix tokens": prefix, "suffix tokens": suffix}
        lengths.append(
            {name: len(tokenizer.encode(text)) for name, text in parts.items()} if tokenizer else {}
        )
    side = Side("targets, read back from their tokens", answers, Scores({}, lengths))
    return write_page(path, Targets(task), [side], split=split, most=len(answers))


def _pixels(image: OneImage) -> np.ndarray:
    return image() if callable(image) else open_image(image)
