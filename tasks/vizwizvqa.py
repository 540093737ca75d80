"""VizWiz-VQA: photographs and questions of people who are blind (Gurari et al. 2018).

Sources: big_vision configs/proj/paligemma/transfers/vizwizvqa.py, datasets/vizwizvqa/vizwizvqa.py
and evaluators/proj/paligemma/transfers/vqa.py; files as in
https://vizwiz.org/tasks-and-datasets/vqa/.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from pg_transfer.data.json_records import each_record
from pg_transfer.data.questions import (
    Question,
    QuestionTask,
    read_questions,
    text_of,
    texts_and_suffixes,
    texts_of,
)
from pg_transfer.data.release import field, find_file, find_images
from pg_transfer.metrics.matching import score_matches
from pg_transfer.task import Answer, Scores

PREFIX = "answer en {question}"

ANSWERS = 10
SIZES = {"train": 20_523, "val": 4_319, "train+val": 24_842, "test": 8_000}
FOLDERS = ("annotations", "Annotations", "")
FETCH = (
    "Annotations.zip, train.zip, val.zip and test.zip are at "
    "https://vizwiz.org/tasks-and-datasets/vqa/; unzip them there: train.json, val.json and "
    "test.json in a folder annotations, images in folders train, val and test."
)


class VizWizVQA(QuestionTask):
    """One example per image and its question; an example's id is the name of its image.

    `test` has no answers: it is answered for the benchmark's server.

    Args:
        root: the folder with `annotations` and with the images in `train`, `val` and `test`.
    """

    title = "VizWiz-VQA"
    splits = ("train", "val", "test")
    sizes = SIZES

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)

    def verdict(self, answers: Sequence[Answer]) -> Scores:
        """How many people, of three, gave the same answer, to the letter."""
        scores = score_matches(*texts_and_suffixes(answers))
        return scores.only({"accuracy": "accuracy"})

    def submission(self, answers: Sequence[Answer]) -> list[dict[str, Any]]:
        """What the server takes."""
        return [{"image": answer.example.id, "answer": answer.text} for answer in answers]

    def questions(self, split: str) -> Iterator[Question]:
        """Those of `split`, one at a time."""
        folders = [self.root / folder for folder in FOLDERS]
        path = find_file(f"{split}.json", folders, fetch=FETCH)
        make = partial(_question, has_answers=split != "test")
        return read_questions(path, each_record(path), make, id_field="image")

    def images(self, split: str, names: Sequence[str]) -> Mapping[str, Path]:
        """The image of each name."""
        folders = [self.root / split, self.root / "images" / split]
        return find_images({name: [name] for name in names}, folders, fetch=FETCH)


def _question(record: Mapping[str, Any], *, has_answers: bool) -> Question:
    image = field(record, "image", str)
    return Question(
        id=image,
        image=image,
        prefix=PREFIX.format(question=text_of(record, "question")),
        suffixes=_answers(record) if has_answers else (),
    )


def _answers(record: Mapping[str, Any]) -> tuple[str, ...]:
    """What people said; a few said nothing, and the paper leaves that out."""
    said = tuple(text for text in texts_of(record, "answers", count=ANSWERS) if text)
    if not said:
        raise ValueError("all its answers are empty")
    return said
