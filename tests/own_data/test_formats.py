"""Every format that is recognised gives the same examples; what is not is one error."""

from __future__ import annotations

import csv
import io
import json
import pickle
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pg_transfer.task import Draw
from tasks.custom import Custom

COUNT = 12


@pytest.fixture
def records(folder: Path) -> list[dict[str, Any]]:
    return [
        {"image": f"images/{number}.png", "prefix": "answer en how red?", "suffix": str(number),
         "split": "train" if number < 9 else "val"}
        for number in range(COUNT)
    ]  # fmt: skip


def check(task: Custom, kind: str) -> None:
    """Twelve examples in two splits, whose pixels say which one each is."""
    assert f"12 rows of {kind}" in task.findings[0], task.findings[0]
    train, validation = task.examples("train"), task.examples("validation")
    assert (len(train), len(validation)) == (9, 3)
    assert len({one.id for one in (*train, *validation)}) == COUNT
    for example in (*train, *validation):
        target = task.target(example, Draw(0, example.id, 0))
        assert target.prefix == "answer en how red?"
        image = pickle.loads(pickle.dumps(example.image))  # as a loading process gets it
        pixels = image() if callable(image) else _opened(image)
        assert pixels.shape == (20, 40, 3) and pixels.dtype == np.uint8
        assert pixels[0, 0].tolist() == [20 * int(target.suffix), 0, 100]


def _opened(path: Path) -> np.ndarray:
    from pg_transfer.data.images import open_image

    return open_image(path)


def test_json_lines(folder: Path, records: list) -> None:
    path = folder / "my.jsonl"
    # A byte order mark, an empty line and a line separator inside a text are all harmless.
    records[0]["note"] = "a\u2028b"
    lines = [json.dumps(row, ensure_ascii=False) for row in records]
    path.write_text("\ufeff" + "\n\n".join(lines) + "\n", encoding="utf-8")
    check(Custom(path), "JSON lines")
    check(Custom(str(path)), "JSON lines")


def test_a_json_list_and_lines_under_its_name(folder: Path, records: list) -> None:
    path = folder / "my.json"
    path.write_text(json.dumps(records))
    check(Custom(path), "a JSON list")
    path.write_text("\n".join(map(json.dumps, records)))
    check(Custom(path), "JSON lines")


@pytest.mark.parametrize(("name", "delimiter"), [("a.csv", ","), ("a.csv", ";"), ("a.tsv", "\t")])
def test_tables(folder: Path, records: list, name: str, delimiter: str) -> None:
    with (folder / name).open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, records[0], delimiter=delimiter)
        writer.writeheader()
        writer.writerows(records)
    check(Custom(folder / name), "tab-separated" if delimiter == "\t" else "comma-separated")


def test_lists_in_tables_are_json(folder: Path) -> None:
    path = folder / "a.csv"
    path.write_text('image,prefix,suffixes\nimages/0.png,a,"[""x"", ""y""]"\nimages/1.png,a,z\n')
    with pytest.raises(ValueError, match=r"a\.csv, line 3: `suffixes` is 'z', not a list"):
        Custom(path)
    path.write_text(path.read_text().replace(",z", ',"[""z""]"'))
    suffixes = [one.suffixes for split in Custom(path).data.splits.values() for one in split]
    assert sorted(suffixes) == [("x", "y"), ("z",)]


def test_a_file_for_each_split(folder: Path, records: list) -> None:
    parts = {"train": records[:9], "validation": records[9:]}
    files = {}
    for split, rows in parts.items():
        files[split] = folder / f"{split}.jsonl"
        bare = [{key: row[key] for key in ("image", "prefix", "suffix")} for row in rows]
        files[split].write_text("\n".join(map(json.dumps, bare)))
    check(Custom(files), "JSON lines")
    check(Custom(folder), "JSON lines")  # by their names
    check(Custom(str(folder / "*.jsonl")), "JSON lines")


def test_what_a_file_is_given_as_goes_before_what_its_rows_say(folder: Path, records: list) -> None:
    """Else rows of a file that is named as a test would be learnt."""
    files = {}
    for split, rows in {"train": records[:9], "test": records[9:]}.items():
        files[split] = folder / f"{split}.jsonl"
        said = [{"image": row["image"], "prefix": "a", "suffix": "b"} for row in rows]
        said = [row | {"split": "train"} for row in said] if split == "test" else said
        files[split].write_text("\n".join(map(json.dumps, said)))
    splits = Custom(files).data.splits
    assert len(splits["test"]) == len(records) - 9
    assert len(splits["train"]) + len(splits["validation"]) == 9


def test_files_that_tell_no_split_beside_some_that_do_are_named(
    folder: Path, records: list
) -> None:
    unsaid = [{key: row[key] for key in row.keys() - {"split"}} for row in records]
    for name, rows in {"all": unsaid, "train-0": unsaid[:6], "val-0": unsaid[6:]}.items():
        (folder / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    with pytest.raises(
        ValueError, match=r"all\.jsonl, line 1: nothing says .*train-0\.jsonl, line"
    ):
        Custom(folder)
    task = Custom({"train": folder / "all.jsonl", "val": folder / "val-0.jsonl"})
    assert [len(task.examples(split)) for split in ("train", "val")] == [12, 6]


def test_a_split_in_a_file_of_another_kind_is_not_passed_over(folder: Path, records: list) -> None:
    for name, rows in {"valid": records[9:], "train": records[:9]}.items():
        (folder / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    for name in ("classes.csv", "train.csv", "val.csv"):  # of no split, or of one that is there
        (folder / name).write_text("number,name\n1,cat\n")
    check(Custom(folder), "JSON lines")
    (folder / "test.csv").write_text("image,prefix,suffix\n")
    with pytest.raises(ValueError, match=r"has train\.jsonl and test\.csv, and of a folder"):
        Custom(folder)


@pytest.mark.parametrize("name", ["annotations.json", "rows.csv"])
def test_a_folder_of_one_file_and_a_hidden_one(folder: Path, records: list, name: str) -> None:
    if name.endswith(".json"):
        (folder / name).write_text(json.dumps(records))  # which COCO's may be called, too
    else:
        table = [list(records[0]), *(row.values() for row in records)]
        with (folder / name).open("w", newline="") as file:
            csv.writer(file).writerows(table)
    (folder / f"._{name}").write_bytes(b"\0\5\x16\7\xff")  # as macOS writes it to disks of others
    check(Custom(folder), "a JSON list" if name.endswith(".json") else "comma-separated values")


def test_a_folder_of_images_and_their_table(folder: Path, records: list) -> None:
    rows = [
        {"file_name": row["image"].removeprefix("images/"), "question": "how red?",
         "answer": row["suffix"], "split": row["split"]}
        for row in records
    ]  # fmt: skip
    (folder / "images" / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
    task = Custom(folder / "images")
    check(task, "JSON lines")
    assert "request: answer en {question}; answer: column answer" in task.findings[1]


def test_tar_shards(folder: Path, records: list) -> None:
    for shard, rows in {"train-000.tar": records[:5], "train-001.tar": records[5:9],
                        "val-000.tar": records[9:]}.items():  # fmt: skip
        with tarfile.open(folder / shard, "w") as file:
            for row in rows:
                name = Path(row["image"]).stem
                # Names that would escape when unpacked are names like any other.
                file.add(folder / row["image"], f"../../{name}.png")
                content = json.dumps({"prefix": row["prefix"], "suffix": row["suffix"]}).encode()
                member = tarfile.TarInfo(f"../../{name}.json")
                member.size = len(content)
                file.addfile(member, io.BytesIO(content))
    check(Custom(folder), "tar shards")
    check(Custom(str(folder / "*.tar")), "tar shards")
    assert not (folder.parent.parent / "0.png").exists()


def test_hidden_files_in_shards_are_of_no_row(folder: Path) -> None:
    with tarfile.open(folder / "a.tar", "w") as file:
        for number in range(4):
            for name in (f"{number}.png", f"._{number}.png"):  # as macOS packs them
                file.add(folder / "images" / f"{number}.png", f"a/{name}")
            file.addfile(tarfile.TarInfo(f"a/._{number}.json"))
    task = Custom(folder / "a.tar", prefix="caption en", suffix="a picture")
    ids = [one.id for split in task.data.splits.values() for one in split]
    assert sorted(ids) == ["a/0", "a/1", "a/2", "a/3"]


def test_captions_in_shards(folder: Path) -> None:
    with tarfile.open(folder / "a.tar", "w") as file:
        for number in range(4):
            file.add(folder / "images" / f"{number}.png", f"{number}.png")
            member = tarfile.TarInfo(f"{number}.txt")
            member.size = len(content := f"red is {number}\n".encode())
            file.addfile(member, io.BytesIO(content))
    task = Custom(folder / "a.tar", prefix="caption en", metric="anls")
    suffixes = [one.suffixes for split in task.data.splits.values() for one in split]
    assert sorted(suffixes) == [(f"red is {number}",) for number in range(4)]


@pytest.mark.parametrize("form", ["parquet", "saved", "hub"])
def test_data_sets_of_the_library(
    folder: Path, records: list, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(folder / "cache"))
    parts = {}
    for split in ("train", "val"):
        rows = [row for row in records if row["split"] == split]
        columns = {
            "img": [str(folder / row["image"]) for row in rows],
            "question": ["how red?" for _ in rows],
            "answer": [row["suffix"] for row in rows],
        }
        parts[split] = datasets.Dataset.from_dict(columns).cast_column("img", datasets.Image())
    if form == "parquet":
        (folder / "data").mkdir()
        for split, part in parts.items():
            part.to_parquet(str(folder / "data" / f"{split}-00000.parquet"))
        check(Custom(folder / "data", columns={"image": "img"}), "Parquet")
        return
    found = datasets.DatasetDict(parts)
    if form == "saved":
        found.save_to_disk(str(folder / "saved"))
        check(Custom(folder / "saved", columns={"image": "img"}), "a saved data set")
        return
    asked = []
    monkeypatch.setattr(datasets, "load_dataset", lambda *a, **k: asked.append((a, k)) or found)
    check(Custom("some/reds:all@main", columns={"image": "img"}), "the data set some/reds")
    assert asked == [(("some/reds", "all"), {"revision": "main"})]


@pytest.mark.parametrize("is_list", [False, True])
def test_rows_of_a_data_set_without_an_image_are_named(
    folder: Path, is_list: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(folder / "cache"))
    names: list[Any] = [str(folder / "images" / f"{number}.png") for number in range(3)]
    names[1] = None
    column, feature = "image", datasets.Image()
    if is_list:
        column, feature = "images", datasets.List(datasets.Image())
        names = [name and [name] for name in names]
    rows = {column: names, "prefix": ["it?"] * 3, "suffix": ["red"] * 3}
    made = datasets.Dataset.from_dict(rows).cast_column(column, feature)
    made.to_parquet(str(folder / "a.parquet"))
    missing = "`images` is None, not a list" if is_list else "the image is missing"
    with pytest.raises(ValueError, match=rf"a\.parquet, row 2: {missing}"):
        Custom(folder / "a.parquet")
    if is_list:
        names[1] = [None]
        made = datasets.Dataset.from_dict(rows).cast_column(column, feature)
        made.to_parquet(str(folder / "a.parquet"))
        with pytest.raises(ValueError, match=r"a\.parquet, row 2: the image is missing"):
            Custom(folder / "a.parquet")


def test_objects_of_a_data_set(folder: Path) -> None:
    datasets = pytest.importorskip("datasets")
    features = datasets.Features(
        {
            "image": datasets.Image(),
            "objects": {
                "bbox": datasets.List(datasets.List(datasets.Value("float32"))),
                "category": datasets.List(datasets.ClassLabel(names=["cat", "dog"])),
            },
        }
    )
    rows = {
        "image": [str(folder / "images" / f"{number}.png") for number in range(4)],
        "objects": [{"bbox": [[0, 0, 20, 10]], "category": [number % 2]} for number in range(4)],
    }
    datasets.Dataset.from_dict(rows, features=features).save_to_disk(str(folder / "saved"))
    task = Custom(folder / "saved", box_format="xywh")
    examples = [one for split in task.data.splits.values() for one in split]
    assert {one.prefix for one in examples} == {"detect cat ; dog"}
    # 10/20 and 20/40 of 1023 is 511.5, and ties go to the even number.
    half = "<loc0000><loc0000><loc0512><loc0512>"
    suffixes = {task.target(one, Draw(0, one.id, 0)).suffix for one in examples}
    assert suffixes == {f"{half} cat", f"{half} dog"}


def test_folders_of_classes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(folder / "cache"))
    for number in range(12):
        place = folder / "sorted" / ("train" if number < 9 else "test") / ("dim", "red")[number % 2]
        place.mkdir(parents=True, exist_ok=True)
        (folder / "images" / f"{number}.png").rename(place / f"{number}.png")
    task = Custom(folder / "sorted", prefix="answer en what is it?")
    assert {one.suffixes for one in task.examples("test")} == {("dim",), ("red",)}
    assert len(task.examples("train+validation")) == 9
    assert "metric: exact (chosen: answers are short)" in task.findings[1]


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("a.jsonl", b'{"image": "images/0.png"\n', r"a\.jsonl, line 1: no JSON, or cut short"),
        ("a.jsonl", b"\n7\n", r"a\.jsonl, line 2: 7 is no object with named columns"),
        ("a.jsonl", b"[\n", r"a\.jsonl: a JSON list, not JSON lines: call it a\.json, or write"),
        ("a.jsonl", b'{"image": "\\ud83d"}\n', r"a\.jsonl, line 1: .*'\\ud83d' is half a letter"),
        ("a.json", b'[{"image": "\\ud83d"}]\n', r"a\.json: .*'\\ud83d' is half a letter"),
        ("a.jsonl", b"\n", r"a\.jsonl: there is not a single row"),
        ("a.jsonl", b'{"image": "\xff"}\n', r"a\.jsonl: no UTF-8 text"),
        ("a.jsonl", b'{"a":' * 100_000, r"a\.jsonl, line 1: no JSON"),
        ("a.csv", b"image,prefix\nx\n", r"a\.csv, line 2: 1 cells under 2 names"),
        ("a.csv", b"image,image\nx,y\n", r"a\.csv, line 1: the header has an empty or repeated"),
        ("a.json", b'{"rows": []}', r"a\.json: neither a list of rows nor in COCO's format"),
        ("a.json", b"[{", r"a\.json: no JSON, or cut short"),
        ("a.parquet", b"PAR1", r"a\.parquet: cannot be read as a Parquet file"),
        ("a.tar", b"x" * 2000, r"a\.tar: not an uncompressed tar file"),
        ("a.xlsx", b"PK", r"a\.xlsx: not recognised by its name"),
    ],
)
def test_files_that_cannot_be_are_named(
    folder: Path, name: str, content: bytes, complaint: str
) -> None:
    if name.endswith(".parquet"):
        pytest.importorskip("datasets")
    (folder / name).write_bytes(content)
    with pytest.raises(ValueError, match=complaint):
        Custom(folder / name)


def test_archives_with_links_are_refused(folder: Path) -> None:
    member = tarfile.TarInfo("0.png")
    member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
    with tarfile.open(folder / "a.tar", "w") as file:
        file.addfile(member)
    with pytest.raises(ValueError, match=r"a\.tar, 0\.png: a link or device, not a plain file"):
        Custom(folder / "a.tar")


def test_archives_that_are_cut_short_are_named(folder: Path) -> None:
    with tarfile.open(folder / "a.tar", "w") as file:
        file.add(folder / "images" / "0.png", "0.png")
    content = (folder / "a.tar").read_bytes()
    (folder / "a.tar").write_bytes(content[:550])
    with pytest.raises(ValueError, match=r"a\.tar.* cut short"):
        Custom(folder / "a.tar")


def test_what_is_not_there_is_said_with_what_can_be(folder: Path) -> None:
    with pytest.raises(ValueError, match=r"task=custom needs data=\.\.\..*JSON lines"):
        Custom(None)
    for name in ("none.jsonl", "./none", "a/b/c", "some/none.csv"):
        with pytest.raises(FileNotFoundError, match=r"no such file or folder. There may be"):
            Custom(name)
    with pytest.raises(FileNotFoundError, match="the pattern fits no file"):
        Custom(str(folder / "*.tar"))
    (folder / "empty").mkdir()
    with pytest.raises(ValueError, match="nothing in the folder is recognised"):
        Custom(folder / "empty")


def test_a_data_set_that_cannot_be_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets")

    def missing(*arguments: object, **options: object) -> None:
        raise datasets.exceptions.DatasetNotFoundError("Dataset 'some/none' doesn't exist")

    monkeypatch.setattr(datasets, "load_dataset", missing)
    with pytest.raises(FileNotFoundError, match=r"data=some/none: no such file .* doesn't exist"):
        Custom("some/none")

    def program(*arguments: object, **options: object) -> None:
        raise RuntimeError("Dataset scripts are no longer supported, but found none.py")

    monkeypatch.setattr(datasets, "load_dataset", program)
    with pytest.raises(ValueError, match=r"try data=some/none@refs/convert/parquet"):
        Custom("some/none")
