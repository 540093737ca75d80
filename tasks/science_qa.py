"""ScienceQA: choose the answer to a question of school lessons, about an image (Lu et al. 2022).

Sources: big_vision configs/proj/paligemma/transfers/science_qa.py, datasets/science_qa/ and
pp/proj/paligemma/sciqa_ops.py; files as in https://github.com/lupantech/ScienceQA. As for the
paper, problems without an image are left out, and lectures and solutions are not learnt.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from string import ascii_uppercase
from typing import Any, NamedTuple

from pg_transfer.data.json_records import each_named_record
from pg_transfer.data.questions import Question, QuestionTask, read_questions, text_of, texts_of
from pg_transfer.data.release import fault, field, find_file, find_nested_images, tried
from pg_transfer.metrics.letters import score_letters
from pg_transfer.task import Answer, Draw, Example, Scores, Target

PREFIX = "Question: {question}\nContext: {hint}\nOptions: {choices}\nAnswer:"
SUFFIX = "The answer is {letter}."
NO_HINT = "N/A"

PROBLEMS = "problems.json"
FOLDERS = ("", "data", "scienceqa", "data/scienceqa")
IMAGE_FOLDERS = ("", "images")
SPLITS = ("train", "val", "test")
SIZES = {"train": 6_218, "val": 2_097, "train+val": 8_315, "test": 2_017}

FETCH = (
    "problems.json is at https://github.com/lupantech/ScienceQA, in data/scienceqa; the images are "
    "https://scienceqa.s3.us-west-1.amazonaws.com/images/train.zip, val.zip and test.zip: unzip "
    "them beside it."
)


class Problem(NamedTuple):
    """What a record asks.

    Attributes:
        question: as it is put.
        hint: the context; may be empty.
        choices: in the order of the file.
        right: the number of the right one among them.
        subject: of the lessons, e.g. "natural science".
    """

    question: str
    hint: str
    choices: tuple[str, ...]
    right: int
    subject: str

    def asked(self, order: Sequence[int]) -> Target:
        """The request with the choices in an order, and the answer to it."""
        choices = (
            f"({letter}) {self.choices[number]}"
            for letter, number in zip(ascii_uppercase, order, strict=False)
        )
        prefix = PREFIX.format(
            question=self.question, hint=self.hint or NO_HINT, choices=", ".join(choices)
        )
        return Target(prefix, SUFFIX.format(letter=ascii_uppercase[order.index(self.right)]))


class ScienceQA(QuestionTask):
    """One example per problem with an image; the splits are `train`, `val` and `test`.

    Args:
        root: the folder with problems.json and the folders of images `train`, `val` and `test`.
    """

    title = "ScienceQA"
    splits = SPLITS
    sizes = SIZES

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)

    def target(self, example: Example, draw: Draw) -> Target:
        """The choices come in another order each time, and the letter of the right one with it."""
        problem = example.reference
        return problem.asked(draw.shuffled(range(len(problem.choices))))

    def verdict(self, answers: Sequence[Answer]) -> Scores:
        """How many letters are right, and how many answers have none."""
        return score_letters(
            [answer.text for answer in answers],
            [answer.example.suffixes[0] for answer in answers],
        )

    def kind(self, example: Example) -> str:
        """The subject of the lessons."""
        return example.reference.subject

    def questions(self, split: str) -> Iterator[Question]:
        """Those of `split` that are about an image, with choices in the order of the file."""
        path = find_file(PROBLEMS, self._places(FOLDERS), fetch=FETCH)
        return read_questions(path, _of(path, split), _question, id_field="id")

    def images(self, split: str, names: Sequence[tuple[str, str]]) -> Mapping[Any, Path]:
        """The image of each problem's id and image's name."""
        folders = [place / split for place in self._places(FOLDERS, IMAGE_FOLDERS)]
        return find_nested_images({name: name for name in names}, folders, fetch=FETCH)

    def _places(self, folders: Sequence[str], inner: Sequence[str] = ("",)) -> list[Path]:
        return [self.root / folder / one for folder in folders for one in inner]


def _of(path: Path, split: str) -> Iterator[dict[str, Any]]:
    """The records of a split that have an image, each with its id."""
    for name, record in each_named_record(path):
        if tried(_is_of, path, name, record, split):
            yield record | {"id": name}


def _is_of(path: Path, name: str, record: Mapping[str, Any], split: str) -> bool:
    if record.get("split") not in SPLITS or "image" not in record:
        raise fault(
            path, f"id {name!r}", f"no image, or none of the splits {', '.join(SPLITS)} is its"
        )
    return record["split"] == split and record["image"] is not None


def _question(record: Mapping[str, Any]) -> Question:
    problem = Problem(
        question=text_of(record, "question"),
        hint=field(record, "hint", str),
        choices=texts_of(record, "choices"),
        right=field(record, "answer", int),
        subject=field(record, "subject", str),
    )
    if not 0 <= problem.right < len(problem.choices) <= len(ascii_uppercase):
        raise ValueError(f"its answer is {problem.right}, of {len(problem.choices)} choices")
    prefix, suffix = problem.asked(range(len(problem.choices)))
    return Question(
        id=record["id"],
        image=(record["id"], field(record, "image", str)),
        prefix=prefix,
        suffixes=(suffix,),
        reference=problem,
    )
