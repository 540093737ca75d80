"""Objects are those of the image as it is stored, which is judged whenever it is read."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path
from tarfile import TarFile, TarInfo
from typing import Any

import pytest
from PIL import Image

from pg_transfer.data.images import EXIF_ORIENTATION
from pg_transfer.own_data.stored import ImageInTar
from pg_transfer.task import Draw
from pg_transfer.text.tokenizer import BUILTIN, Tokenizer
from pg_transfer.training.lessons import Prompts
from pg_transfer.training.prepared_images import PreparedImages
from pg_transfer.training.reader import Antialias, ImageError, Reader
from tasks.custom import Custom
from tests.own_data.rows import task


def lying(path: Path) -> None:
    """A photograph of 40 x 20 pixels that is to be shown upright, 20 x 40."""
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = 6
    Image.new("RGB", (40, 20)).save(path, exif=exif)


@pytest.mark.parametrize(
    "row",
    [
        {"boxes": [[2, 25, 18, 38]]},  # leaves 40 x 20, fits 20 x 40
        {"boxes": [[2, 25, 18, 38]], "width": 40, "height": 20},
        {"masks": [{"size": [40, 20], "counts": [100, 100, 600]}]},
    ],
    ids=["box", "box and size", "mask"],
)
def test_objects_of_the_turned_image_are_named(folder: Path, row: dict[str, Any]) -> None:
    lying(folder / "images/lying.jpg")
    row = {"prefix": "it"} | row
    plain = {"boxes": [[2, 5, 18, 15]]} if "boxes" in row else {"masks": [[0, 0, 9, 0, 9, 9]]}
    with pytest.raises(
        ValueError, match=r"line 2: .*lying\.jpg is stored with 40x20 pixels, its EX"
    ):
        task(folder, plain | {"prefix": "it"}, row | {"image": "images/lying.jpg"},
             box_format="xyxy")  # fmt: skip
    with pytest.raises(ValueError, match=r"line 2: object 1: "):
        task(folder, plain | {"prefix": "it"}, row, box_format="xyxy")  # of an upright image


@pytest.mark.parametrize(("size", "is_turned"), [((20, 40), True), ((10, 20), True),
                                                 ((40, 20), False), ((20, 10), False)])  # fmt: skip
def test_sizes_of_the_turned_image_are_noticed_when_it_is_read(
    folder: Path, size: tuple[int, int], is_turned: bool
) -> None:
    lying(folder / "images/lying.jpg")
    # Half the size is that of a copy, whose boxes are the same fractions.
    row = {"boxes": [[2, 2, 9, 9]], "labels": ["cat"], "width": size[0], "height": size[1]}
    made = task(folder, row | {"image": "images/lying.jpg"}, row, box_format="xyxy")
    first, second = made.examples("train")
    ours = reader(made)
    ours.prompt(second)  # of an image that is not turned
    if not is_turned:
        ours.lesson(first, Draw(0, first.id, 0))
        return
    for read in (ours.prompt, lambda one: ours.lesson(one, Draw(0, one.id, 0))):
        with pytest.raises(ImageError, match=r"example '0': .*lying\.jpg is stored with 40x20"):
            read(first)


def reader(task: Custom, *, kept: PreparedImages | None = None) -> Reader:
    return Reader(
        task=task, tokenizer=Tokenizer(BUILTIN), resolution=14, text_length=32,
        antialias=Antialias(train=True, evaluate=True), prepared={True: kept} if kept else {},
    )  # fmt: skip


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What Pillow has been asked to open."""
    files: list[Any] = []
    whole = Image.open

    def counted(file: Any, *given: Any, **named: Any) -> Image.Image:
        files.append(file)
        return whole(file, *given, **named)

    monkeypatch.setattr(Image, "open", counted)
    return files


SIZED = {"boxes": [[2, 2, 9, 9]], "labels": ["cat"], "width": 20, "height": 40}


@pytest.mark.parametrize("form", ["png", "jpg"])
def test_a_file_is_opened_once_to_be_judged_and_decoded(
    folder: Path, opened: list[Any], form: str
) -> None:
    Image.open(folder / "images/0.png").save(folder / f"images/x.{form}")
    made = task(folder, SIZED | {"image": f"images/x.{form}"}, box_format="xyxy")
    (example,) = made.examples("train")
    opened.clear()
    reader(made).lesson(example, Draw(0, "0", 0))
    assert opened == [folder / f"images/x.{form}"]


def test_a_kept_image_is_judged_without_its_file(
    folder: Path, opened: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pg_transfer.training.prepared_images.SETTLED_SECONDS", -1.0)
    lying(folder / "images/lying.jpg")
    row = {"image": "images/lying.jpg", "prefix": "a", "suffix": "b"}
    paths = [folder / "images/lying.jpg"]
    kept = PreparedImages(folder / "cache", resolution=14, antialias=True)
    kept.make_room(paths)
    without_boxes = task(folder, row)
    for _ in range(2):
        reader(without_boxes, kept=kept).lesson(without_boxes.examples("train")[0], Draw(0, "", 0))
    made = task(folder, row | SIZED, row | SIZED | {"width": 40, "height": 20},
                metric="box_ap", box_format="xyxy")  # fmt: skip
    turned, stored = made.examples("train")
    opened.clear()
    for _ in range(2):
        with pytest.raises(ImageError, match=r"example '0': .*lying\.jpg is stored with 40x20"):
            reader(made, kept=kept).lesson(turned, Draw(0, "0", 0))
        reader(made, kept=kept).lesson(stored, Draw(0, "1", 0))
    assert opened == []


def test_an_image_that_was_judged_for_one_row_is_judged_again_for_the_next(folder: Path) -> None:
    lying(folder / "images/lying.jpg")
    row = SIZED | {"image": "images/lying.jpg"}
    as_shown = row | {"width": 40, "height": 20, "prefix": "detect this"}
    made = task(folder, as_shown, row | {"prefix": "detect cat"}, box_format="xyxy")
    prompts = Prompts(reader(made), made.examples("train"), batch=1, rank=0, processes=1)
    first = prompts[0]
    assert prompts[0].pixels is first.pixels
    with pytest.raises(ImageError, match=r"example '1': .*lying\.jpg is stored with 40x20"):
        prompts[1]


def test_an_image_in_a_shard_is_read_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lying(folder / "images/lying.jpg")
    with TarFile(folder / "train.tar", "w") as archive:
        for name, content in (
            ("7.jpg", (folder / "images/lying.jpg").read_bytes()),
            ("7.json", json.dumps(SIZED | {"prefix": "detect cat", "split": "val"}).encode()),
        ):
            member = TarInfo(name)
            member.size = len(content)
            archive.addfile(member, BytesIO(content))
    made = Custom(folder / "train.tar", box_format="xyxy")
    (example,) = made.examples("val")
    reads: list[ImageInTar] = []
    whole = ImageInTar.read

    def read(image: ImageInTar) -> bytes:
        reads.append(image)
        return whole(image)

    monkeypatch.setattr(ImageInTar, "read", read)
    with pytest.raises(ImageError, match=r"train\.tar, 7\.jpg is stored with 40x20"):
        reader(made).prompt(example)
    assert reads == [example.image]
