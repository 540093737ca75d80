"""Videos of a user's own: which frames of them are seen, and what does not fit them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pg_transfer.data.videos import Video
from pg_transfer.task import Draw
from tasks.custom import Custom
from tests.data_sets.videos import STEP, numbers, write_video


def rows(**more: Any) -> list[dict[str, Any]]:
    return [
        {"video": f"clips/{number}.mp4", "prefix": "what is done?", "suffix": str(number), **more}
        for number in range(4)
    ]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(4):
        write_video(tmp_path / "clips" / f"{number}.mp4", frames=12 + number)
    return tmp_path


def custom(folder: Path, those: list[dict[str, Any]], **settings: Any) -> Custom:
    (folder / "my.jsonl").write_text("\n".join(map(json.dumps, those)))
    return Custom(folder / "my.jsonl", holdout=25, **settings)


def test_a_row_may_be_about_a_video(folder: Path) -> None:
    task = custom(folder, rows(), frames=4)
    train, validation = task.examples("train"), task.examples("validation")
    assert (len(train), len(validation)) == (3, 1)
    for example in (*train, *validation):
        path = folder / "clips" / f"{example.suffixes[0]}.mp4"
        assert example.image == Video(path, 4, None) and example.prefix == "what is done?"
    assert task.data.metric == "exact"


def test_frames_are_spread_over_a_video_unless_they_have_a_stride(folder: Path) -> None:
    path = folder / "clips" / "3.mp4"  # of 15 frames
    # 15 / 4 is 3 frames apart, which leaves 15 - 4 x 3 for the place of the first.
    assert numbers(Video(path, 4, None).frames()) == [0, 3, 6, 9]
    firsts = {numbers(Video(path, 4, None).frames(Draw(0, "a", n)))[0] for n in range(30)}
    assert firsts == {0, 1, 2, 3}
    # More than there are: each once, and the reader shows them again.
    assert numbers(Video(path, 20, None).frames()) == list(range(15))
    task = custom(folder, rows(), frames=2, stride=5)
    assert numbers(task.examples("train")[0].image.frames()) == [0, 5]  # type: ignore[union-attr]


def test_folders_of_frames_need_no_decoder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(4):
        for frame in range(6):
            path = folder / "frames" / str(number) / f"{frame:03d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((8, 8, 3), STEP * frame, np.uint8)).save(path)
    monkeypatch.setattr("pg_transfer.data.video_files.decoder_version", lambda: None)
    those = [row | {"video": f"frames/{number}"} for number, row in enumerate(rows())]
    task = custom(folder, those, frames=3)
    assert numbers(task.examples("train")[0].image.frames()) == [0, 2, 4]  # type: ignore[union-attr]
    with pytest.raises(ImportError, match=r"pip install 'pg_transfer\[video\]'"):
        custom(folder, rows(), frames=3)


@pytest.mark.parametrize(
    ("more", "settings", "told"),
    [
        ({}, {}, "`video` are videos: say how many frames of each the model sees, such as"),
        ({}, {"frames": 0}, "frames=0 has to be a whole number, 1 at least"),
        ({}, {"frames": 4, "stride": 1.5}, "stride=1.5 has to be a whole number"),
        ({"image": "0.png"}, {"frames": 4}, "the data has both `image` and `video`"),
        ({"boxes": [[0, 0, 9, 9]]}, {"frames": 4, "metric": "box_ap"},
         "the data has videos and boxes, which say nothing of frames"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(
    more: dict[str, Any], settings: dict[str, Any], told: str, folder: Path
) -> None:
    with pytest.raises(ValueError, match=told):
        custom(folder, rows(**more), **settings)


def test_frames_of_images_are_refused(folder: Path) -> None:
    Image.new("RGB", (8, 8)).save(folder / "0.png")
    those = [{"image": "0.png", "prefix": "a", "suffix": "b"}]
    with pytest.raises(ValueError, match="frames and stride are of videos, and the data has none"):
        custom(folder, those, frames=4, stride=2)


def test_a_video_that_is_not_there_is_named(folder: Path) -> None:
    (folder / "clips" / "2.mp4").unlink()
    with pytest.raises(FileNotFoundError, match=r"1 of 4 .* missing; the first is .*2\.mp4"):
        custom(folder, rows(), frames=4)
