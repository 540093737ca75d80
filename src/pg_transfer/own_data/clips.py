"""Videos among a user's own data: how many of their frames are seen, and which."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from pg_transfer.data.videos import Video
from pg_transfer.task import OneImage


class Clips(NamedTuple):
    """What a user says of videos.

    Attributes:
        frames: of each that the model sees.
        stride: from one of them to the next; None spreads them over the video.
    """

    frames: int | None
    stride: int | None

    def require_fit(self, column: str | None, kind: str) -> None:
        """Sees to it that the data have videos where frames are asked for, and the other way.

        Args:
            column: of the videos; None if there is none.
            kind: what is learnt. Nothing would say which frame boxes or masks belong to.

        Raises:
            ValueError: they do not fit.
        """
        said = {name: value for name, value in self._asdict().items() if value is not None}
        if column is None:
            if said:
                raise ValueError(f"{' and '.join(said)} are of videos, and the data has none")
            return
        for name, value in said.items():
            if type(value) is not int or value < 1:
                raise ValueError(f"{name}={value!r} has to be a whole number, 1 at least")
        if self.frames is None:
            raise ValueError(
                f"`{column}` are videos: say how many frames of each the model sees, such as "
                f"frames=8. They are spread over the video, or stride=... frames of it apart; each "
                f"is to the model what an image is, with as many tokens"
            )
        if kind != "text":
            raise ValueError(f"the data has videos and {kind}, which say nothing of frames")

    def of(self, video: OneImage) -> Video:
        """What is seen of a video.

        Raises:
            ValueError: it is no file or folder.
        """
        if not isinstance(video, Path):
            raise ValueError("a video that lies inside another file; save it, and name the file")
        assert self.frames is not None
        return Video(video, self.frames, self.stride)
