"""Captions of videos from files in the published formats, written here by hand."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pg_transfer.data.splits import Splits, remarks_on
from pg_transfer.data.videos import Video
from pg_transfer.running.assemble import assemble
from pg_transfer.task import Answer, Draw, Example, pieces_of
from tasks.video_captions import MSRVTT, VATEX, ActivityNetCaptions, VideoCaptions
from tests import data_sets
from tests.data_sets.videos import numbers
from tests.short_runs import settings

WRITTEN: dict[type[VideoCaptions], Callable[[Path], Path]] = {
    MSRVTT: data_sets.msrvtt,
    VATEX: data_sets.vatex,
    ActivityNetCaptions: data_sets.activitynet,
}


def task_of(kind: type[VideoCaptions], root: Path, **chosen: Any) -> VideoCaptions:
    return kind(root, **{"frames": 4, "stride": 2, **chosen})


def said(example: Example, text: str) -> Answer:
    return Answer(example, text, pieces_of(text))


@pytest.fixture(autouse=True)
def without_java(monkeypatch: pytest.MonkeyPatch) -> None:
    """Java needs ten seconds to start METEOR, which has tests of its own."""
    monkeypatch.setenv("PATH", "")


def test_a_video_of_msrvtt_has_all_its_captions(tmp_path: Path) -> None:
    task = task_of(MSRVTT, data_sets.msrvtt(tmp_path))
    first, second = task.examples("train")
    assert (first.id, first.prefix) == ("video0", "caption en")
    assert first.suffixes == ("car number 0 drives", "a car is shown")
    assert first.image == Video(tmp_path / "videos/video0.mp4", 4, 2)
    assert second.id == "video1"
    assert [one.id for one in task.examples("val")] == ["video2", "video3"]
    assert [one.id for one in task.examples("test")] == ["video4", "video5"]
    assert len(task.examples("train+val")) == 4


def test_msrvtt_may_be_in_one_file(tmp_path: Path) -> None:
    data_sets.msrvtt(tmp_path)
    parts = [tmp_path / f"{name}_videodatainfo.json" for name in ("train_val", "test")]
    contents = [json.loads(part.read_text()) for part in parts]
    whole = {
        name: [*contents[0][name], *contents[1][name]] for name in ("videos", "sentences")
    }  # fmt: skip
    expected = {split: list(task_of(MSRVTT, tmp_path).examples(split)) for split in MSRVTT.splits}
    data_sets.write_json(tmp_path / "annotation" / "MSRVTT_data.json", whole)
    for part in parts:
        part.unlink()
    task = task_of(MSRVTT, tmp_path)
    assert {split: list(task.examples(split)) for split in MSRVTT.splits} == expected


def test_the_file_of_2017_calls_a_split_otherwise(tmp_path: Path) -> None:
    path = data_sets.msrvtt(tmp_path) / "train_val_videodatainfo.json"
    content = json.loads(path.read_text())
    for video in content["videos"]:
        video["split"] = {"train": "train", "validate": "val"}[video["split"]]
    path.unlink()
    data_sets.write_json(tmp_path / "videodatainfo_2017.json", content)
    task = task_of(MSRVTT, tmp_path)
    assert [one.id for one in task.examples("train")] == ["video0", "video1"]
    assert [one.id for one in task.examples("val")] == ["video2", "video3"]


def test_a_video_of_vatex_has_its_english_captions(tmp_path: Path) -> None:
    task = task_of(VATEX, data_sets.vatex(tmp_path))
    first, _ = task.examples("val")
    assert first.id == "Ptf_2VRj-V1_000120_000130"
    assert first.suffixes == ("A person surfs.", "Person 0 rides a wave in the sea.")
    assert first.images == (tmp_path / "videos/Ptf_2VRj-V1_000120_000130.webm",)
    assert len(task.examples("train+val")) == len(task.examples("test")) * 2 == 4


def test_a_segment_of_activitynet_is_an_example(tmp_path: Path) -> None:
    task = task_of(ActivityNetCaptions, data_sets.activitynet(tmp_path))
    first, second, third, _ = task.examples("val")
    assert (first.id, first.suffixes) == ("v_QOlSCBRmfWC[0-0.8]", ("A woman dances (val_1).",))
    path = tmp_path / "videos/v_QOlSCBRmfWC.mp4"
    assert first.image == Video(path, 4, 2, (0, 0.8), 2.0)
    # Sentences begin with a space in the files, and are learnt without.
    assert (second.id, second.suffixes) == ("v_QOlSCBRmfWC[0.5-1.25]", ("She bows and leaves.",))
    assert numbers(second.image.frames()) == [5, 7, 9, 11]  # type: ignore[union-attr]
    assert third.id.startswith("v_QOlSCBRmfWD")
    # val_2.json is about the same videos as val_1.json.
    assert [one.id for one in task.examples("test")][1] == "v_QOlSCBRmfWC[0.5-1.35]"
    assert any(
        "test is not held out" in one for one in remarks_on(Splits(task), ["test"], train="val")
    )


def test_segments_that_are_none_are_left_out_and_told(tmp_path: Path) -> None:
    data_sets.activitynet(tmp_path)
    path = tmp_path / "val_2.json"
    content = json.loads(path.read_text())
    content["v_QOlSCBRmfWC"] = {
        "duration": 2.0,
        "timestamps": [[1.5, 1.5], [0, 1.9], [1.4, 0.2], [0, 1.9]],
        "sentences": ["One.", "Two.", "Three.", "Four."],
    }
    data_sets.write_json(path, content)
    task = task_of(ActivityNetCaptions, tmp_path, frames=16, stride=30)
    first, *others = task.examples("test")
    # Of the same segment all sentences are references of one answer.
    assert (first.id, first.suffixes) == ("v_QOlSCBRmfWC[0-1.9]", ("Two.", "Four."))
    assert len(others) == 2
    assert list(task.departures)[1:] == [
        "test is without 2 segments that do not begin before they end"
    ]


def test_videos_are_found_without_activitynets_letter(tmp_path: Path) -> None:
    data_sets.activitynet(tmp_path)
    for path in (tmp_path / "videos").iterdir():
        path.rename(path.with_name(path.name.removeprefix("v_")))
    example = task_of(ActivityNetCaptions, tmp_path).examples("val")[0]
    assert example.images == (tmp_path / "videos/QOlSCBRmfWC.mp4",)


def test_any_caption_is_learnt_independent_of_the_last(tmp_path: Path) -> None:
    # big_vision pp/proj/paligemma/video.py, video_choice: with replacement
    task = task_of(MSRVTT, data_sets.msrvtt(tmp_path))
    example = task.examples("train")[0]
    drawn = [task.target(example, Draw(0, example.id, epoch)).suffix for epoch in range(40)]
    assert Counter(drawn).keys() == set(example.suffixes)
    assert any(first == second for first, second in zip(drawn[::2], drawn[1::2], strict=True))


@pytest.mark.parametrize("kind", WRITTEN)
def test_right_captions_score_full_marks(kind: type[VideoCaptions], tmp_path: Path) -> None:
    task = task_of(kind, WRITTEN[kind](tmp_path))
    examples = task.examples("test")
    right = task.score([said(one, max(one.suffixes, key=len)) for one in examples])
    assert next(iter(right.metrics)) == "CIDEr"
    assert right.metrics["Bleu_1"] == pytest.approx(100)
    wrong = task.score([said(one, "nothing of the sort") for one in examples])
    assert wrong.metrics["CIDEr"] < right.metrics["CIDEr"]


def break_msrvtt(content: Any) -> None:
    content["sentences"] = content["sentences"][1:-2]


def break_video(content: Any, **fields: Any) -> None:
    content["v_QOlSCBRmfWC"].update(fields)


@pytest.mark.parametrize(
    ("kind", "file", "change", "message"),
    [
        (MSRVTT, "test_videodatainfo.json", lambda content: content["sentences"].clear(),
         r"test_videodatainfo.json, video_id 'video4': it has no caption that says anything"),
        (MSRVTT, "test_videodatainfo.json", lambda content: content.pop("videos"),
         r"test_videodatainfo.json, the whole file: no list of records named 'videos'"),
        (MSRVTT, "test_videodatainfo.json",
         lambda content: content["sentences"].append({"video_id": "video4", "caption": 3}),
         r"video_id 'video4': one of its captions is 3, no text"),
        (MSRVTT, "test_videodatainfo.json",
         lambda content: content["videos"].append(content["videos"][0]),
         r"video_id 'video4': it comes twice"),
        (MSRVTT, "test_videodatainfo.json",
         lambda content: content["videos"][0].update(split="public"),
         r"video_id 'video4': its split is 'public', none of train, validate, val, test"),
        (VATEX, "vatex_public_test_english_v1.1.json", lambda content: content[0].pop("enCap"),
         r"v1.1.json, videoID 'Ptf_2VRj-V2_000120_000130': it has no 'enCap'"),
        (VATEX, "vatex_public_test_english_v1.1.json", lambda content: content[0].pop("videoID"),
         r"it has no 'videoID'"),
        (ActivityNetCaptions, "val_2.json", lambda content: break_video(content, sentences=["a"]),
         r"val_2.json, video 'v_QOlSCBRmfWC': 2 pairs of timestamps, and 1 sentences"),
        (ActivityNetCaptions, "val_2.json",
         lambda content: break_video(content, timestamps=[[0, "1"], [1, 2]]),
         r"video 'v_QOlSCBRmfWC': '1' is no number of seconds"),
        (ActivityNetCaptions, "val_2.json",
         lambda content: break_video(content, timestamps=[[0, 1, 2], [1, 2]]),
         r"2 pairs of timestamps"),
        (ActivityNetCaptions, "val_2.json", lambda content: break_video(content, duration=None),
         r"None is no number of seconds"),
        (ActivityNetCaptions, "val_2.json",
         lambda content: break_video(content, sentences=[" ", "a"]),
         r"id 'v_QOlSCBRmfWC\[0-0.8\]': it has no caption"),
    ],
)  # fmt: skip
def test_a_record_that_cannot_be_is_named(
    kind: type[VideoCaptions],
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
        task_of(kind, tmp_path).examples("test")


def test_a_missing_file_says_what_to_download(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no vatex_training_v1.0.json in .*\n.*eric-xw"):
        task_of(VATEX, tmp_path).examples("train")


@pytest.mark.slow
def test_a_short_run_learns_and_scores(tmp_path: Path) -> None:
    root = data_sets.msrvtt(tmp_path / "data")
    overrides = (
        "task=msrvtt_cap", "model=tiny", "resolution=84", f"task.root={root}", "task.frames=3",
        "task.stride=2", "recipe.epochs=2", "recipe.batch_size=2", "recipe.lr=1e-3",
        "recipe.weight_decay=0", "recipe.label_smoothing=0", "recipe.dropout=0",
        "recipe.text_length=16", "recipe.freeze_vision=true", "splits.report=[test]", "page=1",
        "evaluation_batch=2",
    )  # fmt: skip
    folder = tmp_path / "run"
    run = assemble(settings(folder, *overrides, "micro_batch=2"), folder)
    batch = next(iter(run.data.train_dataloader()))
    assert batch.images.shape == (2, 3, 84, 84, 3)
    run.trainer.fit(run.module, run.data)
    scores = run.score("test")
    assert set(scores.metrics) >= {"CIDEr"}
    assert any("the paper's reader of videos is not public" in one for one in run.remarks)
    assert list((folder / "pictures").glob("test-*.png"))
