"""ChartQA: questions about charts, of people and of a model (Masry et al. 2022).

Sources: big_vision configs/proj/paligemma/transfers/chartqa.py, datasets/chartqa/chartqa.py and
evaluators/proj/paligemma/transfers/chartqa.py; files as in https://github.com/vis-nlp/ChartQA.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any, ClassVar

from pg_transfer.data.json_records import each_record
from pg_transfer.data.questions import Question, QuestionTask, read_questions, text_of
from pg_transfer.data.release import field, find_file, find_images
from pg_transfer.metrics.matching import FORMULAS, score_amounts_by_part
from pg_transfer.task import Answer, Example, Scores, Share

PREFIX = "{question}"
WEIGHTS = {"human": 7_398, "augmented": 20_901}
"""How often one part is learnt from, as against the other: by the size of their `train` alone."""

SIZES = {
    "human/train": 7_398, "human/val": 960, "human/test": 1_250,
    "augmented/train": 20_901, "augmented/val": 960, "augmented/test": 1_250,
}  # fmt: skip
JOINED = {"train": 28_299, "val": 1_920, "test": 2_500}
LEARNT = "human/train+human/val+augmented/train+augmented/val"
"""What the paper learnt from, in the order that `shares_of` wants."""

FOLDERS = ("", "ChartQA Dataset")
ROW = "row"

FETCH = (
    "Unzip https://huggingface.co/datasets/ahmed-masry/ChartQA/resolve/main/ChartQA%20Dataset.zip "
    "there, or take the folder `ChartQA Dataset` of https://github.com/vis-nlp/ChartQA."
)


class ChartQA(QuestionTask):
    """One example per question; what is asked is the question alone.

    `train`, `val` and `test` have the questions of people first, then those made by a model from
    what people had written about a chart; `human/train`, `augmented/test` and the like one part.

    Args:
        root: the folder with `ChartQA Dataset`, or with what is in it.
    """

    title = "ChartQA"
    splits: ClassVar = (*JOINED, *SIZES)
    sizes: ClassVar = {**JOINED, "train+val": 30_219, LEARNT: 30_219, **SIZES}
    formulas = FORMULAS

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)

    def verdict(self, answers: Sequence[Answer]) -> Scores:
        """The mean of the parts' relaxed accuracies, and each one's; in lower case."""
        return score_amounts_by_part(
            [answer.text.lower() for answer in answers],
            [answer.example.suffixes[0].lower() for answer in answers],
            [answer.example.reference for answer in answers],
        )

    def kind(self, example: Example) -> str:
        """Whose question it is: `human` or `augmented`."""
        return example.reference

    def shares_of(self, split: str) -> Sequence[Share]:
        """The two parts, of a split that has all of one and then all of the other.

        Of others nothing: they are learnt from evenly.
        """
        parts = (example.reference for example in self.examples(split))
        counts = [(part, sum(1 for _ in rows)) for part, rows in groupby(parts)]
        if sorted(part for part, _ in counts) != sorted(WEIGHTS):
            return ()
        return [Share(part, count, WEIGHTS[part]) for part, count in counts]

    def questions(self, split: str) -> Iterator[Question]:
        """Those of `split`, of one part or of both."""
        part, _, name = split.rpartition("/")
        folders = [self.root / folder / name for folder in FOLDERS]
        for one in (part,) if part else WEIGHTS:
            path = find_file(f"{name}_{one}.json", folders, fetch=FETCH)
            records = ({**record, ROW: row} for row, record in enumerate(each_record(path)))
            make = partial(_question, f"{one}/{name}", one)
            yield from read_questions(path, records, make, id_field=ROW)

    def images(self, split: str, names: Sequence[str]) -> Mapping[str, Path]:
        """The image of each name, which lies with those of both parts."""
        folders = [self.root / folder / split.rpartition("/")[2] / "png" for folder in FOLDERS]
        return find_images({name: (name,) for name in names}, folders, fetch=FETCH)


def _question(split: str, part: str, record: Mapping[str, Any]) -> Question:
    return Question(
        id=f"{split}/{record[ROW]}",
        image=field(record, "imgname", str),
        prefix=PREFIX.format(question=text_of(record, "query")),
        suffixes=(text_of(record, "label"),),
        reference=part,
    )
