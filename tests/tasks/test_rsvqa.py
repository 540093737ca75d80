"""RSVQA from files in the published formats, written here by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, TiffTags
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from pg_transfer.data.images import open_image
from pg_transfer.task import Answer, Draw, pieces_of
from tasks.rsvqa import HighResolution, LowResolution, area_range, count_range

# Split: the questions of it, as image, type, question, answer. Ids run on from split to split.
LR = {
    "train": [
        (0, "rural_urban", "Is it a rural or an urban area", "rural"),
        (0, "presence", "Is a road present?", "yes"),
        (1, "count", "What is the number of forests in the image?", "4"),
    ],
    "val": [
        (2, "comp", "Are there less buildings than roads?", "no"),
        (2, "count", "What is the amount of grass areas?", "0"),
    ],
    "test": [
        (3, "presence", "Is there a water area?", "Yes"),
        (3, "presence", "Is a farmland present?", "no"),
        (3, "comp", "Is the number of roads equal to the number of forests?", "no"),
        (3, "count", "How many buildings are there?", "134"),
        (3, "rural_urban", "Is it a rural or an urban area", "urban"),
    ],
}
HR = {
    "train": [(0, "area", "What is the area covered by small roads?", "342m2")],
    "val": [(1, "count", "What is the number of residential buildings?", "12")],
    "test": [(2, "presence", "Is a parking present?", "no")],
    "test_phili": [(3, "comp", "Are there more roads than parkings?", "yes")],
}


def published(split: str, splits: dict[str, Any]) -> dict[str, Any]:
    """The three files of a split: entries of earlier splits are empty, later ones left out."""
    files: dict[str, list[dict[str, Any]]] = {"images": [], "questions": [], "answers": []}
    number = 0
    for name, rows in splits.items():
        for image, kind, question, answer in rows:
            if name == split:
                common = {"id": number, "date_added": 1579865382.19, "people_id": 0}
                asked = {"img_id": image, "type": kind, "question": question}
                asked["answers_ids"] = [number]
                files["questions"].append(common | asked | {"active": True})
                said = {"question_id": number, "answer": answer}
                files["answers"].append(common | said | {"active": True})
            else:
                for file in ("questions", "answers"):
                    files[file].append({"id": number, "active": False})
            number += 1
        if name == split:
            break
    return files


def write(root: Path, file: str, splits: dict[str, Any], folder: str) -> None:
    for split in splits:
        for kind, records in published(split, splits).items():
            path = root / file.format(split, kind)
            path.write_text(json.dumps({kind: records}))
    (root / folder).mkdir()
    for image in range(4):
        colours = Image.new("RGB", (8, 8), (image, 50, 60))
        colours.save(root / folder / f"{image}.tif", tiffinfo=geographic())


def geographic() -> ImageFileDirectory_v2:
    """What makes a TIFF a GeoTIFF: ten metres a pixel, and where the first one lies."""
    tags = ImageFileDirectory_v2()
    places = {33550: (10.0, 10.0, 0.0), 33922: (0.0, 0.0, 0.0, 470644.9, 6756027.2, 0.0)}
    for tag, values in places.items():
        tags.tagtype[tag] = TiffTags.DOUBLE
        tags[tag] = values
    return tags


@pytest.fixture
def lr_root(tmp_path: Path) -> Path:
    write(tmp_path, "LR_split_{}_{}.json", LR, "Images_LR")
    return tmp_path


@pytest.fixture
def hr_root(tmp_path: Path) -> Path:
    write(tmp_path, "USGS_split_{}_{}.json", HR, "Data")
    return tmp_path


def test_examples_are_the_active_questions(lr_root: Path) -> None:
    examples = LowResolution(lr_root, numeric=True).examples("val")
    assert [(one.id, one.prefix, one.suffixes, one.reference) for one in examples] == [
        ("3", "answer en Are there less buildings than roads?", ("no",), "comp"),
        ("4", "answer en What is the amount of grass areas?", ("0",), "count"),
    ]
    assert examples[0].image == lr_root / "Images_LR" / "2.tif"
    assert open_image(examples[0].image).tolist() == np.full((8, 8, 3), (2, 50, 60)).tolist()


def test_numeric_types_are_left_out_unless_asked_for(lr_root: Path) -> None:
    counts = [
        [len(LowResolution(lr_root, numeric=numeric).examples(split)) for split in LR]
        for numeric in (False, True)
    ]
    assert counts == [[2, 1, 4], [3, 2, 5]]
    assert LowResolution(lr_root).departures == ()
    assert "numeric types (count), which published scores leave out" in LowResolution(
        lr_root, numeric=True
    ).departures[0]  # fmt: skip


def test_answers_are_lower_case_and_always_the_same(lr_root: Path) -> None:
    task = LowResolution(lr_root)
    example = task.examples("test")[0]
    for epoch in range(3):
        target = task.target(example, Draw(0, example.id, epoch))
        assert target == ("answer en Is there a water area?", "yes")


# big_vision datasets/rsvqa_{lr,hr}: the bounds of the bins.
@pytest.mark.parametrize(
    ("amount", "count", "area"),
    [
        (0, "0", "0 m2"),
        (1, "between 1 and 10", "between 1 m2 and 10 m2"),
        (10, "between 1 and 10", "between 1 m2 and 10 m2"),
        (11, "between 11 and 100", "between 11 m2 and 100 m2"),
        (100, "between 11 and 100", "between 11 m2 and 100 m2"),
        (101, "between 101 and 1000", "between 101 m2 and 1000 m2"),
        (1000, "between 101 and 1000", "between 101 m2 and 1000 m2"),
        (1001, "more than 1000", "more than 1000 m2"),
    ],
)
def test_amounts_are_told_as_ranges(amount: int, count: str, area: str) -> None:
    assert (count_range(str(amount)), area_range(f"{amount}m2")) == (count, area)


def test_high_resolution_has_areas_and_plain_counts(hr_root: Path) -> None:
    task = HighResolution(hr_root, numeric=True)
    suffixes = [task.examples(split)[0].suffixes for split in HR]
    assert suffixes == [("between 101 m2 and 1000 m2",), ("12",), ("no",), ("yes",)]
    assert "(area, count)" in task.departures[0]
    plain = HighResolution(hr_root)
    assert [len(plain.examples(split)) for split in HR] == [0, 0, 1, 1]


def test_images_may_be_converted_to_png(hr_root: Path) -> None:
    path = hr_root / "Data" / "2.tif"
    path.rename(path.with_suffix(".png"))
    assert HighResolution(hr_root).examples("test")[0].image == path.with_suffix(".png")


def test_training_on_both_parts(lr_root: Path) -> None:
    task = LowResolution(lr_root)
    assert [example.id for example in task.examples("train+val")] == ["0", "1", "3"]
    assert len(task.examples("train[:1]")) == 1


def test_score_by_hand(lr_root: Path) -> None:
    task = LowResolution(lr_root)
    examples = task.examples("test")
    # presence: "YES" is right (capitals do not count), "no." wrong: 1/2. comp: 1/1. rural_urban:
    # 0/1. Mean of the types: (1/2 + 1 + 0) / 3 = 1/2; of all four answers two are right.
    texts = ["YES", "no.", "no", "rural"]
    scores = task.score([said(*pair) for pair in zip(examples, texts, strict=True)])
    assert list(scores.metrics.items()) == [
        ("accuracy_average", 50),
        ("accuracy", 50),
        ("accuracy_comp", 100),
        ("accuracy_presence", 50),
        ("accuracy_rural_urban", 0),
    ]
    right = task.score([said(example, example.suffixes[0]) for example in examples])
    assert right.metrics["accuracy_average"] == 100
    # Two of three right, one of them of a type with two: (1/2 + 1) / 2 against 2/3.
    part = task.score([said(examples[i], texts[i]) for i in range(3)])
    assert part.metrics["accuracy_average"] == 75
    assert part.metrics["accuracy"] == pytest.approx(200 / 3)


def said(example: Any, text: str) -> Answer:
    return Answer(example, text, pieces_of(text))


def edited(path: Path, edit: Callable[[list[dict[str, Any]]], Any]) -> None:
    content = json.loads(path.read_text())
    edit(next(iter(content.values())))
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("file", "edit", "complaint"),
    [
        (
            "questions",
            lambda rows: rows[2].update(type="colour"),
            "id 2: its type is 'colour'",
        ),
        ("questions", lambda rows: rows[2].update(answers_ids=[]), "id 2: .*none of the active"),
        ("questions", lambda rows: rows[2].update(answers_ids=[9]), "id 2: .*none of the active"),
        ("questions", lambda rows: rows[2].update(question=" "), "id 2: .*its question is empty"),
        ("questions", lambda rows: rows[2].pop("img_id"), "id 2: .*it has no 'img_id'"),
        ("questions", lambda rows: rows[2].pop("id"), "no `id`"),
        ("questions", lambda rows: rows.append(rows[1]), "id 1: it comes twice"),
        ("answers", lambda rows: rows.append(rows[1]), "id 1: it comes twice"),
        ("answers", lambda rows: rows[2].update(active=False), "id 2: .*none of the active"),
        ("answers", lambda rows: rows[2].update(question_id=1), "is one to question 1"),
        ("answers", lambda rows: rows[2].update(answer=""), "id 2: .*its answer is empty"),
        ("answers", lambda rows: rows[2].update(answer="four"), "'four' for an answer of type cou"),
        ("answers", lambda rows: rows[2].update(answer="-4"), "'-4' for an answer of type count"),
    ],
)
def test_records_that_cannot_be_are_named(
    lr_root: Path, file: str, edit: Callable, complaint: str
) -> None:
    edited(lr_root / f"LR_split_train_{file}.json", edit)
    with pytest.raises(ValueError, match=rf"LR_split_train_\w+\.json, .*{complaint}"):
        LowResolution(lr_root, numeric=True).examples("train")


def test_areas_have_a_unit(hr_root: Path) -> None:
    path = hr_root / "USGS_split_train_answers.json"
    edited(path, lambda rows: rows[0].update(answer="342"))
    with pytest.raises(ValueError, match="'342' for an answer of type area"):
        HighResolution(hr_root, numeric=True).examples("train")


def test_missing_files_and_images_are_named_with_their_source(lr_root: Path) -> None:
    with pytest.raises(ValueError, match=r"RSVQA-LR has no split 'test_phili'; .*train, val, test"):
        LowResolution(lr_root).examples("test_phili")
    with pytest.raises(FileNotFoundError, match=r"USGS_split_val_questions\.json.*\n.*6344367"):
        HighResolution(lr_root).examples("val")
    (lr_root / "Images_LR" / "3.tif").unlink()
    with pytest.raises(FileNotFoundError, match=r"1 of 1 .* first is 3\.tif\.\n.*Images_LR\.zip"):
        LowResolution(lr_root).examples("test")


def test_reads_the_real_records(sample_data: Path) -> None:
    root = sample_data / "rsvqa_lr_sample"
    if not root.is_dir():
        pytest.skip("no RSVQA sample")
    plain, numeric = LowResolution(root), LowResolution(root, numeric=True)
    # Counted in the files by type: 899, 293 and 279 active questions are of type count.
    assert [len(numeric.examples(split)) for split in LR] == [3004, 1001, 1000]
    assert [len(plain.examples(split)) for split in LR] == [2105, 708, 721]
    assert len(plain.examples("train+val")) == 2813
    answers = {answer for one in numeric.examples("train+val+test") for answer in one.suffixes}
    assert answers == {
        "yes", "no", "rural", "urban", "0", "between 1 and 10", "between 11 and 100",
        "between 101 and 1000", "more than 1000",
    }  # fmt: skip
    example = numeric.examples("test")[0]
    assert open_image(example.image).shape == (256, 256, 3)
    assert example.prefix == "answer en Is it a rural or an urban area"
