"""TextVQA from files in the published format, written here by hand."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pg_transfer.task import Answer, Draw, Example, Scores, pieces_of
from tasks.textvqa import TextVQA

SPLITS = {
    "train": [(0, "0054c91397f2fe05", "what is the brand of phone?", ["nokia"] * 9 + ["toshiba"])],
    "val": [
        (34602, "003a8ae2ef43b901", "what is the brand of this camera?",
         ["nous les gosses", "dakota", "clos culombu", "dakota digital", "dakota", "dakota",
          "dakota digital", "dakota digital", "dakota", "dakota"]),
        (34603, "b9dc400eb20bad64", "what does the small white text spell?",
         ["copenhagen"] * 7 + ["Copenhagen", "thursday", "copenhagen."]),
        (34604, "b9dc400eb20bad64", "what year?", [str(year) for year in range(2000, 2010)]),
    ],
    "test": [(39602, "0a1f7e2e1e2e0a1f", "what time is it?", None)],
}  # fmt: skip


def published(split: str) -> dict[str, Any]:
    return {
        "dataset_type": split,
        "dataset_name": "textvqa",
        "dataset_version": "0.5.1",
        "data": [
            {
                "question": question,
                "image_id": image,
                "image_classes": ["Mobile phone"],
                "flickr_original_url": f"https://example.org/{image}_o.jpg",
                "flickr_300k_url": f"https://example.org/{image}_z.jpg",
                "image_width": 1024,
                "image_height": 730,
                "question_tokens": question.strip("?").split(),
                "question_id": number,
                "set_name": split,
            }
            | ({"answers": answers} if answers else {})
            for number, image, question, answers in SPLITS[split]
        ],
    }


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for split, rows in SPLITS.items():
        (tmp_path / f"TextVQA_0.5.1_{split}.json").write_text(json.dumps(published(split)))
        folder = tmp_path / ("test_images" if split == "test" else "train_images")
        folder.mkdir(exist_ok=True)
        for _, image, _, _ in rows:
            # Wider than high, red on the left and blue on the right.
            pixels = np.zeros((32, 64, 3), np.uint8)
            pixels[:, :32, 0] = pixels[:, 32:, 2] = 255
            Image.fromarray(pixels).save(folder / f"{image}.jpg", quality=100)
    return tmp_path


HEADER = "ImageID,Subset,OriginalURL,OriginalLandingURL,License,Author,Title,Rotation"


def table(path: Path, rotations: dict[str, str]) -> Path:
    """OpenImages' table of images."""
    rows = [f'{image},train,u,l,c,a,"a title, quoted",{turn}' for image, turn in rotations.items()]
    path.write_text("\n".join([HEADER, *rows]) + "\n", encoding="utf-8")
    return path


def said(example: Example, text: str) -> Answer:
    return Answer(example, text, pieces_of(text))


def test_examples(root: Path) -> None:
    task = TextVQA(root)
    (example,) = task.examples("train")
    assert (example.id, example.prefix) == ("0", "answer en what is the brand of phone?")
    assert example.image == root / "train_images" / "0054c91397f2fe05.jpg"
    assert len(example.suffixes) == 10
    # Images of the validation set lie with those of the training set.
    assert task.examples("val")[0].image == root / "train_images" / "003a8ae2ef43b901.jpg"
    assert [one.id for one in task.examples("train+val")] == ["0", "34602", "34603", "34604"]


def test_ten_epochs_teach_every_answer_once(root: Path) -> None:
    task = TextVQA(root)
    example = task.examples("val")[0]
    for first in (0, 10):
        targets = [task.target(example, Draw(0, example.id, first + epoch)) for epoch in range(10)]
        assert sorted(target.suffix for target in targets) == sorted(example.suffixes)
    five = {task.target(example, Draw(0, example.id, epoch)).suffix for epoch in range(5)}
    assert five < set(example.suffixes)


def test_score_by_hand(root: Path) -> None:
    task = TextVQA(root)
    examples = task.examples("val")
    # Of ten answers, "dakota digital" was given by three: leaving one of them out, two others
    # match (2/3, three times), else three (1, seven times): (3 * 2/3 + 7) / 10 = 0.9. Clean-up
    # makes nine equal "copenhagen": at least eight match: 1. "2003" was given by one: left out,
    # nothing matches (0, once), else one (1/3, nine times): (9 * 1/3) / 10 = 0.3.
    texts = ["dakota digital", "The Copenhagen", "2003"]
    scores = task.score([said(*pair) for pair in zip(examples, texts, strict=True)])
    assert next(iter(scores.metrics)) == "accuracy"
    assert scores.metrics["accuracy"] == pytest.approx(100 * (0.9 + 1 + 0.3) / 3)
    wrong = task.score([said(example, "") for example in examples])
    assert wrong.metrics["accuracy"] == 0


def test_the_test_split_is_answered_for_the_server(root: Path) -> None:
    task = TextVQA(root)
    examples = task.examples("test")
    assert examples[0].image == root / "test_images" / "0a1f7e2e1e2e0a1f.jpg"
    answers = [said(examples[0], " Ten o'clock.")]
    assert task.score(answers) == Scores({"answered": 1}, [{}])
    assert task.submission(answers) == [{"question_id": 39602, "answer": " Ten o'clock."}]
    with pytest.raises(ValueError, match="'39602' has nothing to choose from"):
        task.target(examples[0], Draw(0, "39602", 0))


@pytest.mark.parametrize(("degrees", "quarters"), [("90", 1), ("180.0", 2), ("270", 3), ("360", 0)])
def test_turned_images_are_turned_back_counter_clockwise(
    root: Path, degrees: str, quarters: int
) -> None:
    image = "003a8ae2ef43b901"
    path = table(root / "rotations.csv", {image: degrees, "b9dc400eb20bad64": "", "other": "90"})
    task = TextVQA(root, rotations=path)
    assert task.departures == ()
    turned, plain, _ = (example.image for example in task.examples("val"))
    assert isinstance(plain, Path)
    if not quarters:
        assert isinstance(turned, Path)
        return
    pixels = pickle.loads(pickle.dumps(turned))()  # as a loading process gets it
    # Where red, stored on the left, ends up: row and column of the middle of that half.
    # A quarter counter-clockwise takes the left to the bottom.
    places = {1: (48, 16), 2: (16, 48), 3: (16, 16)}
    assert pixels.shape == ((32, 64, 3) if quarters == 2 else (64, 32, 3))
    row, column = places[quarters]
    assert pixels[row, column, 0] > 200 > 50 > pixels[row, column, 2]


def test_tables_in_the_root_are_found(root: Path) -> None:
    assert "are not turned back" in TextVQA(root).departures[0]
    images = [image for split in ("train", "val") for _, image, _, _ in SPLITS[split]]
    table(root / "train-images-boxable-with-rotation.csv", dict.fromkeys(images, "0.0"))
    task = TextVQA(root)
    assert task.departures == ()
    assert len(task.examples("train+val")) == 4
    with pytest.raises(ValueError, match=r"1 of 1 images .* 0a1f7e2e1e2e0a1f.*\n.*test-images-wi"):
        task.examples("test")
    table(root / "test-images-with-rotation.csv", {"0a1f7e2e1e2e0a1f": "90.0"})
    assert not isinstance(TextVQA(root).examples("test")[0].image, Path)
    with pytest.raises(FileNotFoundError, match=r"no elsewhere\.csv"):
        TextVQA(root, rotations=["elsewhere.csv"])


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("ImageID,Subset\n1,train\n", "line 1: no columns ImageID and Rotation"),
        ("", "line 1: no columns"),
        ("ImageID,Rotation\n0054c91397f2fe05,45\n", "line 2: a rotation of '45' degrees"),
        ("ImageID,Rotation\n0054c91397f2fe05,left\n", "line 2: a rotation of 'left' degrees"),
        ("ImageID,Rotation\n1,0\n0054c91397f2fe05", "line 3: 1 cells under 2 names"),
        ("ImageID,Rotation\n1,0\n\xff\n", "the whole file: no table"),
    ],
)
def test_tables_that_cannot_be_are_named(root: Path, content: str, complaint: str) -> None:
    path = root / "rotations.csv"
    path.write_text(content, encoding="latin1")
    with pytest.raises(ValueError, match=rf"rotations\.csv, {complaint}"):
        TextVQA(root, rotations=path).examples("train")


def edited(root: Path, split: str, edit: Callable[[dict[str, Any]], Any]) -> None:
    content = published(split)
    edit(content)
    (root / f"TextVQA_0.5.1_{split}.json").write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("edit", "complaint"),
    [
        (
            lambda all_: all_.update(dataset_version="0.5"),
            "part of version '0.5', not the 'val' pa",
        ),
        (lambda all_: all_.update(dataset_type="train"), "is the 'train' part of version '0.5.1'"),
        (
            lambda all_: all_["data"][1].update(answers=["a"] * 9),
            "question_id 34603: .*it has 9 answers, not 10",
        ),
        (lambda all_: all_["data"][1].pop("answers"), "question_id 34603: it has no 'answers'"),
        (
            lambda all_: all_["data"][1].update(question=""),
            "question_id 34603: .*its question is empty",
        ),
        (lambda all_: all_["data"][1].pop("image_id"), "question_id 34603: it has no 'image_id'"),
        (lambda all_: all_["data"].append(all_["data"][0]), "question_id 34602: it comes twice"),
        (lambda all_: all_.pop("data"), "no list of records named 'data'"),
    ],
)
def test_records_that_cannot_be_are_named(root: Path, edit: Callable, complaint: str) -> None:
    edited(root, "val", edit)
    with pytest.raises(ValueError, match=rf"TextVQA_0\.5\.1_val\.json.*{complaint}"):
        TextVQA(root).examples("val")


def test_missing_files_and_images_are_named_with_their_source(root: Path) -> None:
    with pytest.raises(ValueError, match="TextVQA has no split 'dev'; there are train, val, test"):
        TextVQA(root).examples("dev")
    with pytest.raises(FileNotFoundError, match=r"TextVQA_0\.5\.1_val\.json.*\n.*textvqa\.org"):
        TextVQA(root / "elsewhere").examples("val")
    (root / "train_images" / "b9dc400eb20bad64.jpg").unlink()
    with pytest.raises(FileNotFoundError, match=r"1 of 2 images .*b9dc400eb20bad64\.jpg\.\n.*zip"):
        TextVQA(root).examples("val")


def test_reads_the_real_records(sample_data: Path, tmp_path: Path) -> None:
    source = sample_data / "textvqa"
    if not source.is_dir():
        pytest.skip("no TextVQA sample")
    (tmp_path / "train_images").mkdir()
    for split in ("train", "val"):
        path = source / f"TextVQA_0.5.1_{split}.json"
        (tmp_path / path.name).write_bytes(path.read_bytes())
        for record in json.loads(path.read_bytes())["data"]:
            size = record["image_width"], record["image_height"]
            image = tmp_path / "train_images" / f"{record['image_id']}.jpg"
            Image.new("RGB", size, "grey").save(image)
    task = TextVQA(tmp_path)
    examples = task.examples("val")
    assert len(examples) == len(task.examples("train")) == 100
    assert examples[0].prefix == "answer en what is the brand of this camera?"
    assert examples[0].suffixes.count("dakota") == 5
    metrics = task.score([said(example, example.suffixes[0]) for example in examples]).metrics
    assert 60 < metrics["accuracy"] < 95  # what one person scores against the others
