"""How well boxes and masks of `<loc>` and `<seg>` answers fit the true ones.

Source: big_vision evaluators/proj/paligemma/transfers/segmentation.py. oIoU is added: the
referring-expression literature reports it too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from pg_transfer.metrics.averages import require_as_many
from pg_transfer.segmentation.masks import MaskCodec, paste
from pg_transfer.task import Formula, Scores
from pg_transfer.text.locations import BoxAndCodes, box_of_bins

BOX_THRESHOLDS = (0.5, 0.75)

FORMULAS: Mapping[str, Formula] = {
    "mIoU": lambda means: 100 * means["mask_iou"],
    "oIoU": lambda means: 100 * means["intersection"] / means["union"],
}
"""How these follow from the means of the examples' scores."""

_DECODED_AT_ONCE = 256


class Truth(NamedTuple):
    """The object that an answer should have outlined.

    Attributes:
        box: ymin, xmin, ymax, xmax as fractions of the image's height and width.
        mask: bool or uint8 [H, W] at the image's own resolution, not 0 is foreground; or a
            function that makes it, where a whole split's masks would not fit into memory.
    """

    box: Sequence[float] | np.ndarray
    mask: np.ndarray | Callable[[], np.ndarray]


def score_masks(
    answers: Sequence[BoxAndCodes | None], truths: Sequence[Truth], codec: MaskCodec
) -> Scores:
    """The evaluator's verdict on answers to a whole split.

    Args:
        answers: what `read_box_and_codes` makes of each; None, an invalid answer, counts as wrong.
        truths: what each should have been.
        codec: draws the codes. The paper's numbers need the official one.

    Returns:
        Over all answers `mIoU` (the mean of their mask IoUs), `box_accuracy@0.5`,
        `box_accuracy@0.75` and `oIoU` (all intersections over all unions) in percent, and the
        numbers `invalid` and `total`. For each answer `mask_iou` and `box_iou` (0..1), the box
        accuracies and `invalid` (0 or 1; the latter: no answer, or a box without a pixel),
        `intersection` and `union` (pixels).

    Raises:
        ValueError: no answers, or not one truth for each.
    """
    require_as_many(answers, truths=truths)
    maps = _decoded(answers, codec)
    examples = [
        _score(answer, truth, decoded)
        for answer, truth, decoded in zip(answers, truths, maps, strict=True)
    ]
    columns = {name: np.array([scores[name] for scores in examples]) for name in examples[0]}
    metrics: dict[str, float] = {"mIoU": 100 * float(columns["mask_iou"].mean())}
    for threshold in BOX_THRESHOLDS:
        name = f"box_accuracy@{threshold}"
        metrics[name] = 100 * float(columns[name].mean())
    metrics["oIoU"] = 100 * _ratio(columns["intersection"].sum(), columns["union"].sum())
    metrics["invalid"] = int(columns["invalid"].sum())
    metrics["total"] = len(examples)
    return Scores(metrics, examples)


def box_iou(box: Sequence[float] | np.ndarray, other: Sequence[float] | np.ndarray) -> float:
    """Intersection over union of two boxes (ymin, xmin, ymax, xmax), in the units they are in.

    0 if neither has an area.
    """
    corners = np.array([box, other], dtype=np.float64)
    sides = corners.min(0)[2:] - corners.max(0)[:2]
    intersection = sides.clip(0).prod()
    areas = (corners[:, 2:] - corners[:, :2]).prod(1)
    return _ratio(intersection, areas.sum() - intersection)


def _decoded(
    answers: Sequence[BoxAndCodes | None], codec: MaskCodec
) -> Iterator[np.ndarray | None]:
    """The map of each answer; decoded many at a time, which is far quicker than one by one."""
    for start in range(0, len(answers), _DECODED_AT_ONCE):
        part = answers[start : start + _DECODED_AT_ONCE]
        codes = [answer.codes for answer in part if answer is not None]
        maps = iter(codec.decode(np.stack(codes)) if codes else ())
        for answer in part:
            yield None if answer is None else next(maps)


def _score(
    answer: BoxAndCodes | None, truth: Truth, decoded: np.ndarray | None
) -> dict[str, float]:
    true_mask = (truth.mask() if callable(truth.mask) else truth.mask) > 0
    mask, overlap = None, 0.0
    if answer is not None and decoded is not None:
        box = box_of_bins(answer.bins)
        height, width = true_mask.shape
        mask = paste(decoded, box, height=height, width=width)
        overlap = box_iou(box, truth.box)
    intersection = 0 if mask is None else int((mask & true_mask).sum())
    union = int(true_mask.sum()) + (0 if mask is None else int(mask.sum())) - intersection
    return {
        "mask_iou": _ratio(intersection, union),
        "box_iou": overlap,
        **{f"box_accuracy@{least}": float(overlap >= least) for least in BOX_THRESHOLDS},
        "invalid": float(mask is None),
        "intersection": float(intersection),
        "union": float(union),
    }


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole > 0 else 0.0
