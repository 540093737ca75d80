"""Small whole data sets in the published formats, for tests that then break them."""

from __future__ import annotations

import json
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

SIZE = (60, 40)  # width, height

Splits = dict[str, list[Any]]


def write_image(path: Path, *, seed: int = 0, size: tuple[int, int] = SIZE) -> Path:
    """Noise, so that no two are alike and a part of a file is no image."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (size[1], size[0], 3), np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def write_json(path: Path, content: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


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


def yolo(root: Path) -> Path:
    """Boxes and polygons as YOLO has them, and gives back its data.yaml."""
    for split in ("train", "val"):
        for number in range(2):
            write_image(root / f"images/{split}/{number}.png", seed=number)
            labels = root / f"labels/{split}/{number}.txt"
            labels.parent.mkdir(parents=True, exist_ok=True)
            labels.write_text("0 0.5 0.5 0.25 0.5\n1 0.1 0.1 0.6 0.1 0.6 0.6\n")
    path = root / "data.yaml"
    path.write_text("path: .\ntrain: images/train\nval: images/val\nnames: {0: cat, 1: dog}\n")
    return path


def coco(root: Path) -> Path:
    """COCO captions in Karpathy's splits, and NoCaps."""
    images = []
    for number, split in enumerate(("train", "train", "restval", "val", "test")):
        name = f"COCO_val2014_{number:012d}.jpg"
        write_image(root / "val2014" / name, seed=number)
        raw = [f"A dog on road {number}.", f"One brown dog {number} \n"]
        sentences = [{"raw": text, "imgid": number, "sentid": 0, "tokens": []} for text in raw]
        images.append(
            {"filepath": "val2014", "filename": name, "imgid": number, "split": split,
             "sentences": sentences, "cocoid": number}
        )  # fmt: skip
    write_json(root / "dataset_coco.json", {"dataset": "coco", "images": images})
    write_image(root / "nocaps/val/0013ea2087020901.jpg", seed=50)
    image = {"id": 0, "file_name": "0013ea2087020901.jpg", "domain": "in-domain"}
    annotations = [{"id": 0, "image_id": 0, "caption": "A baby."}]
    content = {"images": [image], "annotations": annotations}
    write_json(root / "nocaps/nocaps_val_4500_captions.json", content)
    return root


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


REFER = {
    "refcoco": ("refs(unc).p", ("train", "val", "testA", "testB")),
    "refcoco+": ("refs(unc).p", ("train", "val", "testA", "testB")),
    "refcocog": ("refs(umd).p", ("train", "val", "test")),
}


def refcoco(root: Path, *, images: Sequence[str] = ("train", "val", "test")) -> Path:
    """RefCOCO, RefCOCO+ and RefCOCOg with one object for each split; and COCO's images."""
    width, height = SIZE
    box = [10, 5, 20, 30]
    polygon = [[10, 5, 30, 5, 30, 35, 10, 35]]
    for number, _ in enumerate(images):
        write_image(root / f"train2014/COCO_train2014_{number:012d}.jpg", seed=number)
    for name, (file, splits) in REFER.items():
        refs = []
        annotations = []
        for place, split in enumerate(splits):
            number = ("train", "val", "testA", "testB", "test").index(split)
            image = min(number, len(images) - 1)
            refs.append(
                {"ref_id": place, "ann_id": 100 + place, "image_id": image, "split": split,
                 "file_name": "COCO_train2014_1.jpg", "category_id": 1, "sent_ids": [place],
                 "sentences": [{"sent_id": place, "sent": "left man", "raw": "", "tokens": []}]}
            )  # fmt: skip
            annotations.append(
                {"id": 100 + place, "image_id": image, "bbox": box, "segmentation": polygon,
                 "iscrowd": 0, "category_id": 1}
            )  # fmt: skip
        (root / name).mkdir(parents=True, exist_ok=True)
        (root / name / file).write_bytes(pickle.dumps(refs, 2))
        listed = [
            {"id": number, "height": height, "width": width, "file_name": f"{number}.jpg"}
            for number, _ in enumerate(images)
        ]
        content = {"images": listed, "annotations": annotations}
        write_json(root / name / "instances.json", content)
    return root
