"""OK-VQA from files in the published format, written here by hand."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pg_transfer.metrics.vqa import main
from pg_transfer.task import Answer, Draw, Example, pieces_of
from tasks.okvqa import OKVQA

# Part: question, image, what is asked, type of question, answers as they count.
PARTS = {
    "train2014": [
        (516065, 51606, "What is the hairstyle of the blond called?", "four",
         ["pony tail"] * 8 + ["braid", "braid"]),
    ],
    "val2014": [
        (2971475, 297147, "What sport can you use this for?", "four",
         ["race"] * 6 + ["motocross"] * 2 + ["ride"] * 2),
        (3397285, 339761, "Name the type of plant this is?", "eight", ["vine"] * 10),
    ],
}  # fmt: skip


def files(part: str) -> dict[str, dict[str, Any]]:
    head = {"info": {"version": "1.1"}, "data_type": "mscoco", "data_subtype": part, "license": {}}
    questions = [
        {"image_id": image, "question": question, "question_id": number}
        for number, image, question, *_ in PARTS[part]
    ]
    annotations = [
        {
            "image_id": image,
            "answer_type": "other",
            "question_type": type_,
            "question_id": number,
            "answers": [
                {"answer_id": place, "raw_answer": f"{answer}ing", "answer_confidence": "yes",
                 "answer": answer}
                for place, answer in enumerate(answers, start=1)
            ],
            "confidence": 3,
        }
        for number, image, _, type_, answers in PARTS[part]
    ]  # fmt: skip
    return {
        f"OpenEnded_mscoco_{part}_questions.json": head | {"questions": questions},
        f"mscoco_{part}_annotations.json": head | {"annotations": annotations},
    }


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for part, rows in PARTS.items():
        for name, content in files(part).items():
            (tmp_path / name).write_text(json.dumps(content))
        (tmp_path / "coco" / part).mkdir(parents=True)
        for _, image, *_ in rows:
            path = tmp_path / "coco" / part / f"COCO_{part}_{image:012d}.jpg"
            Image.new("RGB", (8, 8)).save(path)
    return tmp_path


@pytest.fixture
def task(root: Path) -> OKVQA:
    return OKVQA(root, images=root / "coco")


def said(examples: Sequence[Example], *texts: str) -> list[Answer]:
    pairs = zip(examples, texts, strict=True)
    return [Answer(example, text, pieces_of(text)) for example, text in pairs]


def test_examples(root: Path, task: OKVQA) -> None:
    (example,) = task.examples("train")
    assert (example.id, example.prefix) == (
        "516065", "answer en What is the hairstyle of the blond called?",
    )  # fmt: skip
    assert example.image == root / "coco" / "train2014" / "COCO_train2014_000000051606.jpg"
    assert example.suffixes == ("pony tail",) * 8 + ("braid",) * 2  # not what was typed
    drawn = [task.target(example, Draw(0, example.id, epoch)).suffix for epoch in range(10)]
    assert sorted(drawn) == sorted(example.suffixes)
    assert [task.kind(one) for one in task.examples("val")] == [
        "Sports and Recreation", "Plants and Animals",
    ]  # fmt: skip


def test_score_by_hand(task: OKVQA) -> None:
    # Two of ten said "motocross": 2/3, and nobody is left out. Case and endings matter.
    scores = task.score(said(task.examples("val"), "motocross", "Vine"))
    assert scores.metrics == {
        "accuracy": pytest.approx(100 * (2 / 3 + 0) / 2), "accuracy_any": pytest.approx(50),
    }  # fmt: skip
    assert next(iter(scores.metrics)) == "accuracy"
    right = task.score(said(task.examples("val"), "race", "vine"))
    assert right.metrics["accuracy"] == 100


def test_saved_answers_can_be_scored_by_the_rule_of_vqa(
    root: Path, task: OKVQA, capsys: pytest.CaptureFixture[str]
) -> None:
    submission = task.submission(said(task.examples("val"), "Motocross", "vine"))
    assert submission[0] == {"question_id": 2971475, "answer": "Motocross"}
    (root / "results.json").write_text(json.dumps(submission))
    annotations = root / "mscoco_val2014_annotations.json"
    main(["--annotations", str(annotations), "--results", str(root / "results.json")])
    # In lower case two of ten match: 0.6; and all of ten: 1.
    assert json.loads(capsys.readouterr().out)["accuracy"] == pytest.approx(80)


def test_missing_files_are_named_with_their_source(root: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no OpenEnded_mscoco_val2014_q.*\n.*okvqa\.allen"):
        OKVQA(root / "coco").examples("val")
    with pytest.raises(FileNotFoundError, match=r"COCO_train2014_000000051606\.jpg\.\n.*train2014"):
        OKVQA(root).examples("train")
    with pytest.raises(ValueError, match="OK-VQA has no split 'test'; there are train, val"):
        OKVQA(root).examples("test")


@pytest.mark.parametrize(
    ("edit", "complaint"),
    [
        (lambda row: row.update(question_type="twelve"), "its question_type is 'twelve'; there"),
        (lambda row: row["answers"].pop(), "it has 9 answers, not 10"),
        (lambda row: row["answers"][0].pop("answer"), "one of its answers is None, no text"),
    ],
)  # fmt: skip
def test_records_that_cannot_be_are_named(
    root: Path, task: OKVQA, edit: Callable, complaint: str
) -> None:
    name = "mscoco_val2014_annotations.json"
    content = files("val2014")[name]
    edit(content["annotations"][1])
    (root / name).write_text(json.dumps(content))
    with pytest.raises(ValueError, match=rf"{name}, question_id 3397285: {complaint}"):
        task.examples("val")
