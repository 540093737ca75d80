"""COCO's images, in any of its releases."""

from __future__ import annotations

from pathlib import Path

import pytest

from pg_transfer.data.coco_images import find_coco_images


def draw(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


@pytest.mark.parametrize("part", ["train2014", "val2014", "train2017", "val2017"])
def test_annotated_images_are_the_same_in_2014_and_2017(tmp_path: Path, part: str) -> None:
    images = {
        9: draw(tmp_path / "train2014" / "COCO_train2014_000000000009.jpg"),
        42: draw(tmp_path / "coco" / "val2014" / "COCO_val2014_000000000042.jpg"),
        139: draw(tmp_path / "coco" / "val2017" / "000000000139.jpg"),
        30: draw(tmp_path / "train2017" / "000000000030.jpg"),
    }
    assert find_coco_images(list(images), part, [tmp_path, tmp_path / "coco"]) == images


@pytest.mark.parametrize(
    ("part", "name"),
    [("test2015", "COCO_test2015_000000000001.jpg"), ("test2017", "000000000001.jpg")],
)
def test_test_images_are_not_taken_from_those_of_training(
    tmp_path: Path, part: str, name: str
) -> None:
    draw(tmp_path / "train2017" / "000000000001.jpg")
    with pytest.raises(FileNotFoundError, match=rf"{name}\.\nUnzip {part}\.zip of .*folder {part}"):
        find_coco_images([1], part, [tmp_path])
    image = draw(tmp_path / "test2015" / "COCO_test2015_000000000001.jpg")
    assert find_coco_images([1], part, [tmp_path]) == {1: image}
