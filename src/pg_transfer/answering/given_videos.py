"""Videos as users give them, of which a model sees as many frames as it has learnt from."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from omegaconf import DictConfig

from pg_transfer.data.video_files import SUFFIXES
from pg_transfer.data.videos import Video


class Frames(tuple[np.ndarray, ...]):
    """Those of a video that are seen, each uint8 [H, W, 3].

    They are resized to values between two grey levels, as in training, where images are rounded.
    """


class Seen(NamedTuple):
    """What is seen at a time.

    Attributes:
        frames: of a video; None for a model that has learnt from none.
        stride: from one frame to the next; None spreads them over the video.
        images: that the model has learnt from at a time; None where nobody knows.
    """

    frames: int | None = None
    stride: int | None = None
    images: int | None = None

    @property
    def at_a_time(self) -> int | None:
        """How many images, or frames, a prompt has to be about; None for any."""
        return self.frames or self.images

    @classmethod
    def of_run(cls, settings: DictConfig) -> Seen:
        """That which a run has learnt from; of a mixture, what its tasks agree about."""
        task = settings.get("task") or {}
        tasks = [one.task for one in (task.get("components") or {}).values()] or [task]
        found = {(one.get("frames"), one.get("stride")) for one in tasks}
        frames, stride = found.pop() if len(found) == 1 else (None, None)
        return cls(frames, stride, settings.get("images_of_an_example"))

    def read(self, path: Path) -> Frames:
        """The frames of a video file.

        Raises:
            FileNotFoundError: there is no such file.
            ImportError: nothing is installed that decodes it.
            ValueError: it cannot be read, or nothing says how many frames are seen.
        """
        video = self._video(path)
        return Frames(video.repeated(list(video.frames())))

    def look(self, path: Path) -> None:
        """Decodes the first frame; errors are those of `read`."""
        next(self._video(path).frames())

    def _video(self, path: Path) -> Video:
        if self.frames is None:
            raise ValueError(
                f"{path} is a video, and the model is not known to have learnt from videos: say "
                f"how many frames it is to see, --frames 16 of predict"
            )
        return Video(path, self.frames, self.stride)


def is_video(path: Path) -> bool:
    """Whether a file is one, by its name."""
    return path.suffix.lower() in SUFFIXES
