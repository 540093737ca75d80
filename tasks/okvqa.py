"""OK-VQA: questions about COCO's images that ask for knowledge of the world (Marino et al. 2019).

Sources: big_vision configs/proj/paligemma/transfers/okvqa.py and datasets/okvqa/okvqa.py; files as
in https://okvqa.allenai.org.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

from pg_transfer.data.coco_images import CocoQuestionTask
from pg_transfer.data.questions import Question, texts_and_suffixes
from pg_transfer.data.release import find_file
from pg_transfer.data.vqa_files import read_answered
from pg_transfer.metrics.matching import score_matches
from pg_transfer.task import Answer, Example, Scores

ASKED = "OpenEnded_mscoco_{}_questions.json"
ANSWERED = "mscoco_{}_annotations.json"
SIZES = {"train": 9_009, "val": 5_046}

TYPES = {
    "one": "Vehicles and Transportation",
    "two": "Brands, Companies and Products",
    "three": "Objects, Material and Clothing",
    "four": "Sports and Recreation",
    "five": "Cooking and Food",
    "six": "Geography, History, Language and Culture",
    "seven": "People and Everyday life",
    "eight": "Plants and Animals",
    "nine": "Science and Technology",
    "ten": "Weather and Climate",
    "other": "Other",
}
"""What a question is about, by what the files call it."""

FETCH = (
    f"{ASKED.format('train2014')}.zip, {ANSWERED.format('train2014')}.zip and the same of val2014 "
    "are at https://okvqa.allenai.org/download.html; unzip them there."
)


class OKVQA(CocoQuestionTask):
    """One example per question, with ten answers.

    They are the files' `answer`, which is not always what people typed (`raw_answer`).

    Args:
        root: the folder with the files of questions and of annotations.
        images: the folder with `train2014` and `val2014`, where they are not in `root`.
    """

    title = "OK-VQA"
    parts: ClassVar = {"train": "train2014", "val": "val2014"}
    splits = tuple(parts)
    sizes = SIZES

    def questions(self, split: str) -> Iterator[Question]:
        """Those of `split`."""
        asked, answered = (
            find_file(name.format(self.parts[split]), self.folders, fetch=FETCH)
            for name in (ASKED, ANSWERED)
        )
        return read_answered(asked, answered, type_field="question_type", types=TYPES)

    def verdict(self, answers: Sequence[Answer]) -> Scores:
        """How many of three people said the same, and whether anybody did; nothing is cleaned."""
        scores = score_matches(*texts_and_suffixes(answers))
        return scores.only({name: name for name in ("accuracy", "accuracy_any")})

    def submission(self, answers: Sequence[Answer]) -> list[dict[str, Any]]:
        """What `python -m pg_transfer.metrics.vqa` scores by the rule of the VQA benchmarks."""
        return [
            {"question_id": int(answer.example.id), "answer": answer.text} for answer in answers
        ]

    def kind(self, example: Example) -> str:
        """What the question is about."""
        return example.reference
