"""SciCap from files in the published format, after the example in its README."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pg_transfer.task import Answer, Draw, Example, pieces_of
from tasks.scicap import SciCap

FIGURES = {
    "train": {"1001.0025v1-Figure1-1": "loss against time , in seconds .",
              "1001.0025v1-Figure3-1": ""},
    "val": {"1001.0033v2-Figure2-1": "accuracy of all models ."},
    "test": {"1002.1999v1-Figure4-1": "accuracy as a function of width ( in pixels ) .",
             "1002.1999v1-Figure5-1": "a map of the city ."},
}  # fmt: skip
LIST = Path("List-of-Files-for-Each-Experiments/First-Sentence/No-Subfig")


def published(name: str, caption: str) -> dict[str, Any]:
    normal = {"caption": caption, "sentence": [caption], "token": caption.split()}
    return {
        "contains-subfigure": False,
        "Img-text": ["0", "50", "100"],
        "paper-ID": name.partition("-")[0],
        "figure-ID": f"{name}.png",
        "figure-type": "Graph Plot",
        "0-originally-extracted": f"Figure 1: {caption.capitalize()}",
        "1-lowercase-and-token-and-remove-figure-index": normal,
        "2-normalized": {"2-1-basic-num": normal, "2-2-advanced-euqation-bracket": normal},
    }


def caption_file(root: Path, split: str, name: str) -> Path:
    return root / "scicap_data" / "SciCap-Caption-All" / split / f"{name}.json"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for split, figures in FIGURES.items():
        index = tmp_path / "scicap_data" / LIST / split / "file_idx.json"
        index.parent.mkdir(parents=True)
        index.write_text(json.dumps([f"{name}.png" for name in figures]))
        images = tmp_path / "scicap_data" / "SciCap-No-Subfig-Img" / split
        images.mkdir(parents=True)
        # Captions of all figures lie together, those with subfigures, too.
        for name, caption in (figures | {f"with-{split}": "( a ) one . ( b ) two ."}).items():
            path = caption_file(tmp_path, split, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(published(name, caption)))
            Image.new("RGB", (8, 8)).save(images / f"{name}.png")
    return tmp_path


def said(example: Example, text: str) -> Answer:
    return Answer(example, text, pieces_of(text))


def test_the_listed_figures_with_their_whole_captions(root: Path) -> None:
    task = SciCap(root)
    width, city = task.examples("test")
    assert (width.id, width.prefix) == ("1002.1999v1-Figure4-1", "caption en")
    assert width.suffixes == ("accuracy as a function of width ( in pixels ) .",)
    folder = root / "scicap_data" / "SciCap-No-Subfig-Img"
    assert city.image == folder / "test" / "1002.1999v1-Figure5-1.png"
    assert [one.id for one in task.examples("train+val")] == [*FIGURES["train"], *FIGURES["val"]]
    target = task.target(width, Draw(0, width.id, 3))
    assert target == ("caption en", "accuracy as a function of width ( in pixels ) .")
    assert len(SciCap(root / "scicap_data").examples("test")) == 2


def test_a_caption_that_was_but_a_number_is_learnt_as_nothing(root: Path) -> None:
    task = SciCap(root)
    example = task.examples("train")[1]
    assert task.target(example, Draw(0, example.id, 0)) == ("caption en", "")
    scores = task.score([said(one, one.suffixes[0]) for one in task.examples("train")])
    assert scores.examples[1]["CIDEr"] == 0 < scores.examples[0]["CIDEr"]


def test_both_published_metrics_are_there(root: Path) -> None:
    task = SciCap(root)
    width, city = task.examples("test")
    scores = task.score([said(width, width.suffixes[0]), said(city, "a map of the city .")])
    assert next(iter(scores.metrics)) == "CIDEr"
    assert scores.metrics["Bleu_4"] == pytest.approx(100, abs=1e-3)
    # Ten words are written of the width, as each bracket is one and the stop is none, and five of
    # the city. Only the ten are said, all of them right: the penalty for brevity is left, which is
    # exp(1 - 15 / 10) = 0.6065.
    half = task.score([said(width, width.suffixes[0]), said(city, "")])
    assert half.metrics["Bleu_1"] == pytest.approx(60.65, abs=0.01)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ('["1001.0025v1-Figure1-1.png", ', "the whole file: cut short or no JSON"),
        ("{}", "the whole file: no list of figures"),
        ('["1.pdf"]', "'1.pdf': no name of a .png file"),
        ('["../1.png"]', r"'\.\./1\.png': no name of a .png file"),
        ("[1]", "1: no name of a .png file"),
        (json.dumps(["a" * 5000 + ".png"]), "'a{70,}: no name of a .png file"),
        ('["a.png", "a.png"]', r"figure 'a\.png': it comes twice"),
    ],
)
def test_lists_that_cannot_be_are_named(root: Path, content: str, complaint: str) -> None:
    (root / "scicap_data" / LIST / "train" / "file_idx.json").write_text(content)
    with pytest.raises(ValueError, match=rf"file_idx\.json, {complaint}"):
        SciCap(root).examples("train")


@pytest.mark.parametrize(
    ("edit", "complaint"),
    [
        (lambda one: one.pop("1-lowercase-and-token-and-remove-figure-index"), "it has no '1-lowe"),
        (
            lambda one: one["1-lowercase-and-token-and-remove-figure-index"].update(caption=None),
            "its caption is None",
        ),
    ],
)
def test_captions_that_cannot_be_are_named(root: Path, edit: Callable, complaint: str) -> None:
    name = "1001.0033v2-Figure2-1"
    content = published(name, "a")
    edit(content)
    caption_file(root, "val", name).write_text(json.dumps(content))
    with pytest.raises(ValueError, match=rf"Figure2-1\.json, the whole file: {complaint}"):
        SciCap(root).examples("val")
    caption_file(root, "val", name).write_text("[")
    with pytest.raises(ValueError, match=r"Figure2-1\.json, the whole file: cut short or no JSON"):
        SciCap(root).examples("val")


def test_missing_files_are_named_with_their_source(root: Path) -> None:
    with pytest.raises(ValueError, match="SciCap has no split 'dev'; there are train, val, test"):
        SciCap(root).examples("dev")
    caption_file(root, "val", "1001.0033v2-Figure2-1").unlink()
    with pytest.raises(FileNotFoundError, match=r"no 1001\.0033v2-Figure2-1\.json in .*\n.*18 GB"):
        SciCap(root).examples("val")
    with pytest.raises(FileNotFoundError, match=r"no file_idx\.json in .*No-Subfig/val or .*scic"):
        SciCap(root / "elsewhere").examples("val")
    (root / "scicap_data/SciCap-No-Subfig-Img/test/1002.1999v1-Figure5-1.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"1 of 2 images .*Figure5-1\.png\.\n.*scicap_data"):
        SciCap(root).examples("test")
