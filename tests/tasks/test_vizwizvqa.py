"""VizWiz-VQA from files in the published format, written here by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pg_transfer.task import Answer, Draw, Example, Scores, pieces_of
from tasks.vizwizvqa import VizWizVQA
from tests.data_sets import write_image, write_json

# Split: image, question, answers.
SPLITS = {
    "train": [
        ("VizWiz_train_00000000.jpg", "What's the name of this product?",
         ["basil leaves"] * 5 + ["basil", "", "basil leaves", "unanswerable", ""]),
    ],
    "val": [
        ("VizWiz_val_00000028.jpg", "Ok. There is another picture I hope it is a better one.",
         ["unanswerable"] * 9 + ["unsuitable"]),
        ("VizWiz_val_00000029.jpg", "Is it sunny?", ["yes"] * 2 + ["Yes"] * 8),
    ],
    "test": [("VizWiz_test_00000000.jpg", "What is this? And what color is it?", None)],
}  # fmt: skip


def published(split: str) -> list[dict[str, Any]]:
    return [
        {"image": image, "question": question}
        | (
            {
                "answers": [
                    {"answer_confidence": ("yes", "maybe")[place % 2], "answer": answer}
                    for place, answer in enumerate(answers)
                ],
                "answer_type": "other",
                "answerable": 1,
            }
            if answers
            else {}
        )
        for image, question, answers in SPLITS[split]
    ]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for split, rows in SPLITS.items():
        write_json(tmp_path / "annotations" / f"{split}.json", published(split))
        for image, _, _ in rows:
            write_image(tmp_path / split / image)
    return tmp_path


def said(example: Example, text: str) -> Answer:
    return Answer(example, text, pieces_of(text))


def test_examples(root: Path) -> None:
    task = VizWizVQA(root)
    (example,) = task.examples("train")
    assert example.id == "VizWiz_train_00000000.jpg"
    assert example.image == root / "train" / example.id
    assert example.prefix == "answer en What's the name of this product?"
    # Nobody is taught to say nothing.
    assert sorted(example.suffixes) == ["basil", *["basil leaves"] * 6, "unanswerable"]
    eight = [task.target(example, Draw(0, example.id, epoch)).suffix for epoch in range(8)]
    assert sorted(eight) == sorted(example.suffixes)
    assert len(task.examples("train+val")) == 3


def test_score_by_hand(root: Path) -> None:
    task = VizWizVQA(root)
    unanswerable, sunny = task.examples("val")
    # One person of three that are enough: 1/3. Two said "yes" in lower case, which counts: 2/3.
    scores = task.score([said(unanswerable, "unsuitable"), said(sunny, "yes")])
    assert list(scores.metrics) == ["accuracy"]
    assert scores.metrics["accuracy"] == pytest.approx(50)
    right = task.score([said(unanswerable, "unanswerable"), said(sunny, "Yes")])
    assert right.metrics["accuracy"] == 100
    assert task.score([said(sunny, " yes")]).metrics["accuracy"] == 0


def test_the_test_split_is_answered_for_the_server(root: Path) -> None:
    task = VizWizVQA(root)
    (example,) = task.examples("test")
    answers = [said(example, "a can")]
    assert task.score(answers) == Scores({"answered": 1}, [{}])
    assert task.submission(answers) == [{"image": "VizWiz_test_00000000.jpg", "answer": "a can"}]


@pytest.mark.parametrize(
    ("edit", "complaint"),
    [
        (lambda one: one.update(answers=one["answers"][:9]), "it has 9 answers, not 10"),
        (lambda one: one.pop("answers"), "it has no 'answers'"),
        (lambda one: one.update(answers=[{"answer": ""}] * 10), "all its answers are empty"),
        (lambda one: one.update(answers=[{"text": "a"}] * 10), "one of its answers is None"),
        (lambda one: one.update(question=" "), "its question is empty"),
        (lambda one: one.update(image="VizWiz_val_00000028.jpg"), "it comes twice"),
    ],
)
def test_records_that_cannot_be_are_named(root: Path, edit: Callable, complaint: str) -> None:
    records = json.loads(json.dumps(published("val")))
    edit(records[1])
    write_json(root / "annotations" / "val.json", records)
    with pytest.raises(
        ValueError, match=rf"val\.json, image 'VizWiz_val_000000\d+\.jpg': {complaint}"
    ):
        VizWizVQA(root).examples("val")


def test_missing_files_and_images_are_named_with_their_source(root: Path) -> None:
    with pytest.raises(ValueError, match="VizWiz-VQA has no split 'dev'; there are train, val, t"):
        VizWizVQA(root).examples("dev")
    with pytest.raises(FileNotFoundError, match=r"no val\.json in .*\n.*Annotations\.zip"):
        VizWizVQA(root / "elsewhere").examples("val")
    write_json(root / "annotations" / "test.json", [{"question": "What?"}])
    with pytest.raises(ValueError, match=r"test\.json, .*it has no 'image'"):
        VizWizVQA(root).examples("test")
    (root / "val" / "VizWiz_val_00000029.jpg").unlink()
    with pytest.raises(FileNotFoundError, match=r"1 of 2 images .*29\.jpg\.\n.*val\.zip"):
        VizWizVQA(root).examples("val")
