"""RSVQA-LR and RSVQA-HR: questions about images from satellites and planes (Lobry et al. 2020).

Sources: big_vision configs/proj/paligemma/transfers/rsvqa_{lr,hr}.py, datasets/rsvqa_{lr,hr}/ and
evaluators/proj/paligemma/transfers/rsvqa.py.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from pg_transfer.data.json_records import each_record
from pg_transfer.data.questions import Question, QuestionTask, read_questions, text_of
from pg_transfer.data.release import fault, field, find_file, find_images, refuse_repeated
from pg_transfer.metrics.vqa import FORMULAS, score_by_type
from pg_transfer.task import Answer, Example, Scores

PREFIX = "answer en {question}"
FOLDERS = ("", "annotations")
IMAGE_NAMES = ("{}.tif", "{}.png")

RANGES = (0, 10, 100, 1000)
"""The last amount of each range; what is more has a range of its own."""


def count_range(answer: str) -> str:
    """The range of a count: "7" is "between 1 and 10"."""
    return _range(int(answer), "")


def area_range(answer: str) -> str:
    """The range of an area: "7m2" is "between 1 m2 and 10 m2"."""
    if not answer.endswith("m2"):
        raise ValueError("no area in m2")
    return _range(int(answer.removesuffix("m2")), " m2")


def _range(amount: int, unit: str) -> str:
    if amount < 0:
        raise ValueError("a negative amount")
    if amount == 0:
        return f"0{unit}"
    for before, last in pairwise(RANGES):
        if amount <= last:
            return f"between {before + 1}{unit} and {last}{unit}"
    return f"more than {RANGES[-1]}{unit}"


class Given(NamedTuple):
    """An active record of an answer."""

    question_id: int | None
    text: str


class RSVQA(QuestionTask):
    """One example per active question; answers are in lower case, as for the paper.

    Args:
        root: the folder with the questions, the answers and the folder of images.
        numeric: with the types that ask for an amount, which the paper leaves out.
    """

    formulas = FORMULAS

    file: ClassVar[str]
    image_folder: ClassVar[str]
    fetch: ClassVar[str]
    types: ClassVar[Sequence[str]]
    numeric_types: ClassVar[Mapping[str, Callable[[str], str]]]
    """What is made of answers of these types."""

    published_sizes: ClassVar[Mapping[str, tuple[int, int]]]
    """Questions of each split, without and with those types."""

    def __init__(self, root: Path | str, *, numeric: bool = False) -> None:
        self.root, self.numeric = Path(root), numeric

    @property
    def sizes(self) -> Mapping[str, int]:
        """Questions of each split, by whether numeric types are taken."""
        return {split: sizes[self.numeric] for split, sizes in self.published_sizes.items()}

    @property
    def departures(self) -> Sequence[str]:
        """That numeric types are taken, if they are."""
        if not self.numeric:
            return ()
        return (
            f"{self.title} is taken with its numeric types ({', '.join(self.numeric_types)}), "
            f"which published scores leave out",
        )

    def verdict(self, answers: Sequence[Answer]) -> Scores:
        """The mean of the accuracies of the types first, then that of all answers, and each type's.

        Answers are compared in lower case.
        """
        return score_by_type(
            [answer.text.lower() for answer in answers],
            [answer.example.suffixes[0] for answer in answers],
            [answer.example.reference for answer in answers],
        )

    def kind(self, example: Example) -> str:
        """The question's type."""
        return example.reference

    def questions(self, split: str) -> Iterator[Question]:
        """The active ones of `split`, of the types that are taken."""
        folders = [self.root / place for place in FOLDERS]
        asked, given = (
            find_file(self.file.format(split, kind), folders, fetch=self.fetch)
            for kind in ("questions", "answers")
        )
        answers = {one["id"]: _given(one) for one in _active(given, "answers")}
        make = partial(self._question, answers)
        for question in read_questions(asked, _active(asked, "questions"), make, id_field="id"):
            if self.numeric or question.reference in self.types:
                yield question

    def images(self, split: str, names: Sequence[int]) -> Mapping[int, Path]:
        """The image of each number."""
        files = {number: [form.format(number) for form in IMAGE_NAMES] for number in names}
        return find_images(files, [self.root / self.image_folder], fetch=self.fetch)

    def _question(self, answers: Mapping[int, Given], record: Mapping[str, Any]) -> Question:
        ids = field(record, "answers_ids", list)
        answer = answers.get(ids[0]) if ids else None
        if answer is None:
            raise ValueError("none of the active answers is its")
        if answer.question_id != record["id"]:
            raise ValueError(f"its answer is one to question {answer.question_id}")
        if not answer.text.strip():
            raise ValueError("its answer is empty")
        type_ = field(record, "type", str)
        if type_ not in (*self.types, *self.numeric_types):
            raise ValueError(f"its type is {type_!r}")
        return Question(
            id=str(record["id"]),
            image=field(record, "img_id", int),
            prefix=PREFIX.format(question=text_of(record, "question")),
            suffixes=(self._target(type_, answer.text),),
            reference=type_,
        )

    def _target(self, type_: str, answer: str) -> str:
        try:
            return self.numeric_types.get(type_, str)(answer).lower()
        except ValueError as error:
            raise ValueError(f"{answer!r} for an answer of type {type_} ({error})") from error


class LowResolution(RSVQA):
    """RSVQA-LR: Sentinel-2, ten metres a pixel; counts are told as ranges."""

    title = "RSVQA-LR"
    splits = ("train", "val", "test")
    file = "LR_split_{}_{}.json"
    image_folder = "Images_LR"
    fetch = (
        "The JSON files and Images_LR.zip of https://zenodo.org/records/6344334 are needed; "
        "unzip the images there."
    )
    types = ("comp", "presence", "rural_urban")
    numeric_types: ClassVar = {"count": count_range}
    published_sizes: ClassVar = {
        "train": (39_441, 57_223), "val": (6_782, 10_005), "train+val": (46_223, 67_228),
        "test": (6_782, 10_004),
    }  # fmt: skip


class HighResolution(RSVQA):
    """RSVQA-HR: aerial images, 15 cm a pixel; areas are told as ranges, counts are not.

    `test_phili` shows a city and comes from an instrument that the other splits do not have; the
    paper calls it test2.
    """

    title = "RSVQA-HR"
    splits = ("train", "val", "test", "test_phili")
    file = "USGS_split_{}_{}.json"
    image_folder = "Data"
    fetch = (
        "The JSON files and Images.tar of https://zenodo.org/records/6344367 are needed; "
        "unpack the images, a folder Data, there."
    )
    types = ("comp", "presence")
    numeric_types: ClassVar = {"area": area_range, "count": str}
    published_sizes: ClassVar = {
        "train": (371_834, 625_340), "val": (60_405, 102_843), "train+val": (432_239, 728_183),
        "test": (131_468, 222_684), "test_phili": (62_554, 105_647),
    }  # fmt: skip


def _active(path: Path, name: str) -> Iterator[dict[str, Any]]:
    """The records of `path` that are of its split; the others have an id and nothing else."""
    ids = []
    for record in each_record(path, name):
        if type(record.get("id")) is not int or "active" not in record:
            raise fault(path, f"{record!r:.80}", "no `id` or no `active`")
        ids.append(record["id"])
        if record["active"]:
            yield record
    refuse_repeated(path, "id", ids)


def _given(record: dict[str, Any]) -> Given:
    """An answer's record, of which hundreds of thousands are held."""
    text = record.get("answer")
    return Given(record.get("question_id"), sys.intern(text) if isinstance(text, str) else "")
