"""RefCOCO, RefCOCO+ and RefCOCOg: segment what an expression refers to (Yu, Mao et al. 2016).

Sources: big_vision datasets/refcoco/refcoco.py (the splits, and `refcocox_combined` for training)
and configs/proj/paligemma/transfers/refcoco_seg.py; files as in https://github.com/lichengunc/refer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from pg_transfer.data.refer import Ref, read_refs, read_regions
from pg_transfer.data.release import find_images
from pg_transfer.data.splits import slice_of
from pg_transfer.segmentation.masks import MaskCodec
from pg_transfer.segmentation.referring import ReferringTask, Region
from pg_transfer.task import Answer, Draw, Example, Outline, Target

REFERENCES = {"refcoco": "refs(unc).p", "refcoco+": "refs(unc).p", "refcocog": "refs(umd).p"}
HELD_OUT = {
    "refcoco": ("val", "testA", "testB"),
    "refcoco+": ("val", "testA", "testB"),
    "refcocog": ("val", "test"),
}
SIZES = MappingProxyType(
    {
        "refcoco/train": 120624, "refcoco/val": 10834, "refcoco/testA": 5657, "refcoco/testB": 5095,
        "refcoco+/train": 120191, "refcoco+/val": 10758, "refcoco+/testA": 5726,
        "refcoco+/testB": 4889, "refcocog/train": 80512, "refcocog/val": 4896,
        "refcocog/test": 9602,
    }
)  # fmt: skip
"""Sentences of each split, as published; of `train`, whose examples are images, none is."""

INSTANCES = "instances.json"

IMAGE_FOLDERS = ("images/mscoco/images", "images", ".", "coco", "..", "../coco")
IMAGE_YEARS = ("train2014", "train2017")
IMAGE_NAMES = ("COCO_train2014_{:012d}.jpg", "{:012d}.jpg")
FETCH_IMAGES = (
    "Unzip train2014.zip of https://cocodataset.org there, or train2017.zip: the same images under "
    "other names."
)


class Referent(NamedTuple):
    """An object of a training image."""

    region: Region
    sentences: tuple[str, ...]


class RefCOCO(ReferringTask):
    """The three RefCOCO benchmarks together, as the paper trains and scores them.

    `train` has one example per image: the union of the three training sets, without any image that
    a validation or test set of any of the three uses. An annotation that several of the sets, or
    several records of one, refer to is one object with all their sentences, repetitions included.

    All other splits have one example per image, object and sentence: those in `splits`, which the
    paper scores, and `refcoco/train`, `refcoco+/train`, `refcocog/train`.

    Args:
        root: the folder with `refcoco`, `refcoco+` and `refcocog`, as published.
        mask_codec: writes masks as codes and reads them back.
        images: COCO's train2014 or train2017 images; by default looked for in and beside `root`.

    Raises:
        FileNotFoundError: one of these is not there.
    """

    sizes = SIZES
    splits = tuple(f"{name}/{part}" for name, parts in HELD_OUT.items() for part in parts)
    unscored = MappingProxyType(
        {
            "train": "RefCOCO's examples of it are images, of which no object is asked for. Score "
            f"{', '.join(splits)}, which are held out, or what is known by heart: "
            f"{', '.join(f'{name}/train' for name in REFERENCES)}"
        }
    )

    def __init__(
        self, root: Path | str, *, mask_codec: MaskCodec, images: Path | str | None = None
    ) -> None:
        super().__init__(mask_codec)
        self.root = Path(root)
        self.images = _find(self.root, Path(images) if images else None)
        self._regions: dict[str, dict[int, Region]] = {}

    def examples(self, split: str) -> Sequence[Example]:
        """The examples of `split` or a slice of it: per image for `train`, else per sentence.

        Raises:
            FileNotFoundError: an image is missing.
            ValueError: no such split, or a record that cannot be right.
        """
        return slice_of(split, self._read)

    def _read(self, split: str) -> Sequence[Example]:
        known = ("train", *self.splits, *(f"{name}/train" for name in HELD_OUT))
        if split not in known:
            raise ValueError(f"RefCOCO has no split {split!r}; there are {', '.join(known)}")
        examples = self._per_image() if split == "train" else self._per_sentence(*split.split("/"))
        if not examples:
            found = sorted(
                {f"{name}/{ref.split}" for name in REFERENCES for ref in self._refs[name]}
            )
            raise ValueError(
                f"the split {split!r} of RefCOCO is empty: the files in {self.root} "
                f"have {', '.join(found) or 'nothing'}: name one of these instead (`train` leaves "
                "out every image that a validation or test set uses)"
            )
        return examples

    def target(self, example: Example, draw: Draw) -> Target:
        """Of an image another object each epoch, and any one of its sentences."""
        if isinstance(example.reference, Region):
            return super().target(example, draw)
        region, sentences = draw.without_replacement(example.reference)
        return Target(draw.uniform(sentences), self.describe(region))

    def annotated_size(self, example: Example) -> tuple[int, int] | None:
        """That of the image which the region is in, or all of them."""
        reference = example.reference
        return (reference if isinstance(reference, Region) else reference[0].region).size

    def outlines(self, answer: Answer) -> list[Outline]:
        """As ever; of a training image, which has several objects, the one that is described."""
        reference = answer.example.reference
        if isinstance(reference, Region):
            return super().outlines(answer)
        for region, _ in reference:
            if answer.text and self.describe(region).startswith(answer.text):
                example = replace(answer.example, reference=region)
                return super().outlines(answer._replace(example=example))
        return []

    def _per_image(self) -> list[Example]:
        every = [(name, ref) for name, refs in self._refs.items() for ref in refs]
        held_out = {ref.image_id for _, ref in every if ref.split != "train"}
        objects: dict[int, dict[int, Referent]] = {}
        for name, ref in every:
            if ref.image_id in held_out:
                continue
            of_image = objects.setdefault(ref.image_id, {})
            first = Referent(self._region(name, ref), ())
            region, sentences = of_image.get(ref.annotation_id, first)
            sentences = (*sentences, *(text for _, text in ref.sentences))
            of_image[ref.annotation_id] = Referent(region, sentences)
        files = self._image_files(objects)
        return [
            Example(id=str(image_id), image=files[image_id], reference=tuple(of_image.values()))
            for image_id, of_image in sorted(objects.items())
        ]

    def _per_sentence(self, name: str, part: str) -> list[Example]:
        refs = [ref for ref in self._refs[name] if ref.split == part]
        files = self._image_files({ref.image_id for ref in refs})
        return [
            Example(
                id=f"{ref.image_id}-{ref.annotation_id}-{number}",
                image=files[ref.image_id],
                prefix=sentence,
                reference=self._region(name, ref),
            )
            for ref in refs
            for number, sentence in ref.sentences
        ]

    @cached_property
    def _refs(self) -> dict[str, list[Ref]]:
        return {
            name: read_refs(self.root / name / file, ("train", *HELD_OUT[name]))
            for name, file in REFERENCES.items()
        }

    def _region(self, name: str, ref: Ref) -> Region:
        if name not in self._regions:
            self._regions[name] = read_regions(self.root / name / INSTANCES, self._refs[name])
        return self._regions[name][ref.annotation_id]

    def _image_files(self, ids: Iterable[int]) -> dict[int, Path]:
        names = {number: [name.format(number) for name in IMAGE_NAMES] for number in ids}
        return find_images(names, [self.images], fetch=FETCH_IMAGES)


def _find(root: Path, images: Path | None) -> Path:
    """The folder of images, once everything is known to be in place."""
    wanted = [root / name / file for name, file in REFERENCES.items()]
    wanted += [root / name / INSTANCES for name in REFERENCES]
    missing = [str(path) for path in wanted if not path.is_file()]
    folders = (
        [images]
        if images
        else [root / place / year for place in IMAGE_FOLDERS for year in IMAGE_YEARS]
    )
    found = [folder for folder in folders if folder.is_dir()]
    if not found:
        missing.append("folder of images: none of " + ", ".join(map(str, folders)))
    if missing:
        raise FileNotFoundError(
            f"RefCOCO is incomplete, there is no {'; no '.join(missing)}.\n"
            f"Unzip refcoco.zip, refcoco+.zip and refcocog.zip of the REFER release "
            f"(https://github.com/lichengunc/refer) into {root}, and COCO's train2014.zip "
            "(https://cocodataset.org) there as well:\n"
            + "".join(f"  {path.relative_to(root)}\n" for path in wanted)
            + f"  {IMAGE_YEARS[0]}/{IMAGE_NAMES[0].format(9)} ..."
        )
    return found[0]
