"""How many images a core prepares a second, and how many a GPU takes; and what keeping them saves.

    python benchmarks/data_path.py [--images FOLDER] [--count 60] [--against PATH/resizing.py]
                                   [--mfu 0.5] [--peak 989]

Without a folder, it takes photographs that it makes up, of COCO's usual size. All is measured in
one process, in seconds of the processor, so that other processes do not count; the best of three.
`--against` measures another version of `pg_transfer/data/resizing.py` beside this one.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import platform
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from PIL import Image, features

from pg_transfer.data import images, resizing
from pg_transfer.model.config import PaliGemmaConfig, released
from pg_transfer.task import Answer, Draw, Example, Scores, Task
from pg_transfer.text.tokenizer import load_tokenizer
from pg_transfer.training import prepared_images
from pg_transfer.training.batches import Item, collate
from pg_transfer.training.prepared_images import PreparedImages
from pg_transfer.training.reader import Antialias, Reader

RESOLUTIONS = {224: 32, 448: 32, 896: 64}
"""Image side, and the text tokens that are assumed with it."""

SIZES = ((480, 640), (640, 480), (427, 640), (640, 427), (375, 500))
PREFIX, SUFFIX = "answer en what is the man on the left holding?", "a wooden baseball bat"


class Questions(Task):
    """One question about each image."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = paths

    def examples(self, split: str) -> list[Example]:
        return [Example(path.name, path, PREFIX, (SUFFIX,)) for path in self.paths]

    def score(self, answers: Sequence[Answer]) -> Scores:
        raise NotImplementedError


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=Path, help="a folder of JPEG files")
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--against", type=Path, help="another version of resizing.py")
    parser.add_argument("--mfu", type=float, default=0.5, help="of the GPU, assumed")
    parser.add_argument("--peak", type=float, default=989, help="TFLOP/s, bf16; of an H100 or H200")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = options.images or photographs(Path(name) / "made-up", options.count)
        paths = sorted(folder.glob("*.jpg"))[: options.count]
        assert paths, f"no *.jpg in {folder}"
        kilobytes = sum(path.stat().st_size for path in paths) / len(paths) / 1e3
        sizes = {images.image_size(path) for path in paths}
        print(f"{platform.machine()}, {os.cpu_count()} cores, NumPy {np.__version__}, Pillow "
              f"{Image.__version__} with libjpeg-turbo {features.version('libjpeg_turbo')}; "
              f"{len(paths)} {'given' if options.images else 'made-up'} photographs of "
              f"{kilobytes:.0f} kB, e.g. {max(sizes)}\n")  # fmt: skip
        stages(paths, options.against)
        compare(paths, Path(name), options.peak * 1e12 * options.mfu)
        print(f"\nThe GPU is an estimate: {options.peak:.0f} TFLOP/s at {options.mfu:.0%}, for a "
              f"full fine-tune of paligemma_3b, 6 FLOPs a weight and token, and attention's "
              f"products; nothing computed twice.")  # fmt: skip


def stages(paths: Sequence[Path], against: Path | None) -> None:
    """Prints what each stage takes, for this version and another one."""
    versions = {"ms": resizing} | ({"ms before": module(against)} if against else {})
    print("| stage | " + " | ".join(versions) + (" | ratio |" if against else " |"))
    print("|---" + "|---:" * (len(versions) + bool(against)) + "|")
    row("decode", [best(partial(each, images.open_image, paths))], paths)
    pixels = [images.open_image(path) for path in paths]
    for resolution in RESOLUTIONS:
        for antialias in (True, False):
            resizes = [
                partial(version.resize, size=resolution, antialias=antialias)
                for version in versions.values()
            ]
            pairs = zip(
                *(each(resize, pixels) for resize in (resizes[0], resizes[-1])), strict=True
            )
            assert all(np.array_equal(*pair) for pair in pairs)
            name = f"resize to {resolution}, {'antialiased' if antialias else 'plain'}"
            row(name, [best(partial(each, resize, pixels)) for resize in resizes], paths)
    tokenizer = load_tokenizer("builtin")
    row("tokenise prefix and suffix",
        [best(lambda: [(tokenizer.encode(PREFIX), tokenizer.encode(SUFFIX)) for _ in paths])],
        paths)  # fmt: skip


def compare(paths: Sequence[Path], folder: Path, flops: float) -> None:
    """Prints whole lessons a second and core, decoded and kept, and what a GPU takes of them."""
    prepared_images.SETTLED_SECONDS = -1.0
    tokenizer, task = load_tokenizer("builtin"), Questions(paths)
    print("\n| resolution | decoded: lessons/s a core | first epoch with image_cache | "
          "second epoch | ratio to decoding | kB on disk an image | a GPU takes/s (estimate) | "
          "cores for it, decoding | kept |\n" + "|---:" * 9 + "|")  # fmt: skip
    for resolution, text_length in RESOLUTIONS.items():
        store = PreparedImages(folder / "kept", resolution=resolution, antialias=True)
        store.make_room(paths)
        decoding, keeping = (
            Reader(
                task=task, tokenizer=tokenizer, resolution=resolution, text_length=text_length,
                antialias=Antialias(train=True, evaluate=True), prepared=prepared,
            )
            for prepared in ({}, {True: store})
        )  # fmt: skip
        decoded = best(partial(epoch, decoding))
        first = timed(partial(epoch, keeping))
        second = best(partial(epoch, keeping))
        config = released("paligemma_3b", resolution=resolution)
        taken = flops / training_flops(config, text_length)
        rates = [len(paths) / seconds for seconds in (decoded, first, second)]
        print(f"| {resolution} | {rates[0]:,.0f} | {rates[1]:,.0f} | {rates[2]:,.0f} | "
              f"{decoded / second:.1f} | {store.row_bytes / 1e3:,.0f} | {taken:,.1f} | "
              f"{taken / rates[0]:.2f} | {taken / rates[2]:.3f} |")  # fmt: skip


def epoch(reader: Reader) -> None:
    """Every example once, in batches of eight, as a loading process makes them."""
    examples = reader.task.examples("train")
    for start in range(0, len(examples), 8):
        chosen = enumerate(examples[start : start + 8], start)
        collate([Item(row, *reader.lesson(one, Draw(0, one.id, 0))) for row, one in chosen])


def training_flops(config: PaliGemmaConfig, text_length: int) -> float:
    """Of one example's forward and backward pass, without anything computed twice.

    Two FLOPs a weight and token forward, four backward; attention has two products of
    [tokens, tokens, heads * head width] in each layer. Embedding is no product, and logits are
    needed of the suffix alone; here they are left out.
    """
    vision, language = config.vision, config.language
    image = (config.vision.resolution // vision.patch) ** 2
    block = 4 * vision.width**2 + 2 * vision.width * vision.mlp
    tower = vision.depth * (block * image + 2 * image**2 * vision.width)
    projector = image * vision.width * language.width
    tokens = image + text_length
    queries = language.heads * language.head_width
    keys = language.kv_heads * language.head_width
    block = 2 * language.width * (queries + keys) + 3 * language.width * language.mlp
    decoder = language.depth * (block * tokens + 2 * tokens**2 * queries)
    return 6.0 * (tower + projector + decoder)


def photographs(folder: Path, count: int) -> Path:
    """Made-up photographs: clouds of noise of all sizes, about 150 kB each as JPEG files."""
    folder.mkdir()
    random = np.random.default_rng(0)
    for number in range(count):
        height, width = SIZES[number % len(SIZES)]
        picture = np.zeros((height, width, 3), np.float32)
        for scale in (4, 16, 64, 256, 1024):
            noise = random.random((2 + scale * height // 1024, 2 + scale * width // 1024, 3))
            layer = resizing.resize(noise.astype(np.float32), (height, width), antialias=False)
            picture += (layer - 0.5) * 300 / scale**0.28
        pixels = np.clip(picture + 128, 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:04}.jpg", quality=92)
    return folder


def module(path: Path) -> ModuleType:
    specification = importlib.util.spec_from_file_location("other_resizing", path)
    assert specification and specification.loader
    other = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(other)
    return other


def row(name: str, seconds: Sequence[float], paths: Sequence[Path]) -> None:
    """Prints milliseconds for each image."""
    ratio = f" {seconds[1] / seconds[0]:.1f} |" if len(seconds) > 1 else ""
    each_one = (f"{one * 1e3 / len(paths):.3f}" for one in seconds)
    print(f"| {name} | " + " | ".join(each_one) + f" |{ratio}")


def each(function: Callable[[Any], Any], things: Sequence[Any]) -> list[Any]:
    return [function(thing) for thing in things]


def best(work: Callable[[], Any]) -> float:
    return min(timed(work) for _ in range(3))


def timed(work: Callable[[], Any]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


if __name__ == "__main__":
    main()
