"""Whether memory grows in a long run: python benchmarks/long_run.py --updates 10000.

The tiny model on drawn shapes at 28 px, with all that a run does: validations that write answers,
pictures and pages, checkpoints, logs. What is held is looked at after every validation.
"""

from __future__ import annotations

import argparse
import gc
import os
import resource
import sys
import tempfile
import time
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

import torch
from hydra import compose, initialize_config_dir
from lightning.pytorch import Callback
from omegaconf import DictConfig, OmegaConf

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

EXAMPLES = {"val": 64, "test": 16}
BATCH = 4


class Held(NamedTuple):
    """What the process holds: megabytes, objects of Python, tensors."""

    megabytes: float
    objects: int
    tensors: int


def held() -> Held:
    gc.collect()
    objects = gc.get_objects()
    tensors = sum(issubclass(type(one), torch.Tensor) for one in objects)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return Held(pages * resource.getpagesize() / 1e6, len(objects), tensors)


class Watch(Callback):
    """What was held after each validation."""

    def __init__(self) -> None:
        self.held: list[Held] = []

    def on_validation_end(self, *_: Any) -> None:
        self.held.append(held())


def run(folder: Path, *, updates: int, validations: int) -> list[Held]:
    """What was held after each validation of a run of so many updates."""
    from pg_transfer.running.assemble import assemble
    from pg_transfer.running.settings import register_resolvers
    from tasks.shapes import SPLITS

    SPLITS.update(EXAMPLES)
    register_resolvers()
    with initialize_config_dir(str(ROOT / "conf"), version_base=None):
        config = compose("train", overrides=[
            f"run={folder}", "splits={train: val, validate: test, report: [test]}",
            "recipe={lr: 1e-3, weight_decay: 0, label_smoothing: 0, dropout: 0.1, text_length: 28}",
            f"recipe.epochs={updates * BATCH / EXAMPLES['val']}", f"recipe.batch_size={BATCH}",
            f"micro_batch={BATCH // 2}", "evaluation_batch=8", f"validations={validations}",
            "resolution=28", "workers=0", "checkpoint_minutes=0.05", "page=8", "pictured=2",
            "trainer=cpu",
        ])  # fmt: skip
    resolved = OmegaConf.create(OmegaConf.to_container(config, resolve=True))
    assert isinstance(resolved, DictConfig)
    watch = Watch()
    made = assemble(resolved, folder)
    made.trainer.callbacks.append(watch)  # type: ignore[attr-defined]
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere):  # noqa: PTH123
        made.trainer.fit(made.module, made.data)
    assert made.trainer.global_step == updates and len(watch.held) == validations
    return watch.held


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--updates", type=int, default=10_000)
    parser.add_argument("--validations", type=int, default=100)
    options = parser.parse_args()
    torch.set_num_threads(1)
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        found = run(Path(folder), updates=options.updates, validations=options.validations)
    print(f"{options.updates:,} updates in {time.monotonic() - begun:.0f} s\n")
    print("| validation | MB | objects | tensors |\n|---:|---:|---:|---:|")
    every = max(1, options.validations // 10)
    for number in sorted({1, *range(every, options.validations + 1, every)}):
        megabytes, objects, tensors = found[number - 1]
        print(f"| {number} | {megabytes:.1f} | {objects:,} | {tensors:,} |")
    tenth = found[every - 1]
    growth = found[-1].megabytes / tenth.megabytes - 1
    print(f"\nbetween the first tenth and the end: {growth:+.1%} of memory, "
          f"{found[-1].objects - tenth.objects:+,} objects, "
          f"{found[-1].tensors - tenth.tensors:+,} tensors")  # fmt: skip


if __name__ == "__main__":
    main()
