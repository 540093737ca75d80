"""Frames of video files, which PyAV decodes: found, told apart, and turned as they ask for.

They come as ffmpeg decodes them; what turns them into RGB is exact to a grey level or so.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

SUFFIXES = (".mp4", ".webm", ".mkv", ".avi", ".mov", ".m4v", ".mpg", ".mpeg", ".3gp", ".flv")

# What ffmpeg may take a file for: nothing that, like a playlist, names other files or addresses.
FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpeg,mpegts,flv,mpegvideo,h264,hevc,m4v,asf"

OLDEST = (17, 1)
"""Of PyAV. With those before, ffmpeg ends the whole process on files of MPEG program streams."""

UNTIMED = {"avi", "mpeg", "mpegvideo", "h264", "hevc", "m4v"}
"""Formats that do not say when a frame is shown: only decoding tells their order."""

MOST_MISSING = 0.1
"""Of the frames that a file says it has. Some programs count a few more than they write."""

TURNS = {(1, 0, 0, 1): 0, (0, -1, 1, 0): 1, (-1, 0, 0, -1): 2, (0, 1, -1, 0): 3}
"""How often a frame is turned to the left, by its display matrix."""
ONE = 2**16
"""In a display matrix."""


class Packet(NamedTuple):
    """What a file says of a frame as it is stored.

    Attributes:
        mark: its time stamp.
        length: for how long it is shown; 0 if that is not known.
        is_key: it can be decoded without others.
        is_hidden: it is there for others alone.
    """

    mark: int | None
    length: int
    is_key: bool
    is_hidden: bool


class Timeline(NamedTuple):
    """What a file says of its frames, in the order in which they are shown.

    Attributes:
        seconds: when, from the first frame on.
        marks: the time stamps that tell them apart; none where these do not.
        keys: which of them can be decoded without others.
    """

    seconds: Sequence[float]
    marks: Sequence[int]
    keys: Sequence[int]


def require_decoder() -> None:
    """Raises ImportError unless video files can be decoded."""
    found = decoder_version()
    if found is None or tuple(map(int, found.split(".")[:2])) < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        there = "is not installed" if found is None else f"is here as {found}, older than {oldest}"
        raise ImportError(
            f"video files are decoded by PyAV, which {there}: pip install 'pg_transfer[video]'"
        )


@cache
def decoder_version() -> str | None:
    """The version of PyAV; None if it is not installed."""
    try:
        return version("av")
    except PackageNotFoundError:
        return None


def read_timeline(path: Path) -> Timeline:
    """What a video file says of its frames, of which none is decoded.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is empty, cut short or no video.
    """
    with _opened(path) as (container, stream):
        packets = [
            Packet(one.pts, one.duration or 0, one.is_keyframe, one.is_discard)
            for one in container.demux(stream)
            if one.size
        ]
        _require_whole(stream, packets)
        starts = (place for place, one in enumerate(packets) if one.is_key)
        start = next(starts, 0)
        if not (shown := [one for one in packets[start:] if not one.is_hidden]):
            raise ValueError("there is no frame in it")
        marks = sorted(one.mark for one in shown if one.mark is not None)
        if container.format.name in UNTIMED or len(set(marks)) < len(shown):
            rate = float(stream.average_rate or 0)
            if not rate:
                raise ValueError("it does not say how many frames a second has")
            return Timeline([place / rate for place in range(len(shown))], [], [])
        # What is shown before the first frame that needs no other cannot be decoded.
        origin = min(one.mark for one in packets if one.mark is not None and not one.is_hidden)
        marks = marks[bisect_left(marks, packets[start].mark or 0) :]
        unit = stream.time_base or 0
        return Timeline(
            [float((mark - origin) * unit) for mark in marks],
            marks,
            sorted(bisect_left(marks, one.mark or 0) for one in shown if one.is_key),
        )


def _require_whole(stream: VideoStream, packets: Sequence[Packet]) -> None:
    """Raises ValueError if frames are missing that the file says it has."""
    if len(packets) < stream.frames * (1 - MOST_MISSING):
        raise ValueError(
            f"it is cut short: {len(packets):,} of its {stream.frames:,} frames are there"
        )
    if length := stream.metadata.get("DURATION"):  # Matroska's, which does not count them
        hours, minutes, seconds = length.split(":")
        said = 3600 * int(hours) + 60 * int(minutes) + float(seconds)
        ends = (one.mark + one.length for one in packets if one.mark is not None)
        there = float(max(ends, default=0) * (stream.time_base or 0))
        if there < said * (1 - MOST_MISSING):
            raise ValueError(f"it is cut short: {there:.1f} of its {said:.1f} s are there")


def decoded(path: Path, timeline: Timeline, wanted: range) -> Iterator[np.ndarray]:
    """Those frames of a file, uint8 [H, W, 3]; fewer if it has some less than it says.

    What comes before the key frame that the first of them needs is not decoded.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is damaged where it is needed; perhaps after some frames.
    """
    given = decoded = 0
    keys = timeline.keys[: bisect_right(timeline.keys, wanted[0])]
    key = keys[-1] if keys else 0
    for first in sorted({key, 0}, reverse=True):
        with _opened(path) as (container, stream):
            is_damaged = False
            for number, frame in _numbered(container, stream, timeline, first):
                is_damaged = frame.is_corrupt or (is_damaged and not frame.key_frame)
                if number > wanted[given]:
                    break  # what was looked for had no frame of its own: all are counted instead
                decoded = number + 1
                if number == wanted[given]:
                    if is_damaged:
                        raise ValueError(f"frame {number + 1:,} or one that it needs is damaged")
                    yield _pixels(frame)
                    given += 1
                    if given == len(wanted):
                        return
    count = len(timeline.seconds)
    if not given or decoded < count * (1 - MOST_MISSING):
        raise _unreadable(path, f"{decoded:,} of its {count:,} frames can be decoded")


def _numbered(
    container: InputContainer, stream: VideoStream, timeline: Timeline, first: int
) -> Iterator[tuple[int, VideoFrame]]:
    """Frames in the order in which they are shown, with their places.

    All of them are counted; from a key frame on they are told by their marks.
    """
    if not first:
        yield from enumerate(container.decode(stream))
        return
    container.seek(timeline.marks[first], stream=stream)
    places = {mark: place for place, mark in enumerate(timeline.marks)}
    for frame in container.decode(stream):
        if frame.pts in places:
            yield places[frame.pts], frame


def _pixels(frame: VideoFrame) -> np.ndarray:
    """uint8 [H, W, 3], turned as the file asks for."""
    pixels = frame.to_ndarray(format="rgb24")
    matrix = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return pixels
    a, b, _, c, d, *_ = np.frombuffer(bytes(matrix), "<i4").tolist()
    if (turns := TURNS.get((a / ONE, b / ONE, c / ONE, d / ONE))) is None:
        raise ValueError("it asks to be shown mirrored, or turned by other than right angles")
    return np.ascontiguousarray(np.rot90(pixels, turns))


@contextmanager
def _opened(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """A video file and the pictures in it; errors that whoever reads them meets name the file."""
    require_decoder()
    import av  # which only those need who have videos

    try:
        with (
            path.open("rb") as file,
            av.open(file, "r", options={"format_whitelist": FORMATS}) as container,
        ):
            stream = container.streams.best("video")
            if not isinstance(stream, av.VideoStream):
                raise ValueError("there are no pictures in it")
            size = stream.width * stream.height
            if size > (Image.MAX_IMAGE_PIXELS or size):
                raise ValueError(f"{size:,} pixels are too large to decode")
            stream.codec_context.thread_count = 1  # there are as many loading processes as wanted
            yield container, stream
    except FileNotFoundError:
        raise FileNotFoundError(f"no video {path}") from None
    except Exception as error:  # on damaged files PyAV raises whatever its parsers stumble upon
        is_empty = path.is_file() and path.stat().st_size == 0
        reason = "the file is empty" if is_empty else getattr(error, "strerror", None) or str(error)
        raise _unreadable(path, reason) from error


def _unreadable(path: Path, reason: str) -> ValueError:
    return ValueError(f"{path}: cannot be read as a video ({reason}); fetch the file again")
