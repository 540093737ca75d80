"""How well boxes and labels of answers fit the true ones: COCO's average precision.

Source: pycocotools' COCOeval (Lin et al. 2014, arXiv:1405.0312), which does the work.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from io import StringIO
from typing import Any

from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from pg_transfer.metrics.averages import require_as_many
from pg_transfer.segmentation.instances import Reading, read_instances
from pg_transfer.segmentation.scenes import Box, Scene, Thing
from pg_transfer.task import Formula, Scores

F1 = "f1@0.5"
PRECISIONS = ("box_AP", "box_AP50", "box_AP75")  # COCOeval's first three

FORMULAS: Mapping[str, Formula] = {
    F1: lambda means: 100 * 2 * means["found"] / (means["answered"] + means["meant"])
}
"""How this follows from the means of the examples' scores."""


def score_boxes(answers: Sequence[str], scenes: Sequence[Scene]) -> Scores:
    """COCO's verdict on the boxes that are named in the answers to a whole split.

    A language model says no confidence, which average precision ranks by: all boxes have the same,
    and so the order of the split stands in for the ranking. `f1@0.5` does not depend on one: a box
    is found if another of the same label overlaps it by at least half, each being used once.

    Args:
        answers: of the form "<loc....> 4 times label ; ...".
        scenes: the objects of each image.

    Returns:
        In percent `box_AP` (the mean over overlaps of 0.5 to 0.95, and over labels), `box_AP50`,
        `box_AP75` and `f1@0.5`; the numbers `invalid` (answers that are in part no boxes) and
        `total`. For each answer its own f1 and `found`, `answered` and `meant` boxes.

    Raises:
        ValueError: no answers, not as many scenes, or not one box in them.
    """
    require_as_many(answers, scenes=scenes)
    if not any(scene.asked for scene in scenes):
        raise ValueError("there is not one box to be found in the images of this split")
    readings = [read_instances(answer) for answer in answers]
    evaluation = _evaluate(readings, scenes)
    examples = _counts(evaluation, readings)
    total = {name: sum(one[name] for one in examples) for name in ("found", "answered", "meant")}
    metrics: dict[str, float] = {
        name: 100 * float(value) for name, value in zip(PRECISIONS, evaluation.stats, strict=False)
    }
    metrics[F1] = 100 * 2 * total["found"] / (total["answered"] + total["meant"])
    metrics["invalid"] = int(sum(one["invalid"] for one in examples))
    metrics["total"] = len(examples)
    return Scores(metrics, examples)


def read_things(answer: str) -> tuple[Thing, ...]:
    """The objects of a true answer, as a scene has them; none if it is not boxes and nothing else.

    Args:
        answer: of the form "<loc....> 4 times label ; ...", masks included.
    """
    reading = read_instances(answer)
    if reading.malformed:
        return ()
    return tuple(Thing(one.box, one.label) for one in reading.instances)


def _evaluate(readings: Sequence[Reading], scenes: Sequence[Scene]) -> Any:
    """COCOeval after its work; images are numbered from 1, as it takes 0 for "no match"."""
    said = [
        (image, one.box, one.label, scene)
        for image, (reading, scene) in enumerate(zip(readings, scenes, strict=True), start=1)
        for one in reading.instances
    ]
    true = [
        (image, thing, scene)
        for image, scene in enumerate(scenes, start=1)
        for thing in scene.things
    ]
    labels = sorted({label for _, _, label, _ in said} | {thing.label for _, thing, _ in true})
    numbers = {label: number for number, label in enumerate(labels, start=1)}
    truth: dict[str, Any] = {
        "images": [{"id": image} for image in range(1, len(scenes) + 1)],
        "categories": [{"id": number, "name": label} for label, number in numbers.items()],
        "annotations": [
            _annotation(number, image, thing.box, numbers[thing.label], scene)
            | {"iscrowd": int(thing.is_crowd)}
            for number, (image, thing, scene) in enumerate(true, start=1)
        ],
    }
    answered = dict(truth)
    answered["annotations"] = [
        _annotation(number, image, box, numbers[label], scene) | {"iscrowd": 0, "score": 1.0}
        for number, (image, box, label, scene) in enumerate(said, start=1)
    ]
    with redirect_stdout(StringIO()):
        evaluation = COCOeval(_indexed(truth), _indexed(answered), "bbox")
        limits = evaluation.params.maxDets  # precision is of an image's first hundred of a label,
        limits.append(limits[-1] + len(said))  # what is found of all
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation


def _annotation(number: int, image: int, box: Box, category: int, scene: Scene) -> dict[str, Any]:
    ymin, xmin, ymax, xmax = box
    left, top = xmin * scene.width, ymin * scene.height
    across, down = xmax * scene.width - left, ymax * scene.height - top
    return {
        "id": number,
        "image_id": image,
        "category_id": category,
        "bbox": [left, top, across, down],
        "area": across * down,
    }


def _indexed(content: dict[str, Any]) -> COCO:
    annotations = COCO()
    annotations.dataset = content  # type: ignore[assignment]
    annotations.createIndex()
    return annotations


def _counts(evaluation: Any, readings: Sequence[Reading]) -> list[dict[str, float]]:
    """For each image what COCOeval has matched, at an overlap of 0.5 and boxes of any size."""
    names = ("found", "answered", "meant")
    counts = [dict.fromkeys(names, 0.0) for _ in readings]
    any_size = evaluation.params.areaRng[0]
    for matched in evaluation.evalImgs:
        if matched is None or matched["aRng"] != any_size:
            continue
        of_image = counts[matched["image_id"] - 1]
        counted = ~matched["dtIgnore"][0].astype(bool)
        of_image["found"] += float(((matched["dtMatches"][0] > 0) & counted).sum())
        of_image["answered"] += float(counted.sum())
        of_image["meant"] += float((matched["gtIgnore"] == 0).sum())
    return [
        {F1: _f1(one), **one, "invalid": float(bool(reading.malformed))}
        for one, reading in zip(counts, readings, strict=True)
    ]


def _f1(counts: Mapping[Any, float]) -> float:
    """1 where there is nothing to find and nothing was answered."""
    boxes = counts["answered"] + counts["meant"]
    return 2 * counts["found"] / boxes if not math.isclose(boxes, 0) else 1.0
