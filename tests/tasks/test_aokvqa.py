"""A-OKVQA from files in the published format, written here by hand."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pg_transfer.task import Answer, Draw, Example, Scores, pieces_of
from tasks.aokvqa import AOKVQA, DirectAnswer, MultipleChoice

QUESTION = "What is the man by the bags awaiting?"
CHOICES = ["skateboarder", "train", "delivery", "cab"]
ANSWERS = ["ride", "ride", "bus", "taxi", "travelling", "traffic", "taxi", "cab", "cab", "his ride"]

# Split: question, image, right choice, answers, whether it is difficult.
SPLITS: dict[str, list[tuple[str, int, int, list[str], bool]]] = {
    "train": [("22MexNkBPpdZGX6sxbxVBH", 299207, 3, ANSWERS, False)],
    "val": [
        ("22jbM6gDxdaMaunuzgrsBB", 461751, 1, ["train"] * 9 + ["tram"], False),
        ("2c4DGsSXhJMZVnAFKnqLVJ", 460591, 0, ANSWERS, True),
    ],
    "test": [("225dLX8hRiQEkZZEKrmYqP", 461757, -1, [], False)],
}


def published(split: str) -> list[dict[str, Any]]:
    rows = []
    for number, image, right, answers, is_difficult in SPLITS[split]:
        row: dict[str, Any] = {
            "split": split,
            "image_id": image,
            "question_id": number,
            "question": QUESTION,
            "choices": CHOICES,
        }
        if split != "test":
            row |= {"correct_choice_idx": right, "direct_answers": answers}
        row["difficult_direct_answer"] = is_difficult
        if split != "test":
            row["rationales"] = ["A train would not be on the street."] * 3
        rows.append(row)
    return rows


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for split, rows in SPLITS.items():
        (tmp_path / f"aokvqa_v1p0_{split}.json").write_text(json.dumps(published(split)))
        (tmp_path / f"{split}2017").mkdir()
        for _, image, *_ in rows:
            Image.new("RGB", (8, 8)).save(tmp_path / f"{split}2017" / f"{image:012d}.jpg")
    return tmp_path


def said(examples: Sequence[Example], *texts: str) -> list[Answer]:
    pairs = zip(examples, texts, strict=True)
    return [Answer(example, text, pieces_of(text)) for example, text in pairs]


def test_direct_answers(root: Path) -> None:
    task = DirectAnswer(root)
    (example,) = task.examples("train")
    assert (example.id, example.prefix) == ("22MexNkBPpdZGX6sxbxVBH", f"answer en {QUESTION}")
    assert example.image == root / "train2017" / "000000299207.jpg"
    drawn = [task.target(example, Draw(0, example.id, epoch)).suffix for epoch in range(10)]
    assert sorted(drawn) == sorted(ANSWERS)
    assert [task.kind(one) for one in task.examples("val")] == ["", "difficult"]
    assert len(task.examples("train+val")) == 3


def test_choices_are_asked_in_their_order_as_in_the_paper(root: Path) -> None:
    task = MultipleChoice(root)
    (example,) = task.examples("train")
    assert example.prefix == (
        "answer en  What is the man by the bags awaiting? choose from: "
        "skateboarder \t train \t delivery \t cab"
    )
    assert example.suffixes == ("cab",)
    assert [one.suffixes for one in task.examples("val")] == [("train",), ("skateboarder",)]
    assert task.kind(task.examples("val")[1]) == ""


def test_direct_answers_scored_by_hand(root: Path) -> None:
    task = DirectAnswer(root)
    # Nine said "train": 1. Two of ten said "ride": 2/3; but that question is a difficult one.
    scores = task.score(said(task.examples("val"), "train", "ride"))
    assert scores.metrics == {
        "accuracy": pytest.approx(100 * (1 + 2 / 3) / 2), "accuracy_not_difficult": 100,
    }  # fmt: skip
    assert next(iter(scores.metrics)) == "accuracy"
    assert ["accuracy_not_difficult" in one for one in scores.examples] == [True, False]
    # One said "tram": 1/3. Case matters.
    scores = task.score(said(task.examples("val"), "tram", "Ride"))
    assert scores.metrics["accuracy"] == pytest.approx(100 * (1 / 3 + 0) / 2)
    difficult = task.score(said(task.examples("val")[1:], "ride"))
    assert difficult.metrics == {"accuracy": pytest.approx(200 / 3)}


def test_choices_scored_by_hand(root: Path) -> None:
    task = MultipleChoice(root)
    assert task.score(said(task.examples("val"), "train", "skateboarder")).metrics == {
        "accuracy": 100
    }
    scores = task.score(said(task.examples("val"), "a train", "skateboarder"))
    assert scores == Scores({"accuracy": 50}, [{"accuracy": 0}, {"accuracy": 1}])


@pytest.mark.parametrize(
    ("kind", "field"), [(DirectAnswer, "direct_answer"), (MultipleChoice, "multiple_choice")]
)
def test_the_test_split_is_answered_for_the_server(
    root: Path, kind: type[AOKVQA], field: str
) -> None:
    task = kind(root)
    answers = said(task.examples("test"), " Cab")
    assert task.score(answers) == Scores({"answered": 1}, [{}])
    assert task.submission(answers) == {"225dLX8hRiQEkZZEKrmYqP": {field: " Cab"}}


def test_images_of_2014_and_2015_are_the_same(root: Path) -> None:
    for split, place in (("val", "val2014"), ("test", "test2015")):
        (root / "coco" / place).mkdir(parents=True)
        for path in (root / f"{split}2017").iterdir():
            path.rename(root / "coco" / place / f"COCO_{place}_{path.name}")
        with pytest.raises(FileNotFoundError, match=rf"0\d+\.jpg\.\nUnzip {split}2017\.zip of "):
            DirectAnswer(root).examples(split)
        image = DirectAnswer(root, images=root / "coco").examples(split)[0].image
        assert image == root / "coco" / place / f"COCO_{place}_{SPLITS[split][0][1]:012d}.jpg"


def test_missing_files_are_named_with_their_source(root: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no aokvqa_v1p0_val\.json in .*\n.*v1p0\.tar\.gz"):
        MultipleChoice(root / "elsewhere").examples("val")
    with pytest.raises(ValueError, match="has no split 'dev'; there are train, val, test"):
        MultipleChoice(root).examples("dev")


@pytest.mark.parametrize(
    ("kind", "edit", "complaint"),
    [
        (DirectAnswer, lambda row: row["direct_answers"].pop(), "it has 9 direct_answers, not 10"),
        (DirectAnswer, lambda row: row.pop("direct_answers"), "it has no 'direct_answers'"),
        (DirectAnswer, lambda row: row.update(question=" "), "its question is empty"),
        (DirectAnswer, lambda row: row.update(split="train"), "it is of the split 'train', not 'v"),
        (DirectAnswer, lambda row: row.update(image_id="461751"), "its image_id is '461751', no"),
        (DirectAnswer, lambda row: row.pop("difficult_direct_answer"), "it has no 'difficult_dire"),
        (MultipleChoice, lambda row: row.update(choices=CHOICES[1:]), "it has 3 choices, not 4"),
        (MultipleChoice, lambda row: row.update(choices=[1, 2, 3, 4]), "one of its choices is 1"),
        (MultipleChoice, lambda row: row.update(correct_choice_idx=4), "correct_choice_idx is 4,"),
        (MultipleChoice, lambda row: row.update(correct_choice_idx=-1), "correct_choice_idx is -1"),
        (MultipleChoice, lambda row: row.pop("correct_choice_idx"), "it has no 'correct_choice_id"),
    ],
)  # fmt: skip
def test_records_that_cannot_be_are_named(
    root: Path, kind: type[AOKVQA], edit: Callable, complaint: str
) -> None:
    content = json.loads(json.dumps(published("val")))
    edit(content[0])
    (root / "aokvqa_v1p0_val.json").write_text(json.dumps(content))
    where = r"aokvqa_v1p0_val\.json, question_id '22jbM6gDxdaMaunuzgrsBB': .*"
    with pytest.raises(ValueError, match=where + complaint):
        kind(root).examples("val")


def test_a_question_that_comes_twice_is_refused(root: Path) -> None:
    content = 2 * published("train")
    (root / "aokvqa_v1p0_train.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match="question_id '22MexNkBPpdZGX6sxbxVBH': it comes twice"):
        DirectAnswer(root).examples("train")
