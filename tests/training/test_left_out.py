"""Images that cannot be read: an error by default; on demand they are left out, and told of."""

from __future__ import annotations

import json
import pickle
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pg_transfer.task import Answer, Draw, Example, Scores, Share, Target, Task
from pg_transfer.text.tokenizer import BUILTIN, Tokenizer
from pg_transfer.training.batches import collate
from pg_transfer.training.lessons import Lessons, Prompts
from pg_transfer.training.reader import Antialias, ImageError, MissingImageError, Reader
from tests import data_sets
from tests.faults.commands import call
from tests.faults.making import ON_TEXTVQA, QUICK, whole

BROKEN = 3  # of ten


class Words(Task):
    """A task, as far as a reader needs one."""

    def examples(self, split: str) -> list[Example]:
        return []

    def score(self, answers: Sequence[Answer]) -> Scores:
        return Scores({}, [])

    def target(self, example: Example, draw: Draw) -> Target:
        return Target(example.prefix, f"{example.id} {draw.epoch}")


def reader(*, skips: bool) -> Reader:
    return Reader(
        task=Words(), tokenizer=Tokenizer(BUILTIN), resolution=14, text_length=32,
        antialias=Antialias(train=False, evaluate=False), skips=skips,
    )  # fmt: skip


@pytest.fixture
def examples(tmp_path: Path) -> list[Example]:
    for number in range(10):
        Image.new("RGB", (14, 14), (number, 0, 0)).save(tmp_path / f"{number}.png")
    (tmp_path / f"{BROKEN}.png").write_bytes(b"")
    return [Example(str(number), tmp_path / f"{number}.png", "what") for number in range(10)]


def test_by_default_a_broken_image_is_an_error_that_names_it(examples: list[Example]) -> None:
    lessons = Lessons(reader(skips=False), examples, seed=0)
    with pytest.raises(ImageError, match=r"example '3': .*3\.png: cannot be read as an image"):
        lessons[BROKEN, 0]
    assert isinstance(examples[4].image, Path)
    examples[4].image.unlink()
    with pytest.raises(MissingImageError, match=r"example '4': no image file .*4\.png"):
        Prompts(reader(skips=False), examples, batch=1, rank=0, processes=1)[4]


def test_a_lesson_is_replaced_by_the_same_one_every_time(examples: list[Example]) -> None:
    first, second = (Lessons(reader(skips=True), examples, seed=0) for _ in range(2))
    instead = Counter()
    for epoch in range(200):
        one, other = first[BROKEN, epoch], second[BROKEN, epoch]
        assert one.row == other.row != BROKEN and np.array_equal(one.pixels, other.pixels)
        assert np.array_equal(one.layout.tokens, other.layout.tokens)
        assert one.pixels[0, 0, 0] == one.row
        assert all(fault.row == BROKEN and "'3'" in fault.reason for fault in one.faults)
        instead[one.row] += 1
    assert len(instead) == 9 and max(instead.values()) < 50  # the others take turns
    assert first[4, 0].faults == ()


def test_a_lesson_of_a_mixture_is_replaced_by_one_of_its_task(examples: list[Example]) -> None:
    shares = [Share("few", 2, 1.0), Share("more", 3, 1.0), Share("most", 5, 1.0)]
    lessons = Lessons(reader(skips=True), examples, 0, shares)  # the broken one, 3, is of 2, 3, 4
    assert {lessons[BROKEN, epoch].row for epoch in range(50)} == {2, 4}


def test_too_many_are_an_error_all_the_same(examples: list[Example]) -> None:
    for example in examples:
        assert isinstance(example.image, Path)
        example.image.write_bytes(b"")
    with pytest.raises(ValueError, match="10 examples drawn one after the other cannot be read"):
        Lessons(reader(skips=True), examples, seed=0)[0, 0]


def test_a_prompt_keeps_its_place_in_the_batch(examples: list[Example]) -> None:
    prompts = Prompts(reader(skips=True), examples, batch=1, rank=0, processes=1)
    batch = collate([prompts[index] for index in range(5)])
    assert batch.rows == [0, 1, 2, 3, 4] and batch.images.shape == (5, 14, 14, 3)
    assert batch.images[:, 0, 0, 0].tolist() == [0, 1, 2, 0, 4]
    assert [fault.row for fault in batch.faults] == [BROKEN]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_run_tells_what_it_went_on_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PG_DATA", raising=False)
    whole(tmp_path)
    images = tmp_path / "data/textvqa/train_images"
    assert len(list(images.iterdir())) == 8
    (images / "train02.jpg").write_bytes(b"")
    (images / "train03.jpg").unlink()
    (images / "val01.jpg").write_bytes(b"<html>404 Not Found</html>")
    settings = ("on_error=skip", "recipe.epochs=3", *ON_TEXTVQA)
    ended = call("train.py", (*QUICK, *settings), tmp_path)
    assert ended.code == 0, ended.error
    run = tmp_path / "run"
    listed = json.loads((run / "left_out.json").read_text())
    # Six updates of two: three epochs of four.
    assert {k: v["times"] >= 3 for k, v in listed["training"].items()} == {"2": True, "3": True}
    times = sum(one["times"] for one in listed["training"].values())
    assert list(listed["val"]) == ["101"]
    assert (
        "example '101': data/textvqa/train_images/val01.jpg: cannot be read as an image"
        in (listed["val"]["101"]["reason"])
    )
    notes = json.loads((run / "report.json").read_text())["notes"]
    in_training, in_scores = notes[-2:]
    assert in_training == (
        "training went on without 2 of the 4 examples of 'train', whose images could not be read: "
        f"others took their places, {times} times ('2', '3')"
    )
    assert in_scores == (
        "1 of the 4 images of 'val' could not be read: these examples were not answered, and count "
        "as wrong ('101'); the list is left_out.json"
    )
    assert in_scores in ended.out.replace("\n", " ")
    answers = map(json.loads, (run / "answers/val-step000006.jsonl").read_text().splitlines())
    assert [row["answer"] for row in answers if row["id"] == "101"] == [""]
    assert not list(run.glob("answers/*.part*"))

    # The same without the images that were replaced, and the other way round.
    ended = call("evaluate.py", ("run=run", "page=0"), tmp_path)
    assert ended.code == 0 and in_scores in ended.out.replace("\n", " ")
    ended = call("evaluate.py", ("run=run", "on_error=stop"), tmp_path)
    assert ended.code == 1 and "example '101': " in ended.message
    for path in images.glob("val*"):
        path.write_bytes(b"")
    ended = call("evaluate.py", ("run=run",), tmp_path)
    assert ended.code == 1
    assert ended.message.startswith("none of the images of 'val' can be read; the first: example")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_masks_of_an_image_that_cannot_be_read_are_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are of the image's size, and the picture that stands for it is not."""
    monkeypatch.delenv("PG_DATA", raising=False)
    root = data_sets.refcoco(tmp_path / "data/refcoco")
    path = root / "refcoco/refs(unc).p"
    refs = pickle.loads(path.read_bytes())
    sentence = {**refs[2]["sentences"][0], "sent_id": 9}
    refs.append({**refs[2], "ref_id": 9, "split": "val", "sent_ids": [9], "sentences": [sentence]})
    path.write_bytes(pickle.dumps(refs, 2))
    (root / "train2014/COCO_train2014_000000000001.jpg").write_bytes(b"")
    quick = [one for one in QUICK if one not in ("pictured=0", "page=0")]
    settings = ("task=refcoco", "on_error=skip", "splits.report=[refcoco/val]")
    ended = call("train.py", (*quick, *settings), tmp_path)
    assert ended.code == 0, ended.error
    run = tmp_path / "run"
    listed = json.loads((run / "left_out.json").read_text())
    assert len(listed["refcoco/val"]) == 1
    assert list(run.rglob("*.png")) and list(run.rglob("*.html"))
