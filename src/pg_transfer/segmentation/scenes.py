"""Several labelled objects of one image, and the answer that names them all.

    detect cat ; dog   <loc0102><loc0256><loc0921><loc1023> cat ; <loc....> 4 times dog

`segmentation/instances.py` reads such answers. Coordinates and codes are those of big_vision
pp/proj/paligemma/segmentation.py; the form of lists with labels is that of the pretraining's
`detect` and `segment` requests, for which nothing was published but examples.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pg_transfer.segmentation.masks import MaskCodec, mask_crop
from pg_transfer.text.locations import box_to_text, codes_to_text

Box = tuple[float, float, float, float]
"""ymin, xmin, ymax, xmax as fractions of the image's height and width."""

SEPARATOR = " ; "

NO_PIXEL = "its mask has not one pixel in its box"


@dataclass(frozen=True, eq=False, slots=True)
class Thing:
    """An object in an image.

    Attributes:
        box: where it is.
        label: what it is called; may be empty.
        mask: draws it, bool [H, W] in the image's own resolution; None where only boxes are known.
        is_crowd: several objects in one, as COCO has them: never an answer to learn, and
            answers inside it count neither as right nor as wrong.
    """

    box: Box
    label: str = ""
    mask: Callable[[], np.ndarray] | None = None
    is_crowd: bool = False


@dataclass(frozen=True, eq=False, slots=True)
class Scene:
    """The objects of an image.

    Attributes:
        height: of the image, in pixels.
        width: likewise.
        things: all of them, crowds included.
    """

    height: int
    width: int
    things: tuple[Thing, ...]

    @property
    def asked(self) -> list[Thing]:
        """Those that an answer has to name."""
        return [thing for thing in self.things if not thing.is_crowd]

    @property
    def labels(self) -> list[str]:
        """What there is to name, each once."""
        return list(dict.fromkeys(thing.label for thing in self.asked))


def describe(scene: Scene, codec: MaskCodec | None) -> str:
    """The answer that names every object of an image, in their order; empty if there are none.

    Args:
        scene: the objects.
        codec: writes their masks; without one there are boxes alone.

    Raises:
        ValueError: a box cannot be, or holds no pixel of the image or of its mask.
    """
    things = scene.asked
    codes = [""] * len(things)
    if codec is not None and things:
        crops = [mask_crop(thing.mask(), thing.box) for thing in things if thing.mask]
        empty = [number for number, crop in enumerate(crops, start=1) if not crop.any()]
        if empty:
            raise ValueError(f"object {empty[0]}: {NO_PIXEL}")
        codes = [codes_to_text(of_mask) for of_mask in codec.encode(np.stack(crops))]
    return SEPARATOR.join(
        f"{box_to_text(thing.box)}{its_codes} {thing.label}".rstrip()
        for thing, its_codes in zip(things, codes, strict=True)
    )
