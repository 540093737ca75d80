"""AI2D: choose the answer to a question about a diagram (Kembhavi et al. 2016).

Sources: big_vision configs/proj/paligemma/transfers/ai2d.py and datasets/ai2d/ai2d.py; files as in
ai2d-all.zip.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import ImageDraw, ImageFont

from pg_transfer.data.images import opened, to_rgb
from pg_transfer.data.json_records import read_json
from pg_transfer.data.questions import (
    Question,
    QuestionTask,
    read_questions,
    text_of,
    texts_and_suffixes,
    texts_of,
    with_choices,
)
from pg_transfer.data.release import fault, field, find_file, find_images, tried
from pg_transfer.metrics.matching import score_exact
from pg_transfer.task import Answer, Image, Scores

FOLDERS = ("", "ai2d")
TEST_IDS = "ai2d_test_ids.csv"
FONT = "DMSans-Regular.ttf"
LARGEST_FONT = 100
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

FETCH = (
    "https://ai2-public-datasets.s3.amazonaws.com/diagrams/ai2d-all.zip has the folders questions, "
    "annotations and images; the numbers of the test images are "
    "https://s3-us-east-2.amazonaws.com/prior-datasets/ai2d_test_ids.csv."
)
FETCH_FONT = "It is https://github.com/googlefonts/dm-fonts/raw/main/Sans/fonts/ttf/" + FONT


class Diagram(NamedTuple):
    """How a question names its image.

    Attributes:
        file: its name.
        labels: the name of the file of its labels, where the question calls them by letters.
    """

    file: str
    labels: str | None


class Label(NamedTuple):
    """A text in a diagram, and the letter that stands for it.

    Attributes:
        box: left, top, right and bottom in pixels.
        letter: to be drawn there.
    """

    box: tuple[float, float, float, float]
    letter: str


@dataclass(frozen=True, slots=True)
class Lettered:
    """A diagram with letters in place of its labels: called, its pixels."""

    path: Path
    labels: tuple[Label, ...]
    font: Path | None
    """Pillow's own, if None."""

    def __call__(self) -> np.ndarray:
        """The pixels, uint8 [H, W, 3].

        Letters are drawn into the image as it is stored: on a palette their edges are hard.
        """
        with opened(self.path) as picture:
            pen = ImageDraw.Draw(picture)
            for (left, top, right, bottom), letter in self.labels:
                pen.rectangle((left, top, right, bottom), fill="white")
                font, width = _fitting(letter, self.font, right - left, bottom - top)
                place = (left + (right - left - width) // 2, top)
                pen.text(place, letter, fill="black", font=font)
            return to_rgb(picture)


class AI2D(QuestionTask):
    """One example per question; the splits are `train` and `test`.

    Args:
        root: the folder with the unzipped files, ai2d_test_ids.csv and, to draw letters as the
            paper did, DMSans-Regular.ttf.
    """

    title = "AI2D"
    splits = ("train", "test")

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)
        self._places = [self.root / folder for folder in FOLDERS]

    @property
    def departures(self) -> Sequence[str]:
        """That letters are drawn in another font, if the paper's is not there."""
        if self._font is not None:
            return ()
        return (
            f"the letters in AI2D's diagrams are drawn in Pillow's own font, as there is no {FONT} "
            f"in {self.root}, with which the paper's code drew them. {FETCH_FONT}",
        )

    def verdict(self, answers: Sequence[Answer]) -> Scores:
        """How many answers equal the right choice, to the letter."""
        return score_exact(*texts_and_suffixes(answers))

    def questions(self, split: str) -> Iterator[Question]:
        """Those about the diagrams of `split`, diagram by diagram."""
        table = find_file(TEST_IDS, self._places, fetch=FETCH)
        test = {line.strip() for line in table.read_text(encoding="utf-8-sig").splitlines()}
        for path in self._question_files():
            if (path.name.partition(".")[0] in test) == (split == "test"):
                yield from read_questions(path, _records(path), _question, id_field="questionId")

    def images(self, split: str, names: Sequence[Diagram]) -> Mapping[Diagram, Image]:
        """The image of each diagram, with letters where its questions are about them."""
        folders = [place / "images" for place in self._places]
        files = find_images({name.file: (name.file,) for name in names}, folders, fetch=FETCH)
        font = self._font
        if font is not None:
            _require_font(font)
        return {name: self._lettered(name, files[name.file], font) for name in names}

    def _lettered(self, diagram: Diagram, path: Path, font: Path | None) -> Image:
        if diagram.labels is None:
            return path
        folders = [place / "annotations" for place in self._places]
        labels = tried(_labels, find_file(diagram.labels, folders, fetch=FETCH))
        return path if labels is None else Lettered(path, labels, font)

    def _question_files(self) -> list[Path]:
        for place in self._places:
            found = sorted((place / "questions").glob("*.json"))
            if found:
                return found
        looked = " or ".join(str(place / "questions") for place in self._places)
        raise FileNotFoundError(f"there are no JSON files in {looked}.\n{FETCH}")

    @property
    def _font(self) -> Path | None:
        paths = (place / FONT for place in self._places)
        return next((path for path in paths if path.is_file()), None)


def _records(path: Path) -> Iterator[dict[str, Any]]:
    """The questions of a file, with their words, the image, and the file of the image's labels."""
    content = _content(path, "questions")
    for question, record in content["questions"].items():
        image = {"imageName": content.get("imageName"), "labels": path.name}
        yield record | image | {"question": question}


def _question(record: Mapping[str, Any]) -> Question:
    choices = texts_of(record, "answerTexts")
    right = field(record, "correctAnswer", int)
    if not 0 <= right < len(choices):
        raise ValueError(f"its correctAnswer is {right}, of {len(choices)} answerTexts")
    labels = record["labels"] if field(record, "abcLabel", bool) else None
    return Question(
        id=field(record, "questionId", str),
        image=Diagram(field(record, "imageName", str), labels),
        prefix=with_choices(text_of(record, "question"), choices),
        suffixes=(choices[right],),
    )


def _labels(path: Path) -> tuple[Label, ...]:
    """The labels of a diagram."""
    labels = []
    for name, record in _content(path, "text")["text"].items():
        try:
            labels.append(Label(_box(record), field(record, "replacementText", str)))
        except (TypeError, ValueError) as error:
            raise fault(path, f"text {name!r}", str(error)) from error
    return tuple(labels)


def _box(record: Mapping[str, Any]) -> tuple[float, float, float, float]:
    corners = field(record, "rectangle", list)
    numbers = [
        number for corner in corners if isinstance(corner, list) and len(corner) == 2
        for number in corner if type(number) in (int, float)
    ]  # fmt: skip
    if len(corners) != 2 or len(numbers) != 4:
        raise ValueError(f"its rectangle is {corners!r:.40}, not two corners")
    left, top, right, bottom = numbers
    if not (left <= right and top <= bottom):
        raise ValueError(f"its rectangle is {corners!r:.40}, which ends before it begins")
    return left, top, right, bottom


def _content(path: Path, name: str) -> dict[str, Any]:
    """A file that is an object with an object of records."""
    content = read_json(path)
    records = content.get(name) if isinstance(content, dict) else None
    if not isinstance(records, dict) or not all(isinstance(one, dict) for one in records.values()):
        raise fault(path, "the whole file", f"no object of records named {name!r}")
    return content


@cache
def _sized(path: Path | None, size: int) -> Font:
    return ImageFont.load_default(size) if path is None else ImageFont.truetype(path, size)


def _require_font(path: Path) -> None:
    try:
        _sized(path, LARGEST_FONT)
    except OSError as error:
        raise fault(path, "the whole file", f"no font ({error})") from error


def _fitting(letter: str, path: Path | None, width: float, height: float) -> tuple[Font, float]:
    """The largest font in which a letter fits into a box, else the smallest; the letter's width."""
    for size in range(LARGEST_FONT, 1, -1):
        font = _sized(path, size)
        _, _, right, bottom = font.getbbox(letter)
        if right <= width and bottom <= height:
            return font, right
    font = _sized(path, 1)
    return font, font.getbbox(letter)[2]
