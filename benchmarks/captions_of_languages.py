"""What COCO-35L's captions take: time to read them, memory, and what loading processes copy of it.

    python benchmarks/captions_of_languages.py [--images 11329]

Writes translations in the published format, five of each image in 34 languages, about empty files
in place of images, into a temporary folder (65 kB an image); a tenth of the published 113,287 by
default. Reads them, goes over all examples, and has a forked process get 100,000 of them. Linux.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from million_examples import MB, peak_bytes, private_bytes

from pg_transfer.data.splits import Splits
from pg_transfer.project import ROOT
from pg_transfer.training.same_examples import digest_of_examples

sys.path.insert(0, str(ROOT))  # for tasks/, which is no package that is installed
from tasks.coco35l import COCO35L, TRANSLATED

ENGLISH = "a man riding a wave on top of a surfboard in the ocean ."
OTHER = {
    "ar": "رجل يركب موجة على لوح ركوب الأمواج في المحيط .",
    "bn": "একজন মানুষ সমুদ্রে সার্ফবোর্ডে ঢেউ চড়ছেন ।",
    "el": "ένας άντρας καβαλάει ένα κύμα σε μια σανίδα του σερφ",
    "fa": "مردی سوار بر موج روی تخته موج سواری در اقیانوس",
    "he": "אדם רוכב על גל על גלשן באוקיינוס .",
    "hi": "एक आदमी समुद्र में सर्फ़बोर्ड पर लहर की सवारी करता है ।",
    "ja": "海 で サーフボード に 乗っ て 波 に 乗る 男性 。",
    "ko": "바다에서 서핑보드를 타고 파도를 타는 남자",
    "ru": "мужчина катается на волне на доске для серфинга в океане",
    "te": "ఒక వ్యక్తి సముద్రంలో సర్ఫ్ బోర్డ్ పై అలను నడుపుతున్నాడు .",
    "th": "ผู้ชาย กำลัง ขี่ คลื่น บน กระดาน โต้คลื่น ใน มหาสมุทร",
    "uk": "чоловік катається на хвилі на дошці для серфінгу в океані",
    "zh": "一 名 男子 在 海洋 中 的 冲浪板 上 乘风破浪 。",
}
"""The others are as long as English."""
LOOKS = 100_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=11_329)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        write(root, options.images)
        lines = options.images * 5 * len(TRANSLATED)
        print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, "
              f"Python {platform.python_version()}; {lines:,} translations\n")  # fmt: skip
        print("| | |\n|---|---:|")
        for quantity, value in measure(root).items():
            print(f"| {quantity} | {value:,.1f} |")


def measure(root: Path) -> dict[str, float]:
    """What reading takes, and going over all examples as a run does at its start."""
    splits = Splits(COCO35L(root))
    gc.collect()
    before, start = private_bytes(), time.process_time()
    examples = splits.examples("train")
    reading = time.process_time() - start
    gc.collect()
    held, peak = private_bytes() - before, peak_bytes() - before
    start = time.process_time()
    digest_of_examples(examples)
    telling = time.process_time() - start
    captions = sum(len(example.suffixes) for example in examples)
    rows = np.random.default_rng(0).integers(len(examples), size=LOOKS).tolist()
    start = time.process_time()
    for row in rows:
        examples[row]
    return {
        "examples": len(examples),
        "microseconds of the processor a caption, to read and check": reading / captions * 1e6,
        "seconds to tell them from others": telling,
        "MB held": held / MB,
        "bytes an example": held / len(examples),
        "bytes a caption": held / captions,
        "bytes of a caption that are its text": text_bytes(),
        "MB more at the peak of reading": peak / MB,
        "microseconds to get one": (time.process_time() - start) / LOOKS * 1e6,
        f"MB that a forked process copies for {LOOKS:,} of them": copied(examples, rows) / MB,
    }


def text_bytes() -> float:
    """On average, over all languages, without the number of the image."""
    texts = [ENGLISH, *(OTHER.get(code, ENGLISH) for code in TRANSLATED)]
    return sum(len(text.encode()) for text in texts) / len(texts)


def copied(examples: object, rows: list[int]) -> int:
    """Bytes that a loading process has of its own more than at first."""
    reading, writing = os.pipe()
    if os.fork() == 0:
        first = private_bytes()
        for row in rows:
            examples[row]  # type: ignore[index]
        os.write(writing, str(private_bytes() - first).encode())
        os._exit(0)
    os.wait()
    return int(os.read(reading, 100))


def write(root: Path, images: int) -> None:
    """`coco_mt_train.jsonl`, and files in place of the images that it is about."""
    folder = root / "train2014"
    folder.mkdir()
    with (root / "coco_mt_train.jsonl").open("w", encoding="utf-8") as file:
        for image in range(images):
            (folder / f"COCO_train2014_{image:012d}.jpg").touch()
            for place in range(1, 6):
                for language in TRANSLATED:
                    record = {
                        "image_id": f"{image}_{place}", "src_lang": "en", "trg_lang": language,
                        "caption_tokenized": f"{ENGLISH} {image}",
                        "translation_tokenized": f"{OTHER.get(language, ENGLISH)} {image}",
                        "backtranslation_tokenized": ENGLISH,
                    }  # fmt: skip
                    file.write(json.dumps(record) + "\n")


if __name__ == "__main__":
    main()
