"""What is read how: the flags of training and evaluation."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pg_transfer.data import images, resizing
from pg_transfer.task import Answer, Draw, Example, Scores, Share, Task
from pg_transfer.text.tokenizer import load_tokenizer
from pg_transfer.training.batches import Batch
from pg_transfer.training.data import TransferData
from pg_transfer.training.lessons import Lessons, Prompts
from pg_transfer.training.prepared_images import PreparedImages
from pg_transfer.training.reader import Antialias, Reader
from tests import ready


class Pictures(Task):
    """A picture."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "0.png"
        noise = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
        Image.fromarray(noise).save(self.path)

    def examples(self, split: str) -> Sequence[Example]:
        return [Example("0", self.path, "p", ("s",))]

    def score(self, answers: Sequence[Answer]) -> Scores:
        raise NotImplementedError


def reader(folder: Path, *, train: bool, evaluate: bool) -> Reader:
    return Reader(
        task=Pictures(folder), tokenizer=load_tokenizer("builtin"), resolution=8, text_length=8,
        antialias=Antialias(train=train, evaluate=evaluate),
    )  # fmt: skip


@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize("evaluate", [True, False])
def test_training_and_evaluation_have_an_antialias_flag_each(
    tmp_path: Path, train: bool, evaluate: bool
) -> None:
    ours = reader(tmp_path, train=train, evaluate=evaluate)
    (example,) = ours.task.examples("train")
    whole = images.open_image(example.image)
    small = {flag: resizing.resize(whole, 8, antialias=flag) for flag in (True, False)}
    assert not np.array_equal(small[True], small[False])
    lesson = Lessons(ours, [example], seed=0)[0, 0]
    np.testing.assert_array_equal(lesson.pixels, small[train])
    layout = lesson.layout
    assert layout.length > layout.prefix_length
    assert ours.lesson(example, Draw(0, example.id, 0))[1].tokens.tolist() == layout.tokens.tolist()
    prompt = Prompts(ours, [example], batch=1, rank=0, processes=1)[0]
    np.testing.assert_array_equal(prompt.pixels, small[evaluate])


class Album(Task):
    """Eight pictures to learn from, of which the last two are asked about, too; one is drawn."""

    def __init__(self, folder: Path) -> None:
        noise = np.random.default_rng(0).integers(0, 256, (8, 20, 30, 3), np.uint8)
        self.paths = [folder / f"{row}.png" for row in range(8)]
        for path, pixels in zip(self.paths, noise, strict=True):
            Image.fromarray(pixels).save(path)
        self.drawn = noise[0]

    def examples(self, split: str) -> Sequence[Example]:
        rows = {"train": range(8), "val": range(6, 8)}[split]
        return [
            Example(f"no. {row}", self.paths[row] if row else self.draw, "p", ("s",))
            for row in rows
        ]

    def draw(self) -> np.ndarray:
        return self.drawn

    def score(self, answers: Sequence[Answer]) -> Scores:
        raise NotImplementedError


def loaders(folder: Path, *, workers: int, cache: Path | None = None) -> TransferData:
    ours = replace(reader(folder, train=True, evaluate=False), task=Album(folder))
    if cache is not None:
        kept = {f: PreparedImages(cache, resolution=8, antialias=f) for f in (True, False)}
        ours = replace(ours, prepared=kept)
    data = TransferData(
        ours, train="train", validate="val", batch_size=4, micro_batch=2, evaluation_batch=2,
        workers=workers, seed=0,
    )  # fmt: skip
    data.steps = 6
    return data


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_are_the_same_from_kept_images_in_every_epoch(
    tmp_path: Path, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pg_transfer.training.prepared_images.SETTLED_SECONDS", -1.0)
    plain = loaders(tmp_path, workers=workers)
    kept = loaders(tmp_path, workers=workers, cache=tmp_path / "cache")
    rooms = kept.make_room()
    assert [(room.images, room.path.name) for room in rooms] == [
        (7, "8px-antialiased.pixels"), (2, "8px-plain.pixels"),
    ]  # fmt: skip
    for _ in range(2):  # the second time, nothing has to be decoded
        for loader in ("train_dataloader", "val_dataloader"):
            expected, ours = list(getattr(plain, loader)()), list(getattr(kept, loader)())
            assert len(expected) == len(ours) == {"train": 12, "val": 1}[loader.split("_")[0]]
            for one, other in zip(expected, ours, strict=True):
                assert as_bytes(one) == as_bytes(other)
        monkeypatch.setattr(images, "read_image", None if workers == 0 else images.read_image)
        plain.reader = kept.reader


def as_bytes(batch: Batch) -> tuple[object, ...]:
    tensors = (batch.images, batch.tokens, batch.prefix_lengths, batch.lengths)
    return *(tensor.numpy().tobytes() for tensor in tensors), batch.rows, batch.cuts


ENDING = """
import sys
from pg_transfer.training.data import BatchLoader
batches = iter(BatchLoader([], workers=2, batch_sampler=[[]] * 100))
next(batches)
sys.exit(7)
"""


@pytest.mark.slow
def test_loading_processes_do_not_outlive_the_program() -> None:
    """They do not hear when they are asked to stop, and multiprocessing would wait for them."""
    done = subprocess.run(
        [ready.python(), "-c", ENDING], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (7, "")


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("is_there", [True, False])
def test_a_broken_image_is_one_clear_error_also_from_a_loading_process(
    tmp_path: Path, workers: int, is_there: bool
) -> None:
    data = loaders(tmp_path, workers=workers)
    broken = tmp_path / "7.png"
    if is_there:
        broken.write_bytes(broken.read_bytes()[:100])
    else:
        broken.unlink()
    expected = ValueError if is_there else FileNotFoundError
    for loader in (data.train_dataloader(), data.val_dataloader()):
        with pytest.raises(expected) as caught:
            list(loader)
        message = str(caught.value)
        assert message.startswith(
            f"example 'no. 7': {broken}: cannot be read as an image"
            if is_there
            else f"example 'no. 7': no image file {broken}"
        )
        assert "\n" not in message
        assert "Traceback" in str(caught.value.__cause__)  # for whoever asks for it


class Parts(Pictures):
    """Two parts of which the first is as good as never learnt from."""

    def examples(self, split: str) -> Sequence[Example]:
        return [Example(str(number), self.path, "p", ("s",)) for number in range(2)]

    def shares_of(self, split: str) -> Sequence[Share]:
        assert split == "learnt"
        return [Share("rare", 1, 1e-9), Share("other", 1, 1.0)]


def test_parts_are_learnt_from_by_their_weights(tmp_path: Path) -> None:
    ours = replace(reader(tmp_path, train=True, evaluate=True), task=Parts(tmp_path))
    data = TransferData(
        ours, train="learnt", validate="val", batch_size=4, micro_batch=4, evaluation_batch=2,
        workers=0, seed=0,
    )  # fmt: skip
    data.steps = 3
    rows = {row for batch in data.train_dataloader() for row in batch.rows}
    assert rows == {1}
