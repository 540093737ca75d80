"""The file in which a run says how it is doing: the task's first metric after every validation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

SCORES = "scores.jsonl"
"""What it is called, in the run's folder."""


class Score(NamedTuple):
    """How a run did at one validation.

    Attributes:
        step: updates made.
        steps: updates in all.
        split: that was answered.
        metric: the task's first.
        score: its value.
    """

    step: int
    steps: int
    split: str
    metric: str
    score: float


def add_score(folder: Path, score: Score) -> None:
    """Adds a line to the file of the run in `folder`, in place of one that was cut short."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / SCORES).open("ab+") as file:
        file.seek(0)
        file.truncate(file.read().rfind(b"\n") + 1)  # a full disk, or a power cut
        file.write(json.dumps(score._asdict()).encode() + b"\n")


def read_scores(folder: Path) -> list[Score]:
    """The scores of the run in `folder` so far, in the order of their updates.

    Where a run went on from before a validation, the later of two values is taken. A last line that
    is still being written is left for the next time.

    Raises:
        ValueError: a line is no score.
    """
    path = folder / SCORES
    if not path.is_file():
        return []
    found: dict[int, Score] = {}
    *lines, _ = path.read_text(encoding="utf-8").split("\n")
    for number, line in enumerate(lines, start=1):
        try:
            score = Score(**json.loads(line))
        except (ValueError, TypeError) as error:
            raise ValueError(f"{path}, line {number}: no score of a run ({error})") from error
        found[score.step] = score
    return [found[step] for step in sorted(found)]
