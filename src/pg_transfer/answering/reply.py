"""An answer and what it points at in its image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from pg_transfer.segmentation.drawing import draw_found
from pg_transfer.segmentation.instances import Found, locate, read_instances
from pg_transfer.segmentation.masks import MaskCodec


@dataclass(frozen=True, slots=True, eq=False)
class Reply:
    """An answer and what it points at.

    Attributes:
        prompt: what was asked.
        text: the answer up to the end of sequence, not stripped.
        pixels: of the image, uint8 [H, W, 3]; of several, those of the first.
        objects: the boxes and masks in the answer, in its order.
        malformed: what of the answer looks like those and cannot be read.
        undrawn: objects whose mask could not be drawn for want of a mask codec.
    """

    prompt: str
    text: str
    pixels: np.ndarray
    objects: list[Found]
    malformed: list[str]
    undrawn: int

    def draw(self) -> Image.Image:
        """The image with the objects drawn into it; one without a label has the prompt for it."""
        objects = self.objects
        if len(objects) == 1 and not objects[0].label:
            objects = [objects[0]._replace(label=self.prompt)]
        return draw_found(self.pixels, objects)


def read_reply(prompt: str, text: str, pixels: np.ndarray, codec: MaskCodec | None) -> Reply:
    """The reply that an answer is.

    Args:
        prompt: what was asked.
        text: the answer.
        pixels: of the image, uint8 [H, W, 3].
        codec: draws masks; None leaves them undrawn.
    """
    instances, malformed = read_instances(text)
    height, width = pixels.shape[:2]
    found = locate(instances, codec, height=height, width=width)
    return Reply(prompt, text, pixels, found, malformed, undrawn_in(text, codec))


def undrawn_in(text: str, codec: MaskCodec | None) -> int:
    """Objects of an answer whose mask cannot be drawn for want of a mask codec."""
    if codec is not None:
        return 0
    return sum(one.codes is not None for one in read_instances(text).instances)
