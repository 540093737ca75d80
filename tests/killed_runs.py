"""Kills runs of train.py with SIGKILL, until they are done: `python -m tests.killed_runs FOLDER`.

Every run is a process of its own, forked from this one so that it need not import torch first. What
the killed runs leave in the end is compared with what an uninterrupted one does.
"""

from __future__ import annotations

import csv
import json
import os
import random
import runpy
import signal
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file

ROOT = Path(__file__).parents[1]

# Forty updates of three micro-batches; ten validations, of which the last two are not reached, as
# no score is better than the first; dropout, targets of several epochs.
SETTINGS = [
    "splits={train: val, validate: test, report: [test, val]}", "resolution=28",
    "recipe={lr: 1e-3, weight_decay: 1e-4, label_smoothing: 0.1, dropout: 0.1, text_length: 28}",
    "recipe.epochs=10", "recipe.batch_size=6", "micro_batch=2", "evaluation_batch=2",
    "validations=10", "checkpoint_minutes=0.003", "score_before=true", "page=5", "pictured=1",
    "trainer=cpu", "trainer.log_every_n_steps=1", "workers=0", "seed=7", "patience=7",
]  # fmt: skip
EXAMPLES = {"val": 24, "test": 10}
DIFFERENT = {"images_per_second", "peak_memory_gb"}
"""Of what is logged, what no run has in common with another."""


def run(folder: Path, settings: Sequence[str] = SETTINGS, *, program: str = "train.py") -> int:
    """Starts, or goes on with, the run in `folder` in a new process; its id."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        with (folder.parent / f"{folder.name}.log").open("a") as log:
            for stream in (1, 2):
                os.dup2(log.fileno(), stream)
        from tasks.shapes import SPLITS

        SPLITS.update(EXAMPLES)
        sys.argv = [program, f"run={folder}", *settings]
        runpy.run_path(str(ROOT / program), run_name="__main__")
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def printed(folder: Path) -> str:
    """The end of what the processes of the run in `folder` have printed."""
    return (folder.parent / f"{folder.name}.log").read_text()[-3000:]


def moment(folder: Path) -> str:
    """What the run in `folder` was killed in, as far as its files tell."""
    if list(folder.glob("checkpoints/*.part")):
        return "saving"
    if not (folder / "checkpoints" / "last.ckpt").exists():
        return "before the first checkpoint"
    if list(folder.glob("answers/*.part*")):
        return "answering"
    return "training" if not (folder / "report.json").exists() else "reporting"


def left(folder: Path) -> dict[str, object]:
    """What a finished run leaves and another one has to leave as well."""
    report = json.loads((folder / "report.json").read_text())
    return {
        **left_in_training(folder),
        "pages": sorted(path.name for path in (folder / "pages").iterdir()),
        "report": json.loads(json.dumps(report).replace(folder.name, "run")),
    }


def left_in_training(folder: Path) -> dict[str, object]:
    """The part of it that is there when training ends."""
    with (folder / "metrics.csv").open(newline="") as file:
        rows = [
            {name: value for name, value in row.items() if name not in DIFFERENT}
            for row in csv.DictReader(file)
        ]
    last = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)
    return {
        "metrics": rows,
        "weights": last["state_dict"],
        "optimiser": last["optimizer_states"],
        "schedule": last["lr_schedulers"],
        "best score": last["callbacks"]["KeepCheckpoints"],
        "step": last["global_step"],
        "best weights": load_file(folder / "checkpoints" / "best.safetensors"),
        "answers": {path.name: path.read_text() for path in (folder / "answers").iterdir()},
    }


def difference(one: object, other: object, place: str = "") -> str:
    """Where two things differ first; empty if they are equal to the last bit."""
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        return "" if torch.equal(one, other) else place
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        pairs = ((key, one[key], other[key]) for key in one)
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs = ((key, a, b) for key, (a, b) in enumerate(zip(one, other, strict=True)))
    else:
        return "" if one == other else f"{place}: {one!r:.300} and {other!r:.300}"
    return next(filter(None, (difference(a, b, f"{place}/{key}") for key, a, b in pairs)), "")


def main() -> None:
    folder, kills = Path(sys.argv[1]), int(sys.argv[2])
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else random.SystemRandom().randrange(10**6)
    print(f"seed {seed}", flush=True)
    chance = random.Random(seed)
    torch.set_num_threads(1)
    import lightning.pytorch  # noqa: F401

    import pg_transfer.running.transfer  # noqa: F401

    begun = time.monotonic()
    _, status = os.waitpid(run(folder / "whole"), 0)
    assert status == 0, printed(folder / "whole")
    took = time.monotonic() - begun
    expected = left(folder / "whole")
    assert expected["step"] == 32, expected["step"]

    moments: Counter[str] = Counter()
    finished, broken = 0, folder / "broken-0"
    while sum(moments.values()) < kills or not finished:
        child = run(broken)
        if sum(moments.values()) < kills:
            time.sleep(chance.uniform(0.1, 0.6) * took)
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            moments[moment(broken)] += 1
            continue
        assert status == 0, printed(broken)
        found = difference(expected, left(broken))
        assert not found, f"after {moments}: {found}"
        finished, took = finished + 1, took * 0.9  # sooner, if it was done before it was killed
        broken = folder / f"broken-{finished}"
    print(f"{finished} runs, {sum(moments.values())} kills: {dict(moments)}")


if __name__ == "__main__":
    main()
