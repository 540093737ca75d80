"""TallyQA: how many there are of something (Acharya et al. 2019); and CountBenchQA, likewise.

Sources: big_vision configs/proj/paligemma/transfers/tallyqa.py, datasets/tallyqa/tallyqa.py,
datasets/countbenchqa/countbenchqa.py and evaluators/proj/paligemma/transfers/tallyqa.py; the
records as in https://github.com/manoja328/TallyQA_dataset and
https://huggingface.co/datasets/vikhyatk/CountBenchQA.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from pg_transfer.data.images import StoredImage, opened
from pg_transfer.data.json_records import each_record
from pg_transfer.data.questions import Question, QuestionTask, read_questions, text_of
from pg_transfer.data.release import field, find_file, find_nested_images
from pg_transfer.metrics.counting import score_counts
from pg_transfer.own_data.hub import read_parquet
from pg_transfer.task import Answer, Example, Image, Scores

PREFIX = "answer en {question}"

FOLDERS = ("", "tallyqa")
IMAGE_FOLDERS = ("VG_100K", "VG_100K_2", "train2014", "val2014")
COUNTBENCH = "countbenchqa/huggingface"
COUNTBENCH_FOLDERS = ("", "data")
OF_COUNTBENCH, GREY = "countbenchqa", "grey"
"""The `Example.reference` of its questions; and of those that are left out."""
ROW = "row"

SIZES = {"train": 249_318, "test": 38_589, COUNTBENCH: 490}
ID = "image_id/question_id"
"""Only both together tell questions apart."""

FETCH = (
    "train.json and test.json are in tallyqa.zip of https://github.com/manoja328/TallyQA_dataset; "
    "the images are Visual Genome's, images.zip and images2.zip of "
    "https://homes.cs.washington.edu/~ranjay/visualgenome/api.html (folders VG_100K and "
    "VG_100K_2), and COCO's train2014.zip and val2014.zip of https://cocodataset.org."
)
FETCH_COUNTBENCH = (
    "CountBenchQA is the Parquet file, images included, in the folder data of "
    "https://huggingface.co/datasets/vikhyatk/CountBenchQA."
)


class TallyQA(QuestionTask):
    """One example per question; questions of `test` are simple or complex, those of `train` unsaid.

    `countbenchqa/huggingface` is CountBenchQA, as far as its images are in colour.

    Args:
        root: the folder with `train.json`, `test.json` and the folders of images.
        coco: the folder with `train2014` and `val2014`, where they are not in `root`.
        countbenchqa: the folder of CountBenchQA, by default `countbenchqa` in `root`; needed by
            its split alone.
    """

    title = "TallyQA"
    splits = ("train", "test", COUNTBENCH)
    sizes = SIZES

    def __init__(
        self,
        root: Path | str,
        *,
        coco: Path | str | None = None,
        countbenchqa: Path | str | None = None,
    ) -> None:
        self.root = Path(root)
        self.image_places = [self.root, *([Path(coco)] if coco else [])]
        self.countbenchqa = Path(countbenchqa) if countbenchqa else self.root / "countbenchqa"
        self._grey = 0

    def verdict(self, answers: Sequence[Answer]) -> Scores:
        """The accuracy on simple questions, on complex ones and on all; words for numbers count."""
        texts = [answer.text for answer in answers]
        counts = [answer.example.suffixes[0] for answer in answers]
        kinds = [answer.example.reference for answer in answers]
        if set(kinds) != {OF_COUNTBENCH}:
            return score_counts(texts, counts, kinds)
        told = f"{self._grey} grey image(s) of CountBenchQA are left out, as in the paper's data"
        return score_counts(texts, counts, [""] * len(kinds))._replace(remarks=[told])

    def kind(self, example: Example) -> str:
        """Simple or complex, where that is said."""
        return example.reference

    def questions(self, split: str) -> Iterator[Question]:
        """Those of `split`, one at a time."""
        if split == COUNTBENCH:
            return self._of_countbench()
        folders = [self.root / folder for folder in FOLDERS]
        path = find_file(f"{split}.json", folders, fetch=FETCH)
        make = partial(_question, has_kinds=split == "test")
        return read_questions(path, map(_identified, each_record(path)), make, id_field=ID)

    def images(self, split: str, names: Sequence[Any]) -> Mapping[Any, Image]:
        """The image of each path below the folders of images; CountBenchQA's are known already."""
        if split == COUNTBENCH:
            return {name: name for name in names}
        files = {name: name.split("/") for name in names}
        return find_nested_images(files, self.image_places, fetch=FETCH)

    def _of_countbench(self) -> Iterator[Question]:
        folders = [self.countbenchqa / folder for folder in COUNTBENCH_FOLDERS]
        paths = [path for folder in folders for path in sorted(folder.glob("*.parquet"))]
        if not paths:
            raise FileNotFoundError(
                f"there is no .parquet in {' or '.join(map(str, folders))}.\n{FETCH_COUNTBENCH}"
            )
        if len(paths) > 1:
            there = ", ".join(map(str, paths))
            raise ValueError(f"CountBenchQA is one file, and here are {there}: leave the right one")
        path, self._grey = paths[0], 0
        rows = read_parquet([path]).rows()
        records = ({**row.values, ROW: number} for number, row in enumerate(rows, 1))
        for question in read_questions(path, records, _countbench_question, id_field=ROW):
            if question.reference == GREY:
                self._grey += 1
            else:
                yield question


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


def _countbench_question(record: Mapping[str, Any]) -> Question:
    prefix = PREFIX.format(question=text_of(record, "question"))
    image = record.get("image")
    if not isinstance(image, StoredImage):
        raise ValueError(f"its image is {image!r:.40}, none that is stored there")
    with opened(image.content) as picture:
        is_grey = len(picture.getbands()) == 1
    return Question(
        id=str(record[ROW]),
        image=image,
        prefix=prefix,
        suffixes=(_count(record, "number"),),
        reference=GREY if is_grey else OF_COUNTBENCH,
    )


def _count(record: Mapping[str, Any], name: str = "answer") -> str:
    answer = record.get(name)
    if not isinstance(answer, (int, str)) or not str(answer).isdecimal():
        raise ValueError(f"its {name} is {answer!r:.40}, no count")
    return str(int(answer))


def _kind(record: Mapping[str, Any]) -> str:
    is_simple = record.get("issimple")
    if type(is_simple) not in (bool, int) or is_simple not in (0, 1):
        raise ValueError(f"its issimple is {is_simple!r:.40}, neither true nor false")
    return "simple" if is_simple else "complex"
