"""ChartQA from files in the published format, written here by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pg_transfer.metrics.bootstrap import intervals
from pg_transfer.task import Answer, Draw, pieces_of
from tasks.chartqa import LEARNT, SIZES, ChartQA
from tests.data_sets import write_json

HUMAN_TEST = [
    ("41699051005347.png", "How many food item is shown in the bar graph?", "14"),
    ("41699051005347.png", "What is the difference in value between Lamb and Corn?", "0.57"),
    ("41810321001157.png", "Is the sum value of Madagascar more then Fiji?", "No"),
]


def records(rows: list[tuple[str, str, str]]) -> list[dict[str, str]]:
    return [{"imgname": image, "query": query, "label": label} for image, query, label in rows]


@pytest.fixture
def task(tmp_path: Path) -> ChartQA:
    root = tmp_path / "ChartQA Dataset"
    for split, human, augmented in (("train", 2, 3), ("val", 1, 1), ("test", 3, 1)):
        for part, count in (("human", human), ("augmented", augmented)):
            rows = [(f"{n}.png", f"Which {split} {part}?", f"Label {n}") for n in range(count)]
            written = HUMAN_TEST if (split, part) == ("test", "human") else rows
            write_json(root / split / f"{split}_{part}.json", records(written))
            for image, _, _ in written:
                (root / split / "png").mkdir(exist_ok=True)
                (root / split / "png" / image).touch()
    return ChartQA(tmp_path)


def answered(task: ChartQA, split: str, *texts: str) -> list[Answer]:
    pairs = zip(task.examples(split), texts, strict=True)
    return [Answer(example, text, pieces_of(text)) for example, text in pairs]


def test_examples(task: ChartQA) -> None:
    first = task.examples("test")[0]
    assert (first.id, first.prefix) == ("human/test/0", HUMAN_TEST[0][1])
    assert first.image == task.root / "ChartQA Dataset/test/png/41699051005347.png"
    assert task.target(first, Draw(0, first.id, 0)).suffix == "14"
    assert task.examples("train")[0].suffixes == ("Label 0",)  # as it is
    assert [task.kind(one) for one in task.examples("test")] == ["human"] * 3 + ["augmented"]
    assert [one.id for one in task.examples("augmented/val")] == ["augmented/val/0"]
    assert len({one.id for one in task.examples(LEARNT)}) == len(task.examples(LEARNT)) == 7
    assert {one.id for one in task.examples(LEARNT)} == {
        one.id for one in task.examples("train+val")
    }
    assert sum(SIZES.values()) == task.sizes["test"] + task.sizes[LEARNT]


def test_the_folder_itself_will_do(task: ChartQA) -> None:
    inside = ChartQA(task.root / "ChartQA Dataset")
    assert len(inside.examples("train")) == 5


def test_the_parts_are_learnt_from_by_the_size_of_their_training_data(task: ChartQA) -> None:
    # chartqa.py: _WEIGHTS, though there is less of human/train in train+val.
    shares = task.shares_of(LEARNT)
    assert [(one.name, one.examples, one.weight) for one in shares] == [
        ("human", 3, 7_398), ("augmented", 4, 20_901),
    ]  # fmt: skip
    assert [one.examples for one in task.shares_of("train")] == [2, 3]
    # The parts do not follow each other, or there is one.
    assert task.shares_of("train+val") == task.shares_of("human/train") == ()


def test_score_by_hand(task: ChartQA) -> None:
    # People's: "14.7" is 5 % more than 14, and right; "0.5" is 12 % less than 0.57; "NO" is "No"
    # in lower case: 2 of 3. The model's: right. The mean of 2/3 and 1 is 5/6. Letter by letter two
    # of four are right.
    scores = task.score(answered(task, "test", "14.7", "0.5", "NO", "label 0"))
    assert next(iter(scores.metrics)) == "relaxed_accuracy"
    assert scores.metrics == pytest.approx(
        {
            "relaxed_accuracy": 100 * 5 / 6,
            "relaxed_accuracy_augmented": 100,
            "relaxed_accuracy_human": 100 * 2 / 3,
            "accuracy": 50,
        }
    )
    assert intervals(scores, task.formulas).keys() == scores.metrics.keys()
    wrong = task.score(answered(task, "test", "", "", "", ""))
    assert set(wrong.metrics.values()) == {0}
    alone = task.score(answered(task, "human/test", "14", "0.57", "yes"))
    assert alone.metrics["relaxed_accuracy"] == pytest.approx(100 * 2 / 3)
    assert "relaxed_accuracy_augmented" not in alone.metrics


@pytest.mark.parametrize(
    ("edit", "complaint"),
    [
        (lambda one: one.pop("imgname"), "row 1: it has no 'imgname'"),
        (lambda one: one.update(query=""), "row 1: its query is empty"),
        (lambda one: one.update(label=""), "row 1: its label is empty"),
        (lambda one: one.update(label=3), "row 1: its label is 3, no str"),
    ],
)
def test_records_that_cannot_be_are_named(
    task: ChartQA, edit: Callable[[dict[str, Any]], Any], complaint: str
) -> None:
    content = records(HUMAN_TEST)
    edit(content[1])
    write_json(task.root / "ChartQA Dataset/test/test_human.json", content)
    with pytest.raises(ValueError, match=rf"test_human\.json, {complaint}"):
        task.examples("test")


def test_missing_files_and_images_are_named_with_their_source(task: ChartQA) -> None:
    with pytest.raises(ValueError, match="ChartQA has no split 'dev'; there are train, val, test"):
        task.examples("dev")
    with pytest.raises(FileNotFoundError, match=r"no val_human\.json in .*\n.*vis-nlp/ChartQA"):
        ChartQA(task.root / "elsewhere").examples("val")
    (task.root / "ChartQA Dataset/val/png/0.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"1 of 1 images .*0\.png\.\n.*vis-nlp/ChartQA"):
        task.examples("val")
