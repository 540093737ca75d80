"""TextCaps 0.1: describe an image and the text in it (Sidorov et al. 2020).

Sources: big_vision configs/proj/paligemma/transfers/textcaps.py and datasets/textcaps/textcaps.py;
files as in https://textvqa.org/textcaps. The images are TextVQA's, here taken as they are stored:
the paper turned those back for TextVQA alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from pg_transfer.data.json_records import each_record
from pg_transfer.data.questions import Question, lowered, read_questions
from pg_transfer.data.release import field, find_file, find_images
from pg_transfer.metrics.captioning import PREFIX, CaptionTask, captions_of
from pg_transfer.task import Answer, Draw, Example, Target

ANNOTATIONS = "TextCaps_0.1_{split}.json"
FOLDERS = ("", "annotations", "data", "images")
IMAGES = {"train": "train_images", "val": "train_images", "test": "test_images"}
SIZES = {"train": 21_953, "val": 3_166, "test": 3_289}

FETCH = (
    "TextCaps_0.1_train.json, TextCaps_0.1_val.json and TextCaps_0.1_test.json are at "
    "https://textvqa.org/textcaps/dataset. The images are TextVQA's: train_val_images.zip and "
    "test_images.zip of https://textvqa.org/dataset, unzipped there or in the folder of TextVQA."
)


class TextCaps(CaptionTask):
    """One example per image; the splits are `train`, `val` and `test`, sums and slices of them.

    `test` has no captions: it is described for the benchmark's server.

    Args:
        root: the folder with the annotations.
        images: the folder with `train_images` and `test_images`; by default looked for in `root`,
            then in `textvqa` beside it.
    """

    title = "TextCaps"
    splits = tuple(IMAGES)
    sizes = SIZES

    def __init__(self, root: Path | str, *, images: Path | str | None = None) -> None:
        self.root = Path(root)
        self._image_places = [Path(images)] if images else [
            place / folder
            for place in (self.root, self.root.parent / "textvqa")
            for folder in FOLDERS
        ]  # fmt: skip

    def target(self, example: Example, draw: Draw) -> Target:
        """The next of the captions, in lower case; of letters beyond ASCII both cases stay.

        Captions to score against are as they were typed.
        """
        prefix, suffix = super().target(example, draw)
        return Target(prefix, lowered(suffix))

    def submission(self, answers: Sequence[Answer]) -> list[dict[str, Any]]:
        """What the server takes; answers as they are."""
        return [{"image_id": answer.example.id, "caption": answer.text} for answer in answers]

    def questions(self, split: str) -> Iterator[Question]:
        """The images of `split`, in the order in which the file first names them."""
        folders = [self.root / folder for folder in FOLDERS]
        path = find_file(ANNOTATIONS.format(split=split), folders, fetch=FETCH)
        by_image = defaultdict(list)
        for record in each_record(path, "data"):
            image = record.get("image_id")
            by_image[image if isinstance(image, str) else None].append(
                {name: record[name] for name in ("image_name", "caption_str") if name in record}
            )
        images = ({"image_id": image, "records": all_} for image, all_ in by_image.items())
        make = partial(_question, has_captions=split != "test")
        return read_questions(path, images, make, id_field="image_id")

    def images(self, split: str, names: Sequence[str]) -> Mapping[str, Path]:
        """The image of each name."""
        folders = [place / IMAGES[split] for place in self._image_places]
        return find_images({name: (f"{name}.jpg",) for name in names}, folders, fetch=FETCH)


def _question(image: Mapping[str, Any], *, has_captions: bool) -> Question:
    records = image["records"]
    names = sorted({field(record, "image_name", str) for record in records})
    if len(names) > 1:
        raise ValueError(f"its image_name is {names[0]!r} and {names[1]!r}")
    captions = [field(record, "caption_str", str) for record in records] if has_captions else []
    return Question(
        id=field(image, "image_id", str),
        image=names[0],
        prefix=PREFIX,
        # Where nothing stands there is no caption in the paper's data either.
        suffixes=captions_of(list(filter(None, captions))) if has_captions else (),
    )
