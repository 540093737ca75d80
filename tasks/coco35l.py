"""COCO-35L: COCO's captions in 35 languages; and XM3600, of which the same model writes in 36.

Sources: Thapliyal et al. 2022, arXiv:2205.12522; big_vision configs/proj/paligemma/transfers/
coco35l.py, datasets/coco35l/coco35l.py and datasets/xm3600/xm3600.py; files as in
https://google.github.io/crossmodal-3600.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pg_transfer.data.coco_images import find_annotated_images
from pg_transfer.data.json_records import each_line
from pg_transfer.data.packed_examples import Computed, Gathered, Joined, Texts
from pg_transfer.data.questions import naming_faults, texts_and_suffixes, texts_of
from pg_transfer.data.release import fault, field, find_file, find_images, refuse_repeated, tried
from pg_transfer.data.splits import select
from pg_transfer.metrics.captions_by_language import ENGLISH, FORMULAS, score_by_language
from pg_transfer.task import Answer, Example, Scores, Share, Task

PREFIX = "caption {language}"

TRANSLATED = (
    "ar", "bn", "cs", "da", "de", "el", "es", "fa", "fi", "fil", "fr", "he", "hi", "hr", "hu",
    "id", "it", "ja", "ko", "mi", "nl", "no", "pl", "pt", "ro", "ru", "sv", "sw", "te", "th",
    "tr", "uk", "vi", "zh",
)  # fmt: skip
BESIDE_ENGLISH = "de"
"""Every record has what it was translated from; English is taken from those of this language."""

QUECHUA = "quz"

TRAIN, DEV, XM3600, XM3600_ALL = "train", "dev", "xm3600", "xm3600/test"
LANGUAGES = {
    TRAIN: sorted([ENGLISH, *TRANSLATED]),
    DEV: sorted([ENGLISH, *TRANSLATED]),
    XM3600: sorted([ENGLISH, *TRANSLATED, QUECHUA]),
}
"""Of each part, in the order in which the parts' examples stand."""
IMAGES = {TRAIN: 113_287, DEV: 5_000, XM3600: 3_600}
SIZES = {
    **{f"{part}/{code}": IMAGES[part] for part, codes in LANGUAGES.items() for code in codes},
    TRAIN: 3_965_045,
    DEV: 175_000,
    XM3600_ALL: 129_600,
}

FILE = "coco_mt_{part}.jsonl"
FOLDERS = ("", "annotations")
IMAGE_FOLDERS = ("", "images")
FETCH = (
    "coco_mt_train.jsonl.bz2 and coco_mt_dev.jsonl.bz2 are at "
    "https://google.github.io/crossmodal-3600; unpack them there with bzip2 -d."
)
XM3600_FILE = "captions.jsonl"
FETCH_XM3600 = (
    "captions.zip and images.tgz of XM3600 are at https://google.github.io/crossmodal-3600; unpack "
    "both there, the images into a folder images."
)

_NAME = re.compile(r"([0-9]{1,12})_([0-9])")


class COCO35L(Task):
    """One example for each image and language, whose suffixes are the captions in that language.

    `train` and `dev`, Karpathy's training and validation images, have all languages one after the
    other, as `xm3600/test` has those of XM3600; `train/te`, `dev/te` and `xm3600/te` have one.
    Sums and slices are made of these. A file is read once, whatever is asked of it.

    Args:
        root: the folder with the translations, and XM3600 in `xm3600`.
        images: the folder with `train2014` and `val2014`, where they are not in `root`.
        xm3600: the folder of XM3600, where it is not in `root`.
    """

    title = "COCO-35L"
    splits = tuple(SIZES)
    sizes = SIZES
    formulas = FORMULAS

    def __init__(
        self,
        root: Path | str,
        *,
        images: Path | str | None = None,
        xm3600: Path | str | None = None,
    ) -> None:
        self.root = Path(root)
        self.image_places = [self.root / folder for folder in IMAGE_FOLDERS]
        if images is not None:
            self.image_places.append(Path(images))
        self.xm3600 = Path(xm3600) if xm3600 else self.root / "xm3600"
        self._known: dict[str, Mapping[str, OfLanguage]] = {}

    def examples(self, split: str) -> Sequence[Example]:
        """The examples of `split`: language by language, each in the order of the file's images.

        Raises:
            FileNotFoundError: translations or images are missing.
            ValueError: no such split, or a record that cannot be right.
        """
        return select(split, lambda name: Joined(self._named(name)))

    def shares_of(self, split: str) -> Sequence[Share]:
        """The languages, each of which comes as often as any other.

        Of a split that is sliced nothing: it is learnt from evenly.
        """
        if "[" in split:
            return ()
        parts = [part for name in split.split("+") for part in self._named(name.strip())]
        return [Share(part.language, len(part), 1.0) for part in parts]

    def score(self, answers: Sequence[Answer]) -> Scores:
        """CIDEr of each language and its averages; there are no other metrics for all of them."""
        languages = [answer.example.reference for answer in answers]
        return score_by_language(*texts_and_suffixes(answers), languages)

    def kind(self, example: Example) -> str:
        """The language."""
        return example.reference

    def _named(self, name: str) -> list[OfLanguage]:
        """The languages that a split consists of."""
        if name not in self.splits:
            raise ValueError(
                f"{self.title} has no split {name!r}; there are {TRAIN}, {DEV} and {XM3600_ALL}, "
                f"and of one language {TRAIN}/..., {DEV}/... and {XM3600}/..., with one of "
                f"{', '.join(LANGUAGES[XM3600])} ({QUECHUA} in {XM3600} alone)"
            )
        part, _, language = name.partition("/")
        wanted = LANGUAGES[part] if name in (TRAIN, DEV, XM3600_ALL) else [language]
        if part not in self._known:
            self._known[part] = self._described() if part == XM3600 else self._translated(part)
        return [self._known[part][language] for language in wanted]

    def _translated(self, part: str) -> Mapping[str, OfLanguage]:
        folders = [self.root / folder for folder in FOLDERS]
        path = find_file(FILE.format(part=part), folders, fetch=FETCH)
        numbers, captions = read_translations(path)
        found = find_annotated_images(numbers, self.image_places)
        ids, paths = Texts(map(str, numbers)), [found[number] for number in numbers]
        return {code: OfLanguage(code, ids, paths, those) for code, those in captions.items()}

    def _described(self) -> Mapping[str, OfLanguage]:
        path = find_file(XM3600_FILE, [self.xm3600], fetch=FETCH_XM3600)
        keys, captions = read_xm3600(path)
        files = {key: (f"{key}.jpg",) for key in keys}
        found = find_images(files, [self.xm3600 / "images"], fetch=FETCH_XM3600)
        ids, paths = Texts(keys), [found[key] for key in keys]
        return {code: OfLanguage(code, ids, paths, those) for code, those in captions.items()}


class OfLanguage(Computed[Example]):
    """The examples in one language.

    Args:
        language: its code.
        ids: of the images, which the languages share.
        images: likewise.
        captions: of each image.
    """

    def __init__(
        self,
        language: str,
        ids: Sequence[str],
        images: Sequence[Path],
        captions: Computed[tuple[str, ...]],
    ) -> None:
        self.language = language
        self._ids, self._images, self._captions = ids, images, captions

    def __len__(self) -> int:
        return len(self._images)

    def at(self, row: int) -> Example:
        """The example of the image in that row, a new object each time."""
        return self._example(self._ids[row], self._images[row], self._captions.at(row))

    def __iter__(self) -> Iterator[Example]:
        return map(self._example, self._ids, self._images, self._captions)

    def _example(self, image: str, path: Path, captions: tuple[str, ...]) -> Example:
        prefix = PREFIX.format(language=self.language)
        return Example(f"{image}_{self.language}", path, prefix, captions, self.language)


class Translation(NamedTuple):
    """What a record of COCO-35L says.

    Attributes:
        image: COCO's number.
        place: which of its captions was translated.
        language: into which.
        captions: by language, in that one and perhaps in English.
    """

    image: int
    place: int
    language: str
    captions: Mapping[str, str]


def read_translations(path: Path) -> tuple[Sequence[int], dict[str, Gathered]]:
    """The numbers of the images of a file, and in each language the captions of each of them.

    Empty ones are among them, as in the paper's data.

    Raises:
        ValueError: a record cannot be, comes twice, or an image has no caption in a language.
    """
    captions = {language: Gathered() for language in LANGUAGES[TRAIN]}
    rows: dict[int, int] = {}
    # The places that were met of each image, as bits: a set of nineteen million takes gigabytes.
    met = {language: array("H") for language in TRANSLATED}
    translation = naming_faults(path, _translation, id_field="image_id")
    for record in each_line(path):
        made = tried(translation, record)
        if made is None:
            continue
        row = rows.setdefault(made.image, len(rows))
        those, bit = met[made.language], 1 << made.place
        if row >= len(those):
            those.extend([0] * (row + 1 - len(those)))
        if those[row] & bit:
            name = f"image_id '{made.image}_{made.place}' in {made.language}"
            raise fault(path, name, "it comes twice")
        those[row] |= bit
        for language, text in made.captions.items():
            captions[language].append(row, text)
    numbers = array("q", rows)
    for language, those in captions.items():
        row = those.first_empty(len(numbers))
        if row is not None:
            raise fault(path, f"image_id {numbers[row]}_...", f"no caption in {language}")
    return numbers, captions


def _translation(record: Mapping[str, Any]) -> Translation:
    name = field(record, "image_id", str)
    match = _NAME.fullmatch(name)
    if match is None:
        raise ValueError(f"it is no number of an image, _ and that of a caption: {name!r:.40}")
    language = field(record, "trg_lang", str)
    if language not in TRANSLATED:
        raise ValueError(f"its trg_lang is {language!r:.40}, none of {', '.join(TRANSLATED)}")
    captions = {language: field(record, "translation_tokenized", str)}
    if language == BESIDE_ENGLISH:
        captions[ENGLISH] = field(record, "caption_tokenized", str)
    return Translation(int(match[1]), int(match[2]), language, captions)


def read_xm3600(path: Path) -> tuple[Sequence[str], dict[str, Gathered]]:
    """The keys of XM3600's images, and in each language the captions of each of them.

    Raises:
        ValueError: a record cannot be, comes twice, or has no caption in a language.
    """
    captions = {language: Gathered() for language in LANGUAGES[XM3600]}
    keys: list[str] = []
    description = naming_faults(path, _description, id_field="image/key")
    for record in each_line(path):
        made = tried(description, record)
        if made is None:
            continue
        for language, texts in made.items():
            for text in texts:
                captions[language].append(len(keys), text)
        keys.append(record["image/key"])
    refuse_repeated(path, "image/key", keys)
    return keys, captions


def _description(record: Mapping[str, Any]) -> Mapping[str, Sequence[str]]:
    field(record, "image/key", str)
    captions = {}
    for language in LANGUAGES[XM3600]:
        captions[language] = texts_of(field(record, language, dict), "caption")
        if not any(text.strip() for text in captions[language]):
            raise ValueError(f"it has no caption in {language}")
    return captions
