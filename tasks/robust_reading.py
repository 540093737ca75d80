"""DocVQA, InfoVQA and ST-VQA: questions about what is written in an image.

All three are challenges of the Robust Reading Competition, in files of one form, and their servers
compare spellings (ANLS). Mathew et al. 2021 (arXiv:2007.00398), Mathew et al. 2022
(arXiv:2104.12756), Biten et al. 2019 (arXiv:1905.13648).

Sources: big_vision configs/proj/paligemma/transfers/{docvqa,infovqa,stvqa}.py, datasets/{docvqa,
infovqa,stvqa}/ and evaluators/proj/paligemma/transfers/vqa.py; files as in https://rrc.cvc.uab.es.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping, Sequence
from functools import partial
from hashlib import sha256
from itertools import permutations
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

from pg_transfer.data.json_records import each_record
from pg_transfer.data.questions import (
    Question,
    QuestionTask,
    lowered,
    read_questions,
    text_of,
    texts_of,
)
from pg_transfer.data.release import field, find_file, find_images
from pg_transfer.metrics.matching import score_matches
from pg_transfer.task import Answer, Draw, Example, Scores, Target

TEST = "test"
"""The split that only the server can score."""

SEPARATOR = ", "
"""Between the parts of an answer that has several."""

MOST_PARTS = 10
"""Of an answer. The orders of eleven would be forty million texts, more than the paper's data."""

HELD_OUT_OF = 10
"""One of so many of ST-VQA's images is to validate on; the paper held out a tenth, too."""

DIVIDED = (
    "ST-VQA has no validation data: train and val are divided here, and otherwise than for the "
    "paper, whose list of images is not public"
)


class RobustReading(QuestionTask):
    """One example per question; `test` has no answers and is answered for the server.

    Args:
        root: the folder with the files and the images.
    """

    files: ClassVar[Mapping[str, str]]
    """The file of each split."""

    folders: ClassVar[Sequence[str]]
    """Where in `root` the files may lie."""

    image_folders: ClassVar[Sequence[str]]
    """Where in `root` the images may lie."""

    fetch: ClassVar[str]
    prefix: ClassVar[str]
    id_field: ClassVar[str]
    """What the files call the id, and the server."""

    image_field: ClassVar[str]

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)

    def verdict(self, answers: Sequence[Answer]) -> Scores:
        """ANLS, and how many answers are one of the true ones; in lower case."""
        scores = score_matches(
            [answer.text.lower() for answer in answers],
            [[text.lower() for text in answer.example.suffixes] for answer in answers],
        )
        return scores.only({"anls": "ANLS", "accuracy_any": "accuracy_any"})

    def submission(self, answers: Sequence[Answer]) -> list[dict[str, Any]]:
        """What the server takes: answers in lower case, as they are scored."""
        return [
            {self.id_field: int(answer.example.id), "answer": answer.text.lower()}
            for answer in answers
        ]

    def kind(self, example: Example) -> str:
        """The types of the question or its answer, or where the image is from, if it is said."""
        return example.reference

    def questions(self, split: str) -> Iterator[Question]:
        """Those of `split`."""
        folders = [self.root / folder.format(split=split) for folder in self.folders]
        path = find_file(self.files[split], folders, fetch=self.fetch)
        make = partial(self._question, split)
        return read_questions(path, each_record(path, "data"), make, id_field=self.id_field)

    def images(self, split: str, names: Sequence[str]) -> Mapping[str, Path]:
        """The image of each name, which may have a folder before it."""
        together: dict[PurePosixPath, list[PurePosixPath]] = defaultdict(list)
        for path in map(PurePosixPath, names):
            together[path.parent].append(path)
        found: dict[str, Path] = {}
        for folder, paths in together.items():
            files = {str(path): (path.name,) for path in paths}
            found |= find_images(files, self.places(split, str(folder)), fetch=self.fetch)
        return found

    def places(self, split: str, folder: str) -> Sequence[Path]:
        """Where the images of a split may lie whose names have `folder` before them."""
        places = [self.root / place.format(split=split) for place in self.image_folders]
        return list(dict.fromkeys([*(place / folder for place in places), *places]))

    def suffixes(self, split: str, answers: Sequence[str]) -> Sequence[str]:
        """What is taught and compared with, of what a record has."""
        return answers

    @abstractmethod
    def type_of(self, record: Mapping[str, Any]) -> str:
        """See `kind`."""

    def _question(self, split: str, record: Mapping[str, Any]) -> Question:
        answers = () if split == TEST else texts_of(record, "answers")
        if split != TEST and not answers:
            raise ValueError("it has no answer")
        return Question(
            id=str(field(record, self.id_field, int)),
            image=_name(record, self.image_field),
            prefix=self.prefix.format(question=text_of(record, "question")),
            suffixes=tuple(self.suffixes(split, answers)),
            reference=self.type_of(record),
        )


class DocVQA(RobustReading):
    """Pages of documents; what is asked is the question alone."""

    title = "DocVQA"
    splits = ("train", "val", TEST)
    sizes: ClassVar = {"train": 39_463, "val": 5_349, "train+val": 44_812, TEST: 5_188}
    files: ClassVar = {
        "train": "train_v1.0_withQT.json", "val": "val_v1.0_withQT.json", TEST: "test_v1.0.json",
    }  # fmt: skip
    folders = ("", "spdocvqa_qas", "{split}")
    image_folders = ("{split}", "spdocvqa_images", "")
    fetch = (
        "The annotations and the images of task 1, Single Page Document VQA, are at "
        "https://rrc.cvc.uab.es/?ch=17&com=downloads, for which an account is needed; unpack both "
        "there."
    )
    prefix = "{question}"
    id_field, image_field = "questionId", "image"

    def target(self, example: Example, draw: Draw) -> Target:
        """Any of the answers each time, whatever came before."""
        return Target(example.prefix, draw.uniform(example.suffixes))

    def type_of(self, record: Mapping[str, Any]) -> str:
        """What part of the page the question is about; the test split does not say."""
        return _listed(record, "question_types")


class InfoVQA(RobustReading):
    """Infographics; of an answer of several parts, `val` takes any order of these."""

    title = "InfoVQA"
    splits = ("train", "val", TEST)
    sizes: ClassVar = {"train": 23_946, "val": 2_801, "train+val": 26_747, TEST: 3_288}
    files: ClassVar = {
        "train": "infographicsVQA_train_v1.0.json",
        "val": "infographicsVQA_val_v1.0_withQT.json",
        TEST: "infographicsVQA_test_v1.0.json",
    }
    folders = ("", "infographicsvqa_qas")
    image_folders = ("images", "infographicsvqa_images", "")
    fetch = (
        "The annotations and the images of task 3, Infographics VQA, are at "
        "https://rrc.cvc.uab.es/?ch=17&com=downloads, for which an account is needed; unpack both "
        "there."
    )
    prefix = "answer en {question}"
    id_field, image_field = "questionId", "image_local_name"

    def suffixes(self, split: str, answers: Sequence[str]) -> Sequence[str]:
        """In lower case; those of `val` in every order of their parts, as the paper's data."""
        texts = list(map(lowered, answers))
        return texts if split == "train" else [one for text in texts for one in _orders(text)]

    def type_of(self, record: Mapping[str, Any]) -> str:
        """Whether the answer is one span of the text, several or none; only `val` says so."""
        return _listed(record, "answer_type")


class STVQA(RobustReading):
    """Photographs with text in them, of seven data sets.

    The file of the training questions is divided here: all questions about an image are in `train`
    or in `val`, whatever else there is. The paper did the same, by a list that is not public, so
    that only `train+val` is what it was there.
    """

    title = "ST-VQA"
    splits = ("train", "val", TEST)
    sizes: ClassVar = {"train": 23_446, "val": 2_628, "train+val": 26_074, TEST: 4_070}
    files: ClassVar = {
        "train": "train_task_3.json", "val": "train_task_3.json", TEST: "test_task_3.json",
    }  # fmt: skip
    folders = ("", "annotations")
    fetch = (
        "train_task_3.json and test_task_3.json, with the images of training and of the test of "
        "task 3 (train_images, test_task3_images), are at "
        "https://rrc.cvc.uab.es/?ch=11&com=downloads, for which an account is needed. Those of "
        "coco-text are taken from COCO in full size: unzip train2014.zip of "
        "https://cocodataset.org there, or in ../coco."
    )
    prefix = "answer en {question}"
    id_field, image_field = "question_id", "file_path"

    def verdict(self, answers: Sequence[Answer]) -> Scores:
        """As of the others; and the remark that these data are divided in another way."""
        return super().verdict(answers)._replace(remarks=(DIVIDED,))

    def questions(self, split: str) -> Iterator[Question]:
        """Those of `split`: of the training file's, those about the images that it has."""
        for question in super().questions(split):
            if split == TEST or _is_held_out(question.image) == (split == "val"):
                yield question

    def places(self, split: str, folder: str) -> Sequence[Path]:
        """A folder for each data set that images are from; COCO's are those of COCO itself."""
        if folder == "coco-text":
            return [place / "train2014" for place in (self.root, self.root.parent / "coco")]
        names = ("test_task3_images", "test") if split == TEST else ("train_images", "train")
        return [self.root / name / folder for name in (*names, "")]

    def suffixes(self, split: str, answers: Sequence[str]) -> Sequence[str]:
        """In lower case."""
        return list(map(lowered, answers))

    def type_of(self, record: Mapping[str, Any]) -> str:
        """The data set that the image is from."""
        return PurePosixPath(_name(record, self.image_field)).parts[0]


def _name(record: Mapping[str, Any], name: str) -> str:
    """The name of an image, below a folder or several, none of which leads elsewhere."""
    path = PurePosixPath(field(record, name, str))
    leads_elsewhere = path.is_absolute() or ".." in path.parts or {"\\", "\0"} & set(str(path))
    if leads_elsewhere or not path.name:
        raise ValueError(f"its {name} is {str(path)!r:.40}, no name of an image")
    return str(path)


def _listed(record: Mapping[str, Any], name: str) -> str:
    return ", ".join(texts_of(record, name)) if name in record else ""


def _orders(text: str) -> Iterator[str]:
    """The text with its parts in every order, its own first."""
    parts = text.split(SEPARATOR)
    if len(parts) > MOST_PARTS:
        raise ValueError(f"its answer {text!r:.40} has {len(parts)} parts, more than {MOST_PARTS}")
    return map(SEPARATOR.join, permutations(parts))


def _is_held_out(image: Hashable) -> bool:
    digest = sha256(str(image).encode(errors="surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") % HELD_OUT_OF == 0
