"""Finding and reading the files of a release."""

from __future__ import annotations

from pathlib import Path

import pytest

from pg_transfer.data.release import (
    field,
    find_file,
    find_images,
    find_nested_images,
    missing_images_allowed,
    refuse_repeated,
    with_their_folders,
)


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def test_the_first_file_there_is_taken(tmp_path: Path) -> None:
    first, second = touch(tmp_path / "b" / "x.json"), touch(tmp_path / "c" / "x.json")
    folders = [tmp_path / name for name in "abc"]
    assert find_file("x.json", folders, fetch="") == first
    first.unlink()
    first.mkdir()  # a folder is no file
    assert find_file("x.json", folders, fetch="") == second


def test_a_missing_file_is_said_where_and_whence(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in "ab"]
    complaint = r"no x\.json in \S+/a or \S+/b\.\nIt is at example\.org"
    with pytest.raises(FileNotFoundError, match=complaint):
        find_file("x.json", folders, fetch="It is at example.org")


def test_images_are_found_under_any_name_in_any_folder(tmp_path: Path) -> None:
    here = touch(tmp_path / "2014" / "COCO_7.jpg")
    there = touch(tmp_path / "2017" / "8.jpg")
    touch(tmp_path / "2017" / "COCO_7.jpg")
    names = {7: ("COCO_7.jpg", "7.jpg"), 8: ("COCO_8.jpg", "8.jpg")}
    folders = [tmp_path / name for name in ("2014", "2015", "2017")]
    assert find_images(names, folders, fetch="") == {7: here, 8: there}
    assert find_images({}, [tmp_path / "2015"], fetch="") == {}


def test_missing_images_are_counted(tmp_path: Path) -> None:
    touch(tmp_path / "images" / "1.tif")
    names = {1: ["1.tif"], 2: ["2.tif"], 3: ["3.tif"]}
    with pytest.raises(FileNotFoundError, match=r"2 of 3 .* not in \S+images; .* is 2\.tif\.\nGo"):
        find_images(names, [tmp_path / "images", tmp_path / "pictures"], fetch="Go")
    with pytest.raises(FileNotFoundError, match=r"3 of 3 .*photos or .*pics, none of which exis"):
        find_images(names, [tmp_path / "photos", tmp_path / "pics"], fetch="")


def test_images_with_paths_are_found_below_any_folder(tmp_path: Path) -> None:
    here = touch(tmp_path / "images" / "7" / "image.png")
    there = touch(tmp_path / "more" / "8" / "image.png")
    folders = [tmp_path / name for name in ("nowhere", "images", "more")]
    names = {7: ("7", "image.png"), 8: ("8", "image.png")}
    assert find_nested_images(names, folders, fetch="") == {7: here, 8: there}
    there.unlink()
    complaint = r"1 of 2 .* not in \S+images or \S+more; .* is 8/image\.png\.\nGo"
    with pytest.raises(FileNotFoundError, match=complaint):
        find_nested_images(names, folders, fetch="Go")
    with missing_images_allowed():
        assert find_nested_images(names, folders, fetch="")[8] == tmp_path / "images/8/image.png"
    for parts in (("..", "image.png"), ("8", "../image.png"), ("", "image.png")):
        with pytest.raises(ValueError, match="is no name of an image"):
            find_nested_images({8: parts}, folders, fetch="")


def test_images_of_many_folders_are_missed_in_few_words(tmp_path: Path) -> None:
    for number in range(20):
        touch(tmp_path / "train" / str(number) / f"{number}.png")
    folders = with_their_folders([tmp_path / "nowhere", tmp_path / "train"])
    assert folders[:3] == [tmp_path / "nowhere", tmp_path / "train", tmp_path / "train" / "0"]
    names = {number: [f"{number}.png"] for number in range(20)}
    assert find_images(names, folders, fetch="")[19] == tmp_path / "train" / "19" / "19.png"
    complaint = r"1 of 1 images are not in \S+/train or 20 other folders; the first is x\.png"
    with pytest.raises(FileNotFoundError, match=complaint):
        find_images({0: ["x.png"]}, folders, fetch="")


def test_repeated_ids_are_counted() -> None:
    refuse_repeated(Path("a.json"), "id", [3, 1, 2])
    with pytest.raises(ValueError, match=r"a\.json, id 3: it comes twice; so do 1 others"):
        refuse_repeated(Path("a.json"), "id", [3, 1, 3, 2, 1])


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "/etc/passwd", "a/b.jpg", "..", "", "a\0.jpg", "..\\a.jpg"]
)
def test_names_that_lead_out_of_the_folder_are_refused(tmp_path: Path, name: str) -> None:
    touch(tmp_path / "images" / "a.jpg")
    with pytest.raises(ValueError, match="is no name of an image"):
        find_images({1: ["a.jpg", name]}, [tmp_path / "images"], fetch="")


def test_missing_images_may_be_left_to_be_found_out(tmp_path: Path) -> None:
    here = touch(tmp_path / "images" / "1.tif")
    names, folders = {1: ["1.tif"], 2: ["2.tif", "2.png"]}, [tmp_path / "x", tmp_path / "images"]
    with missing_images_allowed():
        assert find_images(names, folders, fetch="") == {1: here, 2: here.with_name("2.tif")}
    with pytest.raises(FileNotFoundError):
        find_images(names, folders, fetch="")


def test_a_field_is_of_its_kind() -> None:
    assert field({"id": 7}, "id", int) == 7
    for record, complaint in (
        ({}, "it has no 'id'"), ({"id": "7"}, "its id is '7', no int"), ({"id": True}, "no int"),
    ):  # fmt: skip
        with pytest.raises(TypeError, match=complaint):
            field(record, "id", int)
