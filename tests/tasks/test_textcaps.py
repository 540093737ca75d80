"""TextCaps from files in the published format, written here by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pg_transfer.task import Answer, Draw, Example, Scores, pieces_of
from tasks.textcaps import TextCaps

CAPTIONS = {
    "train": {"011e7e629fb9ae7b": ["Five Listerine Zero bottles ÜBER a shelf",
                                   "Many bottles of Listerine Zero are placed together."]},
    "val": {"01d8b2d7f2a4b0a5": ["A red sign says STOP.", "A stop sign.", "Stop!"],
            "b9dc400eb20bad64": ["A book titled Copenhagen lies on a table."]},
    "test": {"0a1f7e2e1e2e0a1f": []},
}  # fmt: skip


def published(split: str) -> dict[str, Any]:
    data = []
    for image, captions in CAPTIONS[split].items():
        record = {
            "image_id": image,
            "image_classes": ["Personal care", "Perfume"],
            "flickr_original_url": f"https://example.org/{image}_o.jpg",
            "flickr_300k_url": f"https://example.org/{image}_z.jpg",
            "image_width": 1024,
            "image_height": 702,
            "set_name": split,
            "image_name": image,
            "image_path": f"train/{image}.jpg",
        }
        data += [
            record
            | {"caption_id": 100_000_000 + place, "caption_str": caption,
               "caption_tokens": ["<s>", *caption.lower().split(), "</s>"],
               "reference_strs": captions, "reference_tokens": []}
            for place, caption in enumerate(captions)
        ] or [record]  # fmt: skip
    # Captions of one image do not follow each other.
    data.sort(key=lambda record: record.get("caption_id", 0))
    return {"dataset_type": split, "dataset_name": "textcaps", "dataset_version": 0.1, "data": data}


def write(root: Path, split: str, content: Any) -> None:
    (root / f"TextCaps_0.1_{split}.json").write_text(json.dumps(content), encoding="utf-8")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "textcaps"
    for split, images in CAPTIONS.items():
        folder = root / ("test_images" if split == "test" else "train_images")
        folder.mkdir(parents=True, exist_ok=True)
        write(root, split, published(split))
        for image in images:
            Image.new("RGB", (8, 8)).save(folder / f"{image}.jpg")
    return root


@pytest.fixture(autouse=True)
def without_java(monkeypatch: pytest.MonkeyPatch) -> None:
    """Java needs ten seconds to start METEOR, which has tests of its own."""
    monkeypatch.setenv("PATH", "")


def said(example: Example, text: str) -> Answer:
    return Answer(example, text, pieces_of(text))


def test_an_image_has_all_its_captions(root: Path) -> None:
    task = TextCaps(root)
    stop, book = task.examples("val")
    assert (stop.id, stop.prefix) == ("01d8b2d7f2a4b0a5", "caption en")
    assert stop.suffixes == tuple(CAPTIONS["val"][stop.id])
    assert stop.image == root / "train_images" / "01d8b2d7f2a4b0a5.jpg"
    assert book.suffixes == ("A book titled Copenhagen lies on a table.",)
    assert [one.id for one in task.examples("train+val")] == ["011e7e629fb9ae7b", stop.id, book.id]


def test_where_nothing_stands_is_no_caption(root: Path) -> None:
    content = published("val")
    first, *others = [one for one in content["data"] if one["image_id"] == "01d8b2d7f2a4b0a5"]
    first["caption_str"] = ""
    write(root, "val", content)
    captions = tuple(one["caption_str"] for one in others)
    assert TextCaps(root).examples("val")[0].suffixes == captions


def test_what_is_learnt_is_in_lower_case_as_tensorflow_has_it(root: Path) -> None:
    task = TextCaps(root)
    (example,) = task.examples("train")
    targets = {task.target(example, Draw(0, example.id, epoch)) for epoch in range(2)}
    assert targets == {
        ("caption en", "five listerine zero bottles Über a shelf"),
        ("caption en", "many bottles of listerine zero are placed together."),
    }


def test_captions_are_scored_against_those_that_were_typed(root: Path) -> None:
    task = TextCaps(root)
    examples = task.examples("val")
    texts = ["A stop sign", "zebras"]
    scores = task.score([said(*pair) for pair in zip(examples, texts, strict=True)])
    assert next(iter(scores.metrics)) == "CIDEr"
    right, wrong = (graded["CIDEr"] for graded in scores.examples)
    assert right > wrong == 0
    assert scores.metrics["CIDEr"] == pytest.approx(100 * right / 2)
    in_full = task.score_in_full([said(example, "a stop sign") for example in examples])
    assert [remark.partition(" ")[0] for remark in in_full.remarks] == ["METEOR", "SPICE"]


def test_the_test_split_is_described_for_the_server(root: Path) -> None:
    task = TextCaps(root)
    (example,) = task.examples("test")
    assert example.image == root / "test_images" / "0a1f7e2e1e2e0a1f.jpg"
    answers = [said(example, " A clock.")]
    assert task.score(answers) == task.score_in_full(answers) == Scores({"answered": 1}, [{}])
    assert task.submission(answers) == [{"image_id": "0a1f7e2e1e2e0a1f", "caption": " A clock."}]


def test_images_of_textvqa_do(root: Path) -> None:
    elsewhere = root.parent / "textvqa" / "train_images"
    elsewhere.parent.mkdir()
    (root / "train_images").rename(elsewhere)
    image = elsewhere / "011e7e629fb9ae7b.jpg"
    assert TextCaps(root).examples("train")[0].image == image
    elsewhere.parent.rename(root.parent / "pictures")
    with pytest.raises(FileNotFoundError, match=r"1 of 1 images .*\n.*train_val_images\.zip"):
        TextCaps(root).examples("train")
    assert TextCaps(root, images=root.parent / "pictures").examples("train")


@pytest.mark.parametrize(
    ("edit", "complaint"),
    [
        (lambda rows: rows[0].pop("image_id"), "image_id None: its image_id is None, no str"),
        (lambda rows: rows[0].pop("image_name"), "image_id '01d8b2d7f2a4b0a5': it has no 'image_n"),
        (lambda rows: rows[-1].update(image_name="b"), "its image_name is '01d.*' and 'b'"),
        (lambda rows: rows[0].pop("caption_str"), "image_id '01d8.*': it has no 'caption_str'"),
        (lambda rows: rows[1].update(caption_str=" "), "image_id 'b9dc.*': it has no caption that"),
    ],
)
def test_records_that_cannot_be_are_named(root: Path, edit: Callable, complaint: str) -> None:
    content = published("val")
    edit(content["data"])
    write(root, "val", content)
    with pytest.raises(ValueError, match=rf"TextCaps_0\.1_val\.json, .*{complaint}"):
        TextCaps(root).examples("val")


def test_missing_files_are_named_with_their_source(root: Path) -> None:
    with pytest.raises(ValueError, match="TextCaps has no split 'dev'; there are train, val, test"):
        TextCaps(root).examples("dev")
    with pytest.raises(FileNotFoundError, match=r"TextCaps_0\.1_val\.json.*\n.*textvqa\.org"):
        TextCaps(root / "elsewhere").examples("val")
