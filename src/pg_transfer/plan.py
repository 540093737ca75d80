"""What a run will take, before it starts: `python -m pg_transfer.plan task=textvqa tuning=lora`.

Takes the settings that `train.py` takes, and needs neither the weights nor the data. docs/speed.md
tells how good its numbers are.
"""

from __future__ import annotations

import argparse
import csv
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import get_class, instantiate
from omegaconf import DictConfig, OmegaConf

from pg_transfer.check import composed
from pg_transfer.data.json_records import progress_told
from pg_transfer.data.splits import Splits
from pg_transfer.process.console import CONSOLE, facts_table, quiet_libraries, reports_errors, say
from pg_transfer.process.slow_reading import SlowReading
from pg_transfer.project import ROOT
from pg_transfer.sources.run_settings import read_run_settings
from pg_transfer.task import Task

METRICS = "metrics.csv"


@dataclass(frozen=True, slots=True)
class Measured:
    """What a run of `train.py` reached.

    Attributes:
        images_per_second: the median of its log.
        peak_memory: bytes, the most of its log.
    """

    images_per_second: float
    peak_memory: float


@reports_errors
def plan(options: argparse.Namespace) -> None:
    """Prints what the run with these settings takes.

    Raises:
        ValueError: settings that do not fit, or no room for a single example.
        FileNotFoundError: there is no such run to measure by.
    """
    # Torch takes seconds.
    from pg_transfer.planning.asked import AUTO, remedies, settled, update_of
    from pg_transfer.planning.room import WITHOUT_BFLOAT16, asked_device, found_device, gb
    from pg_transfer.running.settings import refuse_odd_values, refuse_rounded_updates
    from pg_transfer.running.task_settings import images_of

    quiet_libraries()
    settings = list(options.settings)
    if options.device:  # a GPU, whatever is here; what is asked for comes later, and counts
        is_older = options.device.lower() in WITHOUT_BFLOAT16
        settings.insert(0, f"trainer.precision={'32-true' if is_older else 'bf16-mixed'}")
    config = composed(settings)
    if not any(setting.startswith("micro_batch=") for setting in settings):
        config.micro_batch = AUTO
    refuse_odd_values(config, left=AUTO)
    images = images_of(config)
    update = update_of(config, images=images)
    refuse_rounded_updates(update.tuning.parts(update.recipe), update.precision)
    device = (
        asked_device(options.device)
        if options.device
        else found_device(str(config.trainer.accelerator))
    )
    found = settled(config, device, images=images)
    steps, remark = updates_of(config, update.recipe, options.examples)
    memory = [(part, gb(size)) for part, size in found.memory.items()]
    CONSOLE.print(facts_table("memory of each device at its most", [
        *memory,
        ("together", gb(found.peak)),
        ("room", f"{gb(device.room)} of the {gb(device.bytes)} of {device.name}"),
    ]))  # fmt: skip
    time = "not known; --measured=runs/... takes the speed of a run on that device"
    if options.measured is not None:
        time = duration(options.measured, found.flops * update.processes, steps)
    tera = found.flops * update.processes / 1e12
    computed = f"{tera:,.0f}" if tera >= 100 else f"{tera:.3g}"
    CONSOLE.print(facts_table("run", [
        ("parameters", f"{found.parameters:,}, of which {found.learning:,} learn"),
        ("micro-batch", f"{found.micro_batch} x {update.processes} device(s) x {found.passes}"
         f" = {update.recipe.batch_size}"),
        ("computed twice", f"{found.twice} of {update.config.blocks} blocks"),
        ("updates", remark if steps is None else f"{steps:,} ({remark})"),
        ("computed", f"{computed} TFLOP an update"),
        ("time", time),
    ]))  # fmt: skip
    if found.peak > device.room:
        say(f"note: there is no room for this: {remedies(update, micro_batch=found.micro_batch)}")


def updates_of(config: DictConfig, recipe: Any, asked: int | None) -> tuple[int | None, str]:
    """The updates of the run, and of how many examples; without the data, of the published ones."""
    from pg_transfer.running.task_settings import require_fitting

    split = config.splits.train
    if asked is not None:
        return recipe.steps(asked), f"{asked:,} examples, as you say"
    require_fitting(OmegaConf.to_container(config.task, resolve=True))
    try:
        task: Task = instantiate(config.task)
        with progress_told(SlowReading()):
            count = len(Splits(task).examples(split))
        return recipe.steps(count), f"{count:,} examples of {split!r}"
    except (FileNotFoundError, InstantiationException) as error:
        cause = error.__cause__ if isinstance(error, InstantiationException) else error
        if not isinstance(cause, FileNotFoundError):
            raise
        sizes = published_sizes(config)
    if split not in sizes:
        return None, "not known without the data, of which no size is published; --examples=N"
    count = sizes[split]
    return recipe.steps(count), f"{count:,} examples of {split!r}, as published; no data here"


def published_sizes(config: DictConfig) -> dict[str, int]:
    """Examples of each split in the paper, of a task whose files may be missing."""
    try:
        return dict(instantiate(config.task).sizes)
    except InstantiationException:
        sizes = getattr(get_class(config.task._target_), "sizes", {})
        return {} if isinstance(sizes, property) else dict(sizes)


def duration(run: Path, flops: int, steps: int | None) -> str:
    """How long the updates take at the speed of a run, evaluation left out."""
    from pg_transfer.planning.asked import update_of
    from pg_transfer.planning.rehearsal import rehearse
    from pg_transfer.planning.room import gb
    from pg_transfer.running.task_settings import images_of

    settings = read_run_settings(run, builds=False)
    reached = measured(run)
    update = update_of(settings, images=images_of(settings))
    there = rehearse(update, settings.micro_batch)
    an_image = there.flops * update.processes / update.recipe.batch_size
    speed = an_image * reached.images_per_second
    seconds = flops / speed
    whole = "" if steps is None else f", {seconds * steps / 3600:,.1f} hours without evaluation"
    return (
        f"{seconds:.3g} s an update{whole}; at {speed / 1e12:.3g} TFLOP/s, as {run}, which held "
        f"{gb(reached.peak_memory)} (without a GPU all of its process) where {gb(there.peak)} are "
        f"planned"
    )


def measured(run: Path) -> Measured:
    """What the log of a run says.

    Raises:
        FileNotFoundError: it has none.
        ValueError: no speed is in it.
    """
    path = run / METRICS
    if not path.is_file():
        raise FileNotFoundError(f"{run} holds no {METRICS} to measure by; give a run that has one")
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        speeds = [float(row["images_per_second"]) for row in rows if row.get("images_per_second")]
        peaks = [float(row["peak_memory_gb"]) for row in rows if row.get("peak_memory_gb")]
    except (ValueError, TypeError, csv.Error) as error:
        raise ValueError(f"{path} is no log of a run, or a damaged one ({error})") from error
    if speeds and not 0 < median(speeds) < math.inf:
        raise ValueError(f"{path} is no log of a run, or a damaged one: a speed of {speeds[0]}")
    if not speeds or not peaks:
        raise ValueError(f"{path} has no images_per_second: the run was too short to measure by")
    return Measured(median(speeds), max(peaks) * 1e9)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m pg_transfer.plan", description=__doc__)
    parser.add_argument(
        "settings", nargs="*", metavar="setting=value",
        help="as for train.py: task=textvqa resolution=896 tuning=lora ...",
    )  # fmt: skip
    parser.add_argument(
        "--device", help="to plan for, by name (h100) or its GB (80); else that of this machine"
    )
    parser.add_argument(
        "--measured", type=Path, metavar="RUN", help="folder of a run on such a device, for time"
    )
    parser.add_argument("--examples", type=int, help="to learn from, where the data is not here")
    options = parser.parse_intermixed_args(arguments)
    if options.examples is not None and options.examples < 1:
        parser.error("--examples is at least 1")
    sys.path.insert(0, str(ROOT))  # for tasks/, wherever this is started
    plan(options)


if __name__ == "__main__":
    main()
