"""What is read when: the flags of training and evaluation, and the splits of the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest
from PIL import Image

from pg_transfer import images
from pg_transfer.task import Answer, Draw, Example, Scores, Task
from pg_transfer.text.tokenizer import load_tokenizer
from pg_transfer.training.batches import Antialias, Lessons, Prompts, Reader
from pg_transfer.training.data import TransferData, choose_reported


class Pictures(Task):
    """Three pictures; `test` has one of its own, `extra` has not been downloaded."""

    departures: Sequence[str] = ("the pictures are made up",)
    sizes: Mapping[str, int] = MappingProxyType({"train": 2, "val": 3, "test": 2})

    def __init__(self, folder: Path) -> None:
        noise = np.random.default_rng(0).integers(0, 256, (3, 20, 30, 3), np.uint8)
        self.paths = [folder / f"{number}.png" for number in range(3)]
        for pixels, path in zip(noise, self.paths, strict=True):
            Image.fromarray(pixels).save(path)

    def examples(self, split: str) -> Sequence[Example]:
        if split == "extra":
            raise FileNotFoundError("there is no extra.json.\nFetch it.")
        rows = {"train": (0, 1), "val": (1,), "test": (1, 2)}
        if split not in rows:
            raise ValueError(f"no split {split!r}")
        return [Example(str(row), self.paths[row], "p", ("s",)) for row in rows[split]]

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
    (example, *_) = ours.task.examples("train")
    whole = images.open_image(example.image)
    small = {
        flag: images.value_range(images.resize(whole, 8, antialias=flag)) for flag in (True, False)
    }
    assert not np.array_equal(small[True], small[False])
    _, lesson, layout = Lessons(ours, [example], seed=0)[0, 0]
    np.testing.assert_array_equal(lesson, small[train])
    assert layout.length > layout.prefix_length
    assert ours.lesson(example, Draw(0, example.id, 0))[1].tokens.tolist() == layout.tokens.tolist()
    _, prompt, _ = Prompts(ours, [example], rank=0, processes=1)[0]
    np.testing.assert_array_equal(prompt, small[evaluate])


def data(folder: Path, validate: str = "val") -> TransferData:
    return TransferData(
        reader(folder, train=True, evaluate=True), train="train", validate=validate,
        batch_size=2, micro_batch=2, evaluation_batch=2, workers=0, seed=0,
    )  # fmt: skip


def test_a_report_says_what_its_scores_are_not(tmp_path: Path) -> None:
    chosen, remarks = choose_reported(data(tmp_path), ["test"], optional=["extra", "val"])
    assert chosen == ["test", "val"]
    assert remarks == [
        "the pictures are made up",
        "extra is not scored: there is no extra.json. Fetch it.",
        "val has 1 examples, and in the paper 3",
        "test is not held out: 1 of its 2 examples are of images that are trained on",
        "val is not held out: 1 of its 1 examples are of images that are trained on",
    ]


def test_splits_that_cannot_be_scored_are_found_before_training(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no extra\.json"):
        choose_reported(data(tmp_path), ["extra"], optional=[])
    for wrong in (data(tmp_path, validate="dev"), data(tmp_path)):
        with pytest.raises(ValueError, match="no split 'dev'"):
            choose_reported(wrong, ["test", "dev"], optional=[])
