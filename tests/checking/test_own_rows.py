"""All rows of a user's own that cannot be are told."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from tests import data_sets
from tests.checking.checked import boxes_of, checked
from tests.faults.making import edit


def own(folder: Path, count: int) -> list[dict[str, Any]]:
    """Rows of a user's own, whose images are written to the folder."""
    rows = []
    for number in range(count):
        data_sets.write_image(folder / f"{number}.png", seed=number, size=(20, 20))
        split = "train" if number % 2 else "val"
        rows.append({"image": f"{number}.png", "prefix": "a", "suffix": "b", "split": split})
    return rows


ON_LINES = ("task=custom", "data=my.jsonl", "model=tiny")


def write_lines(folder: Path, rows: list[Any]) -> None:
    lines = (row if isinstance(row, str) else json.dumps(row) for row in rows)
    (folder / "my.jsonl").write_text("".join(f"{line}\n" for line in lines))


def test_all_rows_of_own_data_that_cannot_be_are_told(tmp_path: Path) -> None:
    rows: list[Any] = own(tmp_path, 8)
    rows[1] |= {"suffix": None}
    rows[2] = rows[2] | {"id": "0"}
    rows[3] = "{"
    rows[4] = "7"
    rows[6] |= {"image": 7}
    rows[7] |= {"id": "7", "suffix": "c"}
    rows.append(rows[7])
    write_lines(tmp_path, rows)
    code, printed, report = checked(tmp_path, *ON_LINES)
    told = [one.removeprefix("my.jsonl, ") for one in report["broken"]]
    assert [one[: one.index(": ")] for one in told] == [
        "line 4", "line 5", "line 2", "line 3", "line 7", "line 9",
    ]  # fmt: skip
    assert (code, told[2:4]) == (
        1,
        [
            "line 2: `suffix` is missing: give this row one, or leave the row out",
            "line 3: a second row of 'val' with the id '0'; give each its own, or none to any, "
            "and they are numbered",
        ],
    )
    assert all(f"broken: my.jsonl, {one}" in printed for one in told)
    # What is left is looked at as ever.
    assert {split: one["examples"] for split, one in report["splits"].items()} == {
        "train": 2, "validation": 1,
    }  # fmt: skip


def test_if_no_row_can_be_that_is_told_of_each(tmp_path: Path) -> None:
    rows = own(tmp_path, 12)
    write_lines(tmp_path, [row | {"suffix": ""} for row in rows])
    code, printed, report = checked(tmp_path, *ON_LINES)
    assert (code, len(report["broken"])) == (1, 13)
    assert report["broken"][11:] == [
        "my.jsonl, line 12: `suffix` is empty: give this row one, or leave the row out",
        "without these: not one row is left to make an example of",
    ]
    assert "broken: and 3 more, all in checks/check.json" in printed


def test_of_very_many_faults_the_first_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pg_transfer.data.release.MOST_TOLD", 2)
    rows = own(tmp_path, 9)
    for row in rows[:5]:
        row["suffix"] = None
    write_lines(tmp_path, rows)
    _, _, report = checked(tmp_path, *ON_LINES)
    assert len(report["broken"]) == 3
    assert report["broken"][2] == "3 more records that cannot be"


@pytest.mark.parametrize("form", ["csv", "json", "tar", "coco", "yolo", "jsonl"])
def test_all_faults_are_told_of_other_files(tmp_path: Path, form: str) -> None:
    rows = own(tmp_path, 8)
    if form == "csv":
        lines = [
            f"{row['image']},a,{'b' if n not in (2, 5) else ' '}" for n, row in enumerate(rows)
        ]
        lines[3] += ",c"
        (tmp_path / "my.csv").write_text("\n".join(["image,prefix,suffix", *lines]))
        places = ["line 5", "line 4", "line 7"]
    elif form == "json":
        content = [7 if n in (2, 5) else row for n, row in enumerate(rows)]
        data_sets.write_json(tmp_path / "my.json", content)
        places = ["record 3", "record 6"]
    elif form == "tar":
        for n in range(8):
            (tmp_path / f"{n}.json").write_text("{" if n in (2, 5) else json.dumps({"suffix": "b"}))
        with tarfile.open(tmp_path / "my.tar", "w") as archive:
            for path in sorted(tmp_path.glob("?.*")):
                archive.add(path, path.name)
        places = ["2.json", "5.json"]
    elif form == "yolo":
        data_sets.yolo(tmp_path / "my.yolo")
        for name in ("train/1", "val/0"):
            (tmp_path / f"my.yolo/labels/{name}.txt").write_text("0 0.5\n")
        places = ["labels/train/1.txt, line 1", "labels/val/0.txt, line 1"]
    elif form == "jsonl":  # conversations
        said = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
        for n, row in enumerate(rows):
            row["messages"] = said[:: -1 if n in (2, 5) else 1]
            del row["prefix"], row["suffix"]
        write_lines(tmp_path, rows)
        places = ["line 3", "line 6"]
    else:
        boxes_of(tmp_path, size=(60, 40))
        changes = {2: {"category_id": 5}, 5: {"image_id": 99}, 7: {"bbox": [50, 1, 30, 9]}}
        edit(
            tmp_path / "my.json",
            lambda c: [c["annotations"][n].update(one) for n, one in changes.items()],
        )
        places = ["annotation 5", "annotation 2", "image 7"]
    name = "my.json" if form == "coco" else f"my.{form}"
    prefix = ["prefix=a"] if form in ("csv", "json", "tar") else []
    code, printed, report = checked(tmp_path, "task=custom", f"data={name}", "model=tiny", *prefix)
    assert code == 1, printed
    start = f"{name}/" if form == "yolo" else f"{name}, "
    told = [one.removeprefix(start).partition(":")[0] for one in report["broken"]]
    assert told == places


def test_the_page_of_labels_shows_boxes_in_the_first_of_several_images(tmp_path: Path) -> None:
    rows = own(tmp_path, 4)
    for row in rows:
        del row["prefix"], row["suffix"]
        row |= {"images": [row.pop("image"), "0.png"], "boxes": [[1, 1, 9, 9]], "labels": ["cat"]}
    write_lines(tmp_path, rows)
    code, printed, _ = checked(tmp_path, *ON_LINES, "box_format=xyxy")
    assert code == 0, printed
    page = (tmp_path / "checks" / "labels-train.html").read_text()
    assert page.count('"outlined": true') == 2


@pytest.mark.parametrize("form", ["tar", "parquet"])
def test_images_inside_other_files_are_looked_at(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own(tmp_path, 4)
    (tmp_path / "3.png").write_bytes((tmp_path / "1.png").read_bytes()[:-50])
    for split, numbers in {"train": (0, 1), "val": (0, 2, 3)}.items():
        packed(tmp_path, f"{split}.{form}", numbers, monkeypatch)
    data = f"data={{train: train.{form}, val: val.{form}}}"
    code, printed, report = checked(tmp_path, "task=custom", data, "prefix=it", "model=tiny")
    assert code == 1, printed
    names = {"tar": "{}.png", "parquet": "row {}, image"}[form]
    (broken,) = report["images"]["broken"]
    assert broken == f"val.{form}, {names.format(3)}"
    assert report["broken"][0].startswith(f"{broken}: cannot be read as an image")
    assert report["images"]["files"] == 5
    first = f"train.{form}, {names.format(0 if form == 'tar' else 1)}"
    assert report["shared_with_training"] == {"validation": [first]}


def packed(
    folder: Path, name: str, numbers: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file with images of the folder, each of which is answered by "b"."""
    if name.endswith(".tar"):
        (folder / "b.txt").write_text("b")
        with tarfile.open(folder / name, "w") as archive:
            for number in numbers:
                archive.add(folder / f"{number}.png", f"{number}.png")
                archive.add(folder / "b.txt", f"{number}.txt")
        return
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(folder / "cache"))
    images = [{"bytes": (folder / f"{n}.png").read_bytes(), "path": None} for n in numbers]
    rows = datasets.Dataset.from_dict({"image": images, "suffix": ["b"] * len(images)})
    rows.cast_column("image", datasets.Image()).to_parquet(str(folder / name))
