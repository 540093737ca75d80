"""ScienceQA from files in the published format, written here by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pg_transfer.task import Answer, Draw, Example, pieces_of
from tasks.science_qa import ScienceQA
from tests import data_sets


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return data_sets.science_qa(tmp_path)


def said(example: Example, text: str) -> Answer:
    return Answer(example, text, pieces_of(text))


def test_problems_with_an_image_are_examples(root: Path) -> None:
    task = ScienceQA(root)
    first, second, _ = task.examples("train")
    assert (first.id, first.image) == ("0", root / "train" / "0" / "image.png")
    assert first.prefix == (
        "Question: Which of these states is farthest north?\nContext: N/A\n"
        "Options: (A) West Virginia, (B) Louisiana\nAnswer:"
    )
    assert second.prefix == (
        "Question: Which of these states is farthest north?\n"
        "Context: Look at the map.\nNorth is up.\n"
        "Options: (A) West Virginia, (B) Louisiana, (C) Arizona\nAnswer:"
    )
    assert (first.suffixes, second.suffixes) == (("The answer is A.",), ("The answer is B.",))
    assert task.kind(first) == "social science"
    assert [one.id for one in task.examples("val+test")] == [
        "100",
        "101",
        "102",
        "200",
        "201",
        "202",
    ]


def test_images_lie_in_a_folder_of_their_own_as_well(root: Path) -> None:
    (root / "images").mkdir()
    for split in ("train", "val", "test"):
        (root / split).rename(root / "images" / split)
    example = ScienceQA(root).examples("test")[0]
    assert example.image == root / "images" / "test" / "200" / "image.png"


def test_choices_are_shuffled_at_each_visit_and_the_letter_with_them(root: Path) -> None:
    task = ScienceQA(root)
    example = task.examples("train")[2]  # four choices, of which the first is right
    targets = [task.target(example, Draw(0, example.id, epoch)) for epoch in range(60)]
    for prefix, suffix in targets:
        place = "ABCD".index(suffix.removeprefix("The answer is ")[0])
        choices = prefix.partition("Options: ")[2].removesuffix("\nAnswer:").split(", ")
        assert choices[place] == f"({'ABCD'[place]}) West Virginia"
        assert [one[:4] for one in choices] == ["(A) ", "(B) ", "(C) ", "(D) "]
        assert sorted(one[4:] for one in choices) == [
            "Arizona", "Louisiana", "Oklahoma", "West Virginia",
        ]  # fmt: skip
    assert len(set(targets)) > 15  # of 24 orders
    assert {target.suffix for target in targets} == {f"The answer is {one}." for one in "ABCD"}
    assert targets == [task.target(example, Draw(0, example.id, epoch)) for epoch in range(60)]


def test_score_by_hand(root: Path) -> None:
    task = ScienceQA(root)
    texts = ["The answer is A.", "The answer is C.", "A"]
    scores = task.score([said(*pair) for pair in zip(task.examples("val"), texts, strict=True)])
    # Right answers are A, B and A: the first is right, and the third cannot be read.
    assert list(scores.metrics) == ["accuracy", "parsefail"]
    assert scores.metrics == pytest.approx({"accuracy": 100 / 3, "parsefail": 100 / 3})


def edited(root: Path, name: str, edit: Callable[[dict[str, Any]], Any]) -> None:
    path = root / "problems.json"
    content = json.loads(path.read_bytes())
    edit(content[name])
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("edit", "complaint"),
    [
        (lambda one: one.update(answer=3), "its answer is 3, of 3 choices"),
        (lambda one: one.update(answer=-1), "its answer is -1, of 3 choices"),
        (lambda one: one.update(answer="1"), "its answer is '1', no int"),
        (lambda one: one.update(choices=["a", 7]), "one of its choices is 7, no text"),
        (lambda one: one.update(choices=["a"] * 27), "its answer is 1, of 27 choices"),
        (lambda one: one.update(question=" "), "its question is empty"),
        (lambda one: one.pop("hint"), "it has no 'hint'"),
        (lambda one: one.update(image=True), "its image is True, no str"),
        (lambda one: one.pop("image"), "no image, or none of the splits"),
        (lambda one: one.update(split="dev"), "none of the splits train, val, test is its"),
    ],
)
def test_records_that_cannot_be_are_named(root: Path, edit: Callable, complaint: str) -> None:
    edited(root, "101", edit)
    with pytest.raises(ValueError, match=rf"problems\.json, id '101': .*{complaint}"):
        ScienceQA(root).examples("val")


def test_what_is_missing_is_named_with_its_source(root: Path) -> None:
    with pytest.raises(ValueError, match="ScienceQA has no split 'dev'; there are train, val, te"):
        ScienceQA(root).examples("dev")
    with pytest.raises(FileNotFoundError, match=r"no problems\.json in .*\n.*lupantech/ScienceQA"):
        ScienceQA(root / "elsewhere").examples("val")
    (root / "val" / "101" / "image.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"1 of 3 images .*is 101/image\.png\.\n.*val\.zip"):
        ScienceQA(root).examples("val")
    edited(root, "101", lambda one: one.update(image="../102/image.png"))
    with pytest.raises(ValueError, match="is no name of an image"):
        ScienceQA(root).examples("val")
