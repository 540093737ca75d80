"""Boxes, masks and labels of all the objects that one answer names.

    detect cat ; dog   <loc0102><loc0256><loc0921><loc1023> cat ; <loc....> 4 times dog
    segment cat        <loc....> 4 times <seg...> 16 times cat

Four `<loc>` tokens are a box, sixteen `<seg>` tokens behind them its mask, and the words up to the
next semicolon or token its label; mask, label and semicolon may be missing. big_vision neither
writes nor reads such answers. What is an object is what the authors' demonstration takes for one;
where it lies is worked out as their evaluator of single objects does: 1023 steps from edge to
edge, where the demonstration has 1024.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pg_transfer.segmentation.masks import MaskCodec, paste
from pg_transfer.task import Outline
from pg_transfer.text.locations import BOX_TOKENS, CODE_TOKENS, LOCATIONS, SEGMENTS, box_of_bins

_OBJECT = re.compile(
    rf"((?:<loc[0-9]{{4}}>){{{BOX_TOKENS}}})\s*"
    rf"((?:<seg[0-9]{{3}}>){{{CODE_TOKENS}}})?"
    r"([^;<>]*)"
)
_NUMBER = re.compile("[0-9]+")


@dataclass(frozen=True, slots=True)
class Instance:
    """One object, as an answer says it.

    Attributes:
        label: what it is called; may be empty.
        box: ymin, xmin, ymax, xmax as fractions of the image's height and width.
        codes: sixteen of 0..127, the mask inside the box, row by row; None for a box alone.
    """

    label: str
    box: tuple[float, float, float, float]
    codes: tuple[int, ...] | None


class Reading(NamedTuple):
    """What is in an answer.

    Attributes:
        instances: its objects, in order.
        malformed: the stretches of it that are none, in order: a box of three tokens, a mask of
            fifteen, a box that ends before it begins, words before a box. Empty for an answer in
            words alone.
    """

    instances: list[Instance]
    malformed: list[str]


class Found(NamedTuple):
    """One object in an image.

    Attributes:
        label: what it is called; may be empty.
        box: x0, y0, x1, y1 in pixels of the original image, from its left and upper edge, with
            fractions: the whole image is 0, 0, width, height.
        mask: bool [H, W] at the image's own size, without a pixel where the box holds no whole
            one; None for a box alone.
    """

    label: str
    box: tuple[float, float, float, float]
    mask: np.ndarray | None


def read_instances(answer: str) -> Reading:
    """All objects of an answer, and what of it cannot be read. Never fails."""
    instances, malformed = [], []
    end = 0
    for match in _OBJECT.finditer(answer):
        malformed.append(answer[end : match.start()])
        end = match.end()
        instance = _instance(*match.groups())
        if instance is None:
            malformed.append(match[0])
        else:
            instances.append(instance)
    malformed.append(answer[end:])
    if not instances and "<loc" not in answer and "<seg" not in answer:
        return Reading([], [])
    return Reading(instances, [part for text in malformed if (part := text.strip(" ;\t\n"))])


def _instance(box: str, codes: str | None, label: str) -> Instance | None:
    """None if the numbers are no box or no codes."""
    bins = [int(number) for number in _NUMBER.findall(box)]
    numbers = [int(number) for number in _NUMBER.findall(codes or "")]
    ymin, xmin, ymax, xmax = bins
    if ymax <= ymin or xmax <= xmin:
        return None
    if max(bins) >= len(LOCATIONS) or max(numbers, default=0) >= len(SEGMENTS):
        return None
    ymin, xmin, ymax, xmax = box_of_bins(bins).tolist()
    return Instance(label.strip(), (ymin, xmin, ymax, xmax), tuple(numbers) or None)


def locate(
    instances: Sequence[Instance], codec: MaskCodec | None, *, height: int, width: int
) -> list[Found]:
    """Where objects are in an image of `height` times `width` pixels.

    Args:
        instances: of an answer about it.
        codec: draws the masks; without one there are none.
        height: of the original image, in pixels.
        width: likewise.
    """
    coded = [one.codes for one in instances if one.codes is not None]
    maps = iter(codec.decode(np.array(coded)) if codec is not None and coded else ())
    found = []
    for one in instances:
        mask = None
        if one.codes is not None and codec is not None:
            mask = paste(next(maps), one.box, height=height, width=width)
            if mask is None:
                mask = np.zeros((height, width), dtype=bool)
        ymin, xmin, ymax, xmax = one.box
        box = (xmin * width, ymin * height, xmax * width, ymax * height)
        found.append(Found(one.label, box, mask))
    return found


def answered_outlines(
    text: str, codec: MaskCodec | None, *, height: int, width: int
) -> list[Outline]:
    """The objects that an answer names, to be drawn into its image; see `locate`."""
    instances = read_instances(text).instances
    found = locate(instances, codec, height=height, width=width)
    return [
        Outline("answer", one.box, seen.mask, one.label)
        for one, seen in zip(instances, found, strict=True)
    ]
