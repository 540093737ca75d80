"""VQAv2: questions about COCO's images; and POPE with the same model, about what is not in them.

Sources: Goyal et al. 2017, arXiv:1612.00837; Li et al. 2023, arXiv:2305.10355; big_vision
configs/proj/paligemma/transfers/{vqav2,pope}.py, datasets/vqa/vqa.py and datasets/pope/pope.py;
files as in https://visualqa.org and https://github.com/RUCAIBox/POPE.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from pg_transfer.data.coco_images import CocoQuestionTask
from pg_transfer.data.json_records import each_line
from pg_transfer.data.questions import Question, read_questions, text_of
from pg_transfer.data.release import field, find_file
from pg_transfer.data.vqa_files import PREFIX, read_answered, read_asked
from pg_transfer.metrics.pope import ANSWERS, score_pope
from pg_transfer.metrics.vqa import score_vqa
from pg_transfer.task import Answer, Example, Scores

FILES = {"train": "train2014", "val": "val2014", "test": "test2015", "test-dev": "test-dev2015"}
"""What the names of files call each split."""

ASKED = "v2_OpenEnded_mscoco_{}_questions.json"
ANSWERED = "v2_mscoco_{}_annotations.json"
TYPES = ("yes/no", "number", "other")

POPE = {f"pope/{name}": f"coco_pope_{name}.json" for name in ("random", "popular", "adversarial")}
POPE_IMAGES = "val2014"
POPE_FOLDERS = ("", "output/coco")
OF_POPE = "pope"
"""The `Example.reference` of its questions, and their component."""

SIZES = {
    "train": 443_757, "val": 214_354, "train+val": 658_111, "test": 447_793,
    **dict.fromkeys(POPE, 3_000),
}  # fmt: skip

FETCH = (
    "v2_Questions_Train_mscoco.zip, v2_Questions_Val_mscoco.zip, v2_Questions_Test_mscoco.zip, "
    "v2_Annotations_Train_mscoco.zip and v2_Annotations_Val_mscoco.zip are at "
    "https://visualqa.org/download.html; unzip them there."
)
FETCH_POPE = (
    f"{', '.join(POPE.values())} are in the folder output/coco of https://github.com/RUCAIBox/POPE."
)


class VQAv2(CocoQuestionTask):
    """One example per question, with ten answers; and the three splits of POPE, with one.

    `test` and `test-dev`, a part of it, have no answers: they are answered for the server.

    Args:
        root: the folder with the files of questions and of annotations.
        images: the folder with `train2014`, `val2014` and `test2015`, where they are not in `root`.
        pope: the folder of POPE, by default `pope` in `root`; needed by its splits alone.
    """

    title = "VQAv2"
    parts: ClassVar = {
        "train": "train2014", "val": "val2014", "test": "test2015", "test-dev": "test2015",
        **dict.fromkeys(POPE, POPE_IMAGES),
    }  # fmt: skip
    splits = tuple(parts)
    sizes = SIZES

    def __init__(
        self,
        root: Path | str,
        *,
        images: Path | str | None = None,
        pope: Path | str | None = None,
    ) -> None:
        super().__init__(root, images=images)
        self.pope = Path(pope) if pope else self.root / "pope"

    def questions(self, split: str) -> Iterator[Question]:
        """Those of `split`."""
        if split in POPE:
            folders = [self.pope / place for place in POPE_FOLDERS]
            path = find_file(POPE[split], folders, fetch=FETCH_POPE)
            return read_questions(path, each_line(path), _of_pope, id_field="question_id")
        asked = find_file(ASKED.format(FILES[split]), self.folders, fetch=FETCH)
        if split.startswith("test"):
            return read_asked(asked)
        answered = find_file(ANSWERED.format(FILES[split]), self.folders, fetch=FETCH)
        types = {name: name for name in TYPES}
        return read_answered(asked, answered, type_field="answer_type", types=types)

    def verdict(self, answers: Sequence[Answer]) -> Scores:
        """The accuracy of the VQA benchmarks, and that of each type of answer; or POPE's."""
        texts = [answer.text for answer in answers]
        types = [answer.example.reference for answer in answers]
        if set(types) == {OF_POPE}:
            return score_pope(texts, [answer.example.suffixes[0] for answer in answers])
        return score_vqa(texts, [answer.example.suffixes for answer in answers], types)

    def submission(self, answers: Sequence[Answer]) -> list[dict[str, Any]] | None:
        """What the server takes, and `python -m pg_transfer.metrics.vqa`; POPE has none."""
        if answers[0].example.reference == OF_POPE:
            return None
        return [
            {"question_id": int(answer.example.id), "answer": answer.text} for answer in answers
        ]

    def component(self, example: Example) -> str:
        """`pope` for its questions, whose images are shrunk otherwise than VQAv2's."""
        return OF_POPE if example.reference == OF_POPE else ""

    def kind(self, example: Example) -> str:
        """The type of the answers of people."""
        return example.reference or ""


def _of_pope(record: Mapping[str, Any]) -> Question:
    image = field(record, "image", str)
    named = re.fullmatch(rf"COCO_{POPE_IMAGES}_(\d{{12}})\.jpg", image)
    if named is None:
        raise ValueError(f"its image is {image!r}, none of COCO's {POPE_IMAGES}")
    answer = field(record, "label", str)
    if answer not in ANSWERS:
        raise ValueError(f"its label is {answer!r}; there are {', '.join(ANSWERS)}")
    return Question(
        id=str(field(record, "question_id", int)),
        image=int(named[1]),
        prefix=PREFIX.format(question=text_of(record, "text")),
        suffixes=(answer,),
        reference=OF_POPE,
    )
