"""TallyQA from files in the published format, written here by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pg_transfer.task import Answer, Draw, Example, pieces_of
from tasks.tallyqa import TallyQA
from tests.data_sets import write_image, write_json

TRAIN = [
    {"answer": 2, "data_source": "imported_vqa", "image_id": 9, "question_id": 90,
     "image": "train2014/COCO_train2014_000000000009.jpg", "question": "How many cats?"},
    {"answer": 0, "data_source": "amt", "image_id": 42, "question_id": 7,
     "image": "val2014/COCO_val2014_000000000042.jpg", "question": "How many red cats sit?"},
    {"answer": 4, "data_source": "amt", "image_id": 92410401, "question_id": 7,
     "image": "VG_100K/2410401.jpg", "question": "How many dogs lie?"},
]  # fmt: skip
TEST = [
    {"answer": 4, "data_source": "imported_genome", "image": "VG_100K_2/2410408.jpg",
     "image_id": 92410408, "issimple": False, "question_id": 30095774,
     "question": "How many headlights does the black bus have?"},
    {"answer": 12, "data_source": "imported_genome", "image": "VG_100K_2/2410408.jpg",
     "image_id": 92410408, "issimple": True, "question": "How many wheels?",
     "question_id": 30095775},
]  # fmt: skip


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for split, records in (("train", TRAIN), ("test", TEST)):
        write_json(tmp_path / f"{split}.json", records)
        for record in records:
            write_image(tmp_path / str(record["image"]))
    return tmp_path


def said(example: Example, text: str) -> Answer:
    return Answer(example, text, pieces_of(text))


def test_examples(root: Path) -> None:
    task = TallyQA(root)
    examples = task.examples("train")
    # The same number of a question for two images: both together are the id.
    assert [one.id for one in examples] == ["9/90", "42/7", "92410401/7"]
    assert examples[0].prefix == "answer en How many cats?"
    assert examples[0].image == root / "train2014" / "COCO_train2014_000000000009.jpg"
    assert examples[2].image == root / "VG_100K" / "2410401.jpg"
    targets = [task.target(one, Draw(0, one.id, 0)).suffix for one in examples]
    assert targets == ["2", "0", "4"]
    assert [task.kind(one) for one in examples] == ["", "", ""]
    assert [task.kind(one) for one in task.examples("test")] == ["complex", "simple"]


def test_score_by_hand(root: Path) -> None:
    task = TallyQA(root)
    headlights, wheels = task.examples("test")
    scores = task.score([said(headlights, "Four"), said(wheels, "11")])
    assert scores.metrics == {"accuracy_simple": 0, "accuracy_complex": 100, "accuracy": 50}
    trained = [said(one, "two") for one in task.examples("train")]
    assert task.score(trained).metrics == {"accuracy": pytest.approx(100 / 3)}


def test_the_images_of_coco_may_lie_elsewhere(root: Path) -> None:
    (root / "coco").mkdir()
    for folder in ("train2014", "val2014"):
        (root / folder).rename(root / "coco" / folder)
    missing = r"2 of 3 images .*is train2014/.*\n.*train2014\.zip"
    with pytest.raises(FileNotFoundError, match=missing):
        TallyQA(root).examples("train")
    examples = TallyQA(root, coco=root / "coco").examples("train")
    assert examples[1].image == root / "coco/val2014/COCO_val2014_000000000042.jpg"


def test_counts_may_be_texts(root: Path) -> None:
    write_json(root / "train.json", [TRAIN[0] | {"answer": "3"}])
    assert TallyQA(root).examples("train")[0].suffixes == ("3",)


def removed(name: str) -> Callable[[dict[str, Any]], Any]:
    return lambda record: record.pop(name)


@pytest.mark.parametrize(
    ("edit", "complaint"),
    [
        (removed("answer"), "its answer is None, no count"),
        (lambda one: one.update(answer=-1), "its answer is -1, no count"),
        (lambda one: one.update(answer="two"), "its answer is 'two', no count"),
        (lambda one: one.update(answer=True), "its answer is True, no count"),
        (removed("issimple"), "its issimple is None, neither true nor false"),
        (lambda one: one.update(issimple=-1), "its issimple is -1, neither"),
        (lambda one: one.update(question=""), "its question is empty"),
        (lambda one: one.update(image="flickr/1.jpg"), "its image is 'flickr/1.jpg', in none of"),
    ],
)
def test_records_that_cannot_be_are_named(root: Path, edit: Callable, complaint: str) -> None:
    records = json.loads(json.dumps(TEST))
    edit(records[1])
    write_json(root / "test.json", records)
    where = r"test\.json, image_id/question_id '92410408/30095775'"
    with pytest.raises(ValueError, match=f"{where}: {complaint}"):
        TallyQA(root).examples("test")


def test_files_of_another_form_are_named(root: Path) -> None:
    write_json(root / "test.json", [*TEST, TEST[0]])
    with pytest.raises(ValueError, match=r"'92410408/30095774': it comes twice"):
        TallyQA(root).examples("test")
    write_json(root / "test.json", [TEST[0] | {"question_id": None}])
    with pytest.raises(ValueError, match="its question_id is None, no int"):
        TallyQA(root).examples("test")
    write_json(root / "test.json", {"questions": TEST})
    with pytest.raises(ValueError, match="no list of records"):
        TallyQA(root).examples("test")
    write_json(root / "test.json", [TEST[0] | {"image": "VG_100K/../test.json"}])
    with pytest.raises(ValueError, match="is no name of an image"):
        TallyQA(root).examples("test")


def test_missing_files_and_images_are_named_with_their_source(root: Path) -> None:
    with pytest.raises(ValueError, match="TallyQA has no split 'val'; there are train, test"):
        TallyQA(root).examples("val")
    with pytest.raises(FileNotFoundError, match=r"no train\.json in .*\n.*TallyQA_dataset"):
        TallyQA(root / "elsewhere").examples("train")
    (root / "VG_100K_2" / "2410408.jpg").unlink()
    with pytest.raises(FileNotFoundError, match=r"1 of 1 images .*2410408\.jpg\.\n.*images2\.zip"):
        TallyQA(root).examples("test")
