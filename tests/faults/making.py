"""Breaks the small data sets of `tests.data_sets`, one way each."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pg_transfer.data.images import EXIF_ORIENTATION
from pg_transfer.text.tokenizer import BUILTIN
from tests import data_sets

RECIPE = (
    "recipe={lr: 1e-3, weight_decay: 0.0, epochs: 1, batch_size: 2, label_smoothing: 0.0, "
    "dropout: 0.0, text_length: 64, warmup: 0.0}"
)
QUICK = (
    "model=tiny", "trainer=cpu", "resolution=28", RECIPE, "workers=0", "micro_batch=2",
    "evaluation_batch=4", "pictured=0", "page=0", "validations=1", "run=run",
)  # fmt: skip
ON_TEXTVQA = ("task=textvqa", "final_split=false")
TEXTVQA = Path("data/textvqa")
IMAGE = TEXTVQA / "train_images/train02.jpg"
Make = Callable[[Path], object]


def nothing(folder: Path) -> None:
    """An empty folder."""


def whole(folder: Path) -> None:
    """TextVQA without a fault."""
    data_sets.textvqa(folder / TEXTVQA)


def textvqa(change: Callable[[dict[str, Any]], object]) -> Make:
    """TextVQA whose training annotations are changed."""
    return also(whole, edited("TextVQA_0.5.1_train.json", change))


def edited(name: str, change: Callable[[dict[str, Any]], object]) -> Make:
    """A change to a file of the TextVQA that is there."""
    return lambda folder: edit(folder / TEXTVQA / name, change)


def record(**values: Any) -> Make:
    """TextVQA with a training record that says something else."""
    return textvqa(lambda content: content["data"][2].update(values))


def with_file(name: str, content: bytes) -> Make:
    """TextVQA with other bytes in one of its files."""

    def make(folder: Path) -> None:
        whole(folder)
        (folder / TEXTVQA / name).write_bytes(content)

    return make


def cut_short(name: str) -> Make:
    """TextVQA of which a file has lost its second half."""

    def make(folder: Path) -> None:
        whole(folder)
        path = folder / TEXTVQA / name
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    return make


def without(name: str) -> Make:
    """TextVQA without one of its files."""

    def make(folder: Path) -> None:
        whole(folder)
        (folder / TEXTVQA / name).unlink()

    return make


def bomb() -> bytes:
    """A PNG of a few bytes whose header promises 60,000 x 60,000 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels)


def deep_pixels(folder: Path) -> None:
    whole(folder)
    Image.fromarray(np.ones((4, 4), np.float32)).save(folder / IMAGE, format="TIFF")


def wide_pixels(folder: Path) -> None:
    whole(folder)
    Image.fromarray(np.full((4, 4), 200, np.int32)).save(folder / IMAGE, format="TIFF")


def no_images(folder: Path) -> None:
    whole(folder)
    shutil.rmtree(folder / TEXTVQA / "train_images")
    (folder / TEXTVQA / "train_images").mkdir()


def other_token(folder: Path) -> None:
    """TextVQA, and a tokenizer that calls the end of a sequence something else."""
    whole(folder)
    content = BUILTIN.read_bytes()
    assert b"<eos>" in content
    (folder / "tokenizer.model").write_bytes(content.replace(b"<eos>", b"<end>"))


def edit(path: Path, change: Callable[[Any], object]) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def published(name: str, write: Callable[[Path], Path], change: Callable[[Path], object]) -> Make:
    """A data set in whose folder, that of a task, something is changed."""
    return lambda folder: change(write(folder / "data" / name))


def translated(change: Callable[[list[str]], list[str]]) -> Make:
    """COCO-35L whose training translations, lines of a file, are others."""

    def make(root: Path) -> None:
        path = root / "coco_mt_train.jsonl"
        path.write_text("\n".join(change(path.read_text().splitlines())))

    return published("coco35l", data_sets.coco35l, make)


def silent_image(root: Path) -> None:
    def change(content: dict[str, Any]) -> None:
        for row in content["data"][:2]:
            row["caption_str"] = " "

    edit(root / "TextCaps_0.1_train.json", change)


def screen_without_summary(root: Path) -> None:
    path = root / "screen_summaries.csv"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(line for line in lines if not line.startswith("0,")))


def screen_without_widgets(root: Path) -> None:
    edit(root / "combined/0.json", lambda content: content["activity"]["root"].pop("children"))


def rotations(folder: Path) -> None:
    whole(folder)
    table = folder / TEXTVQA / "train-images-boxable-with-rotation.csv"
    table.write_text("ImageID,Subset,Rotation\ntrain00,train,90.0\n")


def refcoco(change: Callable[[dict[str, Any]], object] | None = None) -> Make:
    """RefCOCO with another first annotation of its first part."""

    def make(folder: Path) -> None:
        root = data_sets.refcoco(folder / "data/refcoco")
        if change is not None:
            edit(root / "refcoco/instances.json", lambda all: change(all["annotations"][0]))

    return make


def refs(content: bytes | None = None, **values: Any) -> Make:
    """RefCOCO with other bytes for references, or another first one."""

    def make(folder: Path) -> None:
        path = data_sets.refcoco(folder / "data/refcoco") / "refcoco/refs(unc).p"
        records = pickle.loads(path.read_bytes())
        records[0].update(values)
        path.write_bytes(pickle.dumps(records, 2) if content is None else content)

    return make


def caption(text: str) -> Make:
    """COCO captions, one of which is another."""

    def change(content: dict[str, Any]) -> None:
        content["images"][0]["sentences"][0]["raw"] = text

    def make(folder: Path) -> None:
        edit(data_sets.coco(folder / "data/coco") / "dataset_coco.json", change)

    return make


def rsvqa(**values: Any) -> Make:
    """RSVQA-LR with another answer to its second question."""

    def make(folder: Path) -> None:
        root = data_sets.rsvqa_lr(folder / "data/rsvqa_lr")
        path = root / "LR_split_train_answers.json"
        edit(path, lambda content: content["answers"][1].update(values))

    return make


def own(**values: Any) -> Make:
    """Six rows of a user's own in my.jsonl, of which the third says something else."""

    def make(folder: Path) -> None:
        rows: list[dict[str, Any]] = []
        for number in range(6):
            data_sets.write_image(folder / f"{number}.png", seed=number)
            split = "train" if number < 4 else "validation"
            rows.append(
                {"image": f"{number}.png", "prefix": "colour?", "suffix": "red", "split": split}
            )
            rows[-1]["id"] = str(number)
        rows[2].update(values)
        (folder / "my.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    return make


def row_for_each_box(**values: str) -> Make:
    """A table of boxes in my.csv, as TensorFlow's tools write it; the third is another one."""

    def make(folder: Path) -> None:
        own()(folder)
        names = ("filename", "width", "height", "class", "xmin", "ymin", "xmax", "ymax")
        rows = [
            dict(
                zip(names, (f"{n // 2}.png", "60", "40", "cat", "1", "1", "30", "30"), strict=True)
            )
            for n in range(4)
        ]
        rows[2] |= values
        lines = [",".join(names), *(",".join(row.values()) for row in rows)]
        (folder / "my.csv").write_text("\n".join(lines))

    return make


def on_its_side(box: list[int], **size: int) -> Make:
    """Boxes of a user's own, the third of a photograph that its EXIF asks to turn."""

    def make(folder: Path) -> None:
        own()(folder)
        exif = Image.Exif()
        exif[EXIF_ORIENTATION] = 6
        Image.new("RGB", (60, 40)).save(folder / "lying.jpg", exif=exif)
        rows = [json.loads(line) for line in (folder / "my.jsonl").read_text().splitlines()]
        rows = [
            {"image": row["image"], "boxes": [[1, 1, 30, 30]], "labels": ["cat"]}
            | {"id": row["id"], "split": row["split"], "width": 60, "height": 40}
            for row in rows
        ]
        rows[2] |= {"image": "lying.jpg", "boxes": [box], **size}
        (folder / "my.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    return make


def masked(mask: Any, **values: Any) -> Make:
    """Masks of a user's own, of which the third is another one."""

    def make(folder: Path) -> None:
        own()(folder)
        rows = [json.loads(line) for line in (folder / "my.jsonl").read_text().splitlines()]
        whole = {"masks": [[[1, 1, 30, 1, 30, 30]]], "labels": ["cat"], **values}
        rows = [
            {"image": row["image"], "id": row["id"], "split": row["split"]} | whole for row in rows
        ]
        rows[2]["masks"] = [mask]
        (folder / "my.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    return make


def conversations(messages: list[tuple[str, str]]) -> Make:
    """Conversations of a user's own, of which the third is another one."""

    def make(folder: Path) -> None:
        own()(folder)
        rows = [json.loads(line) for line in (folder / "my.jsonl").read_text().splitlines()]
        for number, row in enumerate(rows):
            said = messages if number == 2 else [("user", row["prefix"]), ("assistant", "red")]
            row["messages"] = [{"role": who, "content": text} for who, text in said]
            del row["prefix"], row["suffix"]
        (folder / "my.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    return make


def yolo(line: str) -> Make:
    """A data set of YOLO, one of whose files of labels ends with this line."""

    def make(folder: Path) -> None:
        data_sets.yolo(folder)
        with (folder / "labels/train/0.txt").open("a") as file:
            file.write(line)

    return make


def odd_name(folder: Path) -> None:
    """An image in odd/ whose name no text can have."""
    (folder / "odd").mkdir()
    data_sets.write_image(folder / "image.jpg").rename(
        os.fsdecode(bytes(folder) + b"/odd/\xff.jpg")
    )


def folder_in_place_of(path: Path) -> Make:
    """TextVQA with a folder where one of its files should be."""

    def make(folder: Path) -> None:
        whole(folder)
        (folder / path).unlink()
        (folder / path).mkdir()

    return make


def also(*makes: Make) -> Make:
    """One after the other."""

    def make(folder: Path) -> None:
        for one in makes:
            one(folder)

    return make


def file(name: str, content: bytes) -> Make:
    """A file, with the folders that it lies in."""

    def make(folder: Path) -> None:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)

    return make


def link(name: str, target: str) -> Make:
    """A link to somewhere else."""

    def make(folder: Path) -> None:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).symlink_to(target)

    return make
