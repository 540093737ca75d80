"""OCR-VQA: questions about the covers of books (Mishra et al. 2019).

Sources: big_vision configs/proj/paligemma/transfers/ocrvqa.py, where the data set is called
`ocrvqa_id`, and evaluators/proj/paligemma/transfers/vqa.py. The file is read as by loadDataset.py,
which https://ocr-vqa.github.io has beside it: big_vision has no code for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

from pg_transfer.data.json_records import each_named_record
from pg_transfer.data.questions import Question, QuestionTask, read_questions, text_of
from pg_transfer.data.release import fault, field, find_file, find_images, tried
from pg_transfer.metrics.vqa import UNTYPED, score_by_type
from pg_transfer.task import Answer, Scores

PREFIX = "answer en {question}"

FILE = "dataset.json"
FOLDERS = ("", "OCR-VQA-200K")
FETCH = (
    "dataset.json is in the folder OCR-VQA-200K that https://ocr-vqa.github.io links to; "
    "loadDataset.py beside it downloads the images, into a folder images."
)
CONVERTED = ".jpg"
"""What covers in other formats have often been made into."""


class OCRVQA(QuestionTask):
    """One example per question, some four or five to a book.

    An example's id is the book's in the file, its ASIN, and the place of the question from 0 on.

    Args:
        root: the folder with `dataset.json` and the folder `images`.
    """

    title = "OCR-VQA"
    numbers: ClassVar[Mapping[str, int]] = {"train": 1, "val": 2, "test": 3}
    """What the file calls the splits."""

    splits = tuple(numbers)

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)

    def verdict(self, answers: Sequence[Answer]) -> Scores:
        """How many answers equal the truth, in lower case."""
        scores = score_by_type(
            [answer.text.lower() for answer in answers],
            [answer.example.suffixes[0].lower() for answer in answers],
            [UNTYPED] * len(answers),
        )
        return scores.only({"accuracy": "accuracy"})

    def questions(self, split: str) -> Iterator[Question]:
        """Those about the books of `split`, one book at a time."""
        path = find_file(FILE, self._places, fetch=FETCH)
        return read_questions(path, self._asked(path, split), _question, id_field="id")

    def images(self, split: str, names: Sequence[str]) -> Mapping[str, Path]:
        """The image of each name, or one that was made of it."""
        files = {name: (name, PurePosixPath(name).stem + CONVERTED) for name in names}
        return find_images(files, [place / "images" for place in self._places], fetch=FETCH)

    @property
    def _places(self) -> list[Path]:
        return [self.root / folder for folder in FOLDERS]

    def _asked(self, path: Path, split: str) -> Iterator[dict[str, Any]]:
        """A record for each question about a book of `split`."""
        for name, book in each_named_record(path):
            yield from tried(self._of_book, path, split, name, book) or ()

    def _of_book(
        self, path: Path, split: str, name: str, book: Mapping[str, Any]
    ) -> list[dict[str, Any]]:
        try:
            number = field(book, "split", int)
            if number not in self.numbers.values():
                raise ValueError(f"its split is {number}, none of 1, 2 and 3")
            if number != self.numbers[split]:
                return []
            asked, said = field(book, "questions", list), field(book, "answers", list)
            if len(asked) != len(said):
                raise ValueError(f"it has {len(asked)} questions and {len(said)} answers")
            image = name + PurePosixPath(field(book, "imageURL", str)).suffix
        except (TypeError, ValueError) as error:
            raise fault(path, f"book {name!r}", str(error)) from error
        return [
            {"id": f"{name}/{place}", "image": image, "question": question, "answer": answer}
            for place, (question, answer) in enumerate(zip(asked, said, strict=True))
        ]


def _question(record: Mapping[str, Any]) -> Question:
    return Question(
        id=record["id"],
        image=record["image"],
        prefix=PREFIX.format(question=text_of(record, "question")),
        suffixes=(_answer(record["answer"]),),
    )


def _answer(answer: Any) -> str:
    """As a text, of which there may be none; loadDataset.py takes `str` of each, as of a number."""
    if type(answer) not in (str, int):
        raise TypeError(f"its answer is {answer!r:.40}, no text")
    return str(answer)
