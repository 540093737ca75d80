"""Questions about what is written in an image."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.data_sets.writing import write_image, write_json


def textvqa(root: Path, *, examples: int = 4) -> Path:
    """TextVQA with `examples` questions in each split, each about an image of its own."""
    for number, split in enumerate(("train", "val", "test")):
        rows = []
        for place in range(examples):
            name = f"{split}{place:02d}"
            folder = "test_images" if split == "test" else "train_images"
            write_image(root / folder / f"{name}.jpg", seed=100 * number + place)
            row = {
                "question_id": 100 * number + place,
                "image_id": name,
                "question": f"what is word {place}?",
                "set_name": split,
            }
            if split != "test":
                row["answers"] = ["two"] * 9 + ["2"]
            rows.append(row)
        content = {"dataset_type": split, "dataset_version": "0.5.1", "data": rows}
        write_json(root / f"TextVQA_0.5.1_{split}.json", content)
    return root


def infovqa(root: Path) -> Path:
    """InfoVQA with two questions in each split, both about one picture."""
    for number, split in enumerate(("train", "val", "test")):
        write_image(root / f"images/{number}.jpeg", seed=number)
        rows = []
        for place in range(2):
            row: dict[str, Any] = {
                "questionId": 10 * number + place,
                "question": f"Which are number {place}?",
                "image_local_name": f"{number}.jpeg",
            }
            if split != "test":
                row |= {"answers": ["Red, blue"], "answer_type": ["multi-span"]}
            rows.append(row)
        name = f"infographicsVQA_{split}_v1.0{'_withQT' if split == 'val' else ''}.json"
        write_json(root / name, {"dataset_split": split, "data": rows})
    return root


def stvqa(root: Path) -> Path:
    """ST-VQA with twenty questions to learn from, each about another image, and two to test on."""
    for split, folder, count in (
        ("train", "train_images", 20),
        ("test", "test_task3_images", 2),
    ):
        rows = []
        for place in range(count):
            write_image(root / folder / f"VizWiz/{place}.jpg", seed=place)
            row = {
                "question_id": place,
                "question": f"What is word {place}?",
                "file_path": f"VizWiz/{place}.jpg",
            }
            rows.append(row if split == "test" else row | {"answers": ["Two", "2"]})
        write_json(root / f"{split}_task_3.json", {"data": rows})
    return root


def chartqa(root: Path) -> Path:
    """ChartQA with two questions of people and three others in each split, about one chart."""
    for split in ("train", "val", "test"):
        write_image(root / split / "png/1.png")
        for part, count in (("human", 2), ("augmented", 3)):
            rows = [
                {"imgname": "1.png", "query": f"How many are {place}?", "label": str(place)}
                for place in range(count)
            ]
            write_json(root / split / f"{split}_{part}.json", rows)
    return root


def ocrvqa(root: Path, *, books: int = 2) -> Path:
    """OCR-VQA with `books` in each split, and two questions about each."""
    content = {}
    for split in (1, 2, 3):
        for place in range(books):
            name = f"{split}{place:09d}"
            write_image(root / "images" / f"{name}.jpg", seed=10 * split + place)
            content[name] = {
                "imageURL": f"http://ecx.images-amazon.com/images/I/{place}.jpg",
                "questions": ["Who wrote this book?", "Is this book related to Law?"],
                "answers": ["Peter Chan", "No"],
                "title": "Girls", "authorName": "Peter Chan", "genre": "Art", "split": split,
            }  # fmt: skip
    write_json(root / "dataset.json", content)
    return root
