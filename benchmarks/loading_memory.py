"""How much memory loading takes, as a multiple of what the model takes: ours is to stay below 1.3.

    python benchmarks/loading_memory.py FOLDER [--size paligemma_3b] [--dtypes bfloat16 float32]

Writes checkpoints of the full size, with made-up values, into FOLDER, one after the other (11.7 GB
for the 3B model in float32), reads each as `train.py tuning=lora` does, in a process of its own,
and removes it. "Loaded" is the peak up to there, "with LoRA" the one up to where training begins:
adapters attached, weights told by their fingerprint and looked through for NaN. Linux.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path

import torch
from side_by_side import status

from pg_transfer.adapters import AdapterSettings
from pg_transfer.model.checkpoint.big_vision import write_big_vision
from pg_transfer.model.checkpoint.hugging_face import write_hugging_face
from pg_transfer.model.config import SIZES, PaliGemmaConfig
from pg_transfer.model.paligemma import PaliGemma
from pg_transfer.sources.models import start
from pg_transfer.training.recipe import Recipe
from pg_transfer.training.tuning import Tuning
from pg_transfer.training.weights import fingerprint, require_finite

DTYPES = {"bfloat16": torch.bfloat16, "float32": torch.float32}
FORMATS = ("big_vision", "Hugging Face")
GB = 1e9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="where there is room for one checkpoint")
    parser.add_argument("--size", choices=SIZES, default="paligemma_3b")
    parser.add_argument("--dtypes", choices=DTYPES, nargs="+", default=["bfloat16"])
    parser.add_argument("--measure", nargs=2, metavar=("SOURCE", "DTYPE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        source, dtype = options.measure
        print(json.dumps(measure(SIZES[options.size], Path(source), dtype)))
        return
    print(
        "| format | stored and loaded as | model GB | loaded: peak GB | ratio | with LoRA: peak GB "
        "| ratio | seconds |\n" + "|---" * 8 + "|"
    )
    for dtype in options.dtypes:
        for format in FORMATS:
            source = write(format, SIZES[options.size], DTYPES[dtype], options.folder)
            command = [sys.executable, __file__, str(options.folder), "--size", options.size]
            command += ["--measure", str(source), dtype]
            answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            model, *peaks, seconds = json.loads(answer)
            cells = " | ".join(f"{peak / GB:.2f} | {peak / model:.3f}" for peak in peaks)
            print(
                f"| {format} | {dtype} | {model / GB:.2f} | {cells} | {seconds:.0f} |", flush=True
            )
            remove(source)


def measure(config: PaliGemmaConfig, source: Path, dtype: str) -> tuple[int, int, int, float]:
    """The base's bytes, the peaks beyond what the process had before, and the time of loading."""
    recipe = Recipe(
        lr=1e-5, weight_decay=0.0, epochs=1, batch_size=1, label_smoothing=0.0, dropout=0.0,
        text_length=32, warmup=0.0, clip_norm=1.0,
    )  # fmt: skip
    import_module("peft")  # libraries are no part of what loading takes
    tuning = Tuning(adapters=AdapterSettings(), adapters_lr=1e-4, frozen_dtype=dtype)
    with torch.device("meta"):
        model = PaliGemma(config)
    tuning.store(model, recipe)
    size = sum(parameter.nbytes for parameter in model.parameters())
    before, begin = status("VmHWM"), time.monotonic()
    start(model, str(source), seed=0)
    loaded, seconds = status("VmHWM") - before, time.monotonic() - begin
    fingerprint(model)
    tuning.apply(model, recipe)
    require_finite(str(source), model)
    return size, loaded, status("VmHWM") - before, seconds


def write(format: str, config: PaliGemmaConfig, dtype: torch.dtype, folder: Path) -> Path:
    """A checkpoint whose parameters are rows of made-up values, the same over and over."""
    source = folder / "weights"
    source.mkdir(parents=True, exist_ok=True)
    with torch.device("meta"):
        shapes = {name: value.shape for name, value in PaliGemma(config).named_parameters()}
    values = {name: torch.randn(shape[-1]).expand(shape) for name, shape in shapes.items()}
    if format == "big_vision":
        write_big_vision(values, config, source / "weights.npz", dtype)
        return source / "weights.npz"
    write_hugging_face(values, source, dtype)
    return source


def remove(source: Path) -> None:
    for file in [source] if source.is_file() else source.iterdir():
        file.unlink()


if __name__ == "__main__":
    main()
