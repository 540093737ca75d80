"""Videos as they are learnt from and asked about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pg_transfer.data import resizing
from pg_transfer.data.videos import Video
from pg_transfer.task import Answer, Draw, Example, Scores, Task
from pg_transfer.text.tokenizer import load_tokenizer
from pg_transfer.training.answers_so_far import digest_of_prompts
from pg_transfer.training.batches import collate
from pg_transfer.training.data import TransferData
from pg_transfer.training.lessons import Lessons, Prompts
from pg_transfer.training.prepared_images import PreparedImages
from pg_transfer.training.reader import Antialias, MissingImageError, Reader
from tests.data_sets.videos import STEP, numbers, write_video


class Clips(Task):
    """Two examples of a video."""

    def __init__(self, path: Path, *, count: int, stride: int) -> None:
        clip = Video(path, count, stride)
        self.all = [Example(name, clip, "what?", ("it",)) for name in "ab"]

    def examples(self, split: str) -> Sequence[Example]:
        return self.all

    def score(self, answers: Sequence[Answer]) -> Scores:
        raise NotImplementedError


def reader(path: Path, *, count: int = 4, stride: int = 3) -> Reader:
    return Reader(
        task=Clips(path, count=count, stride=stride), tokenizer=load_tokenizer("builtin"),
        resolution=14, text_length=8, antialias=Antialias(train=False, evaluate=False),
    )  # fmt: skip


def test_frames_are_evaluated_from_the_first_and_learnt_from_anywhere(tmp_path: Path) -> None:
    ours = reader(write_video(tmp_path / "a.mp4", frames=16))
    examples = ours.task.examples("train")
    prompts = Prompts(ours, examples, batch=2, rank=0, processes=1)
    assert numbers(prompts[0].pixels) == [0, 3, 6, 9]
    assert prompts[1].pixels is prompts[0].pixels  # is not decoded twice
    lessons = Lessons(ours, examples, seed=0)
    firsts = [numbers(lessons[0, epoch].pixels)[0] for epoch in range(20)]
    assert set(firsts) == {0, 1, 2, 3, 4}
    again = Lessons(ours, examples, seed=0)
    assert firsts[:5] == [numbers(again[0, epoch].pixels)[0] for epoch in range(5)]


def test_frames_of_a_short_video_come_again_from_the_first_on(tmp_path: Path) -> None:
    ours = reader(write_video(tmp_path / "a.mp4", frames=7), count=8)
    pixels, _ = ours.prompt(ours.task.examples("val")[0])
    assert numbers(pixels) == [0, 3, 6, 0, 3, 6, 0, 3]
    drawn, _ = ours.lesson(ours.task.examples("train")[0], Draw(0, "a", 3))
    assert numbers(drawn) == numbers(pixels)


def test_values_between_grey_levels_are_kept(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    folder.mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    Image.fromarray(noise).save(folder / "0.png")
    ours = reader(folder, count=2)
    examples = ours.task.examples("val")
    batch = collate([Prompts(ours, examples, batch=2, rank=0, processes=1)[0]])
    assert (batch.images.dtype, batch.images.shape) == (torch.float32, (1, 2, 14, 14, 3))
    # big_vision pp/proj/paligemma/video.py: tf.image.resize, 2 * (image / 255) - 1
    expected = resizing.resize(noise.astype(np.float32), 14, antialias=False)
    assert not np.array_equal(expected, expected.astype(np.uint8))
    there = batch.to(torch.device("cpu"))
    assert there.images.shape == (1, 2, 3, 14, 14)
    np.testing.assert_array_equal(
        there.images[0, 1].movedim(0, -1).numpy(), 2 * (expected / np.float32(255)) - 1
    )
    np.testing.assert_array_equal(there.to(torch.device("cpu")).images, there.images)


def test_a_video_that_cannot_be_read_is_an_error_or_black(tmp_path: Path) -> None:
    ours = reader(tmp_path / "a.mp4")
    examples = ours.task.examples("val")
    with pytest.raises(MissingImageError, match=r"example 'a': no video .*a.mp4"):
        Lessons(ours, examples, seed=0)[0, 0]
    item = Prompts(replace(ours, skips=True), examples, batch=2, rank=0, processes=1)[0]
    assert item.pixels.shape == (4, 14, 14, 3) and not item.pixels.any()
    assert item.pixels.dtype == np.float32  # as that of others in the batch
    assert item.faults[0].reason.startswith("example 'a': no video")


def test_frames_are_not_kept_with_prepared_images(tmp_path: Path) -> None:
    ours = reader(write_video(tmp_path / "a.mp4"))
    kept = {False: PreparedImages(tmp_path / "cache", resolution=14, antialias=False)}
    data = TransferData(
        replace(ours, prepared=kept), train="train", validate="val", batch_size=2, micro_batch=2,
        evaluation_batch=2, workers=0, seed=0,
    )  # fmt: skip
    with pytest.raises(
        ValueError, match=r"image_cache keeps images, and example 'a' is about a vi"
    ):
        data.make_room()
    assert not (tmp_path / "cache").exists()


def test_answers_about_other_frames_are_not_gone_on_with(tmp_path: Path) -> None:
    def digest(**chosen: int) -> str:
        return digest_of_prompts(reader(tmp_path / "a.mp4", **chosen).task.examples("val"), [0, 1])

    assert len({digest(), digest(stride=4), digest(count=5)}) == 3
    assert digest() == digest()


def test_frames_are_seen_from_dark_to_bright(tmp_path: Path) -> None:
    """What the other tests believe."""
    frames = list(Video(write_video(tmp_path / "a.mp4"), 3, 5).frames())
    assert [frame.mean() for frame in frames] == pytest.approx([0, 5 * STEP, 10 * STEP], abs=1)
