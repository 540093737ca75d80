"""What a million examples take: memory of the training process and of the loading ones, and time.

    python benchmarks/million_examples.py [--questions 1066316] [--workers 2] [--lessons 200000]

Writes questions and answers as RSVQA-HR has them (as many as all its splits together), all about
one small image under many names, into a temporary folder (about 0.5 GB), reads them in a process of
its own, and has loading processes go over some of the examples in random order. Beside it, in
another process, the same with a list of the same examples. Linux.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from pg_transfer.data.splits import Splits
from pg_transfer.project import ROOT
from pg_transfer.task import Example
from pg_transfer.text.tokenizer import load_tokenizer
from pg_transfer.training.lessons import Lessons
from pg_transfer.training.order import Order
from pg_transfer.training.reader import Antialias, Reader
from pg_transfer.training.streams import Shuffled

sys.path.insert(0, str(ROOT))  # for tasks/, which is no package that is installed
from tasks.rsvqa import HighResolution

MB = 1e6
QUESTIONS_PER_IMAGE = 100
THINGS = ("residential building", "commercial building", "road", "parking", "water area", "forest")
KINDS = (
    ("count", "What is the number of {}s next to a {} in the image?", lambda n: str(n % 90)),
    ("presence", "Is there a {} at the bottom of a {}?", lambda n: ("yes", "no")[n % 2]),
    ("comp", "Are there more {}s than {}s in the image?", lambda n: ("yes", "no")[n % 2]),
    ("area", "What is the area covered by {}s on the left of a {}?", lambda n: f"{n % 2500}m2"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--questions", type=int, default=1_066_316)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--lessons", type=int, default=200_000)
    parser.add_argument("--measure", nargs=2, metavar=("FOLDER", "FORM"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        folder, form = options.measure
        print(json.dumps(measure(Path(folder), form, options.workers, options.lessons)))
        return
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, "
          f"Python {platform.python_version()}; {options.questions:,} questions, "
          f"{options.workers} loading processes, {options.lessons:,} lessons\n")  # fmt: skip
    with tempfile.TemporaryDirectory() as name:
        write(Path(name), options.questions)
        results = {}
        for form in ("packed", "list"):
            command = [sys.executable, __file__, "--measure", name, form]
            command += ["--workers", str(options.workers), "--lessons", str(options.lessons)]
            output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            results[form] = json.loads(output)
    print("| | packed | a list of them | ratio |\n|---|---:|---:|---:|")
    for quantity, packed in results["packed"].items():
        plain = results["list"][quantity]
        print(f"| {quantity} | {packed:,.1f} | {plain:,.1f} | {plain / packed:.1f} |")


def measure(folder: Path, form: str, workers: int, lessons: int) -> dict[str, float]:
    """What reading and loading take, with the examples as they come or as a list of objects."""
    task = HighResolution(folder, numeric=True)
    gc.collect()
    before, start = private_bytes(), time.process_time()
    if form == "list":
        read = task.examples
        task.examples = lambda split: list(read(split))  # type: ignore[method-assign]
    examples = Splits(task).examples("train")
    seconds = time.process_time() - start
    gc.collect()
    held = private_bytes() - before
    peak = peak_bytes() - before
    start = time.process_time()
    for row in np.random.default_rng(0).integers(len(examples), size=100_000):
        examples[row]
    access = (time.process_time() - start) / 100_000
    first, last = copied(task, examples, workers, lessons)
    return {
        "seconds of the processor to read and check": seconds,
        "MB held": held / MB,
        "bytes per example": held / len(examples),
        "MB more at the peak of reading": peak / MB,
        "microseconds to get one": access * 1e6,
        "MB of its own of a loading process at first": first / MB,
        f"MB of its own of a loading process after {lessons // workers:,} lessons": last / MB,
    }


class Weighed(Dataset[Any]):
    """Lessons, and how much memory of its own the process has that reads them."""

    def __init__(self, lessons: Lessons) -> None:
        self.lessons = lessons

    def __getitem__(self, index: tuple[int, int]) -> int:
        self.lessons[index]
        return private_bytes() if index[0] % 500 == 0 else 0


def copied(
    task: HighResolution, examples: Sequence[Example], workers: int, count: int
) -> tuple[int, int]:
    """Bytes that no other process shares, of a loading process at the beginning and at the end."""
    reader = Reader(
        task=task, tokenizer=load_tokenizer("builtin"), resolution=8, text_length=64,
        antialias=Antialias(train=False, evaluate=False),
    )  # fmt: skip
    order = Order(
        Shuffled(len(examples), seed=0), batch_size=100, micro_batch=100, steps=count // 100
    )
    loader = DataLoader(
        Weighed(Lessons(reader, examples, seed=0)), batch_sampler=order, num_workers=workers
    )
    weights = [int(weight) for batch in loader for weight in batch if weight]
    return weights[0], max(weights[-2 * workers :])


def private_bytes() -> int:
    """Memory of this process that it shares with none."""
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) * 1024


def peak_bytes() -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


def write(root: Path, questions: int) -> None:
    """`USGS_split_train_*.json` and the images they are about."""
    folder = root / "Data"
    folder.mkdir()
    Image.new("RGB", (8, 8)).save(folder / "0.tif")
    for image in range(1, -(-questions // QUESTIONS_PER_IMAGE)):
        (folder / f"{image}.tif").hardlink_to(folder / "0.tif")
    for kind, records in (("questions", asked), ("answers", said)):
        with (root / f"USGS_split_train_{kind}.json").open("w", encoding="utf-8") as file:
            file.write(f'{{"{kind}": [')
            for number, record in enumerate(records(questions)):
                file.write(f"{', ' if number else ''}{json.dumps(record)}")
            file.write("]}")


def asked(count: int) -> Iterator[dict[str, Any]]:
    for number in range(count):
        kind, form, _ = KINDS[number % len(KINDS)]
        things = THINGS[number % 6], THINGS[number // 6 % 6]
        yield {
            "id": number, "date_added": 1579865382.19, "img_id": number // QUESTIONS_PER_IMAGE,
            "people_id": 0, "type": kind, "question": form.format(*things),
            "answers_ids": [number], "active": True,
        }  # fmt: skip


def said(count: int) -> Iterator[dict[str, Any]]:
    for number in range(count):
        yield {
            "id": number, "date_added": 1579865382.19, "question_id": number, "people_id": 0,
            "answer": KINDS[number % len(KINDS)][2](number), "active": True,
        }  # fmt: skip


if __name__ == "__main__":
    main()
