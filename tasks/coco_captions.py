"""COCO captions: describe an image; and the same model's captions for the images of NoCaps.

Sources: big_vision configs/proj/paligemma/transfers/cococap.py and datasets/nocaps/nocaps.py;
files of Chen et al. 2015, Karpathy and Fei-Fei 2015 (the splits) and Agrawal et al. 2019 (NoCaps).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from pg_transfer.data.json_records import read_records
from pg_transfer.data.questions import Question
from pg_transfer.data.release import fault, field, find_file, find_images, refuse_repeated
from pg_transfer.metrics.captioning import PREFIX, CaptionTask
from pg_transfer.task import Answer, Example, Scores

KARPATHY = "dataset_coco.json"
SPLITS = ("train", "restval", "val", "test")
SIZES = {
    "train": 82_783, "restval": 30_504, "train+restval": 113_287, "val": 5_000, "test": 5_000,
    "nocaps/val": 4_500,
}  # fmt: skip
YEARS = (2014, 2017)
PARTS = ("train", "val")
ANNOTATION_FOLDERS = ("", "annotations", "karpathy", "caption_datasets")
IMAGE_FOLDERS = ("", "images", "coco")
IMAGE_NAMES = ("COCO_train2014_{:012d}.jpg", "COCO_val2014_{:012d}.jpg", "{:012d}.jpg")

NOCAPS = "nocaps/val"
NOCAPS_FILE = "nocaps_val_4500_captions.json"
NOCAPS_ANNOTATION_FOLDERS = ("", "annotations")
NOCAPS_IMAGE_FOLDERS = (
    "val", "validation", "images/val", "images/validation", "Images/validation", "images",
)  # fmt: skip

FETCH_SPLITS = (
    f"Karpathy's splits are {KARPATHY} in caption_datasets.zip "
    "(https://cs.stanford.edu/people/karpathy/deepimagesent/caption_datasets.zip). COCO's own "
    "captions, annotations_trainval2014.zip or annotations_trainval2017.zip of "
    "https://cocodataset.org, do as well, but their validation set is another one."
)
FETCH_IMAGES = (
    "Unzip train2014.zip and val2014.zip of https://cocodataset.org there, or train2017.zip and "
    "val2017.zip: the same images under other names."
)
FETCH_NOCAPS = (
    f"NoCaps is {NOCAPS_FILE} (https://nocaps.org) with the images it lists, of the validation set "
    f"of OpenImages, in {NOCAPS_IMAGE_FOLDERS[0]}/ beside it."
)


class Captioned(NamedTuple):
    """A record of any of the files: an image and what has been said of it.

    Attributes:
        id: COCO's, or NoCaps'.
        split: one of `SPLITS`, or `NOCAPS`.
        file_name: of the image, in the release that the record belongs to.
        captions: as they were typed, spaces and line ends included.
        domain: NoCaps': whether COCO knows such objects.
    """

    id: int
    split: str
    file_name: str
    captions: tuple[str, ...]
    domain: str | None = None


class CocoCaptions(CaptionTask):
    """Captions of COCO's images, in Karpathy's splits as the paper has them.

    Splits are `train`, `restval`, `val`, `test`, their sums and slices ("train+restval",
    "train[:98%]"), and `nocaps/val`. Where Karpathy's file is not at hand, COCO's own `train` and
    `val` stand in, `restval` and `test` are empty, and `departures` says so.

    Args:
        root: the folder with the annotations and the folders of images.
        annotations: Karpathy's file; by default looked for in `root`.
        images: the folder with `train2014` and `val2014`, or `train2017` and `val2017`; by default
            looked for in `root`.
        nocaps: the folder of NoCaps, by default `nocaps` in `root`; needed by its split alone.

    Raises:
        FileNotFoundError: there are no annotations.
    """

    title = "COCO captions"
    splits = (*SPLITS, NOCAPS)
    sizes = SIZES

    def __init__(
        self,
        root: Path | str,
        *,
        annotations: Path | str | None = None,
        images: Path | str | None = None,
        nocaps: Path | str | None = None,
    ) -> None:
        self.root = Path(root)
        self.nocaps = Path(nocaps) if nocaps else self.root / "nocaps"
        self.annotations = _find_annotations(self.root, Path(annotations) if annotations else None)
        places = [Path(images)] if images else [self.root / place for place in IMAGE_FOLDERS]
        self._image_folders = [
            place / f"{part}{year}" for place in places for year in YEARS for part in PARTS
        ]

    @property
    def departures(self) -> Sequence[str]:
        """That the splits are COCO's own, where Karpathy's file is not there."""
        if len(self.annotations) == 1:
            return ()
        names = " and ".join(path.name for path in self.annotations)
        return (
            f"the splits are COCO's own ({names}), as there is no {KARPATHY} of Karpathy's in "
            f"{self.root}: scores cannot be held against published ones",
        )

    def scored(self, answers: Sequence[Answer], wanted: Collection[str]) -> Scores:
        """The `wanted` metrics; for NoCaps also the mean CIDEr of each domain.

        That is the mean of the images' CIDEr within the whole split, whose captions all count as
        documents.
        """
        scores = super().scored(answers, wanted)
        domains = defaultdict(list)
        for answer, graded in zip(answers, scores.examples, strict=True):
            if answer.example.reference is not None:
                name = f"CIDEr_{answer.example.reference}"
                graded[name] = graded["CIDEr"]
                domains[name].append(graded[name])
        means = {name: 100 * sum(values) / len(values) for name, values in sorted(domains.items())}
        return scores._replace(metrics=scores.metrics | means)

    def submission(self, answers: Sequence[Answer]) -> list[dict[str, Any]]:
        """COCO's results format, which is NoCaps' too."""
        return [{"image_id": int(answer.example.id), "caption": answer.text} for answer in answers]

    def kind(self, example: Example) -> str:
        """The domain of an image of NoCaps: in, near or out of COCO's; otherwise empty."""
        return example.reference or ""

    def questions(self, split: str) -> Iterator[Question]:
        """The images of `split`, each with all its captions."""
        if split == NOCAPS:
            places = [self.nocaps / place for place in NOCAPS_ANNOTATION_FOLDERS]
            records = _read_official(find_file(NOCAPS_FILE, places, fetch=FETCH_NOCAPS), split)
        else:
            records = [record for record in self._records if record.split == split]
        for record in records:
            image = (record.id, record.file_name)
            yield Question(str(record.id), image, PREFIX, record.captions, record.domain)

    def images(
        self, split: str, names: Sequence[tuple[int, str]]
    ) -> Mapping[tuple[int, str], Path]:
        """The image of each number and name."""
        of_nocaps = split == NOCAPS
        return find_images(
            {
                (number, name): (name, *(form.format(number) for form in IMAGE_NAMES))
                for number, name in names
            },
            [self.nocaps / place for place in NOCAPS_IMAGE_FOLDERS]
            if of_nocaps else self._image_folders,
            fetch=FETCH_NOCAPS if of_nocaps else FETCH_IMAGES,
        )  # fmt: skip

    @cached_property
    def _records(self) -> list[Captioned]:
        if len(self.annotations) == 1:
            return _read_karpathy(self.annotations[0])
        return [
            record
            for part, path in zip(PARTS, self.annotations, strict=True)
            for record in _read_official(path, part)
        ]


def _find_annotations(root: Path, given: Path | None) -> tuple[Path, ...]:
    """Karpathy's file, or COCO's own for each of `PARTS`."""
    if given is not None:
        return (find_file(given.name, [given.parent], fetch=FETCH_SPLITS),)
    folders = [root / place for place in ANNOTATION_FOLDERS]
    if not any((folder / KARPATHY).is_file() for folder in folders):
        for year in YEARS:
            for folder in folders:
                own = tuple(folder / f"captions_{part}{year}.json" for part in PARTS)
                if all(path.is_file() for path in own):
                    return own
    return (find_file(KARPATHY, folders, fetch=FETCH_SPLITS),)


def _read_karpathy(path: Path) -> list[Captioned]:
    records = []
    for image in read_records(path, "images")["images"]:
        try:
            record = Captioned(
                id=image["cocoid"],
                split=field(image, "split", str),
                file_name=field(image, "filename", str),
                captions=tuple(
                    field(sentence, "raw", str) for sentence in field(image, "sentences", list)
                ),
            )
        except (KeyError, TypeError) as error:
            what = f"no image with a split and sentences ({error})"
            raise fault(path, f"{image!r:.80}", what) from error
        if record.split not in SPLITS:
            raise fault(path, f"cocoid {record.id}", f"split {record.split!r}")
        records.append(record)
    return _checked(path, records)


def _read_official(path: Path, split: str) -> list[Captioned]:
    """The images of a file in COCO's format, which NoCaps has taken over."""
    content = read_records(path, "images", "annotations")
    captions = defaultdict(list)
    ids = []
    for annotation in content["annotations"]:
        try:
            ids.append(field(annotation, "id", int))
            captions[field(annotation, "image_id", int)].append(field(annotation, "caption", str))
        except TypeError as error:
            raise fault(path, f"{annotation!r:.80}", f"no caption of an image ({error})") from error
    refuse_repeated(path, "annotation", ids)
    records = []
    for image in content["images"]:
        try:
            record = Captioned(
                id=image["id"],
                split=split,
                file_name=field(image, "file_name", str),
                captions=tuple(captions.pop(image["id"], ())),
                domain=field(image, "domain", str) if "domain" in image else None,
            )
        except (KeyError, TypeError) as error:
            raise fault(path, f"{image!r:.80}", f"no image ({error})") from error
        records.append(record)
    records = _checked(path, records)
    if captions:
        raise fault(path, f"image {next(iter(captions))}", "it has captions and is not listed")
    return records


def _checked(path: Path, records: list[Captioned]) -> list[Captioned]:
    for record in records:
        if not isinstance(record.id, int):
            raise fault(path, f"image {record.id!r}", "its id is no number")
    refuse_repeated(path, "image", (record.id for record in records))
    for record in records:
        if not record.captions:
            raise fault(path, f"image {record.id}", "no caption")
        for caption in record.captions:
            if not isinstance(caption, str) or not caption.strip():
                raise fault(path, f"image {record.id}", f"an empty caption, {caption!r}")
    return records
