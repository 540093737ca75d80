"""What `fuzz.py` feeds to readers of a user's own data, and of what a run has left half done."""

from __future__ import annotations

import csv
import io
import json
import tarfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from pg_transfer.task import Draw, Example
from pg_transfer.training.answers_so_far import AnswersSoFar, Given
from pg_transfer.training.metrics_log import METRICS, MetricsLog
from scripts.fuzz import JSON, Reader, as_json
from tasks.custom import Custom
from tests import data_sets

ROWS = [
    {"image": f"{number}.png", "prefix": "answer en what?", "suffixes": ["two", "2"],
     "split": "train" if number else "val", "id": number}
    for number in range(4)
]  # fmt: skip


def images(folder: Path) -> None:
    for number in range(len(ROWS)):
        data_sets.write_image(folder / f"{number}.png", seed=number)


def from_lines(content: bytes) -> list[Any]:
    return [json.loads(line) for line in content.splitlines()]


def as_lines(content: Any) -> bytes:
    rows = content if isinstance(content, list) else [content]
    return b"".join(as_json(row) + b"\n" for row in rows)


def json_lines(folder: Path) -> Path:
    images(folder)
    path = folder / "my.jsonl"
    path.write_bytes(as_lines(ROWS))
    return path


def talks(folder: Path) -> Path:
    """Conversations in each form that there is."""
    images(folder)
    path = folder / "my.jsonl"
    parts = [{"type": "image", "image": "1.png"}, {"type": "text", "text": "What?"}]
    said = [
        [{"from": "human", "value": "<image>\nWhat?"}, {"from": "gpt", "value": "two"}],
        [{"role": "user", "content": parts}, {"role": "assistant", "content": "two"}],
    ]
    rows = [
        {"conversations": said[number % 2], "split": row["split"]}
        | ({} if number % 2 else {"image": row["image"]})
        for number, row in enumerate(ROWS)
    ]
    path.write_bytes(as_lines(rows))
    return path


def yolo_labels(folder: Path) -> Path:
    return data_sets.yolo(folder).parent / "labels/train/1.txt"


def as_yaml(content: Any) -> bytes:
    return yaml.safe_dump(content).encode()


def table(folder: Path) -> Path:
    images(folder)
    path = folder / "my.csv"
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(("image", "question", "answer", "split"))
    writer.writerows((row["image"], "what?", "two", row["split"]) for row in ROWS)
    path.write_text(text.getvalue())
    return path


def box_table(folder: Path) -> Path:
    """A row for each box, and one of an image without."""
    images(folder)
    path = folder / "boxes.csv"
    rows = [
        "image,label,xmin,ymin,xmax,ymax",
        *(f"{n % 3}.png,cat,1,1,{9 + n},9" for n in range(5)),
    ]
    path.write_text("\n".join([*rows, "3.png,,,,,"]))
    return path


def boxes(folder: Path) -> Path:
    """COCO's instances, with a polygon and a run-length mask."""
    images(folder)
    shapes = ([[5, 5, 15, 5, 15, 15]], {"size": [40, 60], "counts": [40 * 60]})
    content = {
        "images": [
            {"id": n, "file_name": f"{n}.png", "width": 60, "height": 40} for n in range(4)
        ],
        "categories": [{"id": 1, "name": "dog"}, {"id": 2, "name": "cat"}],
        "annotations": [
            {"id": n, "image_id": n, "category_id": 1 + n % 2, "bbox": [5, 5, 10, 10],
             "segmentation": shapes[n % 2], "area": 100, "iscrowd": 0}
            for n in range(4)
        ],
    }  # fmt: skip
    path = folder / "instances.json"
    path.write_bytes(as_json(content))
    return path


def shard(folder: Path) -> Path:
    images(folder)
    path = folder / "shard-0.tar"
    with tarfile.open(path, "w") as archive:
        for number in range(len(ROWS)):
            picture = (folder / f"{number}.png").read_bytes()
            for name, content in ((f"{number}.png", picture), (f"{number}.txt", b"two")):
                member = tarfile.TarInfo(name)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    return path


def read_own(path: Path, **options: Any) -> None:
    task = Custom(path, **options)
    for split in task.data.splits:
        for example in task.examples(split):
            if example.suffixes:
                task.target(example, Draw(0, example.id, 0))
            for image in example.images:
                if callable(image):
                    image()


EXAMPLES = [Example(str(number), Path(f"{number}.png"), "what?") for number in range(4)]
MADE_BY = {"weights": "0123456789abcdef", "batch": 2}


def part(folder: Path) -> Path:
    file = AnswersSoFar(folder / "val-step000001.part.jsonl", MADE_BY)
    file.start(EXAMPLES, [Given(row, "two", ("two",)) for row in range(3)])
    return file.path


def read_part(path: Path) -> None:
    """Whatever it holds, it may not even refuse: what is no answer is asked for again."""
    content = path.read_bytes()
    try:
        file = AnswersSoFar(path, MADE_BY)
        file.start(EXAMPLES, file.read(EXAMPLES, range(4), batch=2))
    except ValueError as error:
        raise AssertionError(f"a file of answers was refused: {error}") from error
    path.write_bytes(content)


def metrics(folder: Path) -> Path:
    log = MetricsLog(folder, goes_on=False)
    for step in range(4):
        log.log_metrics({"loss": 1.5, "val/CIDEr": 7.0}, step)
    return folder / METRICS


def read_metrics(path: Path) -> None:
    MetricsLog(path.parent, goes_on=True).cut(3, None)


def own(prepare: Callable[[Path], Path], plain: Any = None, **options: Any) -> Reader:
    return Reader(prepare, partial(read_own, **options), plain)


OWN_DATA = {
    "own_json_lines": own(json_lines, (from_lines, as_lines)),
    "own_table": own(table),
    "own_box_table": own(
        box_table, columns={"boxes": ["xmin", "ymin", "xmax", "ymax"]}, box_format="xyxy"
    ),
    "own_boxes": own(boxes, JSON),
    "own_masks": own(boxes, JSON, metric="miou"),
    "own_shard": own(shard, prefix="what?"),
    "own_conversations": own(talks, (from_lines, as_lines)),
    "own_yolo": own(data_sets.yolo, (yaml.safe_load, as_yaml)),
    "own_yolo_labels": Reader(yolo_labels, lambda path: read_own(path.parents[2])),
    "part_of_answers": Reader(part, read_part, (from_lines, as_lines)),
    "metrics": Reader(metrics, read_metrics),
}
