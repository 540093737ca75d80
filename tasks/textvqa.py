"""TextVQA 0.5.1: answer questions about the text in an image (Singh et al. 2019).

Sources: big_vision configs/proj/paligemma/transfers/textvqa.py and datasets/textvqa/textvqa.py;
files as in https://textvqa.org.
"""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pg_transfer.data.images import open_image
from pg_transfer.data.release import (
    fault,
    field,
    find_file,
    find_images,
    read_records,
    refuse_repeated,
)
from pg_transfer.data.splits import select
from pg_transfer.metrics.vqa import score_vqa
from pg_transfer.task import Answer, Example, Scores, Task

PREFIX = "answer en {question}"

VERSION = "0.5.1"
ANNOTATIONS = "TextVQA_0.5.1_{split}.json"
ANSWERS = 10
FOLDERS = ("", "annotations", "data", "images")
IMAGES = {"train": "train_images", "val": "train_images", "test": "test_images"}
SIZES = {"train": 34_602, "val": 5_000, "train+val": 39_602, "test": 5_734}
ROTATIONS = ("train-images-boxable-with-rotation.csv", "test-images-with-rotation.csv")

FETCH = (
    "TextVQA_0.5.1_train.json, TextVQA_0.5.1_val.json and TextVQA_0.5.1_test.json, "
    "train_val_images.zip and test_images.zip are at https://textvqa.org/dataset; "
    "unzip the images there."
)
FETCH_ROTATIONS = (
    f"The tables are https://storage.googleapis.com/openimages/2018_04/train/{ROTATIONS[0]} "
    f"and https://storage.googleapis.com/openimages/2018_04/test/{ROTATIONS[1]}."
)


class Question(NamedTuple):
    """A record: a question about an image, and what ten people answered; nothing in the test."""

    id: int
    image_id: str
    text: str
    answers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Turned:
    """An image that is stored turned: called, its pixels as they were meant.

    The paper's code saved such images anew, as JPEG of quality 100; that loss is left out here.
    """

    path: Path
    quarters: int
    """Counter-clockwise."""

    def __call__(self) -> np.ndarray:
        """The pixels, uint8 [H, W, 3]."""
        return np.ascontiguousarray(np.rot90(open_image(self.path), self.quarters))


class TextVQA(Task):
    """One example per question; the splits are `train`, `val` and `test`, sums and slices of them.

    `test` has no answers: it is answered for the benchmark's server.

    Args:
        root: the folder with the annotations, `train_images` and `test_images`.
        rotations: OpenImages' tables of how its images are turned; by default those that lie in
            `root`. Without one, images are taken as they are stored.

    Raises:
        FileNotFoundError: one of `rotations` is not there.
    """

    sizes = SIZES

    def __init__(
        self, root: Path | str, *, rotations: Sequence[Path | str] | Path | str | None = None
    ) -> None:
        self.root = Path(root)
        if rotations is None:
            here = [self.root / name for name in ROTATIONS]
            self.rotations = [path for path in here if path.is_file()]
        else:
            given = [rotations] if isinstance(rotations, (str, Path)) else rotations
            self.rotations = [
                find_file(path.name, [path.parent], fetch=FETCH_ROTATIONS)
                for path in map(Path, given)
            ]

    @property
    def departures(self) -> Sequence[str]:
        """That images are left turned, where no table of rotations is at hand."""
        if self.rotations:
            return ()
        return (
            f"some of TextVQA's images are stored turned, and are not turned back: there is no "
            f"table of OpenImages' rotations in {self.root}. {FETCH_ROTATIONS}",
        )

    def examples(self, split: str) -> Sequence[Example]:
        """The questions of `split`.

        Raises:
            FileNotFoundError: annotations or images are missing.
            ValueError: no such split, another release, or a record that cannot be right.
        """
        return select(split, self._read)

    def score(self, answers: Sequence[Answer]) -> Scores:
        """The accuracy of the VQA benchmarks; the mere number of answers if a truth is missing."""
        if not all(answer.example.suffixes for answer in answers):
            return Scores({"answered": len(answers)}, [{} for _ in answers])
        scores = score_vqa(
            [answer.text for answer in answers], [answer.example.suffixes for answer in answers]
        )
        # All questions are of one type, whose accuracy is the same.
        return Scores(
            {"accuracy": scores.metrics["accuracy"]},
            [{"accuracy": one["accuracy"]} for one in scores.examples],
        )

    def submission(self, answers: Sequence[Answer]) -> list[dict[str, Any]]:
        """What the server takes, and `python -m pg_transfer.metrics.vqa`; answers as they are."""
        return [
            {"question_id": int(answer.example.id), "answer": answer.text} for answer in answers
        ]

    def _read(self, name: str) -> list[Example]:
        if name not in IMAGES:
            raise ValueError(f"TextVQA has no split {name!r}; there are {', '.join(IMAGES)}")
        places = [self.root / place for place in FOLDERS]
        path = find_file(ANNOTATIONS.format(split=name), places, fetch=FETCH)
        questions = _read_questions(path, name)
        ids = dict.fromkeys(question.image_id for question in questions)
        folders = [place / IMAGES[name] for place in places]
        files = find_images({image: (f"{image}.jpg",) for image in ids}, folders, fetch=FETCH)
        turned: dict[str, Turned] = {}
        if self.rotations:
            quarters = _read_quarters(self.rotations, ids)
            turned = {
                image: Turned(files[image], turns) for image, turns in quarters.items() if turns
            }
        return [
            Example(
                id=str(question.id),
                image=turned.get(question.image_id, files[question.image_id]),
                prefix=PREFIX.format(question=question.text),
                suffixes=question.answers,
            )
            for question in questions
        ]


def _read_questions(path: Path, split: str) -> list[Question]:
    content = read_records(path, "data")
    version, kind = content.get("dataset_version"), content.get("dataset_type")
    if (version, kind) != (VERSION, split):
        raise ValueError(
            f"{path}: this is the {kind!r} part of version {version!r}, not the {split!r} part of "
            f"{VERSION}, which the paper used.\n{FETCH}"
        )
    questions = []
    for record in content["data"]:
        try:
            question = Question(
                id=field(record, "question_id", int),
                image_id=field(record, "image_id", str),
                text=field(record, "question", str),
                answers=() if split == "test" else tuple(field(record, "answers", list)),
            )
        except TypeError as error:
            raise fault(path, f"{record!r:.80}", f"no question ({error})") from error
        if not question.text.strip():
            raise fault(path, f"question_id {question.id}", "an empty question")
        if split != "test" and len(question.answers) != ANSWERS:
            what = f"{len(question.answers)} answers, not {ANSWERS}"
            raise fault(path, f"question_id {question.id}", what)
        for answer in question.answers:
            if not isinstance(answer, str):
                raise fault(path, f"question_id {question.id}", f"{answer!r:.40} for an answer")
        questions.append(question)
    refuse_repeated(path, "question_id", (question.id for question in questions))
    return questions


def _read_quarters(tables: Sequence[Path], images: Collection[str]) -> dict[str, int]:
    """For each image the quarters of a circle by which to turn it counter-clockwise."""
    quarters: dict[str, int] = {}
    for path in tables:
        try:
            quarters.update(_table(path, images))
        except (csv.Error, UnicodeDecodeError) as error:
            raise fault(path, "the whole file", f"no table ({error})") from error
    missing = [image for image in images if image not in quarters]
    if missing:
        raise ValueError(
            f"{len(missing)} of {len(images)} images are not in "
            f"{' or '.join(map(str, tables))}; the first is {missing[0]}. The tables of "
            f"OpenImages' training and test images are both needed.\n{FETCH_ROTATIONS}"
        )
    return quarters


def _table(path: Path, images: Collection[str]) -> Iterator[tuple[str, int]]:
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        header = next(rows, [])
        if not {"ImageID", "Rotation"} <= set(header):
            raise fault(path, "line 1", f"no columns ImageID and Rotation, but {header}")
        image_column, rotation_column = header.index("ImageID"), header.index("Rotation")
        for row in rows:
            if len(row) > image_column and row[image_column] in images:
                place = f"line {rows.line_num}"
                if len(row) != len(header):
                    raise fault(path, place, f"{len(row)} cells under {len(header)} names")
                yield row[image_column], _quarters(path, place, row[rotation_column])


def _quarters(path: Path, place: str, degrees: str) -> int:
    """Of a circle; the cell is empty where OpenImages does not know."""
    try:
        turns, rest = divmod(float(degrees or 0), 90)
    except ValueError:
        turns, rest = 0, 1
    if rest:
        raise fault(path, place, f"a rotation of {degrees!r} degrees, no multiple of 90")
    return int(turns) % 4
