"""The files of the REFER release (https://github.com/lichengunc/refer): referring expressions.

A data set is a folder with `instances.json`, COCO style, and one `refs(...).p` for each way it has
been split. What is read is checked: a wrong box or mask would go unnoticed, and cost score.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from pg_transfer.data.safe_pickle import read_pickle
from pg_transfer.segmentation.referring import Box, Region
from pg_transfer.segmentation.run_lengths import drawn, run_lengths

OVERSHOOT_PX = 1
"""COCO rounds a box's corner and its sides, so that it may end a trifle outside the image."""


class Ref(NamedTuple):
    """One record of a refs file: an object of an image, and what it has been called.

    Attributes:
        id: unique in its file.
        split: "train", "val", ...
        image_id: COCO's.
        annotation_id: COCO's.
        sentences: pairs of an id, unique in its file, and a sentence.
    """

    id: int
    split: str
    image_id: int
    annotation_id: int
    sentences: tuple[tuple[int, str], ...]


def read_refs(path: Path, splits: Sequence[str]) -> list[Ref]:
    """The records of a refs file, in its order.

    Args:
        path: e.g. "refcoco/refs(unc).p".
        splits: those that it has.

    Raises:
        ValueError: a record without split or sentence, or an id given twice; the message names it.
    """
    records = read_pickle(path)
    if not isinstance(records, list):
        raise _fault(path, "the whole file", "no list of references")
    refs = [_ref(path, record, splits) for record in records]
    _refuse_repeated(path, "ref_id", [ref.id for ref in refs])
    _refuse_repeated(path, "sent_id", [number for ref in refs for number, _ in ref.sentences])
    return refs


def _ref(path: Path, record: Any, splits: Sequence[str]) -> Ref:
    try:
        ref = Ref(
            id=record["ref_id"],
            split=record["split"],
            image_id=record["image_id"],
            annotation_id=record["ann_id"],
            sentences=tuple((one["sent_id"], one["sent"]) for one in record["sentences"]),
        )
        wordless = not ref.sentences or not all(text.strip() for _, text in ref.sentences)
        _require_numbers(ref.id, ref.image_id, ref.annotation_id, *(n for n, _ in ref.sentences))
    except (KeyError, TypeError, AttributeError) as error:
        raise _fault(path, f"record {record!r:.80}", f"no reference ({error!r})") from error
    if ref.split not in splits:
        raise _fault(path, f"ref_id {ref.id}", f"split {ref.split!r}, not {', '.join(splits)}")
    if wordless:
        raise _fault(path, f"ref_id {ref.id}", "no sentence, or an empty one")
    return ref


def _require_numbers(*ids: Any) -> None:
    odd = [one for one in ids if type(one) is not int]
    if odd:
        raise TypeError(f"{odd[0]!r} is no id")


def _refuse_repeated(path: Path, kind: str, numbers: Iterable[int]) -> None:
    repeated = [number for number, count in Counter(numbers).items() if count > 1]
    if repeated:
        others = f"; so are {len(repeated) - 1} others" if len(repeated) > 1 else ""
        raise _fault(path, f"{kind} {repeated[0]}", f"repeated{others}")


def read_regions(path: Path, refs: Sequence[Ref]) -> dict[int, Region]:
    """The annotations that `refs` refer to, by id.

    Args:
        path: an "instances.json".
        refs: of the same data set.

    Raises:
        ValueError: one is missing or cannot be right; the message names it.
    """
    try:
        content = json.loads(path.read_bytes())
        sizes = {image["id"]: (image["height"], image["width"]) for image in content["images"]}
        annotations = {annotation["id"]: annotation for annotation in content["annotations"]}
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise _fault(path, "the whole file", f"no COCO annotations ({error!r})") from error
    regions: dict[int, Region] = {}
    for ref in refs:
        annotation = annotations.get(ref.annotation_id)
        if annotation is None or ref.image_id not in sizes:
            absent = f"image {ref.image_id}" if annotation else f"annotation {ref.annotation_id}"
            raise _fault(path, f"{absent} of ref_id {ref.id}", "missing")
        if annotation.get("image_id") != ref.image_id:
            where = (
                f"in image {annotation.get('image_id')}, not {ref.image_id} as ref_id {ref.id} says"
            )
            raise _fault(path, f"annotation {ref.annotation_id}", where)
        if ref.annotation_id not in regions:
            regions[ref.annotation_id] = _region(path, annotation, *sizes[ref.image_id])
    return regions


def _region(path: Path, annotation: dict[str, Any], height: int, width: int) -> Region:
    try:
        box = _fractions(annotation["bbox"], height, width)
        lengths = run_lengths(annotation["segmentation"], height, width)
    except Exception as error:  # pycocotools has no exceptions of its own
        raise _fault(path, f"annotation {annotation['id']}", f"no box or mask: {error}") from error
    return Region(box, partial(drawn, lengths), (width, height))


def _fractions(bbox: Sequence[float], height: int, width: int) -> Box:
    """(left, top, width, height) in pixels as (ymin, xmin, ymax, xmax) in fractions."""
    left, top, across, down = bbox
    right, bottom = left + across, top + down
    if not (round(left) < round(right) and round(top) < round(bottom)):
        raise ValueError(f"the box {bbox} (left, top, width, height) covers no pixel")
    if min(left, top, width - right, height - bottom) < -OVERSHOOT_PX:
        raise ValueError(
            f"the box {bbox} (left, top, width, height) leaves the image of {width}x{height}"
        )
    return top / height, left / width, bottom / height, right / width


def _fault(path: Path, record: str, what: str) -> ValueError:
    return ValueError(
        f"{path}, {record}: {what}. The published file is not like that: unzip it again."
    )
