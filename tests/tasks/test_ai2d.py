"""AI2D from files in the published format, written here by hand."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pg_transfer.data.images import open_image
from pg_transfer.data.release import all_faults_wanted
from pg_transfer.task import Answer, Example, pieces_of
from tasks.ai2d import AI2D, Label, Lettered
from tests import data_sets


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return data_sets.ai2d(tmp_path)


def said(example: Example, text: str) -> Answer:
    return Answer(example, text, pieces_of(text))


def test_examples(root: Path) -> None:
    task = AI2D(root)
    plain, lettered = task.examples("test")
    # Two spaces, and a tabulator between spaces, as in the paper's configuration.
    assert plain.prefix == (
        "answer en  What do frogs eat? choose from: flies \t hawks \t Grass \t none"
    )
    assert (plain.id, plain.suffixes) == ("3.png-0", ("flies",))
    assert plain.image == root / "images" / "3.png"
    assert (lettered.id, lettered.suffixes) == ("3.png-1", ("Mouth",))
    assert isinstance(lettered.image, Lettered)
    ids = [one.id for one in task.examples("train")]
    assert ids == [f"{image}.png-{number}" for image in range(3) for number in range(2)]
    assert len(task.examples("train[:-2]")) == 4


def test_files_lie_where_the_archive_unpacks_to_as_well(root: Path, tmp_path: Path) -> None:
    inner = tmp_path / "ai2d"
    inner.mkdir()
    for name in ("questions", "annotations", "images"):
        (root / name).rename(inner / name)
    assert AI2D(root).examples("test")[0].image == inner / "images" / "3.png"


def test_labels_are_painted_over_and_letters_drawn(tmp_path: Path) -> None:
    path = tmp_path / "0.png"
    Image.new("RGB", (120, 80), (200, 0, 0)).save(path)
    labels = (Label((10, 20, 69, 50), "A"), Label((90, 5, 92, 7), "B"))
    drawn = Lettered(path, labels, None)
    pixels = pickle.loads(pickle.dumps(drawn))()  # as a loading process gets it
    before = open_image(path)
    outside = np.ones(before.shape[:2], bool)
    outside[20:51, 10:70] = outside[5:8, 90:93] = False  # corners belong to the rectangle
    assert (pixels[outside] == before[outside]).all()
    inside = pixels[20:51, 10:70]
    assert (inside[..., 0] == inside[..., 1]).all()
    assert (inside[-1] == 255).all()
    # The letter is black, as high as the box but for what is left above it, and in its middle.
    rows, columns = np.nonzero(inside[..., 0] < 128)
    assert inside.min() == 0
    assert rows.max() >= 26
    assert abs(columns.min() + columns.max() - 59) <= 3
    assert pixels[5:8, 90:93].mean() > 200  # the smallest letter is a speck


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA"])
def test_letters_are_drawn_into_images_of_any_mode(mode: str, tmp_path: Path) -> None:
    path = tmp_path / "0.png"
    picture = Image.new("RGB", (60, 40), (200, 200, 200))
    (picture.quantize(4) if mode == "P" else picture.convert(mode)).save(path)
    pixels = Lettered(path, (Label((10, 5, 50, 35), "A"),), None)()
    assert tuple(pixels[0, 0]) == (200, 200, 200)
    assert tuple(pixels[35, 50]) == (255, 255, 255)
    assert pixels[5:36, 10:51].min() == 0
    has_hard_edges = set(np.unique(pixels[5:36, 10:51])) == {0, 255}
    assert has_hard_edges == (mode == "P")


def test_a_damaged_diagram_is_named(tmp_path: Path) -> None:
    path = tmp_path / "0.png"
    data_sets.write_image(path)
    path.write_bytes(path.read_bytes()[:900])
    with pytest.raises(ValueError, match=r"0\.png: cannot be read as an image"):
        Lettered(path, (Label((1, 1, 9, 9), "A"),), None)()


def test_another_font_than_the_papers_is_a_departure(root: Path) -> None:
    task = AI2D(root)
    (departure,) = task.departures
    assert "Pillow's own font, as there is no DMSans-Regular.ttf" in departure
    (root / "DMSans-Regular.ttf").write_bytes(b"<html>")
    assert task.departures == ()
    with pytest.raises(ValueError, match=r"DMSans-Regular\.ttf, the whole file: no font"):
        task.examples("test")


def test_score_by_hand(root: Path) -> None:
    task = AI2D(root)
    examples = task.examples("train")[:4]
    # Of flies, Mouth, flies, Mouth the first and the last are said, and case counts.
    texts = ["flies", "mouth", " flies", "Mouth"]
    scores = task.score([said(*pair) for pair in zip(examples, texts, strict=True)])
    assert scores.metrics == {"accuracy": 50}
    assert [one["accuracy"] for one in scores.examples] == [1, 0, 0, 1]


def edited(root: Path, file: str, edit: Callable[[dict[str, Any]], Any]) -> None:
    path = root / file
    content = json.loads(path.read_bytes())
    edit(content)
    path.write_text(json.dumps(content))


def asked(content: dict[str, Any]) -> dict[str, Any]:
    return content["questions"]["What is B in the diagram?"]


@pytest.mark.parametrize(
    ("edit", "complaint"),
    [
        (
            lambda all_: asked(all_).update(correctAnswer=4),
            "questionId '3.png-1': its correctAnswer is 4, of 4 answerTexts",
        ),
        (
            lambda all_: asked(all_).update(answerTexts=["a", None]),
            "questionId '3.png-1': one of its answerTexts is None, no text",
        ),
        (lambda all_: asked(all_).pop("abcLabel"), "'3.png-1': it has no 'abcLabel'"),
        (lambda all_: asked(all_).update(questionId="3.png-0"), "'3.png-0': it comes twice"),
        (lambda all_: all_.pop("imageName"), "'3.png-0': its imageName is None, no str"),
        (lambda all_: all_.pop("questions"), "whole file: no object of records named 'questions'"),
        (lambda all_: all_.update(questions=[]), "no object of records named 'questions'"),
    ],
)
def test_questions_that_cannot_be_are_named(root: Path, edit: Callable, complaint: str) -> None:
    edited(root, "questions/3.png.json", edit)
    with pytest.raises(ValueError, match=rf"questions/3\.png\.json, .*{complaint}"):
        AI2D(root).examples("test")


@pytest.mark.parametrize(
    ("edit", "complaint"),
    [
        (lambda texts: texts["T1"].pop("replacementText"), "it has no 'replacementText'"),
        (lambda texts: texts["T1"].update(rectangle=[[1, 2]]), r"\[\[1, 2\]\], not two corners"),
        (lambda texts: texts["T1"].update(rectangle=[[1, 2], [3, "4"]]), "not two corners"),
        (lambda texts: texts["T1"].update(rectangle=[[9, 2], [3, 4]]), "ends before it begins"),
    ],
)
def test_labels_that_cannot_be_are_named(root: Path, edit: Callable, complaint: str) -> None:
    edited(root, "annotations/3.png.json", lambda content: edit(content["text"]))
    with pytest.raises(ValueError, match=rf"annotations/3\.png\.json, text 'T1': .*{complaint}"):
        AI2D(root).examples("test")
    with all_faults_wanted() as faults:
        assert len(AI2D(root).examples("test")) == 2
    assert len(faults.sentences) == 1


def test_what_is_missing_is_named_with_its_source(root: Path) -> None:
    with pytest.raises(ValueError, match="AI2D has no split 'val'; there are train, test"):
        AI2D(root).examples("val")
    for name, complaint in (
        ("images/3.png", r"1 of 1 images are not in \S+images; the first is 3\.png\.\n.*all\.zip"),
        ("annotations/3.png.json", r"no 3\.png\.json in \S+annotations.*\n.*ai2d-all\.zip"),
        ("ai2d_test_ids.csv", r"no ai2d_test_ids\.csv in .*\n.*prior-datasets/ai2d_test_ids\.csv"),
    ):
        (root / name).rename(root / "elsewhere")
        with pytest.raises(FileNotFoundError, match=complaint):
            AI2D(root).examples("test")
        (root / "elsewhere").rename(root / name)
    (root / "questions").rename(root / "elsewhere")
    with pytest.raises(FileNotFoundError, match=r"no JSON files in \S+questions .*\n.*all\.zip"):
        AI2D(root).examples("test")
