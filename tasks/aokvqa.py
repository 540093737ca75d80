"""A-OKVQA: questions that ask for knowledge and thought, with and without choices.

Sources: Schwenk et al. 2022, arXiv:2206.01718; big_vision
configs/proj/paligemma/transfers/aokvqa_{da,mc}.py and datasets/aokvqa/aokvqa.py; files and server
as in https://github.com/allenai/aokvqa.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar

from pg_transfer.data.coco_images import CocoQuestionTask
from pg_transfer.data.json_records import each_record
from pg_transfer.data.questions import (
    Question,
    read_questions,
    text_of,
    texts_and_suffixes,
    texts_of,
    with_choices,
)
from pg_transfer.data.release import field, find_file
from pg_transfer.metrics.matching import score_exact, score_matches
from pg_transfer.task import Answer, Example, Scores

DIRECT_PREFIX = "answer en {question}"

FILE = "aokvqa_v1p0_{}.json"
ANSWERS, CHOICES = 10, 4
SIZES = {"train": 17_056, "val": 1_145, "train+val": 18_201, "test": 6_702}

FETCH = (
    "The files are in https://prior-datasets.s3.us-east-2.amazonaws.com/aokvqa/aokvqa_v1p0.tar.gz; "
    "unpack it there."
)


class AOKVQA(CocoQuestionTask):
    """One example per question. `test` has no answers: it is answered for the server.

    Args:
        root: the folder with the files of questions.
        images: the folder with `train2017`, `val2017` and `test2017`, or with `train2014`,
            `val2014` and `test2015`, where they are not in `root`.
    """

    parts: ClassVar = {"train": "train2017", "val": "val2017", "test": "test2017"}
    splits = tuple(parts)
    sizes = SIZES

    answered_as: ClassVar[str]
    """What the server calls such an answer."""

    def questions(self, split: str) -> Iterator[Question]:
        """Those of `split`."""
        path = find_file(FILE.format(split), self.folders, fetch=FETCH)
        make = partial(self._question, split)
        return read_questions(path, each_record(path), make, id_field="question_id")

    def submission(self, answers: Sequence[Answer]) -> dict[str, Any]:
        """What the server takes: it may be given direct answers and choices together or apart."""
        return {answer.example.id: {self.answered_as: answer.text} for answer in answers}

    def _question(self, split: str, record: Mapping[str, Any]) -> Question:
        if record.get("split", split) != split:
            raise ValueError(f"it is of the split {record['split']!r}, not {split!r}")
        return Question(
            id=text_of(record, "question_id"),
            image=field(record, "image_id", int),
            prefix=self._prefix(record),
            suffixes=self._suffixes(record) if split != "test" else (),
            reference=field(record, "difficult_direct_answer", bool),
        )

    @abstractmethod
    def _prefix(self, record: Mapping[str, Any]) -> str:
        """The request that a record makes."""

    @abstractmethod
    def _suffixes(self, record: Mapping[str, Any]) -> tuple[str, ...]:
        """The answers to it."""


class DirectAnswer(AOKVQA):
    """With ten answers of people."""

    title = "A-OKVQA (direct answer)"
    answered_as = "direct_answer"

    def verdict(self, answers: Sequence[Answer]) -> Scores:
        """How many of three people said the same; and that without the difficult questions.

        The benchmark's own evaluation leaves these out; the paper's of `val` does not.
        """
        scores = score_matches(*texts_and_suffixes(answers)).only({"accuracy": "accuracy"})
        easy = []
        for answer, graded in zip(answers, scores.examples, strict=True):
            if not answer.example.reference:
                graded["accuracy_not_difficult"] = graded["accuracy"]
                easy.append(graded["accuracy"])
        if easy:
            scores.metrics["accuracy_not_difficult"] = 100 * sum(easy) / len(easy)
        return scores

    def kind(self, example: Example) -> str:
        """Whether the question is difficult to answer without choices."""
        return "difficult" if example.reference else ""

    def _prefix(self, record: Mapping[str, Any]) -> str:
        return DIRECT_PREFIX.format(question=text_of(record, "question"))

    def _suffixes(self, record: Mapping[str, Any]) -> tuple[str, ...]:
        return texts_of(record, "direct_answers", count=ANSWERS)


class MultipleChoice(AOKVQA):
    """With four choices, in the order of the files; the right one is the answer."""

    title = "A-OKVQA (multiple choice)"
    answered_as = "multiple_choice"

    def verdict(self, answers: Sequence[Answer]) -> Scores:
        """How many answers are the right choice, word for word."""
        return score_exact(*texts_and_suffixes(answers))

    def _prefix(self, record: Mapping[str, Any]) -> str:
        choices = texts_of(record, "choices", count=CHOICES)
        return with_choices(text_of(record, "question"), choices)

    def _suffixes(self, record: Mapping[str, Any]) -> tuple[str, ...]:
        right = field(record, "correct_choice_idx", int)
        if right not in range(CHOICES):
            raise ValueError(f"its correct_choice_idx is {right}, not one of {CHOICES} choices")
        return (texts_of(record, "choices")[right],)
