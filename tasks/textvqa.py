"""TextVQA 0.5.1: answer questions about the text in an image (Singh et al. 2019).

Sources: big_vision configs/proj/paligemma/transfers/textvqa.py and datasets/textvqa/textvqa.py;
files as in https://textvqa.org.
"""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from pg_transfer.data.images import open_image
from pg_transfer.data.json_records import read_records
from pg_transfer.data.questions import (
    Question,
    QuestionTask,
    read_questions,
    text_of,
    texts_and_suffixes,
    texts_of,
)
from pg_transfer.data.release import fault, field, find_file, find_images
from pg_transfer.metrics.vqa import score_vqa
from pg_transfer.task import Answer, Image, Scores

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


class TextVQA(QuestionTask):
    """One example per question; the splits are `train`, `val` and `test`, sums and slices of them.

    `test` has no answers: it is answered for the benchmark's server.

    Args:
        root: the folder with the annotations, `train_images` and `test_images`.
        rotations: OpenImages' tables of how its images are turned; by default those that lie in
            `root`. Without one, images are taken as they are stored.

    Raises:
        FileNotFoundError: one of `rotations` is not there.
    """

    title = "TextVQA"
    splits = tuple(IMAGES)
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

    def verdict(self, answers: Sequence[Answer]) -> Scores:
        """The accuracy of the VQA benchmarks; all questions are of one type."""
        scores = score_vqa(*texts_and_suffixes(answers))
        return scores.only({"accuracy": "accuracy"})

    def submission(self, answers: Sequence[Answer]) -> list[dict[str, Any]]:
        """What the server takes, and `python -m pg_transfer.metrics.vqa`; answers as they are."""
        return [
            {"question_id": int(answer.example.id), "answer": answer.text} for answer in answers
        ]

    def questions(self, split: str) -> Iterator[Question]:
        """Those of `split`.

        Raises:
            ValueError: the file is of another release, or a record cannot be right.
        """
        path = find_file(ANNOTATIONS.format(split=split), self._places, fetch=FETCH)
        content = read_records(path, "data")
        version, kind = content.get("dataset_version"), content.get("dataset_type")
        if (version, kind) != (VERSION, split):
            raise ValueError(
                f"{path}: this is the {kind!r} part of version {version!r}, not the {split!r} part "
                f"of {VERSION}, which the paper used.\n{FETCH}"
            )
        make = partial(_question, has_answers=split != "test")
        return read_questions(path, content["data"], make, id_field="question_id")

    def images(self, split: str, names: Sequence[str]) -> Mapping[str, Image]:
        """The image of each id, turned as it was meant."""
        folders = [place / IMAGES[split] for place in self._places]
        files = find_images({name: (f"{name}.jpg",) for name in names}, folders, fetch=FETCH)
        if not self.rotations:
            return files
        quarters = _read_quarters(self.rotations, names)
        return {
            name: Turned(path, quarters[name]) if quarters[name] else path
            for name, path in files.items()
        }

    @property
    def _places(self) -> list[Path]:
        return [self.root / folder for folder in FOLDERS]


def _question(record: Mapping[str, Any], *, has_answers: bool) -> Question:
    return Question(
        id=str(field(record, "question_id", int)),
        image=field(record, "image_id", str),
        prefix=PREFIX.format(question=text_of(record, "question")),
        suffixes=texts_of(record, "answers", count=ANSWERS) if has_answers else (),
    )


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
