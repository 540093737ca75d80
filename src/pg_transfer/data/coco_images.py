"""Questions about COCO's images, which lie in whichever of its releases.

Those of 2017 are those of 2014 and 2015 under other names and divided otherwise; of the test images
they have half.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from pg_transfer.data.questions import QuestionTask
from pg_transfer.data.release import find_images

ANNOTATED = ("train2014", "val2014", "train2017", "val2017")
TEST = ("test2015", "test2017")

FILE_FOLDERS = ("", "annotations", "questions")
IMAGE_FOLDERS = ("", "images")

FETCH = "Unzip {part}.zip of https://cocodataset.org there, as a folder {part}."
FETCH_BOTH = (
    "Unzip train2014.zip and val2014.zip of https://cocodataset.org there, as folders train2014 "
    "and val2014."
)


class CocoQuestionTask(QuestionTask):
    """Questions that name COCO's images by their numbers.

    Args:
        root: the folder with the files of questions.
        images: the folder with COCO's own folders of images, where they are not in `root`.

    Attributes:
        parts: for each split the folder that its images are of in COCO's release, e.g. "val2014".
    """

    parts: ClassVar[Mapping[str, str]]

    def __init__(self, root: Path | str, *, images: Path | str | None = None) -> None:
        self.root = Path(root)
        self.folders = [self.root / place for place in FILE_FOLDERS]
        self.image_places = [self.root / place for place in IMAGE_FOLDERS]
        if images is not None:
            self.image_places.append(Path(images))

    def images(self, split: str, names: Sequence[int]) -> Mapping[int, Path]:
        """The image of each number."""
        return find_coco_images(names, self.parts[split], self.image_places)


def find_coco_images(numbers: Sequence[int], part: str, places: Sequence[Path]) -> dict[int, Path]:
    """For each number its image.

    Args:
        numbers: COCO's own, of images.
        part: that they are of, as COCO calls its folder.
        places: where the folders of COCO's parts may lie.

    Raises:
        FileNotFoundError: some are in none of them.
    """
    # The part's own name first: it is the one that is said to be missing.
    parts = sorted(ANNOTATED if part in ANNOTATED else TEST, key=lambda one: one != part)
    return _find(numbers, parts, places, fetch=FETCH.format(part=part))


def find_annotated_images(numbers: Sequence[int], places: Sequence[Path]) -> dict[int, Path]:
    """For each number its image, where Karpathy's splits mix those of train2014 and val2014.

    Args:
        numbers: COCO's own, of images.
        places: where the folders of COCO's parts may lie.

    Raises:
        FileNotFoundError: some are in none of them.
    """
    return _find(numbers, ANNOTATED, places, fetch=FETCH_BOTH)


def _find(
    numbers: Sequence[int], parts: Sequence[str], places: Sequence[Path], *, fetch: str
) -> dict[int, Path]:
    """For each number its image in a folder of one of the parts, under the name that any has."""
    forms = list(dict.fromkeys(map(_file_form, parts)))
    return find_images(
        {number: [form.format(number) for form in forms] for number in numbers},
        [place / part for place in places for part in parts],
        fetch=fetch,
    )


def _file_form(part: str) -> str:
    """How the images of a part are called, for their number."""
    return "{:012d}.jpg" if part.endswith("2017") else f"COCO_{part}_{{:012d}}.jpg"
