"""Benchmarks of videos: what `QuestionTask` has for images, of clips.

Videos vanish from where they were published. One that is not there is an error, unless the task is
told to leave out what is asked about it; how much that is stands in the report.
"""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Literal, NamedTuple, cast

from pg_transfer.data.questions import Question, QuestionTask
from pg_transfer.data.release import find_file, missing_images, refuse_path
from pg_transfer.data.video_files import SUFFIXES, require_decoder
from pg_transfer.data.videos import Video

LEAVE_OUT = "leave_out"
NAMED = 3
"""Missing videos that an error names."""

UNRELEASED = (
    "the paper's reader of videos is not public: which frames are seen is chosen here as docs/"
    "transfers.md tells"
)


class Stretch(NamedTuple):
    """How a record names what it is about.

    Attributes:
        name: of the video.
        segment: see `Video`.
        duration: likewise.
    """

    name: str
    segment: tuple[float, float] | None = None
    duration: float | None = None


@dataclass(slots=True)
class Without:
    """What is left out of a split.

    Attributes:
        videos: that are not there.
        examples: that are about them.
        asked: examples there would be with them.
    """

    videos: set[str]
    examples: int = 0
    asked: int = 0


class VideoTask(QuestionTask):
    """One example for each question about a video; splits are `train`, `val`, `test`, and sums.

    Args:
        root: the folder with the annotations.
        frames: that the model sees.
        stride: from one of them to the next, in frames of the video.
        videos: the folder with the videos; by default looked for in `folders` of `root`.
        missing: what of videos that are not there: `error`, or `leave_out` what is about them.

    Attributes:
        folders: where videos may lie below `root`.
        annotation_folders: likewise the files of what is asked about them.
        fetch: what to download, and whence.
        published: frames and stride in the paper.
    """

    splits = ("train", "val", "test")
    folders: ClassVar[Sequence[str]] = ("videos", "")
    annotation_folders: ClassVar[Sequence[str]]
    fetch: ClassVar[str]
    published: ClassVar[tuple[int, int]]

    def __init__(
        self,
        root: Path | str,
        *,
        frames: int,
        stride: int,
        videos: Path | str | None = None,
        missing: Literal["error", "leave_out"] = "error",
    ) -> None:
        for name, value in (("frames", frames), ("stride", stride)):
            if value < 1:
                raise ValueError(f"task.{name}={value} has to be 1 at least")
        self.root, self.count, self.stride = Path(root), frames, stride
        self.leaves_out = missing == LEAVE_OUT
        self.video_folders = (
            [Path(videos)] if videos else [self.root / folder for folder in self.folders]
        )
        self._without: dict[str, Without] = {}

    @abstractmethod
    def questions_of_all(self, split: str) -> Iterable[Question]:
        """Those of one of `splits`, whether the videos are there or not.

        The `Question.image` of each is a `Stretch`.
        """

    def questions(self, split: str) -> Iterator[Question]:
        """Those of one of `splits`, one at a time; counts those that are left out."""
        without = self._without[split] = Without(set())
        for question in self.questions_of_all(split):
            without.asked += 1
            name = cast(Stretch, question.image).name
            if self.leaves_out and self._path(name) is None:
                without.videos.add(name)
                without.examples += 1
            else:
                yield question

    def images(self, split: str, names: Sequence[Stretch]) -> Mapping[Stretch, Video]:
        """The clip of each stretch.

        Raises:
            FileNotFoundError: videos are not there; if they may be left out, all of them.
            ImportError: video files cannot be decoded.
        """
        found = {name: self._path(name) for name in {one.name for one in names}}
        missing = {name for name, path in found.items() if path is None}
        if missing and missing_images() is None:
            self._refuse(split, missing, len(found))
        if not names and (gone := self._without[split].videos):
            self._refuse(split, gone, len(gone))
        if any(path is not None and path.is_file() for path in found.values()):
            require_decoder()
        clips = {}
        for one in names:
            path = found[one.name]
            if path is None:
                refuse_path(one.name)
                path = self.video_folders[0] / f"{one.name}{SUFFIXES[0]}"
            clips[one] = Video(path, self.count, self.stride, one.segment, one.duration)
        return clips

    def annotations(self, *names: str, folders: Sequence[str] = ()) -> Path:
        """The first of these files that there is, in `annotation_folders` or these.

        Raises:
            FileNotFoundError: there is none.
        """
        places = [self.root / folder for folder in (*self.annotation_folders, *folders)]
        there = [name for name in names if any((place / name).is_file() for place in places)]
        return find_file((there or names)[0], places, fetch=self.fetch)

    def spellings(self, name: str) -> Sequence[str]:
        """What the file or folder of a video may be called, but for its suffix."""
        return (name,)

    def _path(self, name: str) -> Path | None:
        spelt = (self._there[one] for one in self.spellings(name) if one in self._there)
        return next(spelt, None)

    @property
    def departures(self) -> Sequence[str]:
        """Another choice of frames than the paper's, and what is left out of the splits read."""
        found = [UNRELEASED]
        if (self.count, self.stride) != self.published:
            frames, stride = self.published
            found.append(
                f"{self.count} frames are seen, every {self.stride}th, and in the paper {frames}, "
                f"every {stride}th"
            )
        return found + [
            f"{split} is without {without.examples:,} of its {without.asked:,} examples, which are "
            f"about {len(without.videos):,} videos that are not there (task.missing={LEAVE_OUT})"
            for split, without in self._without.items()
            if without.videos
        ]

    @cached_property
    def _there(self) -> dict[str, Path]:
        """The videos at hand, by their names: files, or folders of frames."""
        found: dict[str, Path] = {}
        folders: dict[str, Path] = {}
        for place in self.video_folders:
            if not place.is_dir():
                continue
            with os.scandir(place) as entries:
                for entry in entries:
                    path = Path(entry)
                    if path.suffix.lower() in SUFFIXES:
                        found.setdefault(path.stem, path)
                    elif entry.is_dir():
                        folders.setdefault(entry.name, path)
        return folders | found

    def _refuse(self, split: str, missing: Collection[str], count: int) -> None:
        """Raises FileNotFoundError for these videos, of so many of a split."""
        existing = [folder for folder in self.video_folders if folder.is_dir()]
        looked = " or ".join(map(str, existing or self.video_folders))
        first = ", ".join(sorted(missing)[:NAMED])
        raise FileNotFoundError(
            f"{len(missing):,} of the {count:,} videos of {split!r} are not in {looked}, such as "
            f"{first}.\n{self.fetch} Videos that cannot be had any more are left out with "
            f"task.missing={LEAVE_OUT}, and counted in the report."
        )
