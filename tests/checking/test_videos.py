"""Videos are looked at before they are trained on."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import av
import pytest

from tests import data_sets
from tests.checking.checked import checked

SETTINGS = ("task=activitynet_cap", "task.root=data", "model=tiny", "final_split=false")


@pytest.mark.slow
def test_videos_are_counted_and_broken_ones_named(tmp_path: Path) -> None:
    videos = data_sets.activitynet(tmp_path / "data") / "videos"
    code, printed, report = checked(tmp_path, *SETTINGS)
    assert code == 0, printed
    assert "4 examples, in the paper 30,545; 2 videos" in printed
    assert report["images"]["modes"] == {"video": 4}
    assert report["images"]["height"] == {"least": 24, "median": 24, "most": 24}

    (videos / "v_QOlSCBRmfWA.mp4").write_bytes(b"<html>404 Not Found</html>")
    (videos / "v_QOlSCBRmfWC.mp4").unlink()
    data_sets.write_video(videos / "v_QOlSCBRmfWD.mp4", frames=4)  # the second segment begins later
    code, _, report = checked(tmp_path, *SETTINGS)
    assert code == 1
    broken, absent, short = report["broken"]
    assert "v_QOlSCBRmfWA.mp4: cannot be read as a video" in broken
    assert absent == "no video data/videos/v_QOlSCBRmfWC.mp4"
    assert "v_QOlSCBRmfWD.mp4: the segment from 0.5 to 1.25 s is behind its last frame" in short

    code, printed, report = checked(tmp_path, *SETTINGS, "task.missing=leave_out")
    assert any("val is without 2 of its 4 examples" in note for note in report["notes"])
    assert absent not in report["broken"]


@pytest.mark.slow
def test_frames_behind_the_first_are_read_if_asked_for(tmp_path: Path) -> None:
    videos = data_sets.activitynet(tmp_path / "data") / "videos"
    path = data_sets.write_video(videos / "v_QOlSCBRmfWA.mp4", frames=20, codec="mpeg4")
    with av.open(str(path)) as container:
        packet = next(islice(container.demux(video=0), 6, None))
    assert packet.pos is not None
    content = bytearray(path.read_bytes())
    content[packet.pos : packet.pos + packet.size] = bytes(packet.size)
    path.write_bytes(content)
    settings = (*SETTINGS, "task.stride=1", "--examples", "0")
    assert checked(tmp_path, *settings)[0] == 0
    code, _, report = checked(tmp_path, *settings, "--decode")
    assert code == 1
    assert "v_QOlSCBRmfWA.mp4: cannot be read as a video" in report["broken"][0]
