"""TallyQA: how many there are of something (Acharya et al. 2019).

Sources: big_vision configs/proj/paligemma/transfers/tallyqa.py, datasets/tallyqa/tallyqa.py and
evaluators/proj/paligemma/transfers/tallyqa.py; the records as in
https://github.com/manoja328/TallyQA_dataset.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from pg_transfer.data.json_records import each_record
from pg_transfer.data.questions import Question, QuestionTask, read_questions, text_of
from pg_transfer.data.release import field, find_file, find_nested_images
from pg_transfer.metrics.counting import score_counts
from pg_transfer.task import Answer, Example, Scores

PREFIX = "answer en {question}"

FOLDERS = ("", "tallyqa")
IMAGE_FOLDERS = ("VG_100K", "VG_100K_2", "train2014", "val2014")
SIZES = {"train": 249_318, "test": 38_589}
ID = "image_id/question_id"
"""Only both together tell questions apart."""

FETCH = (
    "train.json and test.json are in tallyqa.zip of https://github.com/manoja328/TallyQA_dataset; "
    "the images are Visual Genome's, images.zip and images2.zip of "
    "https://homes.cs.washington.edu/~ranjay/visualgenome/api.html (folders VG_100K and "
    "VG_100K_2), and COCO's train2014.zip and val2014.zip of https://cocodataset.org."
)


class TallyQA(QuestionTask):
    """One example per question; questions of `test` are simple or complex, those of `train` unsaid.

    Args:
        root: the folder with `train.json`, `test.json` and the folders of images.
        coco: the folder with `train2014` and `val2014`, where they are not in `root`.
    """

    title = "TallyQA"
    splits = ("train", "test")
    sizes = SIZES

    def __init__(self, root: Path | str, *, coco: Path | str | None = None) -> None:
        self.root = Path(root)
        self.image_places = [self.root, *([Path(coco)] if coco else [])]

    def verdict(self, answers: Sequence[Answer]) -> Scores:
        """The accuracy on simple questions, on complex ones and on all; words for numbers count."""
        return score_counts(
            [answer.text for answer in answers],
            [answer.example.suffixes[0] for answer in answers],
            [answer.example.reference for answer in answers],
        )

    def kind(self, example: Example) -> str:
        """Simple or complex, where that is said."""
        return example.reference

    def questions(self, split: str) -> Iterator[Question]:
        """Those of `split`, one at a time."""
        folders = [self.root / folder for folder in FOLDERS]
        path = find_file(f"{split}.json", folders, fetch=FETCH)
        make = partial(_question, has_kinds=split == "test")
        return read_questions(path, map(_identified, each_record(path)), make, id_field=ID)

    def images(self, split: str, names: Sequence[str]) -> Mapping[str, Path]:
        """The image of each path below the folders of images."""
        files = {name: name.split("/") for name in names}
        return find_nested_images(files, self.image_places, fetch=FETCH)


def _identified(record: dict[str, Any]) -> dict[str, Any]:
    return {**record, ID: f"{record.get('image_id')}/{record.get('question_id')}"}


def _question(record: Mapping[str, Any], *, has_kinds: bool) -> Question:
    for name in ("image_id", "question_id"):
        field(record, name, int)
    image = field(record, "image", str)
    if not image.startswith(tuple(f"{folder}/" for folder in IMAGE_FOLDERS)):
        raise ValueError(f"its image is {image!r}, in none of {', '.join(IMAGE_FOLDERS)}")
    return Question(
        id=record[ID],
        image=image,
        prefix=PREFIX.format(question=text_of(record, "question")),
        suffixes=(_count(record),),
        reference=_kind(record) if has_kinds else "",
    )


def _count(record: Mapping[str, Any]) -> str:
    answer = record.get("answer")
    if not isinstance(answer, (int, str)) or not str(answer).isdecimal():
        raise ValueError(f"its answer is {answer!r:.40}, no count")
    return str(int(answer))


def _kind(record: Mapping[str, Any]) -> str:
    is_simple = record.get("issimple")
    if type(is_simple) not in (bool, int) or is_simple not in (0, 1):
        raise ValueError(f"its issimple is {is_simple!r:.40}, neither true nor false")
    return "simple" if is_simple else "complex"
