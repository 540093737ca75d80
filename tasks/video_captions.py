"""Captions of videos: MSR-VTT (Xu et al. 2016), VATEX (Wang et al. 2019), ActivityNet Captions.

The last (Krishna et al. 2017) describes segments of videos. Sources: big_vision
configs/proj/paligemma/transfers/{msrvtt_cap,vatex_cap,activitynet_cap}.py. Files are as in the
challenge of 2016, https://eric-xw.github.io/vatex-website and
https://cs.stanford.edu/people/ranjaykrishna/densevid.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from pg_transfer.data.json_records import each_named_record, each_record
from pg_transfer.data.questions import Question, read_questions, texts_of
from pg_transfer.data.release import fault, field, tried
from pg_transfer.data.video_tasks import Stretch, VideoTask
from pg_transfer.metrics.captioning import PREFIX, CaptionTask, captions_of
from pg_transfer.task import Draw, Example, Target


class VideoCaptions(VideoTask, CaptionTask):
    """One example for each video, or for each segment of one."""

    annotation_folders = ("", "annotations", "annotation", "captions", "data")

    def target(self, example: Example, draw: Draw) -> Target:
        """Any one of the captions, independent of other epochs."""
        return Target(example.prefix, draw.uniform(example.suffixes))


class MSRVTT(VideoCaptions):
    """One example per video, of which twenty people have said what it shows."""

    title = "MSR-VTT"
    sizes: ClassVar = {"train": 4_663, "val": 316, "train+val": 4_979, "test": 2_094}
    published = (16, 9)
    folders = ("videos", "videos/all", "TrainValVideo", "TestVideo", "video", "")
    fetch = (
        "train_val_videodatainfo.json, test_videodatainfo.json (or MSRVTT_data.json, which has all "
        "splits) and the videos are MSR-VTT's; put these into a folder videos there."
    )
    _joined = ("MSRVTT_data.json", "videodatainfo_2017.json")
    _parts: ClassVar = {"train": "train", "validate": "val", "val": "val", "test": "test"}
    """What the files call the splits: that of 2017 has `val` where the others have `validate`."""

    def questions_of_all(self, split: str) -> Iterator[Question]:
        """The videos of `split`, in the order of the file."""
        own = f"{'test' if split == 'test' else 'train_val'}_videodatainfo.json"
        path = self.annotations(own, *self._joined)
        captions: dict[Any, list[Any]] = defaultdict(list)
        for sentence in each_record(path, "sentences"):
            captions[str(sentence.get("video_id"))].append(sentence.get("caption"))
        videos = (
            video | {"captions": captions[str(video.get("video_id"))]}
            for video in each_record(path, "videos")
            if self._parts.get(str(video.get("split")), split) == split
        )
        return read_questions(path, videos, self._question, id_field="video_id")

    def _question(self, record: Mapping[str, Any]) -> Question:
        if field(record, "split", str) not in self._parts:
            raise ValueError(f"its split is {record['split']!r}, none of {', '.join(self._parts)}")
        return _of_video("video_id", "captions")(record)


class VATEX(VideoCaptions):
    """One example per video, of which ten people have said in English what it shows."""

    title = "VATEX"
    sizes: ClassVar = {"train": 22_315, "val": 2_584, "train+val": 24_899, "test": 5_135}
    published = (16, 7)
    folders = ("videos", "", "train", "val", "test")
    fetch = (
        "vatex_training_v1.0.json, vatex_validation_v1.0.json and "
        "vatex_public_test_english_v1.1.json are at "
        "https://eric-xw.github.io/vatex-website/download.html; put the videos, named by their "
        "videoID, into a folder videos there."
    )
    _files: ClassVar = {
        "train": "vatex_training_v1.0.json",
        "val": "vatex_validation_v1.0.json",
        "test": "vatex_public_test_english_v1.1.json",
    }

    def questions_of_all(self, split: str) -> Iterator[Question]:
        """The videos of `split`, in the order of the file."""
        path = self.annotations(self._files[split])
        make = _of_video("videoID", "enCap")
        return read_questions(path, each_record(path), make, id_field="videoID")


def _of_video(name: str, captions: str) -> Any:
    """Makes a question of a record with these fields."""

    def question(record: Mapping[str, Any]) -> Question:
        video = field(record, name, str)
        texts = captions_of(texts_of(record, captions))
        return Question(id=video, image=Stretch(video), prefix=PREFIX, suffixes=texts)

    return question


class ActivityNetCaptions(VideoCaptions):
    """One example per segment of a video.

    `val` and `test` are the two sets of captions of the validation videos, val_1.json and
    val_2.json: so are the splits of moment retrieval, which the paper's code names, and of so many
    segments as these are the paper's, but for a fifth that had vanished. Segments that do not begin
    before they end are in none of these splits.
    """

    title = "ActivityNet Captions"
    sizes: ClassVar = {"train": 30_545, "val": 14_338, "train+val": 44_883, "test": 13_982}
    published = (16, 30)
    folders = ("videos", "", "train", "val", "train_val")
    fetch = (
        "train.json, val_1.json and val_2.json are in "
        "https://cs.stanford.edu/people/ranjaykrishna/densevid/captions.zip; put the videos "
        "(http://activity-net.org/download.html) into a folder videos there."
    )
    _files: ClassVar = {"train": "train.json", "val": "val_1.json", "test": "val_2.json"}

    @cached_property
    def _empty(self) -> dict[str, int]:
        """Of the splits read, segments that are none."""
        return {}

    @property
    def departures(self) -> Sequence[str]:
        """As of other videos, and the segments that are none."""
        return [
            *super().departures,
            *(
                f"{split} is without {count:,} segments that do not begin before they end"
                for split, count in self._empty.items()
                if count
            ),
        ]

    def spellings(self, name: str) -> Sequence[str]:
        """The name, with or without what ActivityNet puts before those of YouTube."""
        return name, name.removeprefix("v_")

    def questions_of_all(self, split: str) -> Iterator[Question]:
        """The segments of `split`, in the order of the file; sentences of the same one together."""
        path = self.annotations(self._files[split])
        self._empty[split] = 0
        return read_questions(path, self._segments(split, path), _of_segment, id_field="id")

    def _segments(self, split: str, path: Path) -> Iterator[dict[str, Any]]:
        def read(name: str, video: Mapping[str, Any]) -> list[dict[str, Any]]:
            try:
                return _segments_of(name, video)
            except (TypeError, ValueError) as error:
                raise fault(path, f"video {name!r}", str(error)) from error

        for name, video in each_named_record(path):
            for segment in tried(read, name, video) or ():
                begin, end = segment["segment"]
                if begin < end:
                    yield segment
                else:
                    self._empty[split] += len(segment["sentences"])


def _segments_of(name: str, video: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The different segments of a video, each with all its sentences."""
    duration = _seconds(video.get("duration"))
    spans = [tuple(map(_seconds, span)) for span in field(video, "timestamps", list)]
    sentences = texts_of(video, "sentences")
    if len(spans) != len(sentences) or any(len(span) != 2 for span in spans):
        raise ValueError(f"{len(spans)} pairs of timestamps, and {len(sentences)} sentences")
    of_span = defaultdict(list)
    for span, sentence in zip(spans, sentences, strict=True):
        of_span[span].append(sentence.strip())
    return [
        {
            "id": f"{name}[{span[0]}-{span[1]}]",
            "stretch": Stretch(name, span, duration),
            "segment": span,
            "sentences": those,
        }
        for span, those in of_span.items()
    ]


def _of_segment(record: Mapping[str, Any]) -> Question:
    return Question(
        id=record["id"],
        image=record["stretch"],
        prefix=PREFIX,
        suffixes=captions_of(record["sentences"]),
    )


def _seconds(value: Any) -> float:
    if type(value) not in (int, float) or not 0 <= value < math.inf:
        raise ValueError(f"{value!r:.40} is no number of seconds")
    return value
