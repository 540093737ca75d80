"""Questions about videos from files in the published formats, and videos that have vanished."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pg_transfer.data import video_files
from pg_transfer.data.release import missing_images_allowed
from pg_transfer.data.splits import Splits, remarks_on
from pg_transfer.task import Answer, Example, pieces_of
from tasks.video_questions import (
    ActivityNetQuestions,
    MSRVTTQuestions,
    MSVDQuestions,
    VideoQuestions,
)
from tests import data_sets
from tests.data_sets.videos import numbers

WRITTEN: dict[type[VideoQuestions], Callable[[Path], Path]] = {
    MSRVTTQuestions: data_sets.msrvtt,
    MSVDQuestions: data_sets.msvd,
    ActivityNetQuestions: data_sets.activitynet,
}


def task_of(kind: type[VideoQuestions], root: Path, **chosen: Any) -> VideoQuestions:
    frames, stride = kind.published
    return kind(root, **{"frames": frames, "stride": stride, **chosen})


def said(example: Example, text: str) -> Answer:
    return Answer(example, text, pieces_of(text))


def test_a_question_of_msrvtt_qa_is_an_example(tmp_path: Path) -> None:
    task = task_of(MSRVTTQuestions, data_sets.msrvtt(tmp_path))
    first, second, third, _ = task.examples("val")
    assert (first.id, first.prefix) == ("video2#100", "answer en what is thing 0?")
    assert (first.suffixes, second.suffixes) == (("car",), ("man",))
    assert first.image is second.image  # the very same object, however many ask about it
    assert third.images == (tmp_path / "videos/video3.mp4",)
    assert len(task.examples("train+val")) == 8


def test_the_clips_of_msvd_have_numbers(tmp_path: Path) -> None:
    task = task_of(MSVDQuestions, data_sets.msvd(tmp_path))
    first = task.examples("test")[0]
    assert (first.id, first.suffixes) == ("vid4#200", ("car",))
    assert first.images == (tmp_path / "YouTubeClips/-4wsuPCjDBc_4_9.avi",)
    assert numbers(first.image.frames()) == [0]  # type: ignore[union-attr]
    # Without the list, files may be called by their numbers.
    (tmp_path / "youtube_mapping.txt").unlink()
    folder = tmp_path / "YouTubeClips"
    for place, path in enumerate(sorted(folder.iterdir())):
        path.rename(folder / f"vid{place}.avi")
    again = task_of(MSVDQuestions, tmp_path).examples("test")
    assert again[0].images == (folder / "vid4.avi",)


def test_a_question_of_activitynet_qa_has_a_type(tmp_path: Path) -> None:
    task = task_of(ActivityNetQuestions, data_sets.activitynet(tmp_path))
    first, second, *_ = task.examples("test")
    assert (first.id, first.suffixes) == ("v_QOlSCBRmfWE_3", ("yes",))
    assert first.prefix == "answer en are there 0 people in the video"
    assert (task.kind(first), task.kind(second)) == ("yes/no", "number")
    assert first.images == (tmp_path / "videos/v_QOlSCBRmfWE.mp4",)


def test_score_by_hand(tmp_path: Path) -> None:
    task = task_of(MSRVTTQuestions, data_sets.msrvtt(tmp_path))
    examples = task.examples("test")
    # The answers are car and man in turn; case counts, and so does space.
    texts = ["car", "Man", "car ", "man"]
    scores = task.score([said(*pair) for pair in zip(examples, texts, strict=True)])
    assert scores.metrics == {"accuracy": 50}
    assert [one["accuracy"] for one in scores.examples] == [1, 0, 0, 1]


@pytest.mark.parametrize("kind", WRITTEN)
def test_a_missing_video_is_an_error_that_says_how_to_go_on(
    kind: type[VideoQuestions], tmp_path: Path
) -> None:
    task = task_of(kind, WRITTEN[kind](tmp_path))
    gone = task.examples("val")[0].images[0]
    assert isinstance(gone, Path)
    gone.unlink()
    task = task_of(kind, tmp_path)
    task.examples("train")
    expected = r"1 of the 2 videos of 'val' are not in .*, such as .*\n(.|\n)*task.missing=leave"
    with pytest.raises(FileNotFoundError, match=expected):
        task.examples("val")
    with missing_images_allowed():
        assert len(task.examples("val")) == 4


@pytest.mark.parametrize("kind", WRITTEN)
def test_missing_videos_are_left_out_and_told(kind: type[VideoQuestions], tmp_path: Path) -> None:
    whole = task_of(kind, WRITTEN[kind](tmp_path))
    first, *_, last = whole.examples("val")
    assert isinstance(first.images[0], Path)
    first.images[0].unlink()
    task = task_of(kind, tmp_path, missing="leave_out")
    assert [one.images for one in task.examples("val")] == 2 * [last.images]
    told = (
        "val is without 2 of its 4 examples, which are about 1 videos that are not there "
        "(task.missing=leave_out)"
    )
    assert list(task.departures)[1:] == [told]
    # The report has it, though it is known only once the split is read.
    fresh = task_of(kind, tmp_path, missing="leave_out")
    remarks = remarks_on(Splits(fresh), ["val"], train="train")
    assert told in remarks
    assert f"val has 2 examples, and in the paper {kind.sizes['val']:,}" in remarks


def test_where_no_video_is_there_none_is_left_out(tmp_path: Path) -> None:
    data_sets.msrvtt(tmp_path)
    task = task_of(MSRVTTQuestions, tmp_path, missing="leave_out", videos=tmp_path / "elsewhere")
    with pytest.raises(
        FileNotFoundError, match=r"2 of the 2 videos of 'val' are not in .*elsewhere"
    ):
        task.examples("val")


def test_a_name_that_leads_elsewhere_is_refused(tmp_path: Path) -> None:
    data_sets.activitynet(tmp_path)
    path = tmp_path / "val_q.json"
    content = json.loads(path.read_text())
    content[0]["video_name"] = "../../secret"
    data_sets.write_json(path, content)
    with (
        missing_images_allowed(),
        pytest.raises(ValueError, match=r"'../../secret' is no name of an"),
    ):
        task_of(ActivityNetQuestions, tmp_path).examples("val")


def test_folders_of_frames_need_no_decoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data_sets.msrvtt(tmp_path)
    for path in sorted((tmp_path / "videos").iterdir()):
        folder = path.with_suffix("")
        folder.mkdir()
        for number in range(3):
            Image.new("RGB", (8, 8)).save(folder / f"{number}.png")
        path.unlink()
    monkeypatch.setattr(video_files, "decoder_version", lambda: None)
    example = task_of(MSRVTTQuestions, tmp_path).examples("val")[0]
    assert example.images == (tmp_path / "videos/video2",)
    assert example.seen == 16
    data_sets.write_video(tmp_path / "videos/video2.mp4")
    with pytest.raises(ImportError, match=r"pip install 'pg_transfer\[video\]'"):
        task_of(MSRVTTQuestions, tmp_path).examples("val")


def test_other_frames_than_the_papers_are_told(tmp_path: Path) -> None:
    assert len(task_of(MSVDQuestions, tmp_path).departures) == 1
    other = task_of(MSVDQuestions, tmp_path, stride=5)
    assert other.departures[1] == (
        "8 frames are seen, every 5th, and in the paper 8, every 26th"
    )  # fmt: skip


@pytest.mark.parametrize("chosen", [{"frames": 0}, {"stride": 0}])
def test_frames_and_stride_are_positive(chosen: dict[str, int], tmp_path: Path) -> None:
    (name,) = chosen
    with pytest.raises(ValueError, match=rf"task.{name}=0 has to be 1 at least"):
        task_of(MSRVTTQuestions, tmp_path, **chosen)


@pytest.mark.parametrize(
    ("kind", "file", "change", "message"),
    [
        (MSRVTTQuestions, "val_qa.json", lambda content: content[1].pop("answer"),
         r"val_qa.json, id 101: it has no 'answer'"),
        (MSRVTTQuestions, "val_qa.json", lambda content: content[0].update(video_id="video2"),
         r"id 100: its video_id is 'video2', no int"),
        (MSRVTTQuestions, "val_qa.json", lambda content: content.append(content[0]),
         r"val_qa.json, id 100: it comes twice"),
        (MSVDQuestions, "val_qa.json", lambda content: content[1].update(question=" "),
         r"val_qa.json, id 101: its question is empty"),
        (ActivityNetQuestions, "val_a.json", lambda content: content.pop(),
         r"val_q.json, question_id 'v_QOlSCBRmfWD_7': val_a.json has no answer to it"),
        (ActivityNetQuestions, "val_a.json", lambda content: content[0].update(type=9),
         r"question_id 'v_QOlSCBRmfWC_3': its type is 9, and there are 0 to 8"),
        (ActivityNetQuestions, "val_q.json", lambda content: content[0].pop("video_name"),
         r"it has no 'video_name'"),
    ],
)  # fmt: skip
def test_a_record_that_cannot_be_is_named(
    kind: type[VideoQuestions],
    file: str,
    change: Callable[[Any], object],
    message: str,
    tmp_path: Path,
) -> None:
    path = WRITTEN[kind](tmp_path) / file
    content = json.loads(path.read_text())
    change(content)
    data_sets.write_json(path, content)
    with pytest.raises(ValueError, match=message):
        task_of(kind, tmp_path).examples("val")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("clip", r"youtube_mapping.txt, line 7: not a clip and its number"),
        ("other vid1", r"youtube_mapping.txt, number 'vid1': it comes twice"),
        ("clip \udcff", r"youtube_mapping.txt, the whole file: no text"),
    ],
)
def test_a_list_of_clips_that_cannot_be_is_refused(line: str, message: str, tmp_path: Path) -> None:
    data_sets.msvd(tmp_path)
    with (tmp_path / "youtube_mapping.txt").open("a", errors="surrogateescape") as file:
        file.write(line)
    with pytest.raises(ValueError, match=message):
        task_of(MSVDQuestions, tmp_path).examples("val")
