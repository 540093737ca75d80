"""What a training step was planned to take of memory, and what it took.

    python benchmarks/planned_memory.py                                  # small models, CPU
    python benchmarks/planned_memory.py --precision bf16-mixed           # the same
    python benchmarks/planned_memory.py --device cuda --sizes paligemma_3b --precision bf16-mixed

A plan is made without weights, by `pg_transfer.planning`. On a GPU the step is measured by torch's
allocator (`max_memory_allocated`), on a CPU by the bytes that torch asks for, and by what the
process holds of the machine (Linux), libraries left out.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
import torch.distributed
from side_by_side import GB, our_model, require_all, sizes, status, table, write
from torch.distributed.device_mesh import init_device_mesh
from torch.profiler import ProfilerActivity, profile

from pg_transfer.adapters import AdapterSettings
from pg_transfer.planning.rehearsal import Update, rehearse
from pg_transfer.training.batches import Batch
from pg_transfer.training.module import TransferModule
from pg_transfer.training.optimizer import adamw, clip_gradients
from pg_transfer.training.recipe import Recipe
from pg_transfer.training.sharding import COMPUTE, shard
from pg_transfer.training.shards import piece
from pg_transfer.training.tuning import Part, Tuning

PREFIX, TEXT = 16, 32
CASES = [
    {"size": size, "resolution": resolution, "micro_batch": micro_batch, "tuning": tuning,
     "rematerialise": rematerialise}
    for size, resolution, micro_batch, tuning, rematerialise in (
        ("small", 224, 4, "full", False), ("small", 224, 8, "full", True),
        ("small", 448, 2, "full", False), ("small", 448, 2, "lora", False),
        ("small", 448, 2, "frozen vision", False), ("small", 448, 2, "dora", False),
        ("tiny", 224, 16, "full", False), ("tiny", 448, 8, "lora", False),
        ("tiny", 896, 4, "full", True), ("small", 896, 1, "full", True),
    )
]  # fmt: skip
SHARED = [
    {"size": "small", "resolution": resolution, "micro_batch": micro_batch, "tuning": tuning,
     "rematerialise": rematerialise, "processes": 2}
    for resolution, micro_batch, tuning, rematerialise in (
        (224, 4, "full", False), (448, 2, "full", True), (448, 2, "lora", False),
    )
]  # fmt: skip
LARGE = [
    {"resolution": resolution, "micro_batch": micro_batch, "tuning": tuning, "rematerialise": True}
    for resolution, micro_batch, tuning in (
        (224, 32, "full"), (448, 4, "full"), (448, 8, "full"), (896, 1, "full"), (896, 2, "full"),
        (448, 8, "lora"), (896, 2, "lora"), (896, 2, "qlora"), (448, 8, "frozen vision"),
    )
]  # fmt: skip


def main() -> None:
    options = arguments()
    if options.case:
        return print(json.dumps(measured(json.loads(options.case), options.group, options.rank)))
    cases = [*CASES, *SHARED] if options.device == "cpu" else CASES
    if options.sizes:
        cases = [case | {"size": size} for size in options.sizes for case in LARGE]
    rows: list[dict[str, Any]] = []
    missing = []
    for case in cases:
        case = case | {"device": options.device, "precision": options.precision}
        try:
            plan = rehearse(update(case), case["micro_batch"])
            row = case | {"planned": plan.peak, "parts": plan.memory}
            rows.append(row | found(case))
        except (RuntimeError, ImportError) as error:
            missing.append(f"{named(case)}: {error}")
            print(f"failed: {missing[-1]}", file=sys.stderr, flush=True)
            continue
        print(json.dumps(rows[-1]), flush=True)
        mixed = [] if options.precision == "32-true" else [options.precision]
        name = "-".join(["planned_memory", *(options.sizes or []), options.device, *mixed])
        write(name, as_table(rows), rows, remarks=[
            f"{options.precision}; texts of {TEXT} tokens, {PREFIX} of them prefix; the second of "
            f"two updates, of two passes each. GB are 10^9 bytes.",
            *(f"Failed: {one}." for one in missing),
        ])  # fmt: skip
    require_all(missing)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--sizes", nargs="+", help="released ones, instead of the small")
    parser.add_argument("--precision", choices=["32-true", "bf16-mixed"], default="32-true")
    parser.add_argument("--case", help=argparse.SUPPRESS)
    parser.add_argument("--group", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--rank", type=int, default=0, help=argparse.SUPPRESS)
    return parser.parse_args()


def found(case: dict[str, Any]) -> dict[str, int]:
    """What the first of the processes says that it took; on a GPU there is but this one.

    Raises:
        RuntimeError: one of them failed.
    """
    if case["device"] == "cuda":  # whose allocator tells what was held since it was asked last
        gc.collect()
        return measured(case, None, 0)
    # Tensors get pages of their own, which the machine has back when they are freed.
    environment = os.environ | {"MALLOC_MMAP_THRESHOLD_": "131072"}
    with TemporaryDirectory() as folder:
        command = [sys.executable, __file__, "--case", json.dumps(case), "--group", f"{folder}/met"]
        processes = [
            subprocess.Popen(
                [*command, "--rank", str(rank)], text=True, env=environment,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            )
            for rank in range(case.get("processes", 1))
        ]  # fmt: skip
        printed = [process.communicate() for process in processes]
    if any(process.returncode for process in processes):
        raise RuntimeError(printed[0][1])
    return json.loads(printed[0][0].splitlines()[-1])


def as_table(rows: list[dict[str, Any]]) -> str:
    on_cpu = "resident" in rows[0]
    head = ["", "planned GB", "allocated GB", "planned / allocated"]
    lines = []
    for row in rows:
        line = [
            named(row),
            f"{row['planned'] / GB:.3f}", f"{row['allocated'] / GB:.3f}",
            f"{row['planned'] / row['allocated']:.3f}",
        ]  # fmt: skip
        if on_cpu:
            ratio = row["planned"] / row["resident"]
            line += [f"{row['resident'] / GB:.3f}", f"{ratio:.3f}"]
        lines.append(line)
    return table([*head, *(["of the machine, GB", "planned / that"] if on_cpu else [])], lines)


def named(case: dict[str, Any]) -> str:
    """As it stands in the table."""
    again = ", blocks twice" if case["rematerialise"] else ""
    again += f", of {case['processes']} processes" if "processes" in case else ""
    what = f"{case['size']} {case['resolution']} px x {case['micro_batch']}"
    return f"{what}, {case['tuning']}{again}"


def update(case: dict[str, Any]) -> Update:
    """An update of two passes."""
    recipe = Recipe(
        lr=1e-5, weight_decay=0.0, epochs=1,
        batch_size=2 * case["micro_batch"] * case.get("processes", 1),
        label_smoothing=0.0, dropout=0.0, text_length=TEXT - 1, warmup=0.05, clip_norm=1.0,
    )  # fmt: skip
    tuning = Tuning()
    if case["tuning"] == "frozen vision":
        tuning = Tuning(vision=Part(mode="frozen"))
    elif case["tuning"] != "full":
        dtype = "float32" if case["precision"] == "32-true" else "bfloat16"
        adapters = AdapterSettings(kind=case["tuning"])
        tuning = Tuning(adapters=adapters, adapters_lr=1e-4, frozen_dtype=dtype)
    config = sizes(case["size"], case["resolution"])
    if case["size"] == "tiny":
        config = replace(config, language=replace(config.language, vocabulary=2048))
    return Update(
        config=config, recipe=recipe, tuning=tuning, rematerialise=case["rematerialise"],
        precision=case["precision"], prefix=PREFIX, text=TEXT,
        processes=case.get("processes", 1), shares_weights="processes" in case,
    )  # fmt: skip


def measured(case: dict[str, Any], group: Path | None, rank: int) -> dict[str, int]:
    """The bytes that two updates took of this process at their most.

    Args:
        case: of `CASES` or `SHARED`.
        group: a file that the processes meet at, if there are several.
        rank: which of them this is.
    """
    torch.set_num_threads(1)
    wanted, count, device = update(case), case["micro_batch"], case["device"]
    _warm_up(case)
    before = 0 if device == "cuda" else status("VmRSS")
    model = our_model(wanted.config, device, rematerialise=case["rematerialise"])
    wanted.tuning.store(model, wanted.recipe)
    module = TransferModule(
        model, wanted.recipe, steps=9, end=1, seed=0, tuning=wanted.tuning
    ).train()
    if wanted.shares_weights:
        torch.distributed.init_process_group(
            "gloo", init_method=f"file://{group}", rank=rank, world_size=wanted.processes,
            timeout=timedelta(minutes=5),  # for one that waits for another that has failed
        )  # fmt: skip
        mesh = init_device_mesh(device, (wanted.processes,))
        shard(module, model, mesh=mesh, compute=COMPUTE[wanted.precision])
    optimizer = adamw(module.model, wanted.recipe, module.parts)
    held = sum(piece(weight).nbytes for weight in module.parameters())
    batch = Batch(
        images=torch.zeros(count, 3, *2 * [case["resolution"]], device=device),
        tokens=torch.full((count, TEXT), 5, device=device),
        prefix_lengths=torch.tensor([PREFIX - 1] + (count - 1) * [PREFIX], device=device),
        lengths=torch.full((count,), TEXT, device=device),
        rows=list(range(count)), cuts=[None] * count,
    )  # fmt: skip
    held += batch.images.nbytes

    def go() -> None:
        for _ in range(2):
            mixed = case["precision"] == "bf16-mixed"
            with torch.autocast(device, torch.bfloat16, enabled=mixed, cache_enabled=False):
                loss = module.losses(batch).mean()
            loss.backward()
        clip_gradients(module.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()

    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()  # what it took to build the model does not count
        go()
        go()
        return {"allocated": torch.cuda.max_memory_allocated()}
    go()
    Path("/proc/self/clear_refs").write_text("5")  # from here on the peak counts
    held += sum(piece(v).nbytes for state in optimizer.state.values() for v in state.values())
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        go()
    resident = status("VmHWM") - before
    allocated = held + peak_of(profiled)
    return {"allocated": allocated, "resident": resident}


def peak_of(profiled: Any) -> int:
    """The most bytes that were held at one time beyond those at the beginning."""
    events = profiled.profiler.kineto_results.events()
    events = sorted((e for e in events if e.name() == "[memory]"), key=lambda e: e.start_ns())
    held = most = 0
    for event in events:
        held += event.nbytes()
        most = max(most, held)
    return most


def _warm_up(case: dict[str, Any]) -> None:
    """Loads what a step loads, on a small model, so that it does not count."""
    small = case | {"size": "tiny", "resolution": 28, "micro_batch": 2}
    wanted = update(small)
    model = our_model(wanted.config, "cpu")
    TransferModule(model, wanted.recipe, steps=9, end=1, seed=0, tuning=wanted.tuning)


if __name__ == "__main__":
    main()
