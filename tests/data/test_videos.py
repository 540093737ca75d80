"""Frames of videos that tell their own number."""

from __future__ import annotations

import re
import struct
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest
from PIL import Image

from pg_transfer.data import video_files
from pg_transfer.data.videos import Video
from pg_transfer.task import Draw
from tests.data_sets.videos import STEP, numbers, write_video

# Codecs with and without frames that are shown in another order than they are stored in; AVI has
# no times, Matroska does not say how many frames there are.
KINDS = {
    "a.mp4": "libx264", "b.mp4": "mpeg4", "c.mkv": "ffv1", "d.webm": "libvpx-vp9", "e.avi": "mpeg4",
    "f.avi": "libx264", "g.mov": "libx264", "h.mpg": "mpeg2video", "i.webm": "libvpx",
}  # fmt: skip


def seen(path: Path, *, count: int = 4, stride: int = 3, **more: object) -> list[int]:
    return numbers(Video(path, count, stride, **more).frames())  # type: ignore[arg-type]


@pytest.mark.parametrize(("name", "codec"), KINDS.items())
def test_frames_are_seen_at_a_stride_from_the_first_on(
    name: str, codec: str, tmp_path: Path
) -> None:
    rate = 25 if codec == "mpeg2video" else 10
    path = write_video(tmp_path / name, codec=codec, frames=24, rate=rate)
    assert seen(path) == [0, 3, 6, 9]
    assert seen(path, stride=1, count=24) == list(range(24))
    # Too short for all: the rest is the reader's to repeat.
    assert seen(path, stride=10) == [0, 10, 20]


@pytest.mark.parametrize(("name", "codec"), KINDS.items())
def test_of_a_segment_frames_are_seen_between_its_times(
    name: str, codec: str, tmp_path: Path
) -> None:
    path = write_video(tmp_path / name, codec=codec, frames=40, rate=25)
    # Frame n is shown at n / 25 s.
    assert seen(path, segment=(0.5, 1.0)) == [13, 16, 19, 22]
    assert seen(path, segment=(1.03, 1.17)) == [26, 29]
    assert seen(path, segment=(1.41, 1.42)) == [36]  # none between: the next one
    with pytest.raises(ValueError, match=r"segment from 1.8 to 2 s is behind its last .* 1.56 s"):
        seen(path, segment=(1.8, 2.0))


def test_of_a_segment_at_the_very_end_the_last_frame_is_seen(tmp_path: Path) -> None:
    """ActivityNet Captions has scores of segments that begin in a video's last second."""
    path = write_video(tmp_path / "a.mp4", frames=40, rate=25)
    # The last frame, 39, comes at 1.56 s, and stays until the end that the annotations know.
    assert seen(path, segment=(1.8, 2.0), duration=2.0) == [39]
    assert seen(path, segment=(1.5, 2.0), duration=2.0) == [38]
    for segment, duration in (((2.0, 2.1), 2.0), ((1.8, 2.7), 2.7)):  # behind it; the file is short
        with pytest.raises(ValueError, match=r"is behind its last frame, at 1.56 s"):
            seen(path, segment=segment, duration=duration)
    folder = frame_folder(tmp_path / "b", ["1.png", "2.png", "3.png"])
    assert seen(folder, segment=(8.0, 8.9), duration=9.0) == [2]  # of 0, 3 and 6 s
    with pytest.raises(ValueError, match=r"is behind its last frame, at 6.00 s"):
        seen(folder, segment=(9.0, 9.1), duration=9.0)


def test_in_training_the_first_frame_is_any_that_leaves_room(tmp_path: Path) -> None:
    clip = Video(write_video(tmp_path / "a.mp4", frames=16), 4, 3)
    chosen = [numbers(clip.frames(Draw(0, "a", epoch))) for epoch in range(30)]
    # 16 frames have room for 4 times 3 from any of the first 5 on.
    assert {frames[0] for frames in chosen} == {0, 1, 2, 3, 4}
    assert all(np.diff(frames).tolist() == [3, 3, 3] for frames in chosen)
    assert numbers(clip.frames(Draw(0, "a", 7))) == chosen[7]
    part = Video(clip.path, 2, 3, segment=(0.6, 1.35))
    starts = {numbers(part.frames(Draw(0, "a", epoch)))[0] for epoch in range(20)}
    assert starts == {6, 7, 8}  # frames 6 to 13
    short = Video(clip.path, 8, 2)
    assert numbers(short.frames(Draw(0, "a", 1))) == [0, 2, 4, 6, 8, 10, 12, 14]


def test_frames_are_drawn_apart_from_what_else_is() -> None:
    draws = [Draw(0, "a", epoch) for epoch in range(40)]
    assert [one.number(9) for one in draws] != [one.uniform(range(9)) for one in draws]


def test_what_is_before_the_last_key_frame_is_not_decoded(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", frames=30, group=5)
    with av.open(str(path)) as container:
        first = next(container.demux(video=0))
        assert first.pos is not None
        place, length = first.pos, first.size
    content = bytearray(path.read_bytes())
    content[place + length // 2 : place + length] = bytes(length - length // 2)
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"a.mp4: cannot be read as a video"):
        seen(path)
    assert seen(path, segment=(1.2, 2.0)) == [12, 15, 18]


def test_frames_may_be_shown_for_unequal_times(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    times = [0, 1, 2, 10, 30, 31]  # tenths of seconds
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 32, 24, "yuv420p"
        stream.options = {"qp": "0"}
        for number, time in enumerate(times):
            pixels = np.full((24, 32, 3), STEP * number, np.uint8)
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts = time
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    assert seen(path, stride=1, count=9) == [0, 1, 2, 3, 4, 5]
    assert seen(path, stride=1, segment=(0.2, 3.05)) == [2, 3, 4]


def cut(source: Path, path: Path, *, first: int) -> Path:
    """The video from a frame on, cut as programs do it that encode nothing anew.

    What that frame needs is there, too, and marked as not to be shown.
    """
    with av.open(str(source)) as whole, av.open(str(path), "w") as container:
        stream = container.add_stream_from_template(whole.streams.video[0])
        start, is_copied = first * 1024, False
        for packet in whole.demux(video=0):
            if packet.dts is None or packet.pts is None:
                continue
            is_copied |= packet.is_keyframe and packet.pts > start - 10 * 1024
            if is_copied:
                packet.pts, packet.dts, packet.stream = (
                    packet.pts - start,
                    packet.dts - start,
                    stream,
                )
                container.mux(packet)
    return path


def test_a_clip_that_was_cut_out_begins_where_it_is_shown_to(tmp_path: Path) -> None:
    whole = write_video(tmp_path / "whole.mp4", frames=30, group=10)
    path = cut(whole, tmp_path / "a.mp4", first=13)
    assert seen(path, stride=2) == [13, 15, 17, 19]
    assert seen(path, segment=(0.5, 0.75)) == [18]
    assert seen(path, segment=(1.0, 1.4), stride=1) == [23, 24, 25, 26]


def test_what_needs_a_damaged_frame_is_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_video(tmp_path / "a.mp4", frames=20)
    stored = [
        SimpleNamespace(number=number, key_frame=number % 10 == 0, is_corrupt=number == 4)
        for number in range(20)
    ]
    monkeypatch.setattr(video_files, "_numbered", lambda *given: enumerate(stored))
    monkeypatch.setattr(video_files, "_pixels", lambda frame: frame.number)
    timeline = video_files.read_timeline(path)
    # Of each ten frames all need those before them, and none those of another ten.
    frames = video_files.decoded(path, timeline, range(0, 20, 3))
    assert [next(frames), next(frames)] == [0, 3]
    with pytest.raises(ValueError, match=r"frame 7 or one that it needs is damaged"):
        next(frames)
    assert list(video_files.decoded(path, timeline, range(2, 20, 10))) == [2, 12]


def test_a_file_that_counts_some_frames_too_many_has_those_it_has(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", frames=24)
    content = path.read_bytes()
    timeline = video_files.read_timeline(path)
    assert len(timeline.seconds) == 24 and timeline.keys[0] == 0
    more = timeline._replace(
        seconds=[*timeline.seconds, 2.4, 2.5], marks=[*timeline.marks, 10**6, 10**6 + 1]
    )
    assert numbers(video_files.decoded(path, more, range(0, 26, 5))) == [0, 5, 10, 15, 20]
    assert numbers(video_files.decoded(path, more, range(21, 26, 2))) == [21, 23]
    path.write_bytes(content)
    many = timeline._replace(seconds=[place / 10 for place in range(60)])
    with pytest.raises(ValueError, match=r"24 of its 60 frames can be decoded"):
        list(video_files.decoded(path, many, range(0, 60, 20)))


def turned(path: Path, matrix: tuple[int, int, int, int]) -> Path:
    """The file with another display matrix in its track's header."""
    content = path.read_bytes()
    one = 2**16
    place = content.index(b"tkhd") + 4 + 4 + 20 + 16
    a, b, c, d = (one * value for value in matrix)
    new = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 2**30)
    path.write_bytes(content[:place] + new + content[place + 36 :])
    return path


def cornered(path: Path) -> Path:
    """A video that is white at its upper left, and black elsewhere."""
    pixels = np.zeros((24, 32, 3), np.uint8)
    pixels[:12, :16] = 255
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 32, 24, "yuv420p"
        for _ in range(3):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    return path


@pytest.mark.parametrize(
    ("matrix", "corner"),
    [
        ((1, 0, 0, 1), "upper left"),
        ((0, 1, -1, 0), "upper right"),  # a telephone held upright: to be turned to the right
        ((-1, 0, 0, -1), "lower right"),
        ((0, -1, 1, 0), "lower left"),
    ],
)
def test_a_video_is_turned_as_it_asks_for(
    matrix: tuple[int, int, int, int], corner: str, tmp_path: Path
) -> None:
    path = turned(cornered(tmp_path / "a.mp4"), matrix)
    frame = next(Video(path, 1, 1).frames())
    assert frame.shape == ((24, 32, 3) if matrix[0] else (32, 24, 3))
    height, width = frame.shape[0] // 2, frame.shape[1] // 2
    bright = {
        "upper left": frame[:height, :width], "upper right": frame[:height, width:],
        "lower left": frame[height:, :width], "lower right": frame[height:, width:],
    }  # fmt: skip
    assert {name for name, part in bright.items() if part.mean() > 128} == {corner}


def test_a_mirrored_video_is_refused(tmp_path: Path) -> None:
    path = turned(cornered(tmp_path / "a.mp4"), (-1, 0, 0, 1))
    with pytest.raises(ValueError, match=r"a.mp4: cannot be read as a video \(it asks to be shown"):
        seen(path)


def silent(path: Path) -> None:
    with av.open(str(path), "w", format="matroska") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 80), np.int16), "s16", "mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))  # type: ignore[arg-type]


def shortened(path: Path) -> None:
    """With its index in front, as what is downloaded has it, and without its end."""
    write_video(path.with_name("whole.mp4"), frames=40)
    with (
        av.open(str(path.with_name("whole.mp4"))) as source,
        av.open(str(path), "w", options={"movflags": "faststart"}) as container,
    ):
        stream = container.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                container.mux(packet)
    path.write_bytes(path.read_bytes()[: int(0.75 * path.stat().st_size)])


def shortened_matroska(path: Path) -> None:
    write_video(path.with_suffix(".mkv"), frames=40, codec="ffv1")
    content = path.with_suffix(".mkv").read_bytes()
    path.write_bytes(content[: len(content) // 2])


BROKEN = {
    "the file is empty": lambda path: path.touch(),
    "Invalid data found": lambda path: path.write_text("no video" * 99),
    "Invalid argument": lambda path: path.write_text(f"ffconcat version 1.0\nfile '{__file__}'\n"),
    "there are no pictures in it": silent,
    "it is cut short: [0-9]+ of its 40 frames are there": shortened,
    r"it is cut short: [12]\.[0-9] of its 4\.0 s are there": shortened_matroska,
}


@pytest.mark.parametrize("message", BROKEN)
def test_what_is_no_video_is_one_error_with_its_name(message: str, tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    BROKEN[message](path)
    expected = rf"^{re.escape(str(path))}: cannot be read as a video \({message}.*; fetch the file"
    with pytest.raises(ValueError, match=expected):
        seen(path)


def test_a_missing_video_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no video .*a.mp4"):
        seen(tmp_path / "a.mp4")


def test_a_video_that_would_fill_the_memory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_video(tmp_path / "a.mp4")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 700)
    with pytest.raises(ValueError, match=r"768 pixels are too large to decode"):
        seen(path)


def frame_folder(folder: Path, names: list[str]) -> Path:
    folder.mkdir()
    for number, name in enumerate(names):
        Image.new("RGB", (8, 8), (STEP * number,) * 3).save(folder / name)
    return folder


def test_a_folder_of_frames_is_a_video(tmp_path: Path) -> None:
    names = [f"frame_{number}.png" for number in range(1, 13)]
    folder = frame_folder(tmp_path / "a", names)
    (folder / "info.txt").touch()
    (folder / "._frame_1.png").touch()
    assert seen(folder) == [0, 3, 6, 9]
    assert seen(folder, stride=5) == [0, 5, 10]
    # A frame every quarter of a second.
    assert seen(folder, segment=(1.0, 2.1), duration=3.0) == [4, 7]
    every_tenth = [f"{number:06d}.png" for number in range(0, 120, 10)]
    assert seen(frame_folder(tmp_path / "b", every_tenth)) == [0, 3, 6, 9]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], r"a: there is no frame in it, of .jpg, .jpeg, .png"),
        (["1.png", "2.png", "4.png"], r"a: frames are missing behind number 2; extract"),
        (["1.png", "cover.png"], r"cover.png: no name of a frame, which ends with its own number"),
        (["1.png", "01.png"], r"1.png: no name of a frame, which ends with its own number"),
    ],
)
def test_a_folder_of_something_else_is_refused(
    names: list[str], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=message):
        seen(frame_folder(tmp_path / "a", names))


def test_a_segment_of_a_folder_needs_its_duration(tmp_path: Path) -> None:
    folder = frame_folder(tmp_path / "a", ["1.png"])
    with pytest.raises(ValueError, match=r"a: nothing says how long the video is"):
        seen(folder, segment=(0.0, 1.0))


def test_without_the_decoder_it_is_said_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(video_files, "decoder_version", lambda: None)
    with pytest.raises(ImportError, match=r"pip install 'pg_transfer\[video\]'"):
        seen(tmp_path / "a.mp4")


def test_a_decoder_that_would_end_the_process_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(video_files, "decoder_version", lambda: "17.0.1")
    with pytest.raises(ImportError, match=r"which is here as 17\.0\.1, older than 17\.1: pip"):
        seen(tmp_path / "a.mp4")
    monkeypatch.setattr(video_files, "decoder_version", lambda: "17.1.0rc1")
    with pytest.raises(FileNotFoundError):
        seen(tmp_path / "a.mp4")
