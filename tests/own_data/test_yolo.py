"""Data sets of YOLO, boxes and polygons, as they lie on people's disks."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image

from pg_transfer.segmentation.codec import load_codec
from pg_transfer.task import Draw
from tasks.custom import Custom

# Images are 40 wide and 20 high; the box is that of test_objects.py.
BOX = "<loc0256><loc0256><loc0767><loc0767>"
LINE, POLYGON = "0 0.5 0.5 0.5 0.5", "1 0.25 0.25 0.75 0.25 0.75 0.75 0.25 0.75"
CONTENT: dict[str, Any] = {
    "path": "../datasets/elsewhere", "train": "images/train", "val": "images/val",
    "test": None, "names": {0: "cat", 1: "dog"},
}  # fmt: skip


@pytest.fixture
def yolo(tmp_path: Path) -> Path:
    """Two images to learn from, and two to validate by, one of which has no labels."""
    for split in ("train", "val"):
        for number in range(2):
            image = tmp_path / "images" / split / f"{number}.jpg"
            image.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (40, 20), (100 * number, 0, 0)).save(image)
            write(tmp_path, f"{split}/{number}", f"{LINE}\n{POLYGON}\n")
    (tmp_path / "labels/val/1.txt").unlink()
    describe(tmp_path)
    return tmp_path


def describe(folder: Path, **changed: Any) -> None:
    (folder / "data.yaml").write_text(yaml.safe_dump(CONTENT | changed))


def write(folder: Path, name: str, lines: str) -> None:
    path = folder / "labels" / f"{name}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(lines)


def suffixes(task: Custom, split: str = "train") -> list[str]:
    return [task.target(one, Draw(0, one.id, 0)).suffix for one in task.examples(split)]


@pytest.mark.parametrize("ending", [".png", ".pgm", ".TIF"])
def test_images_of_all_kinds_are_found(yolo: Path, ending: str) -> None:
    Image.new("L", (40, 20)).save(yolo / f"images/train/2{ending}")
    assert suffixes(Custom(yolo))[2:] == [""]


@pytest.mark.parametrize("named", ["", "data.yaml"])
def test_boxes_and_polygons_are_detected(yolo: Path, named: str) -> None:
    task = Custom(yolo / named)
    assert suffixes(task) == [f"{BOX} cat ; {BOX} dog"] * 2
    assert suffixes(task, "validation") == [f"{BOX} cat ; {BOX} dog", ""]
    example = task.examples("train")[0]
    assert (example.id, example.prefix) == ("images/train/0.jpg", "detect cat ; dog")
    assert example.image == yolo / "images/train/0.jpg"
    assert task.findings[0].startswith("data: 4 rows of a YOLO data set, columns id, image, boxes,")
    assert "2 train, 2 val" in task.findings[0]


def test_polygons_are_segmented(yolo: Path) -> None:
    for name in ("train/0", "train/1", "val/0"):
        write(yolo, name, POLYGON)
    task = Custom(yolo, metric="miou", mask_codec=partial(load_codec, "builtin"))
    assert all(text.startswith(f"{BOX}<seg") and text.endswith("dog") for text in suffixes(task))
    mask = task.examples("train")[0].reference.things[0].mask()
    assert (mask.shape, mask.sum(), mask[5:15, 10:30].all()) == ((20, 40), 200, True)
    write(yolo, "train/1", LINE)
    with pytest.raises(ValueError, match=r"labels/train/1\.txt: an object has no mask"):
        Custom(yolo, metric="miou")


def test_other_places_of_images_and_labels(yolo: Path) -> None:
    describe(yolo, train="../images/train", names=["cat", "dog"])  # as Roboflow writes it
    assert suffixes(Custom(yolo)) == [f"{BOX} cat ; {BOX} dog"] * 2
    (yolo / "train.txt").write_text("./images/train/1.jpg\n\n")
    describe(yolo, train="train.txt", val=["images/val", "images/train"])
    task = Custom(yolo)
    assert [one.id for one in task.examples("train")] == ["images/train/1.jpg"]
    assert len(task.examples("val")) == 4
    (yolo / "elsewhere").mkdir()
    for name in ("images", "labels"):
        (yolo / name).rename(yolo / "elsewhere" / name)
    describe(yolo, path="elsewhere")
    assert len(Custom(yolo).examples("train")) == 2


def test_what_is_beside_labels_is_no_label(yolo: Path) -> None:
    write(yolo, "train/classes", "cat\ndog\n")
    (yolo / "other.yaml").write_text("{")
    for name in ("images/train/._0.jpg", "labels/train/._0.txt", "labels/train/._9.txt"):
        (yolo / name).write_bytes(b"\0\5\x16\7")  # as macOS writes them
    assert len(Custom(yolo).examples("train")) == 2


def test_boxes_without_an_area_are_left_out_and_counted(yolo: Path) -> None:
    write(yolo, "train/0", f"{LINE}\n0 0.5 0.5 0 0.5\n")
    task = Custom(yolo)
    assert suffixes(task)[0] == f"{BOX} cat"
    assert task.findings[2] == "note: 1 boxes without an area are left out, with their objects"


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("0 0.5 0.5 0.5", "has 3 numbers behind the class: a box has four"),
        (f"{LINE} 0.9", "has 5 numbers behind the class"),
        ("0 0.5 0.5 0.5 0.5 0.5 0.5 0.5", "has 7 numbers behind the class"),
        ("7 0.5 0.5 0.5 0.5", "there is no class 7 among the 2 `names`"),
        ("0.5 0.5 0.5 0.5 0.5", r"there is no class 0\.5"),
        ("cat 0.5 0.5 0.5 0.5", "'cat 0.5 0.5 0.5 0.5' are not all numbers"),
        ("0 0.5 nan 0.5 0.5", "has a number that is none"),
    ],
)
def test_lines_that_cannot_be_are_named(yolo: Path, line: str, complaint: str) -> None:
    write(yolo, "train/1", f"{LINE}\n\n{line}\n")
    with pytest.raises(ValueError, match=rf"labels/train/1\.txt, line 3: .*{complaint}"):
        Custom(yolo)


def test_boxes_in_pixels_are_named(yolo: Path) -> None:
    write(yolo, "train/1", "0 20 10 20 10")
    told = r"labels/train/1\.txt: object 1: the box .* \(box_format=cxcywh_normalised\).* leaves it"
    with pytest.raises(ValueError, match=told):
        Custom(yolo)


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"names": 2}, "`names` is 2, neither a list nor 0: cat, 1: dog"),
        ({"names": {"cat": 0}}, "`names` is .*, neither a list"),
        ({"names": ["cat", True]}, "the name of class 1 is True, no text; names that YAML takes"),
        ({"names": {0: "cat", 1: None}}, "the name of class 1 is None, no text"),
        ({"train": {"a": 1}}, "`train` is .*, not a folder of images"),
        ({"train": "images/other"}, "`train` is images/other, which is not in"),
        ({"train": "labels"}, "`train` is labels, and there is no image in"),
        ({"kpt_shape": [17, 3]}, "it has keypoints"),
    ],
)
def test_a_description_that_cannot_be_is_named(
    yolo: Path, changed: dict[str, Any], complaint: str
) -> None:
    describe(yolo, **changed)
    with pytest.raises((ValueError, FileNotFoundError), match=rf"data\.yaml: {complaint}"):
        Custom(yolo)


def test_files_that_cannot_be_are_named(yolo: Path) -> None:
    write(yolo, "train/7", LINE)
    told = r"1 files of labels have no image in .*images/train; the first is .*labels/train/7\.txt"
    with pytest.raises(FileNotFoundError, match=told):
        Custom(yolo)
    (yolo / "labels").rename(yolo / "other")
    told = r"data\.yaml: no image of `train` has labels; those of .*0\.jpg would be .*train/0\.txt"
    with pytest.raises(FileNotFoundError, match=told):
        Custom(yolo)
    (yolo / "data.yaml").write_text("names: [cat")
    for named in ("", "data.yaml"):
        with pytest.raises(ValueError, match=r"data\.yaml: no YAML, or cut short \("):
            Custom(yolo / named)
    (yolo / "data.yaml").write_text("a: 1")
    with pytest.raises(ValueError, match=r"data\.yaml: not YOLO's: it needs `names`"):
        Custom(yolo / "data.yaml")
    describe(yolo)
    (yolo / "data.yaml").rename(yolo / "one.yaml")
    describe(yolo)
    with pytest.raises(ValueError, match=r"has data\.yaml, one\.yaml: name one"):
        Custom(yolo)


@pytest.mark.parametrize("content", ["train: images/train", "names: [cat]"])
def test_a_description_in_a_folder_that_lacks_half_is_named(yolo: Path, content: str) -> None:
    (yolo / "data.yaml").write_text(content)
    with pytest.raises(ValueError, match=r"data\.yaml: not YOLO's: it needs `names`"):
        Custom(yolo)
