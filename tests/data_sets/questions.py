"""Questions about photographs, and images from above."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.data_sets.writing import write_image, write_json


def rsvqa_lr(root: Path) -> Path:
    """RSVQA-LR with two questions in each split."""
    return _rsvqa(root, "LR", "Images_LR", ("train", "val", "test"))


def rsvqa_hr(root: Path) -> Path:
    """RSVQA-HR with two questions in each split."""
    return _rsvqa(root, "USGS", "Data", ("train", "val", "test", "test_phili"))


def _rsvqa(root: Path, release: str, images: str, splits: Sequence[str]) -> Path:
    for number, split in enumerate(splits):
        write_image(root / images / f"{number}.tif", seed=number)
        questions: list[dict[str, Any]] = []
        answers: list[dict[str, Any]] = []
        for place in range(2 * number + 2):
            if place < 2 * number:
                questions.append({"id": place, "active": False})
                answers.append({"id": place, "active": False})
                continue
            kind = ("presence", "count")[place % 2]
            questions.append(
                {"id": place, "img_id": number, "type": kind, "question": "Is a road present?",
                 "answers_ids": [place], "active": True}
            )  # fmt: skip
            answer = ("yes", "12")[place % 2]
            answers.append({"id": place, "question_id": place, "answer": answer, "active": True})
        write_json(root / f"{release}_split_{split}_questions.json", {"questions": questions})
        write_json(root / f"{release}_split_{split}_answers.json", {"answers": answers})
    return root


def gqa(root: Path, *, examples: int = 4) -> Path:
    """GQA and xGQA with `examples` questions in each split and each language."""
    files = [
        *(f"{split}_balanced_questions" for split in ("train", "val", "testdev")),
        *(f"xgqa/testdev_balanced_questions_{language}" for language in
          ("bn", "de", "en", "id", "ko", "pt", "ru", "zh")),
    ]  # fmt: skip
    for number, file in enumerate(files):
        part = min(number, 2)  # the languages share testdev's images
        records = {}
        for place in range(examples):
            name = f"{part}{place:02d}"
            write_image(root / "images" / f"{name}.jpg", seed=int(name))
            records[f"{part}{place:07d}"] = {
                "question": f"What is on the {place}?",
                "imageId": name,
                "isBalanced": True,
                "answer": ("wall", "yes")[place % 2],
                "types": {"structural": "query"},
                "fullAnswer": "It is the wall.",
            }
        write_json(root / f"{file}.json", records)
    return root


def tallyqa(root: Path, *, examples: int = 4) -> Path:
    """TallyQA with `examples` questions in each split."""
    for number, split in enumerate(("train", "test")):
        records = []
        for place in range(examples):
            folder = ("VG_100K", "VG_100K_2", "train2014", "val2014")[place % (4, 2)[number]]
            image = f"{folder}/{10 * number + place}.jpg"
            write_image(root / image, seed=10 * number + place)
            record = {
                "answer": place, "data_source": "amt", "image": image,
                "image_id": 10 * number + place, "question": "How many?", "question_id": place,
            }  # fmt: skip
            records.append(record | ({"issimple": place % 2 == 0} if number else {}))
        write_json(root / f"{split}.json", records)
    return root


def vizwizvqa(root: Path, *, examples: int = 4) -> Path:
    """VizWiz-VQA with `examples` questions in each split."""
    for number, split in enumerate(("train", "val", "test")):
        records: list[dict[str, Any]] = []
        for place in range(examples):
            name = f"VizWiz_{split}_{place:08d}.jpg"
            write_image(root / split / name, seed=10 * number + place)
            answers = [{"answer": "a can", "answer_confidence": "yes"}] * 10
            record = {"image": name, "question": "What is this?"}
            said = {"answers": answers, "answer_type": "other", "answerable": 1}
            records.append(record | (said if split != "test" else {}))
        write_json(root / "annotations" / f"{split}.json", records)
    return root
