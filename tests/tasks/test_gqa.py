"""GQA and xGQA from files in the published formats, written here by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pg_transfer.metrics.bootstrap import intervals
from pg_transfer.task import Answer, Draw, Example, pieces_of
from tasks.gqa import GQA, LANGUAGES, SIZES
from tests.data_sets import write_image, write_json

# Split: id, image, question, answer.
SPLITS = {
    "train_balanced": [
        ("02930152", "2354786", "Is the sky dark?", "yes"),
        ("07333408", "2375429", "What is on the white wall?", "pipe"),
    ],
    "val_balanced": [("05451384", "2382986", "Are there any men to the left of the cap?", "no")],
    "testdev_balanced": [
        ("201640614", "n235859", "Who is wearing the dress?", "women"),
        ("202225914", "n336443", "Does the utensil on top of the table look clean?", "no"),
    ],
}
GERMAN = ["Wer trägt das Kleid?", "Sieht das Gerät auf dem Tisch sauber aus?"]


def published(rows: list[tuple[str, str, str, str]]) -> dict[str, Any]:
    return {
        number: {
            "semantic": [{"operation": "select", "dependencies": [], "argument": "sky (2486325)"}],
            "entailed": ["02930160"],
            "equivalent": [number],
            "question": question,
            "imageId": image,
            "isBalanced": True,
            "groups": {"global": None, "local": "06-sky_dark"},
            "answer": answer,
            "semanticStr": "select: sky (2486325)->verify color: dark [0]",
            "annotations": {"answer": {}, "question": {"2": "2486325"}, "fullAnswer": {}},
            "types": {"detailed": "verifyAttr", "semantic": "attr", "structural": "verify"},
            "fullAnswer": "Yes, the sky is dark.",
        }
        for number, image, question, answer in rows
    }


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for split, rows in SPLITS.items():
        write_json(tmp_path / "questions1.2" / f"{split}_questions.json", published(rows))
        for _, image, _, _ in rows:
            write_image(tmp_path / "images" / f"{image}.jpg")
    for language in LANGUAGES:
        texts = GERMAN if language == "de" else [f"{language} one", f"{language} two"]
        rows = [
            (number, image, text, answer)
            for (number, image, _, answer), text in zip(
                SPLITS["testdev_balanced"], texts, strict=True
            )
        ]
        path = tmp_path / "xgqa" / f"testdev_balanced_questions_{language}.json"
        write_json(path, published(rows))
    return tmp_path


def said(example: Example, text: str) -> Answer:
    return Answer(example, text, pieces_of(text))


def test_examples(root: Path) -> None:
    task = GQA(root)
    first, second = task.examples("train_balanced")
    assert (first.id, first.prefix) == ("02930152", "answer en Is the sky dark?")
    assert (first.image, first.suffixes) == (root / "images" / "2354786.jpg", ("yes",))
    assert task.target(second, Draw(0, second.id, 0)).suffix == "pipe"
    both = task.examples("train_balanced+val_balanced")
    assert [one.id for one in both] == ["02930152", "07333408", "05451384"]


def test_questions_of_all_languages_are_asked_in_english(root: Path) -> None:
    task = GQA(root)
    german = task.examples("xgqa/de")[0]
    assert (german.id, german.prefix) == ("201640614_de", "answer en Wer trägt das Kleid?")
    assert (german.suffixes, task.kind(german)) == (("women",), "de")
    every = task.examples("xgqa")
    assert [task.kind(one) for one in every] == [
        language for language in LANGUAGES for _ in range(2)
    ]
    assert len({one.id for one in every}) == len(every) == 16
    # The images of all languages are GQA's, so each is read once.
    assert len({one.image for one in every}) == 2


def test_score_by_hand(root: Path) -> None:
    task = GQA(root)
    women, no = task.examples("testdev_balanced")
    scores = task.score([said(women, "women"), said(no, "No")])  # case matters
    assert scores.metrics == {"accuracy": 50}
    assert scores.examples == [{"accuracy": 1}, {"accuracy": 0}]


def test_languages_count_alike_however_many_questions_each_has(root: Path) -> None:
    task = GQA(root)
    german, bengali = task.examples("xgqa/de"), task.examples("xgqa/bn")
    # German: 1 of 2. Bengali: 1 of 1. Mean of the two 75 percent; of all three, 2 right.
    answers = [said(german[0], "women"), said(german[1], "yes"), said(bengali[0], "women")]
    scores = task.score(answers)
    assert list(scores.metrics) == ["accuracy_average", "accuracy", "accuracy_bn", "accuracy_de"]
    assert list(scores.metrics.values()) == pytest.approx([75, 200 / 3, 100, 50])
    assert "accuracy_average" in intervals(scores, task.formulas)
    assert list(task.score(answers[:2]).metrics) == ["accuracy"]


def test_published_sizes_add_up() -> None:
    assert SIZES["xgqa"] == 100_624
    both = SIZES["train_balanced"] + SIZES["val_balanced"]
    assert SIZES["train_balanced+val_balanced"] == both


@pytest.mark.parametrize(
    ("edit", "complaint"),
    [
        (lambda all_: all_["201640614"].pop("answer"), "id '201640614': it has no 'answer'"),
        (lambda all_: all_["201640614"].update(answer=" "), "id '201640614': its answer is empty"),
        (lambda all_: all_["202225914"].update(imageId=3), "id '202225914': its imageId is 3"),
        (lambda all_: all_["202225914"].pop("question"), "id '202225914': it has no 'question'"),
        (lambda all_: all_.update(other=[]), "the whole file: no object of records"),
    ],
)
def test_records_that_cannot_be_are_named(root: Path, edit: Callable, complaint: str) -> None:
    path = root / "questions1.2" / "testdev_balanced_questions.json"
    content = json.loads(path.read_bytes())
    edit(content)
    write_json(path, content)
    with pytest.raises(ValueError, match=rf"testdev_balanced_questions\.json, {complaint}"):
        GQA(root).examples("testdev_balanced")


def test_a_question_that_comes_twice_is_named(root: Path) -> None:
    path = root / "xgqa" / "testdev_balanced_questions_ko.json"
    record = json.dumps(published(SPLITS["val_balanced"])["05451384"])
    path.write_text(f'{{"1": {record}, "1": {record}}}')
    with pytest.raises(ValueError, match=r"questions_ko\.json, id '1': it comes twice"):
        GQA(root).examples("xgqa")


def test_missing_files_and_images_are_named_with_their_source(root: Path) -> None:
    with pytest.raises(ValueError, match="GQA has no split 'val'; there are train_balanced, val_b"):
        GQA(root).examples("val")
    with pytest.raises(ValueError, match="no split 'xgqa/fr'"):
        GQA(root).examples("xgqa/fr")
    with pytest.raises(FileNotFoundError, match=r"no train_balanced_.*\n.*stanford\.edu"):
        GQA(root / "elsewhere").examples("train_balanced")
    (root / "xgqa" / "testdev_balanced_questions_zh.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"no testdev_.*_zh\.json.*\n.*adapter-hub/xGQA"):
        GQA(root).examples("xgqa")
    (root / "images" / "n235859.jpg").unlink()
    with pytest.raises(FileNotFoundError, match=r"1 of 2 images .*n235859\.jpg\.\n.*images\.zip"):
        GQA(root).examples("testdev_balanced")
