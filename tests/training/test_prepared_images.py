"""Prepared images are those that decoding gives, whatever has happened to the files meanwhile."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from pg_transfer.data import images, resizing
from pg_transfer.training import prepared_images
from pg_transfer.training.prepared_images import PreparedImages

SIDE = 16
ROW = 24 + 16 + SIDE * SIDE * 3
PROCESSES = 4
READ = images.read_image


@pytest.fixture(autouse=True)
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files may be kept as soon as they are written."""
    monkeypatch.setattr(prepared_images, "SETTLED_SECONDS", -1.0)


@pytest.fixture
def photographs(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"{number}.png" for number in range(6)]
    for number, path in enumerate(paths):
        draw(path, number)
    return paths


def draw(path: Path, seed: int) -> None:
    noise = np.random.default_rng(seed).integers(0, 256, (20, 30, 3), np.uint8)
    Image.fromarray(noise).save(path, compress_level=0)  # all of one size


def store(folder: Path, *, resolution: int = SIDE, antialias: bool = True) -> PreparedImages:
    return PreparedImages(folder / "cache", resolution=resolution, antialias=antialias)


def filled(folder: Path, paths: Sequence[Path]) -> PreparedImages:
    ours = store(folder)
    ours.make_room(paths)
    for path in paths:
        ours(path)
    return ours


def decoded(path: Path, *, side: int = SIDE, antialias: bool = True) -> np.ndarray:
    return resizing.resize(READ(path).pixels, side, antialias=antialias)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that are decoded from now on."""
    paths: list[Path] = []

    def read_image(path: Path) -> images.Picture:
        paths.append(path)
        return READ(path)

    monkeypatch.setattr(images, "read_image", read_image)
    return paths


def agree(ours: PreparedImages, paths: Sequence[Path]) -> bool:
    return all(np.array_equal(ours(path).pixels, decoded(path)) for path in paths)


def test_what_is_kept_is_what_decoding_gives_and_is_decoded_once(
    tmp_path: Path, photographs: list[Path], opened: list[Path]
) -> None:
    filled(tmp_path, photographs)
    assert opened == photographs
    later = store(tmp_path)
    again = [later(path).pixels for path in photographs]
    assert opened == photographs
    assert later(photographs[0]).head == images.Head(30, 20, is_on_its_side=False)
    for path, pixels in zip(photographs, again, strict=True):
        assert (pixels.dtype, pixels.shape) == (np.uint8, (SIDE, SIDE, 3))
        np.testing.assert_array_equal(pixels, decoded(path))


def test_each_resolution_and_resize_has_a_file_of_its_own(
    tmp_path: Path, photographs: list[Path]
) -> None:
    filled(tmp_path, photographs)
    plain = store(tmp_path, antialias=False)
    plain.make_room(photographs)
    small = store(tmp_path, resolution=7)  # 147 bytes, no multiple of eight
    small.make_room(photographs)
    for path in photographs * 2:
        np.testing.assert_array_equal(plain(path).pixels, decoded(path, antialias=False))
        np.testing.assert_array_equal(small(path).pixels, decoded(path, side=7))
    assert agree(store(tmp_path), photographs)


def replace(path: Path) -> None:
    """Another image of the same size, under the same name and with the same time."""
    found = path.stat()
    time.sleep(0.02)  # a clock tick of the file system
    draw(path, 99)
    assert path.stat().st_size == found.st_size
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))


def exchange(path: Path) -> None:
    """As `replace`, by renaming."""
    draw(path.with_suffix(".new.png"), 98)
    os.utime(path.with_suffix(".new.png"), ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    time.sleep(0.02)
    path.with_suffix(".new.png").replace(path)


@pytest.mark.parametrize("change", [replace, exchange])
def test_a_file_that_has_changed_is_decoded_again(
    tmp_path: Path, photographs: list[Path], change: Callable[[Path], None], opened: list[Path]
) -> None:
    ours = filled(tmp_path, photographs)
    before = ours(photographs[2]).pixels
    opened.clear()
    change(photographs[2])
    assert not np.array_equal(ours(photographs[2]).pixels, before)
    assert opened == [photographs[2]]
    assert agree(ours, photographs) and agree(store(tmp_path), photographs)


def test_a_file_that_is_gone_or_broken_is_an_error(tmp_path: Path, photographs: list[Path]) -> None:
    ours = filled(tmp_path, photographs)
    photographs[0].unlink()
    with pytest.raises(FileNotFoundError, match=r"no image file .*0\.png"):
        ours(photographs[0])
    photographs[1].write_bytes(b"<html>")
    with pytest.raises(ValueError, match=r"1\.png: cannot be read as an image"):
        ours(photographs[1])


def test_another_way_to_prepare_makes_all_of_them_anew(
    tmp_path: Path, photographs: list[Path], opened: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(tmp_path, photographs)
    opened.clear()
    monkeypatch.setattr(prepared_images, "_method", lambda: b"another Pillow")
    store(tmp_path)(photographs[0])
    assert opened == photographs[:1]


@pytest.mark.parametrize("code", [images, resizing])
def test_the_way_to_prepare_is_known_by_its_code(
    code: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = prepared_images._method.__wrapped__()
    assert before == prepared_images._method.__wrapped__()
    changed = tmp_path / "code.py"
    changed.write_bytes(Path(str(code.__file__)).read_bytes() + b"\n")
    monkeypatch.setattr(code, "__file__", str(changed))
    assert prepared_images._method.__wrapped__() != before


@pytest.mark.parametrize("place", [0, 15, 16, 23, 24, 32, 40, ROW - 1])
def test_a_row_of_which_one_bit_is_wrong_is_not_taken(
    tmp_path: Path, photographs: list[Path], opened: list[Path], place: int
) -> None:
    ours = filled(tmp_path, photographs)
    opened.clear()
    for row in range(len(photographs)):
        with ours.file.open("r+b") as file:
            file.seek(row * ROW + place)
            wrong = file.read(1)[0] ^ 1
            file.seek(-1, os.SEEK_CUR)
            file.write(bytes([wrong]))
    assert agree(ours, photographs)
    assert opened == photographs
    assert agree(store(tmp_path), photographs)
    assert opened == photographs


@pytest.mark.parametrize("written", [0, 10, 20, 24, 400, ROW - 1])
def test_a_crash_in_the_midst_of_a_row_leaves_nothing_that_is_taken(
    tmp_path: Path, photographs: list[Path], monkeypatch: pytest.MonkeyPatch, written: int
) -> None:
    ours = filled(tmp_path, photographs)
    whole = os.pwrite

    def crash(file: int, content: bytes, offset: int) -> int:
        whole(file, content[:written], offset)
        raise KeyboardInterrupt

    for path in photographs:
        replace(path)
    monkeypatch.setattr(os, "pwrite", crash)
    for path in photographs:
        with pytest.raises(KeyboardInterrupt):
            ours(path)
    monkeypatch.setattr(os, "pwrite", whole)
    assert agree(store(tmp_path), photographs)


def test_a_crash_in_the_midst_of_the_list_costs_nothing(
    tmp_path: Path, photographs: list[Path], opened: list[Path]
) -> None:
    ours = filled(tmp_path, photographs[:3])
    with ours.list.open("ab") as file:
        file.write(b"\x01\x02\x03")
    opened.clear()
    later = store(tmp_path)
    later.make_room(photographs)
    assert ours.list.stat().st_size == 8 * len(photographs)
    assert agree(later, photographs)
    assert opened == photographs[3:]
    assert ours.file.stat().st_size == len(photographs) * ROW


def test_a_missing_file_beside_its_list_is_begun_anew(
    tmp_path: Path, photographs: list[Path]
) -> None:
    filled(tmp_path, photographs).file.unlink()
    assert agree(store(tmp_path), photographs)
    assert agree(filled(tmp_path, photographs), photographs)


def _use(folder: Path, paths: Sequence[Path], seed: int) -> bool:
    ours = store(folder)
    ours.make_room(np.random.default_rng(seed).permutation(paths)[: len(paths) // 2])
    ours.make_room(paths)
    chosen = np.random.default_rng(seed).permutation(list(paths) * 10)
    return all(np.array_equal(ours(path).pixels, decoded(path)) for path in chosen)


def test_several_processes_may_write_at_once(
    tmp_path: Path, photographs: list[Path], opened: list[Path]
) -> None:
    arguments = [(tmp_path, photographs, seed) for seed in range(PROCESSES)]
    with multiprocessing.get_context("fork").Pool(PROCESSES) as pool:
        assert all(pool.starmap(_use, arguments, chunksize=1))
    ours = store(tmp_path)
    assert ours.file.stat().st_size == len(photographs) * ROW
    assert agree(ours, photographs)
    assert opened == []


def test_it_says_beforehand_what_it_takes(tmp_path: Path, photographs: list[Path]) -> None:
    ours = store(tmp_path)
    room = ours.make_room(photographs[:4] * 2)
    assert (room.images, room.bytes, room.new_bytes) == (4, 4 * ROW, 4 * ROW)
    assert ours.file.stat().st_blocks * 512 >= 4 * ROW  # taken, not only promised
    room = ours.make_room(photographs)
    assert (room.images, room.bytes, room.new_bytes) == (6, 6 * ROW, 2 * ROW)
    assert str(room).startswith("6 prepared images take 0.00 GB in ")
    assert agree(ours, photographs)


def test_a_disk_without_room_is_refused(
    tmp_path: Path, photographs: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    free = SimpleNamespace(free=6 * ROW - 1)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: free)
    ours = store(tmp_path)
    with pytest.raises(ValueError, match=r"image_cache=.*cache: .* need another .* GB are free\)"):
        ours.make_room(photographs)
    assert ours.file.stat().st_size == 0
    assert agree(ours, photographs)
    free.free += 1
    assert ours.make_room(photographs).images == 6


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path, photographs: list[Path]) -> None:
    (tmp_path / "cache").touch()
    with pytest.raises(ValueError, match=r"cache is a file, not a folder"):
        store(tmp_path).make_room(photographs)


def test_images_without_room_are_decoded_each_time(
    tmp_path: Path, photographs: list[Path], opened: list[Path]
) -> None:
    ours = filled(tmp_path, photographs[:1])
    opened.clear()
    ours(photographs[1])
    ours(photographs[1])
    assert opened == [photographs[1]] * 2


def test_a_file_that_may_still_change_is_not_kept(
    tmp_path: Path, photographs: list[Path], opened: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prepared_images, "SETTLED_SECONDS", 3600.0)
    ours = filled(tmp_path, photographs)
    opened.clear()
    ours(photographs[0])
    assert opened == photographs[:1]


def test_it_goes_to_other_processes_closed(
    tmp_path: Path, photographs: list[Path], opened: list[Path]
) -> None:
    ours = filled(tmp_path, photographs)
    there = pickle.loads(pickle.dumps(ours))
    opened.clear()
    for path in photographs:
        np.testing.assert_array_equal(there(path).pixels, ours(path).pixels)
    assert opened == []
