"""How well the masks of answers with labels, and several objects, cover the true ones.

With a single object it is the number of big_vision
evaluators/proj/paligemma/transfers/segmentation.py; for several nothing was published.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pg_transfer.metrics.averages import require_as_many
from pg_transfer.segmentation.instances import locate, read_instances
from pg_transfer.segmentation.masks import MaskCodec
from pg_transfer.segmentation.scenes import Scene
from pg_transfer.task import Scores


def score_labelled_masks(
    answers: Sequence[str], scenes: Sequence[Scene], codec: MaskCodec
) -> Scores:
    """The verdict on the masks that are named in the answers to a whole split.

    Of each image, all that has the same label is one area, in the answer as in truth. Its IoU is
    averaged over the labels that either names. Crowds are left out of both, and so is a label of
    which the image has nothing but a crowd, if at least half of what is said lies in it.

    Args:
        answers: of the form "<loc....> 4 times <seg...> 16 times label ; ...".
        scenes: the objects of each image, with masks.
        codec: draws the codes.

    Returns:
        In percent `mIoU` (the mean of the examples' `mask_iou`) and `oIoU` (all intersections over
        all unions); the numbers `invalid` (answers that are in part no objects with masks) and
        `total`. For each answer `mask_iou` (0..1), `invalid`, `intersection` and `union` (pixels).

    Raises:
        ValueError: no answers, or not as many scenes.
    """
    require_as_many(answers, scenes=scenes)
    examples = [_score(answer, scene, codec) for answer, scene in zip(answers, scenes, strict=True)]
    sums = {name: sum(one[name] for one in examples) for name in examples[0]}
    union = sums["union"]
    metrics: dict[str, float] = {
        "mIoU": 100 * sums["mask_iou"] / len(examples),
        "oIoU": 100 * sums["intersection"] / union if union else 100.0,
        "invalid": int(sums["invalid"]),
        "total": len(examples),
    }
    return Scores(metrics, examples)


def _score(answer: str, scene: Scene, codec: MaskCodec) -> dict[str, float]:
    reading = read_instances(answer)
    empty = np.zeros((scene.height, scene.width), dtype=bool)
    said: dict[str, np.ndarray] = {}
    true: dict[str, np.ndarray] = {}
    crowd = dict.fromkeys(scene.labels, empty)
    found = locate(reading.instances, codec, height=scene.height, width=scene.width)
    for one in found:
        if one.mask is not None:
            said[one.label] = said.get(one.label, empty) | one.mask
    for thing in scene.things:
        if thing.mask is not None:
            areas = crowd if thing.is_crowd else true
            areas[thing.label] = areas.get(thing.label, empty) | thing.mask()
    overlaps, intersection, union = [], 0, 0
    for label in said.keys() | true.keys():
        counted = ~crowd.get(label, empty)
        one, other = said.get(label, empty) & counted, true.get(label, empty) & counted
        if label in crowd and label not in true and 2 * one.sum() <= said[label].sum():
            continue
        common, both = int((one & other).sum()), int((one | other).sum())
        overlaps.append(common / both if both else 0.0)
        intersection, union = intersection + common, union + both
    lacks_mask = any(one.mask is None for one in found)
    return {
        "mask_iou": sum(overlaps) / len(overlaps) if overlaps else 1.0,
        "invalid": float(bool(reading.malformed) or lacks_mask or (bool(true) and not found)),
        "intersection": float(intersection),
        "union": float(union),
    }
