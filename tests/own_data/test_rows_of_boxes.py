"""Tables with a row for each box: gathered by image, as if each image had a row with lists."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pg_transfer.data.release import all_faults_wanted
from pg_transfer.task import Draw
from tasks.custom import Custom

# Images are 40 wide and 20 high; ymin, xmin, ymax, xmax of (10, 5) to (30, 15) are .25, .25, .75,
# .75, and of 1023 that is 255.75 and 767.25.
BOX = "<loc0256><loc0256><loc0767><loc0767>"
WHOLE = "<loc0000><loc0000><loc1023><loc1023>"
EDGES = ["xmin", "ymin", "xmax", "ymax"]
HEADER = ["filename", "width", "height", "class", *EDGES]
TENSORFLOW = [
    ["0.png", 40, 20, "cat", 10, 5, 30, 15],
    ["1.png", 40, 20, "dog", 0, 0, 40, 20],
    ["2.png", 40, 20, "", "", "", "", ""],
    ["0.png", 40, 20, "dog", 0, 0, 40, 20],  # far from the other of its image
]
COLUMNS: dict[str, Any] = {"image": "filename", "boxes": EDGES}
WANTED = {"0.png": f"{BOX} cat ; {WHOLE} dog", "1.png": f"{WHOLE} dog", "2.png": ""}


def write(folder: Path, rows: Sequence[Sequence[Any]], header: Sequence[str] = HEADER) -> Path:
    """A table beside the images."""
    path = folder / "images/boxes.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def made(path: Path, **settings: Any) -> Custom:
    """With everything in training, but for what is held out."""
    return Custom(path, **{"columns": COLUMNS, "box_format": "xyxy"} | settings)


def learnt(task: Custom) -> dict[str, str]:
    """By the image's name, what is to be answered."""
    return {
        Path(str(one.image)).name: task.target(one, Draw(0, one.id, 0)).suffix
        for examples in task.data.splits.values()
        for one in examples
    }


def test_rows_of_an_image_are_one_example_wherever_they_stand(folder: Path) -> None:
    task = made(write(folder, TENSORFLOW))
    assert learnt(task) == WANTED
    assert {one.prefix for one in task.data.splits["train"]} == {"detect cat ; dog"}
    assert task.data.metric == "box_ap"
    assert (
        "3 rows of comma-separated values with a row for each box, gathered by image"
        in (task.findings[0])
    )


def test_every_file_of_rows_is_read_alike(folder: Path) -> None:
    datasets = pytest.importorskip("datasets")
    rows = [dict(zip(HEADER, row, strict=True)) for row in TENSORFLOW]
    missing = [{name: None if cell == "" else cell for name, cell in row.items()} for row in rows]
    images = folder / "images"
    (images / "b.jsonl").write_text("\n".join(map(json.dumps, missing)))
    (images / "b.json").write_text(json.dumps(missing))
    text = "\n".join("\t".join(map(str, row)) for row in [HEADER, *TENSORFLOW])
    (images / "b.tsv").write_text(text)
    datasets.Dataset.from_list(missing).to_parquet(str(images / "b.parquet"))
    for ending in ("jsonl", "json", "tsv", "parquet"):
        assert learnt(made(images / f"b.{ending}")) == WANTED, ending


def test_the_order_is_that_of_the_columns_as_they_are_named(folder: Path) -> None:
    header = ["ImageID", "LabelName", "XMin", "XMax", "YMin", "YMax", "IsGroupOf"]
    rows = [[0, "/m/cat", 0.25, 0.75, 0.25, 0.75, 0], [0, "/m/dog", 0, 1, 0, 1, 1],
            [1, "/m/dog", 0, 1, 0, 1, 0]]  # fmt: skip
    columns = {
        "image": "{ImageID}.png", "boxes": ["XMin", "YMin", "XMax", "YMax"], "labels": "LabelName",
        "crowd": "IsGroupOf",
    }  # fmt: skip
    task = made(write(folder, rows, header), columns=columns, box_format="xyxy_normalised")
    assert learnt(task) == {"0.png": f"{BOX} /m/cat", "1.png": f"{WHOLE} /m/dog"}
    crowds = [
        [thing.is_crowd for thing in one.reference.things]
        for examples in task.data.splits.values()
        for one in examples
    ]
    assert sorted(crowds) == [[False], [False, True]]


@pytest.mark.parametrize("form", ["xywh", "cxcywh"])
def test_sides_of_boxes_may_be_called_as_those_of_images(folder: Path, form: str) -> None:
    numbers = {"xywh": [10, 5, 20, 10], "cxcywh": [20, 10, 20, 10]}[form]
    rows = [[f"{n}.png", "cat", *numbers] for n in range(2)]
    path = write(folder, rows, ["image", "label", "x", "y", "width", "height"])
    task = made(path, columns={"boxes": ["x", "y", "width", "height"]}, box_format=form)
    assert learnt(task) == {"0.png": f"{BOX} cat", "1.png": f"{BOX} cat"}


def test_what_is_asked_and_the_split_tell_rows_apart(folder: Path) -> None:
    header = ["image", "split", "prefix", *EDGES]
    rows = [
        ["0.png", "train", "left", 10, 5, 30, 15], ["0.png", "train", "both", 10, 5, 30, 15],
        ["0.png", "train", "both", 0, 0, 40, 20], ["1.png", "val", "both", 0, 0, 40, 20],
    ]  # fmt: skip
    task = made(write(folder, rows, header), columns={"boxes": EDGES})
    asked = [(one.prefix, len(one.reference.things)) for one in task.examples("train")]
    assert asked == [("left", 1), ("both", 2)]
    assert len(task.examples("validation")) == 1
    path = write(folder, TENSORFLOW[:2] + TENSORFLOW[3:])
    apart = made(path, prefix="detect {class}")
    found = {(Path(str(one.image)).name, one.prefix) for those in apart.data.splits.values()
             for one in those}  # fmt: skip
    assert found == {("0.png", "detect cat"), ("0.png", "detect dog"), ("1.png", "detect dog")}
    of_image = made(path, prefix="detect {labels}")
    assert {one.prefix for those in of_image.data.splits.values() for one in those} == {
        "detect cat ; dog", "detect dog",
    }  # fmt: skip


def test_images_inside_a_file_are_told_by_an_id(folder: Path) -> None:
    datasets = pytest.importorskip("datasets")
    rows = [
        {"image": str(folder / f"images/{n}.png"), "key": n, "label": "cat", "xmin": 10 * place,
         "ymin": 5, "xmax": 30, "ymax": 15} for place, n in enumerate((0, 1, 0))
    ]  # fmt: skip
    found = datasets.Dataset.from_list(rows).cast_column("image", datasets.Image())
    path = folder / "boxes.parquet"
    found.to_parquet(str(path))
    with pytest.raises(ValueError, match=r"row 1: the image lies in the row of a box.*\{id: "):
        made(path, columns={"boxes": EDGES})
    task = made(path, columns={"boxes": EDGES, "id": "key"})
    counts = {one.id: len(one.reference.things) for those in task.data.splits.values()
              for one in those}  # fmt: skip
    assert counts == {"0": 2, "1": 1}


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"xmax": "wide"}, r"line 5: `xmax` is 'wide', no number"),
        ({"xmax": "nan"}, r"line 5: `xmax` is 'nan', no number"),
        ({"xmax": ""}, r"line 5: `xmax` is missing: a box has four numbers, and of an image with"),
        ({"xmax": 50}, r"line 2: object 2 \(.*line 5\): the box .* leaves it"),
        ({"class": ""}, r"line 5: `class` is empty"),
        ({"width": 41}, r"line 5: `width` is '41', and it is '40' in another row.*line 2\)"),
        ({"filename": ""}, r"line 5: the image is missing"),
        (dict.fromkeys([*EDGES, "class"], ""), r"line 5: one of two rows says that there is no ob"),
        (dict.fromkeys(EDGES, ""), r"line 5: `class` is 'dog', and there is no box"),
        ({"filename": "2.png"}, r"line 5: one of two rows says that .*line 4\): leave one out"),
    ],
)
def test_rows_that_cannot_be_are_named(folder: Path, changed: dict, complaint: str) -> None:
    last = dict(zip(HEADER, TENSORFLOW[3], strict=True)) | changed
    with pytest.raises(ValueError, match=complaint):
        made(write(folder, [*TENSORFLOW[:3], list(last.values())]))


def test_all_rows_that_cannot_be_are_told_if_that_is_wanted(folder: Path) -> None:
    rows = [*TENSORFLOW, ["0.png", 40, 20, "cat", "a", 1, 2, 3], ["1.png", 40, 20, "", 1, 1, 9, 9]]
    with all_faults_wanted() as faults:
        assert learnt(made(write(folder, rows))) == WANTED
    assert [one.rpartition("line ")[2] for one in faults.sentences] == [
        "6: `xmin` is 'a', no number",
        "7: `class` is empty: give this row one, or leave the row out",
    ]


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"columns": {"boxes": EDGES}}, r"no column `image`.*'columns=\{image: filename\}'"),
        ({"columns": COLUMNS | {"boxes": ["xmin", "ymin", "xmax", "y"]}}, "no column 'y'; it has "),
        ({"columns": COLUMNS | {"boxes": EDGES[:3]}}, "`boxes` alone may have the four of a box"),
        ({"columns": COLUMNS | {"labels": ["class"]}}, "`boxes` alone may have the four of a box"),
        ({"columns": COLUMNS | {"suffix": "class"}}, "suffix: .* does not go with 'columns="),
        ({"columns": COLUMNS, "suffix": "{class}"}, "suffix does not go with 'columns="),
        ({"columns": COLUMNS, "metric": "miou"}, "metric=miou does not go with 'columns="),
        ({"columns": COLUMNS | {"image": "{name}.png"}}, "the data has no column 'name'"),
        ({"box_format": None}, "what the numbers of a box mean is not said"),
    ],
)
def test_settings_that_do_not_fit_such_a_table(
    folder: Path, settings: dict, complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        made(write(folder, TENSORFLOW), **settings)


@pytest.mark.parametrize(
    ("header", "line"),
    [
        (HEADER, "'columns={image: filename, boxes: [xmin, ymin, xmax, ymax], labels: class}' "
         "box_format=xyxy (xyxy_normalised if"),
        (["ImageID", "LabelName", "XMin", "XMax", "YMin", "YMax"],
         "'columns={image: \"{ImageID}.jpg\", boxes: [XMin, YMin, XMax, YMax], labels: LabelName}' "
         "box_format=xyxy"),
        (["image", "label", "bbox_x", "bbox_y", "bbox_width", "bbox_height", "width"],
         "'columns={image: image, boxes: [bbox_x, bbox_y, bbox_width, bbox_height], labels: label}'"
         " box_format=xywh"),
        (["path", "x1", "y1", "x2", "y2"],
         "'columns={image: path, boxes: [x1, y1, x2, y2]}' box_format=xyxy"),
    ],
)  # fmt: skip
def test_such_a_table_without_a_word_is_answered_by_what_reads_it(
    folder: Path, header: list[str], line: str
) -> None:
    with pytest.raises(ValueError) as caught:
        Custom(write(folder, [["0.png", *range(len(header) - 1)]], header))
    assert line in str(caught.value)


def test_a_template_of_images_names_for_other_rows(folder: Path) -> None:
    rows = [[n, "what?", "red"] for n in range(3)]
    path = write(folder, rows, ["number", "prefix", "suffix"])
    task = Custom(path, columns={"image": "{number}.png"})
    assert set(learnt(task)) == {"0.png", "1.png", "2.png"}
    with Image.open(task.examples("train")[0].image) as image:  # type: ignore[arg-type]
        assert image.size == (40, 20)
