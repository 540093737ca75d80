"""OCR-VQA from a file in the published format, written here by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pg_transfer.data.release import all_faults_wanted
from pg_transfer.task import Answer, Draw, Example, pieces_of
from tasks.ocrvqa import OCRVQA
from tests.data_sets import write_image, write_json

AMAZON = "http://ecx.images-amazon.com/images/I"


def book(split: int, url: str, title: Any, author: str, genre: str) -> dict[str, Any]:
    return {
        "imageURL": f"{AMAZON}/{url}",
        "questions": [
            "Who wrote this book?",
            "What is the title of this book?",
            "What type of book is this?",
            f"Is this book related to {genre}?",
        ],
        "answers": [author, title, genre, "Yes"],
        "title": str(title),
        "authorName": author,
        "genre": genre,
        "split": split,
    }


BOOKS = {
    "0761183272": book(1, "61DRDiUoYCL.jpg", "Mom's Family Wall Calendar 2016",
                       "Sandra Boynton", "Calendars"),
    "B00O2Q91VC": book(2, "51XgnFMKm8L.gif", "Asian Girls", "Peter Chan", "Arts & Photography"),
    "1587613646": book(3, "41T2X4kQ7DL.jpg", 1984, "", "Literature"),
    "0310758807": book(1, "51nuFmmKzzL.png", "The Bible", "Zondervan", "Christian Books & Bibles"),
}  # fmt: skip


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_json(tmp_path / "dataset.json", BOOKS)
    for name, image in (("0761183272", "jpg"), ("B00O2Q91VC", "gif"), ("1587613646", "jpg"),
                        ("0310758807", "png")):  # fmt: skip
        write_image(tmp_path / "images" / f"{name}.{image}")
    return tmp_path


def said(example: Example, text: str) -> Answer:
    return Answer(example, text, pieces_of(text))


def test_examples(root: Path) -> None:
    task = OCRVQA(root)
    train = task.examples("train")
    assert [one.id for one in train] == [
        *(f"0761183272/{place}" for place in range(4)),
        *(f"0310758807/{place}" for place in range(4)),
    ]
    assert train[1].prefix == "answer en What is the title of this book?"
    assert (
        task.target(train[1], Draw(0, train[1].id, 0)).suffix == "Mom's Family Wall Calendar 2016"
    )
    assert train[1].image == root / "images" / "0761183272.jpg"
    assert train[4].image == root / "images" / "0310758807.png"
    assert len(task.examples("train+val")) == 12
    # A title that is a number, and an author who is not known.
    assert [one.suffixes for one in task.examples("test")[:2]] == [("",), ("1984",)]


def test_covers_may_have_been_converted(root: Path) -> None:
    write_image(root / "images" / "B00O2Q91VC.jpg")
    assert OCRVQA(root).examples("val")[0].image == root / "images" / "B00O2Q91VC.gif"
    (root / "images" / "B00O2Q91VC.gif").unlink()
    assert OCRVQA(root).examples("val")[0].image == root / "images" / "B00O2Q91VC.jpg"


def test_the_folder_of_the_download_does_as_well(root: Path) -> None:
    (root / "OCR-VQA-200K").mkdir()
    for name in ("dataset.json", "images"):
        (root / name).rename(root / "OCR-VQA-200K" / name)
    image = OCRVQA(root).examples("val")[0].image
    assert image == root / "OCR-VQA-200K" / "images" / "B00O2Q91VC.gif"


def test_score_by_hand(root: Path) -> None:
    task = OCRVQA(root)
    examples = task.examples("val")
    # Lower case makes the first two right; a part of the third is wrong, and so is a space.
    texts = ["peter chan", "ASIAN GIRLS", "Arts", "yes "]
    scores = task.score([said(*pair) for pair in zip(examples, texts, strict=True)])
    assert scores.metrics == {"accuracy": 50}
    assert [one["accuracy"] for one in scores.examples] == [1, 1, 0, 0]


def edited(root: Path, name: str, edit: Callable[[dict[str, Any]], Any]) -> None:
    content = json.loads(json.dumps(BOOKS))
    edit(content[name])
    write_json(root / "dataset.json", content)


@pytest.mark.parametrize(
    ("edit", "complaint"),
    [
        (lambda one: one.pop("split"), "book 'B00O2Q91VC': it has no 'split'"),
        (lambda one: one.update(split=0), "book 'B00O2Q91VC': its split is 0, none of 1, 2 and 3"),
        (lambda one: one.update(split="2"), "book 'B00O2Q91VC': its split is '2', no int"),
        (lambda one: one["answers"].pop(), "book 'B00O2Q91VC': it has 4 questions and 3 answers"),
        (lambda one: one.update(questions="Who?"), "book 'B00O2Q91VC': its questions is 'Who.'"),
        (lambda one: one.pop("imageURL"), "book 'B00O2Q91VC': it has no 'imageURL'"),
        (lambda one: one["questions"].__setitem__(2, ""), "id 'B00O2Q91VC/2': its question is em"),
        (lambda one: one["answers"].__setitem__(1, None), "id 'B00O2Q91VC/1': its answer is None"),
    ],
)
def test_books_that_cannot_be_are_named(root: Path, edit: Callable, complaint: str) -> None:
    edited(root, "B00O2Q91VC", edit)
    with pytest.raises(ValueError, match=rf"dataset\.json, {complaint}"):
        OCRVQA(root).examples("val")


def test_all_books_that_cannot_be_are_told_where_all_are_wanted(root: Path) -> None:
    content = json.loads(json.dumps(BOOKS))
    content["0761183272"].pop("answers")
    content["0310758807"]["answers"][3] = None
    write_json(root / "dataset.json", content)
    with all_faults_wanted() as faults:
        assert len(OCRVQA(root).examples("train")) == 3
    assert [sentence.split(", ")[1][:20] for sentence in faults.sentences] == [
        "book '0761183272': it"[:20], "id '0310758807/3': it"[:20],
    ]  # fmt: skip


def test_a_book_that_comes_twice_is_named(root: Path) -> None:
    text = json.dumps(BOOKS["B00O2Q91VC"])
    (root / "dataset.json").write_text(f'{{"B00O2Q91VC": {text}, "B00O2Q91VC": {text}}}')
    with pytest.raises(ValueError, match=r"id 'B00O2Q91VC/0': it comes twice; so do 3 others"):
        OCRVQA(root).examples("val")


def test_missing_files_and_images_are_named_with_their_source(root: Path) -> None:
    with pytest.raises(ValueError, match="OCR-VQA has no split 'dev'; there are train, val, test"):
        OCRVQA(root).examples("dev")
    with pytest.raises(FileNotFoundError, match=r"no dataset\.json in .*\n.*ocr-vqa\.github\.io"):
        OCRVQA(root / "elsewhere").examples("train")
    (root / "images" / "B00O2Q91VC.gif").unlink()
    with pytest.raises(FileNotFoundError, match=r"1 of 1 images .*B00O2Q91VC\.gif\.\n.*loadData"):
        OCRVQA(root).examples("val")
