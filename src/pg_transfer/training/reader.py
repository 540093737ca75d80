"""From an example to numbers: its image and its text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pg_transfer.data import images, resizing
from pg_transfer.data.images import Head, Picture
from pg_transfer.task import Clip, Draw, Example, OneImage, Task
from pg_transfer.text.sequence import Layout, prompt_layout, training_layout
from pg_transfer.text.tokenizer import Tokenizer
from pg_transfer.training.prepared_images import PreparedImages


class ImageError(ValueError):
    """An example's image cannot be read; the message names both."""


class MissingImageError(ImageError, FileNotFoundError):
    """There is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Antialias:
    """Whether shrinking an image takes all its pixels into account.

    Attributes:
        train: where the model learns from it.
        evaluate: where the model is asked about it; for some transfers of the paper not the same.
    """

    train: bool
    evaluate: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """How an example becomes numbers.

    Attributes:
        task: says what to learn from an example.
        tokenizer: for the text.
        resolution: image side in pixels.
        text_length: text tokens fed to the model.
        antialias: in the resize; each transfer has its own settings.
        antialias_of: those of components of the task that have their own, by name.
        prepared: for either value of that flag where image files are kept once they are resized;
            empty to decode them every time.
        skips: an image that cannot be read is left out and told of; otherwise it is an error.
    """

    task: Task
    tokenizer: Tokenizer
    resolution: int
    text_length: int
    antialias: Antialias
    antialias_of: Mapping[str, Antialias] = field(default_factory=dict)
    prepared: Mapping[bool, PreparedImages] = field(default_factory=dict)
    skips: bool = False

    def lesson(self, example: Example, draw: Draw) -> tuple[np.ndarray, Layout]:
        """The image, as `prompt` gives it, and prefix and suffix, as all are drawn this time."""
        prefix, suffix = self.task.target(example, draw)
        layout = training_layout(
            self.tokenizer.encode(prefix), self.tokenizer.encode(suffix),
            tokenizer=self.tokenizer, text_length=self.text_length,
        )  # fmt: skip
        return self._pixels(example, antialias=self.flags(example).train, draw=draw), layout

    def prompt(
        self, example: Example, known: np.ndarray | None = None
    ) -> tuple[np.ndarray, Layout]:
        """The image, or `known`, if it was read before; the prefix alone.

        It is uint8 [R, R, 3]; several are [F, R, R, 3]. Frames of a video are float32 of the same
        range, as the paper left their values between two grey levels (big_vision
        pp/proj/paligemma/video.py); where there are too few, they come again from the first on.
        """
        layout = prompt_layout(
            self.tokenizer.encode(example.prefix),
            tokenizer=self.tokenizer, text_length=self.text_length,
        )  # fmt: skip
        if known is None:
            known = self._pixels(example, antialias=self.flags(example).evaluate)
        return known, layout

    def blank(self, example: Example) -> np.ndarray:
        """Something in place of an image that cannot be read."""
        if isinstance(example.image, Clip):
            return np.zeros((example.seen, self.resolution, self.resolution, 3), np.float32)
        one = np.zeros((self.resolution, self.resolution, 3), np.uint8)
        return np.stack([one] * len(example.images)) if isinstance(example.image, tuple) else one

    def flags(self, example: Example) -> Antialias:
        """How the example's images are shrunk."""
        return self.antialias_of.get(self.task.component(example), self.antialias)

    def _pixels(self, example: Example, *, antialias: bool, draw: Draw | None = None) -> np.ndarray:
        """The image, resized; see `prompt`.

        Raises:
            MissingImageError: there is no such file; the message names it and the example.
            ImageError: it is no image, or not the one that the task means; likewise.
        """
        try:
            if isinstance(example.image, Clip):
                return self._frames(example.image, antialias, draw)
            pictures = [self._resized(image, antialias=antialias) for image in example.images]
            width, height, is_on_its_side = pictures[0].head
            self.task.require_image(example, (width, height), is_on_its_side=is_on_its_side)
        except FileNotFoundError as error:
            raise MissingImageError(f"example {example.id!r}: {error}") from error
        except ValueError as error:
            raise ImageError(f"example {example.id!r}: {error}") from error
        if isinstance(example.image, tuple):
            return np.stack([picture.pixels for picture in pictures])
        return pictures[0].pixels

    def _frames(self, clip: Clip, antialias: bool, draw: Draw | None) -> np.ndarray:
        frames = resizing.resize_frames(clip.frames(draw), self.resolution, antialias=antialias)
        return np.stack(clip.repeated(frames))

    def _resized(self, source: OneImage, *, antialias: bool) -> Picture:
        if isinstance(source, images.MarkedImage):
            picture = self._resized(source.path, antialias=antialias)
            return picture._replace(pixels=source.marked(picture))
        if isinstance(source, Path) and antialias in self.prepared:
            return self.prepared[antialias](source)
        pixels, head = _read(source)
        return Picture(resizing.resize(pixels, self.resolution, antialias=antialias), head)


def _read(source: OneImage) -> Picture:
    if isinstance(source, images.StoredImage):
        return images.read_image(source.content)
    if isinstance(source, Path):
        return images.read_image(source)
    pixels = source()
    height, width = pixels.shape[:2]
    return Picture(pixels, Head(width, height, is_on_its_side=False))
