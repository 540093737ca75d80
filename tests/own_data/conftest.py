"""Twelve small images, each of one colour, and what there is to say about them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tasks.custom import Custom


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The images as `images/0.png` to `images/11.png`, 40 wide and 20 high."""
    (tmp_path / "images").mkdir()
    for number in range(12):
        image = Image.new("RGB", (40, 20), (20 * number, 0, 100))
        image.save(tmp_path / "images" / f"{number}.png")
    return tmp_path


def rows(folder: str = "images/") -> list[dict[str, Any]]:
    return [
        {"image": f"{folder}{number}.png", "prefix": "answer en how red?", "suffix": str(number)}
        for number in range(12)
    ]


def pairs(task: Custom) -> dict[str, set[tuple[str, tuple[str, ...]]]]:
    """Prefix and suffixes of all examples, by split."""
    return {
        split: {(one.prefix, one.suffixes) for one in examples}
        for split, examples in task.data.splits.items()
    }
