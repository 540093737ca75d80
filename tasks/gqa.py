"""GQA: questions about what stands where in a photograph (Hudson and Manning 2019).

And xGQA, a part of the same in eight languages (Pfeiffer et al. 2022).

Sources: big_vision configs/proj/paligemma/transfers/gqa.py, datasets/gqa/ and datasets/xgqa/, and
evaluators/proj/paligemma/transfers/vqa.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from pg_transfer.data.json_records import each_named_record
from pg_transfer.data.questions import Question, QuestionTask, read_questions, text_of
from pg_transfer.data.release import field, find_file, find_images
from pg_transfer.metrics.vqa import FORMULAS, score_by_type
from pg_transfer.task import Answer, Example, Scores

PREFIX = "answer en {question}"
"""In English, whatever the language of the question: so are all answers."""

LANGUAGES = ("bn", "de", "en", "id", "ko", "pt", "ru", "zh")
GQA_SIZES = {
    "train_balanced": 943_000,
    "val_balanced": 132_062,
    "train_balanced+val_balanced": 1_075_062,
    "testdev_balanced": 12_578,
}
SIZES = {
    **GQA_SIZES,
    "xgqa": len(LANGUAGES) * GQA_SIZES["testdev_balanced"],
    **{f"xgqa/{language}": GQA_SIZES["testdev_balanced"] for language in LANGUAGES},
}

FOLDERS = ("", "questions1.2", "questions")
XGQA_FOLDERS = ("xgqa", "xGQA/data/zero_shot", "")
FETCH = (
    "questions1.2.zip and images.zip are at https://cs.stanford.edu/people/dorarad/gqa/download.html"
    "; unzip both there."
)
FETCH_XGQA = (
    "The files of xGQA are those of the folder data/zero_shot of "
    "https://github.com/adapter-hub/xGQA; put them into a folder xgqa there."
)


class GQA(QuestionTask):
    """One example per question of the balanced splits; images are the same for all languages.

    `xgqa` is the questions of `testdev_balanced` in all eight languages, `xgqa/<language>` in one.

    Args:
        root: the folder with the questions, the folder `images`, and xGQA's files in `xgqa`.
    """

    title = "GQA"
    splits = (
        "train_balanced",
        "val_balanced",
        "testdev_balanced",
        "xgqa",
        *(f"xgqa/{language}" for language in LANGUAGES),
    )
    sizes = SIZES
    formulas = FORMULAS

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)

    def verdict(self, answers: Sequence[Answer]) -> Scores:
        """How many answers equal the truth, to the letter.

        Of several languages, the mean of their accuracies first, then that of all answers, and each
        language's.
        """
        languages = [answer.example.reference for answer in answers]
        scores = score_by_type(
            [answer.text for answer in answers],
            [answer.example.suffixes[0] for answer in answers],
            languages,
        )
        return scores if len(set(languages)) > 1 else scores.only({"accuracy": "accuracy"})

    def kind(self, example: Example) -> str:
        """The language of the question."""
        return example.reference

    def questions(self, split: str) -> Iterator[Question]:
        """Those of `split`, one at a time."""
        name, _, language = split.partition("/")
        if name != "xgqa":
            return self._read(f"{split}_questions.json", "en", FOLDERS, FETCH)
        return chain.from_iterable(
            self._translated(one) for one in ([language] if language else LANGUAGES)
        )

    def images(self, split: str, names: Sequence[str]) -> Mapping[str, Path]:
        """The image of each id."""
        files = {name: (f"{name}.jpg",) for name in names}
        return find_images(files, [self.root / "images"], fetch=FETCH)

    def _translated(self, language: str) -> Iterator[Question]:
        """Those of xGQA in one language; the files have the same ids in all of them."""
        file = f"testdev_balanced_questions_{language}.json"
        for question in self._read(file, language, XGQA_FOLDERS, FETCH_XGQA):
            yield question._replace(id=f"{question.id}_{language}")

    def _read(
        self, file: str, language: str, folders: Sequence[str], fetch: str
    ) -> Iterator[Question]:
        path = find_file(file, [self.root / folder for folder in folders], fetch=fetch)
        records = ({**record, "id": id_} for id_, record in each_named_record(path))
        return read_questions(path, records, partial(_question, language), id_field="id")


def _question(language: str, record: Mapping[str, Any]) -> Question:
    return Question(
        id=field(record, "id", str),
        image=field(record, "imageId", str),
        prefix=PREFIX.format(question=text_of(record, "question")),
        suffixes=(text_of(record, "answer"),),
        reference=language,
    )
