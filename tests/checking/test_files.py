"""Image files are whole, odd or broken."""

from __future__ import annotations

import tarfile
from pathlib import Path

import numpy as np
from PIL import Image

from pg_transfer.checking.files import look_at, look_at_all, same_content
from pg_transfer.own_data.stored import ImageInTar, members_of
from tests import data_sets


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
    assert [seen.file for seen in one if seen.broken] == [paths[7]]
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for path in paths:
            archive.add(path, path.name)
    stored = [
        ImageInTar(tmp_path / "a.tar", one.name, one.offset_data, one.size)
        for one in members_of(tmp_path / "a.tar")
    ]
    three = look_at_all(stored, decode=True, processes=2, advance=told.append)
    assert [seen.file for seen in three] == stored
    assert [seen[1:4] for seen in three] == [seen[1:4] for seen in one]


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
