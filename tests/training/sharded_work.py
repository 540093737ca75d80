"""Runs for `test_sharding.py`: in its own process, or as this program in one of several."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from lightning.pytorch import Callback
from omegaconf import DictConfig, OmegaConf

from pg_transfer.model.decoding import Decoding
from pg_transfer.running.assemble import assemble
from pg_transfer.running.settings import register_resolvers
from pg_transfer.training.gathering import together as gathered
from pg_transfer.training.weights import LAST
from tasks.shapes import SPLITS
from tests import ready

ROOT = Path(__file__).parents[2]

# Six updates of eight examples. Of two processes one answers two of five, the other three.
SHORT = [
    "splits={train: val, validate: test, report: [test]}", "recipe.epochs=2",
    "recipe.batch_size=8", "micro_batch=2", "recipe.dropout=0", "validations=2",
    "checkpoint_minutes=0", "score_before=false", "page=0", "pictured=0", "evaluation_batch=2",
    "trainer=cpu", "resolution=28", "recipe={lr: 1e-3, weight_decay: 1e-4}",
    "recipe.text_length=28", "recipe.label_smoothing=0.1", "workers=0",
    "trainer.log_every_n_steps=1",
]  # fmt: skip
EXAMPLES = {"val": 24, "test": 5}
TWO = ["trainer=fsdp", "trainer.accelerator=cpu", "trainer.devices=2"]


class Seen(Callback):
    """Keeps what was logged and answered, and a copy of the checkpoint after the third update."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.updates: dict[int, list[float]] = {}
        self.answers: list[tuple[int, list[int]]] = []

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
        names = ("loss", "gradient_norm", "lr")
        logged = trainer.callback_metrics
        self.updates[trainer.global_step] = [float(logged[n]) for n in names if n in logged]

    def on_validation_start(self, trainer, pl_module) -> None:
        kept, last = self.folder / "kept.ckpt", self.folder / "checkpoints" / LAST
        if trainer.global_step == 3 and trainer.is_global_zero and not kept.exists():
            (shutil.copytree if last.is_dir() else shutil.copyfile)(last, kept)

    def on_validation_batch_end(self, trainer, pl_module, outputs, batch, *_: Any) -> None:
        self.answers.extend(zip(batch.rows, outputs, strict=True))


def settings(folder: Path, *overrides: str) -> DictConfig:
    register_resolvers()
    with initialize_config_dir(str(ROOT / "conf"), version_base=None):
        config = compose("train", overrides=[f"run={folder}", *SHORT, *overrides])
    resolved = OmegaConf.create(OmegaConf.to_container(config, resolve=True))
    assert isinstance(resolved, DictConfig)
    return resolved


def outcome(
    folder: Path, *options: str, resume: Path | None = None, checkpoint: Path | None = None
) -> dict[str, Any]:
    """Every update's loss, norm and rate; answers of two lengths in two ways; the last score.

    Args:
        folder: of the run.
        options: as on the command line.
        resume: what to go on from.
        checkpoint: to be scored alone.
    """
    SPLITS.update(EXAMPLES)
    run = assemble(settings(folder, *options), folder, checkpoint=checkpoint)
    seen = Seen(folder)
    run.trainer.callbacks.append(seen)  # type: ignore[attr-defined]
    if checkpoint is None:
        run.trainer.fit(run.module, run.data, ckpt_path=resume, weights_only=True)
    never, at_once = run.module.end, run.data.reader.tokenizer.encode("\n")[0]
    run.data.begin = lambda _: 0  # every time anew: what ends an answer is no setting
    ends = {"long": never, "short": at_once}
    if run.trainer.world_size > 1:  # one is done long before the other
        ends["mixed"] = never if run.trainer.global_rank else at_once
    found: dict[str, Any] = {"updates": seen.updates}
    for beams in (1, 2):
        run.module.decoding = Decoding(beams=beams)
        for name, end in ends.items():
            seen.answers, run.module.end = [], end
            run.trainer.validate(run.module, run.data.prompts("test"), verbose=False)
            found[f"{name}, {beams}"] = sorted(gathered(seen.answers))
    found["metrics"] = run.scorer.results["test"].scores.metrics
    return found


def together(jobs: list[dict[str, Any]], folder: Path, processes: int = 2) -> list[dict[str, Any]]:
    """The outcomes of `jobs`, one after the other, in so many processes at a time."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (folder / "jobs.json").write_text(json.dumps(jobs))
    started = []
    for rank in range(processes):
        as_torchrun = {
            "RANK": rank, "LOCAL_RANK": rank, "GROUP_RANK": 0, "WORLD_SIZE": processes,
            "LOCAL_WORLD_SIZE": processes, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port,
            "TORCHELASTIC_RUN_ID": "test", "OMP_NUM_THREADS": 1,
            "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)]),
        }  # fmt: skip
        started.append(
            subprocess.Popen(
                [ready.python(), __file__, str(folder)],
                env=os.environ | {name: str(value) for name, value in as_torchrun.items()},
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            )
        )  # fmt: skip
    said = [one.communicate()[0] for one in started]
    assert not any(one.returncode for one in started), "\n".join(said)
    return json.loads((folder / "outcomes.json").read_text())


def main(folder: Path) -> None:
    """Does the jobs that are listed in `folder`."""
    jobs = json.loads((folder / "jobs.json").read_text())
    outcomes = []
    for job in jobs:
        paths = {name: Path(job[name]) for name in ("resume", "checkpoint") if name in job}
        outcomes.append(outcome(Path(job["folder"]), *job["options"], **paths))
    if os.environ["RANK"] == "0":
        (folder / "outcomes.json").write_text(json.dumps(outcomes))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
