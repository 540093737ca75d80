"""Videos: a file, or a folder that has one image per frame, and which of the frames are seen.

Of the paper's reader, which was never released, big_vision's configurations
(configs/proj/paligemma/transfers/msrvtt_cap.py and others) say how many frames it gives, how far
apart, and that in training their place is drawn.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from pg_transfer.data.images import open_image
from pg_transfer.data.video_files import decoded, read_timeline
from pg_transfer.task import Clip, Draw

FRAME_SUFFIXES = (".jpg", ".jpeg", ".png")

MOST_WITHOUT_FRAMES = 1.0
"""Seconds that a whole file may last beyond its last frame: sound often outlasts the picture."""

_NUMBER = re.compile(r"(\d+)$")


@dataclass(frozen=True, slots=True)
class Video(Clip):
    """A video file, or a folder of its frames, or a part of either.

    Attributes:
        path: of the file or the folder.
        count: see `Clip`.
        stride: from one frame that is seen to the next, in frames of the video; None spreads them
            over it.
        segment: where the part begins and ends, in seconds; None for all of it.
        duration: in seconds, of the whole, by which the frames of a folder are given their times.
    """

    path: Path
    count: int
    stride: int | None
    segment: tuple[float, float] | None = None
    duration: float | None = None

    def frames(self, draw: Draw | None = None) -> Iterator[np.ndarray]:
        """See `Clip`.

        The first is drawn among those that leave room for `count` times `stride` frames; where none
        does, it is not.
        """
        if self.path.is_dir():
            return self._frames_of_folder(draw)
        return self._frames_of_file(draw)

    def _frames_of_folder(self, draw: Draw | None) -> Iterator[np.ndarray]:
        files = _frame_files(self.path)
        if self.segment is not None and self.duration is None:
            raise ValueError(f"{self.path}: nothing says how long the video is that it is of")
        end = self.duration or 0
        seconds = [end * place / len(files) for place in range(len(files))]
        for place in self._chosen(seconds, end, draw):
            yield open_image(files[place])

    def _frames_of_file(self, draw: Draw | None) -> Iterator[np.ndarray]:
        timeline = read_timeline(self.path)
        end = last = timeline.seconds[-1]
        if self.duration is not None and self.duration <= last + MOST_WITHOUT_FRAMES:
            end = self.duration
        yield from decoded(self.path, timeline, self._chosen(timeline.seconds, end, draw))

    def _chosen(self, seconds: Sequence[float], shown_until: float, draw: Draw | None) -> range:
        """The places of the frames that are seen, of which the last one stays until the end."""
        first, stop = 0, len(seconds)
        if self.segment is not None:
            begin, end = self.segment
            first = bisect_left(seconds, begin)
            if first == stop and begin < shown_until:
                first -= 1
            if first == stop:
                raise ValueError(
                    f"{self.path}: the segment from {begin:g} to {end:g} s is behind its last "
                    f"frame, at {seconds[-1]:.2f} s"
                )
            stop = max(bisect_left(seconds, end), first + 1)
        stride = self.stride or max(1, (stop - first) // self.count)
        spare = stop - first - self.count * stride
        if draw is not None and spare > 0:
            first += draw.number(spare + 1)
        return range(first, stop, stride)[: self.count]


def _frame_files(folder: Path) -> list[Path]:
    """The frames in a folder, by the numbers that their names end with.

    Raises:
        ValueError: there are none, or some are missing.
    """
    numbered: dict[int, Path] = {}
    for path in folder.iterdir():
        # macOS puts a `._1.jpg`, which is no frame, beside `1.jpg` on disks of others.
        if path.suffix.lower() in FRAME_SUFFIXES and not path.name.startswith("."):
            match = _NUMBER.search(path.stem)
            if match is None or int(match[1]) in numbered:
                raise ValueError(f"{path}: no name of a frame, which ends with its own number")
            numbered[int(match[1])] = path
    if not numbered:
        raise ValueError(f"{folder}: there is no frame in it, of {', '.join(FRAME_SUFFIXES)}")
    steps = sorted((after - before, before) for before, after in pairwise(sorted(numbered)))
    if steps and steps[0][0] != steps[-1][0]:
        raise ValueError(
            f"{folder}: frames are missing behind number {steps[-1][1]}; extract them again"
        )
    return [numbered[number] for number in sorted(numbered)]
