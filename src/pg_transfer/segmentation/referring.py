"""What tasks share whose answer is the box and the mask of one object in the image.

Sources: big_vision pp/proj/paligemma/segmentation.py (the answer to learn) and
evaluators/proj/paligemma/transfers/segmentation.py (its score).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from pg_transfer.metrics.segmentation import FORMULAS, Truth, score_masks
from pg_transfer.segmentation.masks import MaskCodec, mask_crop, paste
from pg_transfer.segmentation.scenes import Box
from pg_transfer.task import Answer, Draw, Example, Outline, Scores, Target, Task
from pg_transfer.text.locations import (
    box_of_bins,
    box_to_text,
    codes_to_text,
    read_box_and_codes,
)


@dataclass(frozen=True, eq=False, slots=True)
class Region:
    """One object in an image.

    Attributes:
        box: where it is.
        mask: draws it, bool [H, W] in the image's own resolution; called whenever it is needed, so
            that a split's masks need never be in memory together.
        size: width and height of that image in pixels, where the annotations say them.
    """

    box: Box
    mask: Callable[[], np.ndarray]
    size: tuple[int, int] | None = None


class ReferringTask(Task):
    """A task whose examples' `reference` is the `Region` that their prefix refers to.

    Args:
        mask_codec: writes masks as codes, and draws the codes of answers.
    """

    formulas = FORMULAS

    def __init__(self, mask_codec: MaskCodec) -> None:
        self.mask_codec = mask_codec
        self._described: dict[Region, str] = {}

    def target(self, example: Example, draw: Draw) -> Target:
        """The prefix, and the region as the model is to write it; every epoch the same."""
        return Target(example.prefix, self.describe(example.reference))

    def annotated_size(self, example: Example) -> tuple[int, int] | None:
        """That of the image which the region is in."""
        return example.reference.size

    def describe(self, region: Region) -> str:
        """Four `<loc>` and sixteen `<seg>` tokens, without anything between or after them.

        Worked out once per region and process: every object comes again each epoch.
        """
        if region not in self._described:
            crop = mask_crop(region.mask(), region.box)
            codes = self.mask_codec.encode(crop[None])[0]
            self._described[region] = box_to_text(region.box) + codes_to_text(codes)
        return self._described[region]

    def score(self, answers: Sequence[Answer]) -> Scores:
        """Mean mask IoU and box accuracies; see `pg_transfer.metrics.segmentation.score_masks`."""
        regions = [answer.example.reference for answer in answers]
        return score_masks(
            [read_box_and_codes(answer.pieces) for answer in answers],
            [Truth(region.box, region.mask) for region in regions],
            self.mask_codec,
        )

    def outlines(self, answer: Answer) -> list[Outline]:
        """The region that is meant, and the one that was answered unless it is invalid."""
        region = answer.example.reference
        truth = region.mask()
        outlines = [Outline("truth", region.box, truth)]
        said = read_box_and_codes(answer.pieces)
        if said is not None:
            ymin, xmin, ymax, xmax = box = box_of_bins(said.bins).tolist()
            decoded = self.mask_codec.decode(said.codes[None])[0]
            mask = paste(decoded, box, height=truth.shape[0], width=truth.shape[1])
            outlines.append(Outline("answer", (ymin, xmin, ymax, xmax), mask))
        return outlines
