"""NLVR2 and MaRVL from files in the published formats, written here by hand."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pg_transfer.checking.findings import Findings
from pg_transfer.metrics.bootstrap import intervals
from pg_transfer.running.assemble import assemble
from pg_transfer.task import Answer, Example, pieces_of
from tasks.nlvr2 import NLVR2
from tests import data_sets
from tests.short_runs import settings

LANGUAGES = ("id", "sw", "ta", "tr", "zh")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return data_sets.nlvr2(tmp_path)


def said(example: Example, text: str) -> Answer:
    return Answer(example, text, pieces_of(text))


def test_a_sentence_is_about_the_left_and_the_right_image(root: Path) -> None:
    task = NLVR2(root)
    first, second, third, *_ = task.examples("train")
    assert (first.id, first.prefix) == ("train-0-3-0", "answer en There are 0 empty glasses.")
    folder = root / "images" / "train"
    assert first.image == (folder / "0/train-0-3-img0.png", folder / "0/train-0-3-img1.png")
    assert second.image == first.image
    assert third.images[0] == folder / "1/train-1-3-img0.png"
    assert (first.suffixes, second.suffixes) == (("True",), ("False",))
    assert task.kind(first) == ""
    example = task.examples("test")[0]
    assert (example.id, example.images[1]) == ("test1-0-3-0", root / "test1" / "test1-0-3-img1.png")
    assert len(task.examples("train+dev")) == 12


def test_sentences_of_marvl_are_those_of_all_languages(root: Path) -> None:
    task = NLVR2(root)
    examples = task.examples("marvl/test")
    expected = [f"{language}-{number}" for language in LANGUAGES for number in range(2)]
    assert [one.id for one in examples] == expected
    tamil = examples[5]
    assert (tamil.prefix, tamil.suffixes) == ("answer en Panci di atas kompor.", ("False",))
    folder = root / "marvl/marvl-images/ta/images/39-Çay"
    assert tamil.image == (folder / "39-0.jpg", folder / "39-11.jpg")
    assert task.kind(tamil) == "ta"


@pytest.mark.parametrize("form", ["NFC", "NFKD"])
def test_images_are_found_however_their_folders_are_spelt(form: Any, root: Path) -> None:
    for language in LANGUAGES:
        folder = root / "marvl/marvl-images" / language / "images" / "39-Çay"
        folder.rename(folder.with_name(unicodedata.normalize(form, folder.name)))
    assert all(path.is_file() for one in NLVR2(root).examples("marvl/test") for path in one.images)


def test_score_by_hand(root: Path) -> None:
    task = NLVR2(root)
    examples = task.examples("dev")
    # Labels are True and False in turn; the first three are right, and case counts.
    texts = ["True", "False", "True", "True", "true", ""]
    scores = task.score([said(*pair) for pair in zip(examples, texts, strict=True)])
    assert scores.metrics == {"accuracy": 50}
    assert scores.examples[0] == {"accuracy": 1}


def test_marvl_is_scored_by_the_mean_over_languages(root: Path) -> None:
    task = NLVR2(root)
    # Of Indonesian one, of the others both: all are right but one; and Chinese is half as many.
    answers = [said(one, one.suffixes[0]) for one in task.examples("marvl/test")[:-1]]
    answers[0] = said(answers[0].example, "False")
    scores = task.score(answers)
    assert next(iter(scores.metrics)) == "accuracy_average"
    assert scores.metrics["accuracy_average"] == pytest.approx((50 + 4 * 100) / 5)
    assert scores.metrics["accuracy"] == pytest.approx(100 * 8 / 9)
    assert (scores.metrics["accuracy_id"], scores.metrics["accuracy_zh"]) == (50, 100)
    assert intervals(scores, task.formulas_of("marvl/test"))["accuracy_average"]


def edited(root: Path, file: str, edit: Callable[[dict[str, Any]], Any]) -> None:
    path = root / file
    first, *others = path.read_text().splitlines()
    record = json.loads(first)
    edit(record)
    path.write_text("\n".join([json.dumps(record), *others]))


@pytest.mark.parametrize(
    ("edit", "complaint"),
    [
        (lambda one: one.update(label="true"), "'dev-0-3-0': .*its label is 'true', neither of"),
        (lambda one: one.update(label=True), "its label is True, no str"),
        (lambda one: one.update(sentence=""), "its sentence is empty"),
        (lambda one: one.pop("identifier"), "it has no 'identifier'"),
        (lambda one: one.update(identifier="test1-0-3-0"), "none of dev: those are called dev-se"),
        (lambda one: one.update(identifier="dev-0-3-"), "it is none of dev"),
        (lambda one: one.update(identifier="dev-0-3-1"), "'dev-0-3-1': it comes twice"),
    ],
)
def test_records_that_cannot_be_are_named(root: Path, edit: Callable, complaint: str) -> None:
    edited(root, "dev.json", edit)
    with pytest.raises(ValueError, match=rf"dev\.json, .*{complaint}"):
        NLVR2(root).examples("dev")


@pytest.mark.parametrize(
    ("edit", "complaint"),
    [
        (lambda one: one.update(label="true"), "id 'tr-0': its label is 'true', no bool"),
        (lambda one: one.update(language="sw"), "its language is 'sw', not 'tr'"),
        (lambda one: one.update(caption=" "), "its caption is empty"),
        (lambda one: one.pop("right_img"), "it has no 'right_img'"),
    ],
)
def test_records_of_marvl_that_cannot_be_are_named(
    root: Path, edit: Callable, complaint: str
) -> None:
    edited(root, "marvl/marvl-annotations/marvl-tr.jsonl", edit)
    with pytest.raises(ValueError, match=rf"marvl-tr\.jsonl, .*{complaint}"):
        NLVR2(root).examples("marvl/test")


def test_what_is_missing_is_named_with_its_source(root: Path) -> None:
    task = NLVR2(root)
    with pytest.raises(ValueError, match="no split 'val'; there are train, dev, test, marvl/test"):
        task.examples("val")
    (root / "images/train/1/train-1-3-img1.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"1 of 6 .*is train-1-3-img1\.png\.\n.*lil-lab"):
        task.examples("train")
    (root / "marvl/marvl-images/zh/images/39-Çay/39-11.jpg").unlink()
    with pytest.raises(FileNotFoundError, match=r"1 of 2 images .*is 39-11\.jpg\.\n.*SP3/42VZ4P"):
        task.examples("marvl/test")
    (root / "test1.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"no test1\.json in .*\n.*lil-lab/nlvr"):
        task.examples("test")


def test_a_check_counts_images_and_not_pairs(root: Path) -> None:
    findings = Findings()
    findings.add_counts({"dev": NLVR2(root).examples("dev")}, NLVR2.sizes)
    assert findings.report["splits"]["dev"] == {"examples": 6, "published": 6_982, "images": 6}


@pytest.mark.slow
def test_two_images_are_learnt_from_answered_and_shown(root: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    config = settings(
        folder, "task=nlvr2", f"task.root={root}", "model=tiny", "recipe.text_length=32",
        "recipe.batch_size=2", "micro_batch=2", "splits.report=[test]", "page=6",
    )  # fmt: skip
    run = assemble(config, folder)
    run.trainer.fit(run.module, run.data)
    run.score("test")
    assert run.trainer.global_step == 6
    answers = (folder / "answers" / "test-step000006.jsonl").read_text()
    rows = [json.loads(line) for line in answers.splitlines()]
    assert [row["id"] for row in rows] == [one.id for one in run.task.examples("test")]
    with Image.open(folder / "pictures" / "test-step000006.png") as drawn:
        # Noise where the two images stand beside each other, on white.
        assert (np.asarray(drawn.convert("L"))[90:160, 10:250] < 250).mean() > 0.8
    page = (folder / "pages" / "test-step000006.html").read_text()
    assert page.count("data:image") == 3  # pairs, of each two sentences
