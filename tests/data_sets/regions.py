"""Boxes, polygons and what they are called."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from pathlib import Path

from tests.data_sets.writing import SIZE, write_image, write_json


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
