"""Going over a data set beforehand finds all that is wrong with it, and nothing else."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
import sys
import tarfile
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from PIL import Image

from pg_transfer import check
from pg_transfer.checking.files import look_at, look_at_all, same_content
from pg_transfer.checking.texts import drawn_targets, measure_prompts, measure_targets
from pg_transfer.task import Example, Target
from pg_transfer.text.tokenizer import load_tokenizer
from tests import data_sets
from tests.faults.making import bomb, edit

TEXTVQA = ("task=textvqa", "task.root=data", "model=tiny", "final_split=false")


def checked(folder: Path, *settings: str) -> tuple[int, str, dict[str, Any]]:
    """Exit code, what was printed, and the report."""
    out = io.StringIO()
    code: Any = 0
    with (
        chdir(folder),
        patch.object(sys, "argv", ["check", *settings, "--processes", "1"]),
        patch.object(check, "CONSOLE", check.CONSOLE.__class__(file=out, markup=False, width=200)),
        patch.object(check, "say", lambda line: print(line, file=out)),
        redirect_stdout(out),
        redirect_stderr(out),
    ):
        try:
            check.main()
        except SystemExit as ended:
            code = ended.code
    report = folder / "checks" / check.REPORT
    return code, out.getvalue(), json.loads(report.read_text()) if report.exists() else {}


def boxes_of(folder: Path, *, size: tuple[int, int]) -> None:
    """A box in each of twelve images of 60 x 40 pixels, the fourth of which is said to have others.

    The file is called my.json.
    """
    images = []
    for number in range(12):
        data_sets.write_image(folder / f"{number}.png", seed=number)
        images.append({"id": number, "file_name": f"{number}.png", "width": 60, "height": 40})
    images[3] |= {"width": size[0], "height": size[1]}
    boxes = [
        {"id": number, "image_id": number, "category_id": 1, "bbox": [1, 1, 9, 9]}
        for number in range(12)
    ]
    content = {"images": images, "categories": [{"id": 1, "name": "cat"}], "annotations": boxes}
    data_sets.write_json(folder / "my.json", content)


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
    assert "error: there is no setting task.rooot; in task there are" in printed


@pytest.mark.slow
def test_it_is_a_program(tmp_path: Path) -> None:
    data_sets.textvqa(tmp_path / "data")
    ended = subprocess.run(
        [sys.executable, "-m", "pg_transfer.check", *TEXTVQA, "--decode", "--to", "here"],
        cwd=tmp_path, capture_output=True, text=True,
        env={"PATH": "", "PYTHONPATH": ":".join(path for path in sys.path if path)},
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.endswith("report: here/check.json\n0 broken, 0 odd\n")


def test_whole_files_of_any_kind_are_whole(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8)
    for kind in ("jpg", "png", "gif", "bmp", "webp", "tif", "ppm"):
        path = tmp_path / f"image.{kind}"
        Image.fromarray(pixels).save(path)
        whole = look_at(path, decode=False)
        assert (whole.broken, whole.odd, whole.size) == ("", (), (60, 40)), kind
        path.write_bytes(path.read_bytes()[:-700])
        assert look_at(path, decode=False).broken, kind


def test_damage_in_the_middle_needs_decoding(tmp_path: Path) -> None:
    path = data_sets.write_image(tmp_path / "image.png")
    content = bytearray(path.read_bytes())
    content[3000:3100] = bytes(100)
    path.write_bytes(content)
    assert not look_at(path, decode=False).broken
    assert look_at(path, decode=True).broken


def test_odd_files_are_told(tmp_path: Path) -> None:
    Image.new("RGB", (900, 40), "white").save(tmp_path / "long.png")
    Image.new("RGB", (8, 8), "white").save(tmp_path / "small.png")
    Image.new("RGB", (40, 40), "white").save(tmp_path / "named.jpg", format="PNG")
    Image.new("I;16", (40, 40)).save(tmp_path / "deep.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (40, 40)).save(tmp_path / "turned.jpg", exif=exif)
    seen = {path.name: look_at(path, decode=False).odd for path in sorted(tmp_path.iterdir())}
    assert seen == {
        "deep.png": ("pixels of mode I;16, of which the high 8 bits are kept",),
        "long.png": ("22 times as long as wide (900x40)",),
        "named.jpg": ("a PNG file by its content",),
        "small.png": ("only 8x8 pixels",),
        "turned.jpg": ("its EXIF says that it is turned, which is not obeyed",),
    }
    assert look_at(tmp_path / "long.png", decode=True).odd[-1] == "all of it is one colour"


def test_a_telephones_photograph_with_two_images_is_a_jpeg(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (2, 40, 60, 3), np.uint8)
    first, second = map(Image.fromarray, noise)
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / "photo.jpg"
    first.save(path, format="MPO", save_all=True, append_images=[second], exif=exif)
    with Image.open(path) as picture:
        assert picture.format == "MPO"
    seen = look_at(path, decode=True)
    assert (seen.broken, seen.size) == ("", (60, 40))
    assert seen.odd == ("its EXIF says that it is turned, which is not obeyed",)


def test_several_processes_see_the_same(tmp_path: Path) -> None:
    paths = [
        data_sets.write_image(tmp_path / f"{n}.png", seed=n, size=(20, 20)) for n in range(130)
    ]
    paths[7].write_bytes(b"")
    told: list[int] = []
    one = look_at_all(paths, decode=True, processes=1, advance=told.append)
    two = look_at_all(paths, decode=True, processes=2, advance=told.append)
    assert one == two and sum(told) == 260
    assert [seen.path for seen in one if seen.broken] == [paths[7]]


def test_equal_files_are_those_equal_to_the_last_byte(tmp_path: Path) -> None:
    contents = {
        "a": b"x" * 70_000,
        "b": b"x" * 70_000,
        "c": b"x" * 69_999 + b"y",
        "d": b"",
        "e": b"",
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    files = [look_at(tmp_path / name, decode=False) for name in contents]
    assert same_content(files) == [[tmp_path / "a", tmp_path / "b"]]


def test_lengths_are_those_of_training() -> None:
    from pg_transfer.text.sequence import training_layout

    tokenizer = load_tokenizer("builtin")
    texts = [
        Target("the red circle", "yes"), Target("a", "blue shape " * 20), Target("long " * 30, "c"),
    ]  # fmt: skip
    pairs = [(Example(str(number), Path("x")), text) for number, text in enumerate(texts)]
    found = measure_targets(pairs, tokenizer, text_length=40)
    layouts = [
        training_layout(
            tokenizer.encode(prefix), tokenizer.encode(suffix), tokenizer=tokenizer, text_length=40
        )
        for prefix, suffix in texts
    ]
    cuts = [layout.cut for layout in layouts if layout.cut]
    assert sorted(cuts) == sorted(found.cut.elements()) and len(set(cuts)) == 2
    assert layouts[0].length in found.tokens
    assert found.longest[0][1] == "2"
    assert found.odd == {
        "spaces or line breaks around the suffix": ["1"],
        "spaces or line breaks around the prefix": ["2"],
    }
    prompts = measure_prompts([Example("0", Path("x"), "a\nb")], tokenizer, text_length=40)
    assert list(prompts.odd) == ["a line break in the prefix, which is what ends one"]


def test_examples_without_a_target_are_named() -> None:
    from tasks.textvqa import TextVQA

    task = TextVQA("nowhere")
    drawn = drawn_targets(task, [Example("7", Path("x"), "a")], most=0, seed=0)
    assert drawn.failed == ["'7' has no answer to learn"]


@pytest.mark.parametrize("task", ["coco_captions", "rsvqa_lr"])
def test_the_other_tasks_are_gone_over(tmp_path: Path, task: str) -> None:
    {"coco_captions": data_sets.coco, "rsvqa_lr": data_sets.rsvqa_lr}[task](tmp_path / "data")
    code, printed, report = checked(tmp_path, f"task={task}", "task.root=data", "model=tiny")
    assert code == 0, printed
    assert report["broken"] == []
