"""NLVR2: is a sentence true of two photographs (Suhr et al. 2019)? And MaRVL (Liu et al. 2021).

MaRVL has such sentences in five other languages, on which nothing is learnt. Sources: big_vision
configs/proj/paligemma/transfers/nlvr2.py; files as in https://github.com/lil-lab/nlvr and
https://github.com/marvl-challenge/marvl-code. The paper's code reads both from data sets that are
not published with it: their labels are taken to be the words of NLVR2's files.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from pg_transfer.data.json_records import each_line
from pg_transfer.data.questions import Question, QuestionTask, read_questions, text_of
from pg_transfer.data.release import field, find_file, find_images, with_their_folders
from pg_transfer.metrics.vqa import FORMULAS, score_by_type
from pg_transfer.task import Answer, Example, Image, Scores

PREFIX = "answer en {sentence}"
LABELS = ("False", "True")

PARTS = {"train": "train", "dev": "dev", "test": "test1"}
"""What NLVR2 calls its splits."""
SIZES = {
    "train": 86_373, "dev": 6_982, "train+dev": 93_355, "test": 6_967, "marvl/test": 5_670,
}  # fmt: skip
FOLDERS = ("", "data", "images")
FETCH = (
    "train.json, dev.json and test1.json are at https://github.com/lil-lab/nlvr, in nlvr2/data, "
    "and it says there how to get the images: unzip them into folders train, dev and test1."
)

MARVL = "marvl/test"
LANGUAGES = ("id", "sw", "ta", "tr", "zh")
MARVL_FOLDERS = ("", "annotations", "marvl-annotations", "images", "marvl-images")
FETCH_MARVL = "MaRVL is at https://doi.org/10.5683/SP3/42VZ4P: marvl-annotations and marvl-images."

ENGLISH = "en"


class Pair(NamedTuple):
    """How a sentence names its images.

    Attributes:
        language: of the sentence.
        left: the name of the file.
        right: likewise.
    """

    language: str
    left: str
    right: str


class NLVR2(QuestionTask):
    """One example per sentence, with two images: the left one, then the right one.

    The splits are `train`, `dev`, `test` (NLVR2's public one, test1) and `marvl/test`, which is all
    languages of MaRVL.

    Args:
        root: the folder with the annotations, folders of images, and MaRVL in `marvl`.
    """

    title = "NLVR2"
    seen = 2
    splits = (*PARTS, MARVL)
    sizes = SIZES
    formulas = FORMULAS

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)

    def verdict(self, answers: Sequence[Answer]) -> Scores:
        """How many answers are the label; of MaRVL, first the mean over languages."""
        languages = [answer.example.reference for answer in answers]
        scores = score_by_type(
            [answer.text for answer in answers],
            [answer.example.suffixes[0] for answer in answers],
            languages,
        )
        return scores.only({"accuracy": "accuracy"}) if {*languages} == {ENGLISH} else scores

    def kind(self, example: Example) -> str:
        """The language, where it is another than English."""
        return "" if example.reference == ENGLISH else example.reference

    def questions(self, split: str) -> Iterator[Question]:
        """Those of `split`, in the order of its files."""
        if split != MARVL:
            part = PARTS[split]
            path = find_file(f"{part}.json", self._places, fetch=FETCH)
            make = partial(_question, part)
            yield from read_questions(path, each_line(path), make, id_field="identifier")
            return
        for language in LANGUAGES:
            path = find_file(f"marvl-{language}.jsonl", self._marvl_places, fetch=FETCH_MARVL)
            make = partial(_marvl_question, language)
            yield from read_questions(path, each_line(path), make, id_field="id")

    def images(self, split: str, names: Sequence[Pair]) -> Mapping[Pair, Image]:
        """The two images of each pair, from the folders of the split and the folders in them."""
        files: dict[str, list[str]] = defaultdict(list)
        for pair in names:
            files[pair.language] += pair.left, pair.right
        found = {
            language: find_images(
                {name: (name,) for name in those},
                with_their_folders(self._image_folders(split, language)),
                fetch=FETCH_MARVL if split == MARVL else FETCH,
            )
            for language, those in files.items()
        }
        return {
            pair: (found[pair.language][pair.left], found[pair.language][pair.right])
            for pair in names
        }

    @property
    def _places(self) -> list[Path]:
        return [self.root / folder for folder in FOLDERS]

    @property
    def _marvl_places(self) -> list[Path]:
        return [self.root / "marvl" / folder for folder in MARVL_FOLDERS]

    def _image_folders(self, split: str, language: str) -> list[Path]:
        if split == MARVL:
            return [place / language / "images" for place in self._marvl_places]
        return [place / PARTS[split] for place in self._places]


def _question(part: str, record: Mapping[str, Any]) -> Question:
    name = field(record, "identifier", str)
    pair, _, sentence = name.rpartition("-")
    if not sentence or not pair.startswith(f"{part}-"):
        raise ValueError(f"it is none of {part}: those are called {part}-set-pair-sentence")
    return Question(
        id=name,
        image=Pair(ENGLISH, f"{pair}-img0.png", f"{pair}-img1.png"),
        prefix=PREFIX.format(sentence=text_of(record, "sentence")),
        suffixes=(_label(field(record, "label", str)),),
        reference=ENGLISH,
    )


def _marvl_question(language: str, record: Mapping[str, Any]) -> Question:
    if record.get("language") != language:
        raise ValueError(f"its language is {record.get('language')!r:.40}, not {language!r}")
    return Question(
        id=field(record, "id", str),
        image=Pair(language, field(record, "left_img", str), field(record, "right_img", str)),
        prefix=PREFIX.format(sentence=text_of(record, "caption")),
        suffixes=(_label(str(field(record, "label", bool))),),
        reference=language,
    )


def _label(label: str) -> str:
    if label not in LABELS:
        raise ValueError(f"its label is {label!r:.40}, neither of {' and '.join(LABELS)}")
    return label
