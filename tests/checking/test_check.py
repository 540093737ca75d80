"""Going over a data set beforehand finds all that is wrong with it, and nothing else."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests import data_sets, ready
from tests.checking.checked import TEXTVQA, boxes_of, checked
from tests.faults.making import bomb, edit

OTHER = "3.png has 60x40 pixels, and the objects of '{}' are those of an image of 40x60"


@pytest.mark.parametrize(("size", "is_broken"), [((120, 80), False), ((40, 60), True)])
def test_an_image_of_another_shape_than_its_annotation_is_named(
    size: tuple[int, int], is_broken: bool, tmp_path: Path
) -> None:
    boxes_of(tmp_path, size=size)
    code, _, report = checked(tmp_path, "task=custom", "data=my.json", "model=tiny")
    assert code == is_broken
    assert report["broken"] == ["train: " + OTHER.format(3)] * is_broken


def test_what_was_recognised_and_chosen_is_told_first(tmp_path: Path) -> None:
    boxes_of(tmp_path, size=(60, 40))
    _, printed, report = checked(tmp_path, "task=custom", "data=my.json", "model=tiny")
    data, request, recipe = report["recognised"]
    assert data.startswith("data: 12 rows of COCO") and recipe.startswith("recipe: ")
    assert "detect {categories}; answer: boxes with labels; metric: box_ap (chosen" in request
    assert printed.lstrip().startswith(f"{data}\n{request}\n{recipe}\n")


def test_shapes_are_compared_in_a_mixture(tmp_path: Path) -> None:
    boxes_of(tmp_path, size=(40, 60))
    mine = "mixture={mine: {task: custom, data: my.json, weight: 1}}"
    code, printed, report = checked(tmp_path, "task=mixture", mine, "model=tiny", "resolution=224")
    assert code == 1, printed
    assert report["broken"] == ["train: " + OTHER.format("mine/3")]


def test_shapes_are_compared_in_refcoco(tmp_path: Path) -> None:
    root = data_sets.refcoco(tmp_path / "data")
    edit(root / "refcoco/instances.json", lambda c: c["images"][0].update(width=40, height=60))
    code, printed, report = checked(tmp_path, "task=refcoco", "task.root=data", "model=tiny")
    assert code == 1, printed
    image = "data/train2014/COCO_train2014_000000000000.jpg has 60x40 pixels"
    (sentence,) = report["broken"]
    assert sentence.startswith(
        f"train: {image}, and the objects of '0' are those of an image of 40"
    )


def test_a_whole_data_set_has_nothing_wrong(tmp_path: Path) -> None:
    data_sets.textvqa(tmp_path / "data")
    code, printed, report = checked(tmp_path, *TEXTVQA)
    assert code == 0
    assert report["broken"] == [] and report["odd"] == []
    assert report["splits"]["train"] == {"examples": 4, "published": 34_602, "images": 4}
    assert report["images"]["width"] == {"least": 60, "median": 60, "most": 60}
    assert report["images"]["modes"] == {"RGB": 8}
    assert re.search(r"train +│ 4 examples, in the paper 34,602; 4 images", printed)
    assert "note: train has 4 examples, not 34,602" in printed
    assert printed.endswith("0 broken, 0 odd\n")


def test_all_broken_files_are_listed(tmp_path: Path) -> None:
    root = data_sets.textvqa(tmp_path / "data")
    images = root / "train_images"
    (images / "train00.jpg").unlink()
    (images / "train01.jpg").write_bytes((images / "train01.jpg").read_bytes()[:900])
    (images / "train02.jpg").write_bytes(b"")
    (images / "train03.jpg").write_bytes(bomb())
    (images / "val00.jpg").write_bytes(b"<html>404 Not Found</html>")
    code, printed, report = checked(tmp_path, *TEXTVQA)
    assert code == 1
    broken = ["train00.jpg", "train01.jpg", "train02.jpg", "train03.jpg", "val00.jpg"]
    assert [Path(one).name for one in report["images"]["broken"]] == broken
    for name in broken:
        assert any(name in sentence for sentence in report["broken"]), name
        assert name in printed
    assert "5 broken" in printed
    # Four of the eight are there and whole.
    page = (tmp_path / "checks/labels-val.html").read_text()
    assert page.count('"id":') == 3


def test_a_split_that_cannot_be_read_does_not_hide_the_others(tmp_path: Path) -> None:
    root = data_sets.textvqa(tmp_path / "data")
    edit(root / "TextVQA_0.5.1_val.json", lambda content: content.pop("data"))
    code, _, report = checked(tmp_path, *TEXTVQA)
    assert code == 1
    (sentence,) = report["broken"]
    assert sentence.startswith("val cannot be read: data/TextVQA_0.5.1_val.json, the whole file:")
    assert report["splits"].keys() == {"train"}


def test_splits_that_lack_the_same_are_told_together(tmp_path: Path) -> None:
    root = data_sets.textvqa(tmp_path / "data")
    for split in ("train", "val"):
        (root / f"TextVQA_0.5.1_{split}.json").unlink()
    settings = [*TEXTVQA, "splits.train=train", "splits.validate='train[:1]'"]
    code, _, report = checked(tmp_path, *settings)
    assert code == 1
    train, val = report["broken"]
    assert train.startswith("train, train[:1] cannot be read: there is no TextVQA_0.5.1_train.json")
    assert "https://textvqa.org/dataset" in train
    assert val.startswith("val cannot be read: there is no TextVQA_0.5.1_val.json")
    assert "https://" not in val  # as it was said before
    assert "splits" not in report or not report["splits"]


def test_all_records_of_a_published_file_that_cannot_be_are_told(tmp_path: Path) -> None:
    root = data_sets.textvqa(tmp_path / "data")

    def spoil(content: dict[str, Any]) -> None:
        content["data"][1].update(answers=["a"])
        content["data"][3].pop("question")

    edit(root / "TextVQA_0.5.1_val.json", spoil)
    code, _, report = checked(tmp_path, *TEXTVQA)
    assert code == 1
    ids = [sentence.partition("question_id ")[2][:3] for sentence in report["broken"]]
    assert ids == ["101", "103"]
    assert report["splits"]["val"]["examples"] == 2


def test_what_would_be_cut_is_counted_and_named(tmp_path: Path) -> None:
    root = data_sets.textvqa(tmp_path / "data")
    long = ["a very long answer " * 3 + "indeed"] * 9 + ["2"]
    edit(root / "TextVQA_0.5.1_train.json", lambda content: content["data"][3].update(answers=long))
    code, printed, report = checked(tmp_path, *TEXTVQA, "recipe.text_length=24")
    tokens = report["tokens"]["train"]
    assert (code, tokens["cut"], tokens["window"]) == (0, {"suffix": 9}, 25)
    assert tokens["longest"][0]["id"] == "3"
    assert sum(tokens["counts"].values()) == 40
    assert f"longest has {tokens['longest'][0]['tokens']}, of example '3'" in printed
    assert re.search(r"\(cut\).*█+ 9", printed)


def test_images_that_are_trained_on_and_scored_are_found(tmp_path: Path) -> None:
    root = data_sets.textvqa(tmp_path / "data")
    shutil.copy(root / "train_images/train01.jpg", root / "train_images/val02.jpg")
    code, printed, report = checked(tmp_path, *TEXTVQA)
    assert code == 0
    (same,) = report["same_content"]
    assert [Path(path).name for path in same] == ["train01.jpg", "val02.jpg"]
    assert len(report["shared_with_training"]["val"]) == 1
    assert "1 of the 4 images of val are trained on as well" in printed


def test_a_slice_of_the_training_data_is_no_leak(tmp_path: Path) -> None:
    data_sets.textvqa(tmp_path / "data")
    code, printed, report = checked(tmp_path, "task=textvqa", "task.root=data", "model=tiny")
    assert code == 0
    assert not [sentence for sentence in report["odd"] if "trained on" in sentence]
    assert "note: train[:5120] is a part of train+val" in printed


def test_masks_are_drawn_from_the_tokens_that_are_learnt(tmp_path: Path) -> None:
    data_sets.refcoco(tmp_path / "data")
    settings = ("task=refcoco", "task.root=data", "model=tiny")
    code, printed, report = checked(tmp_path, *settings)
    assert code == 0, printed
    assert [Path(page).name for page in report["pages"]] == [
        "labels-train.html", "labels-refcoco-val.html",
    ]  # fmt: skip
    page = (tmp_path / "checks/labels-train.html").read_text()
    lines = re.search(r'jsonl">\n(.*?)</script>', page, re.DOTALL)[1].splitlines()
    (example,) = [row for row in map(json.loads, lines) if isinstance(row, dict) and "id" in row]
    assert example["outlined"] and example["prompt"] == "left man"
    # The box (10, 5, 20, 30) of an image of 60 x 40: y 5/40, x 10/60, y 35/40, x 30/60 of 1023.
    answer = example["sides"][0]["answer"]
    assert answer.startswith("<loc0128><loc0170><loc0895><loc0512><seg")
    assert report["tokens"]["train"]["is_all"] is False


def test_no_tokenizer_is_said_and_the_rest_is_looked_at(tmp_path: Path) -> None:
    data_sets.textvqa(tmp_path / "data")
    code, printed, report = checked(tmp_path, *TEXTVQA, "model.tokenizer=nowhere.model")
    assert code == 0
    assert "note: texts are not measured, as there is no tokenizer" in printed
    assert "tokens" not in report and report["images"]["files"] == 8


def test_nothing_at_all_is_one_error(tmp_path: Path) -> None:
    code, printed, _ = checked(tmp_path, *TEXTVQA, "task.rooot=data")
    assert code == 1
    assert "error: there is no setting task.rooot (is it task.root?); in task there are" in printed


@pytest.mark.slow
def test_it_is_a_program(tmp_path: Path) -> None:
    data_sets.textvqa(tmp_path / "data")
    ended = subprocess.run(
        [ready.python(), "-m", "pg_transfer.check", *TEXTVQA, "--decode", "--to", "here"],
        cwd=tmp_path, capture_output=True, text=True,
        env={"PATH": "", "PYTHONPATH": ":".join(path for path in sys.path if path)},
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.endswith("report: here/check.json\n0 broken, 0 odd\n")


@pytest.mark.parametrize("task", ["coco_captions", "rsvqa_lr"])
def test_the_other_tasks_are_gone_over(tmp_path: Path, task: str) -> None:
    {"coco_captions": data_sets.coco, "rsvqa_lr": data_sets.rsvqa_lr}[task](tmp_path / "data")
    code, printed, report = checked(tmp_path, f"task={task}", "task.root=data", "model=tiny")
    assert code == 0, printed
    assert report["broken"] == []
