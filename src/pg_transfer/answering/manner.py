"""How a model is asked: as the evaluation of its run does, or else as seems best."""

from __future__ import annotations

from dataclasses import dataclass

from omegaconf import DictConfig

from pg_transfer.answering.given_videos import Seen
from pg_transfer.model.decoding import GREEDY, Decoding


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How a model is asked. The defaults are for one that comes from elsewhere.

    Attributes:
        antialias: when an image is shrunk, all its pixels count. The paper's transfers have it
            both ways; big_vision's template for data of one's own (`forkme`) shrinks like this.
        text_length: text tokens that a prompt is padded to; a longer one is not cut.
        max_tokens: the most that an answer may have.
        decoding: how answers are found.
        mixed: on a GPU, compute in bfloat16 where weights are float32.
        frames: of a video that are seen; None for a model that has learnt from none.
        stride: from one of them to the next; None spreads them over the video.
        images: that it has learnt from at a time; None where nobody knows.
    """

    antialias: bool = True
    text_length: int = 0
    max_tokens: int = 256
    decoding: Decoding = GREEDY
    mixed: bool = True
    frames: int | None = None
    stride: int | None = None
    images: int | None = None

    @property
    def seen(self) -> Seen:
        """At a time."""
        return Seen(self.frames, self.stride, self.images)

    @classmethod
    def of_run(cls, settings: DictConfig) -> Manner:
        """That of a run's own evaluation."""
        seen = Seen.of_run(settings)
        return cls(
            antialias=settings.antialias.evaluate,
            text_length=settings.recipe.text_length,
            max_tokens=settings.recipe.text_length,
            decoding=Decoding(
                beams=settings.beams, temperature=settings.temperature, nucleus=settings.nucleus
            ),
            mixed=str(settings.trainer.precision).endswith("mixed"),
            frames=seen.frames,
            stride=seen.stride,
            images=seen.images,
        )
