"""Files in the format of the VQA benchmarks: questions, and apart from them what people answered.

Sources: Antol et al. 2015, arXiv:1505.00468; big_vision datasets/vqa/vqa.py and okvqa/okvqa.py.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from pg_transfer.data.json_records import each_record
from pg_transfer.data.packed_examples import Lists, Repeated
from pg_transfer.data.questions import Question, read_questions, text_of, texts_of
from pg_transfer.data.release import fault, field, tried

PREFIX = "answer en {question}"
ANSWERS = 10
ID = "question_id"


def read_asked(asked: Path) -> Iterator[Question]:
    """The questions of a file, without answers.

    Raises:
        ValueError: the file is another one, or a record cannot be right.
    """
    return read_questions(asked, each_record(asked, "questions"), _asked, id_field=ID)


def read_answered(
    asked: Path, answered: Path, *, type_field: str, types: Mapping[str, str]
) -> Iterator[Question]:
    """The questions of a file, with ten answers each and their type as `Question.reference`.

    Args:
        asked: the file of the questions.
        answered: that of the answers, in whichever order; one more question in either is a fault.
        type_field: what a record there calls its type.
        types: those that there are, and what to call them.

    Raises:
        ValueError: a file is another one, a record cannot be right, or they do not belong together.
    """
    given = _Given(answered, type_field, types)

    def question(record: Mapping[str, Any]) -> Question:
        image, answers, type_ = given.take(field(record, ID, int))
        one = _asked(record)
        if image != one.image:
            raise ValueError(
                f"it is about image {one.image}, and its answers in {answered.name} about {image}"
            )
        return one._replace(suffixes=answers, reference=type_)

    yield from read_questions(asked, each_record(asked, "questions"), question, id_field=ID)
    tried(given.require_all_taken, asked.name)


class _Given:
    """What people answered to each question of a file, packed: there are millions of answers."""

    def __init__(self, path: Path, type_field: str, types: Mapping[str, str]) -> None:
        self.path = path
        self._rows: dict[int, int] = {}
        self._taken = bytearray()
        self._images: Repeated[Hashable] = Repeated()
        self._answers: Lists[str] = Lists()
        self._types: Repeated[Hashable] = Repeated()
        make = partial(_answered, type_field=type_field, types=types)
        for one in read_questions(path, each_record(path, "annotations"), make, id_field=ID):
            self._rows[int(one.id)] = len(self._taken)
            self._taken.append(False)
            self._images.append(one.image)
            self._answers.append(one.suffixes)
            self._types.append(one.reference)

    def take(self, question: int) -> tuple[Hashable, tuple[str, ...], Hashable]:
        """The image that a question is about, its answers and its type."""
        if question not in self._rows:
            raise ValueError(f"{self.path.name} has no answers to it")
        row = self._rows[question]
        self._taken[row] = True
        return self._images[row], self._answers.at(row), self._types.at(row)

    def require_all_taken(self, asked: str) -> None:
        """Raises ValueError if a question that is answered is not in the file of that name."""
        left = [question for question, row in self._rows.items() if not self._taken[row]]
        if left:
            what = f"it is not asked in {asked}, as {len(left)} of {len(self._rows)} are not"
            raise fault(self.path, f"{ID} {left[0]}", what)


def _asked(record: Mapping[str, Any]) -> Question:
    return Question(
        id=str(field(record, ID, int)),
        image=field(record, "image_id", int),
        prefix=PREFIX.format(question=text_of(record, "question")),
    )


def _answered(record: Mapping[str, Any], *, type_field: str, types: Mapping[str, str]) -> Question:
    """A question as far as its answers tell of it."""
    type_ = field(record, type_field, str)
    if type_ not in types:
        raise ValueError(f"its {type_field} is {type_!r}; there are {', '.join(types)}")
    return Question(
        id=str(field(record, ID, int)),
        image=field(record, "image_id", int),
        prefix="",
        suffixes=texts_of(record, "answers", count=ANSWERS),
        reference=types[type_],
    )
