"""An update of two processes that goes wrong is told with the examples of both."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from pg_transfer.running.assemble import Run, assemble
from pg_transfer.training import trouble
from pg_transfer.training.module import TransferModule
from tasks.shapes import SPLITS
from tests import ready
from tests.training.sharded_work import ROOT, settings

UPDATE, KNOWN = 5, 3
"""That goes wrong, and after how many the usual norm is known: of fewer it takes less long."""

SHORT = [
    "trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2", "recipe.epochs=2",
    "recipe.batch_size=4", "validations=1", "splits.report=[val]", "splits.validate=val",
]  # fmt: skip


def train(folder: Path) -> None:
    """Trains as one of two processes, of which the second has one example that is far off."""
    SPLITS["val"], trouble.LEAST = 12, KNOWN
    run = assemble(settings(folder, *SHORT), folder)
    losses = TransferModule.losses

    def changed(self: TransferModule, batch: Any) -> Any:
        is_far_off = self.global_step == UPDATE - 1 and self.global_rank == 1
        return losses(self, batch) * torch.tensor([1.0, 1e5 if is_far_off else 1.0])

    TransferModule.losses = changed
    run.trainer.fit(run.module, run.data)


def examples_of(run: Run, update: int) -> set[str]:
    """The ids in an update of the whole run, counted from 1."""
    batches = list(run.data.train_dataloader().order)[2 * update - 2 : 2 * update]
    examples = run.data.examples("val")
    return {examples[row].id for batch in batches for row, _ in batch}


@pytest.mark.slow
def test_large_gradients_are_listed_with_the_examples_of_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    started = []
    for rank in range(2):
        as_torchrun = {
            "RANK": rank, "LOCAL_RANK": rank, "GROUP_RANK": 0, "WORLD_SIZE": 2,
            "LOCAL_WORLD_SIZE": 2, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port,
            "TORCHELASTIC_RUN_ID": "test", "OMP_NUM_THREADS": 1,
            "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)]),
        }  # fmt: skip
        command = [ready.python(), __file__, str(tmp_path)]
        environment = os.environ | {name: str(value) for name, value in as_torchrun.items()}
        started.append(
            subprocess.Popen(
                command, env=environment, text=True,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            )
        )  # fmt: skip
    said = [one.communicate(timeout=120)[0] for one in started]
    assert not any(one.returncode for one in started), "\n".join(said)
    (large,) = json.loads((tmp_path / "large_gradients.json").read_text())

    monkeypatch.setitem(SPLITS, "val", 12)
    alone = ["trainer=cpu", *SHORT[3:], "micro_batch=2"]
    run = assemble(settings(tmp_path / "alone", *alone), tmp_path / "alone")
    assert large["update"] == UPDATE
    assert len(large["examples"]) == 4 and set(large["examples"]) == examples_of(run, UPDATE)
    assert f"update {UPDATE}: the norm of its gradient was" in " ".join(said[0].split())
    assert "the norm of its gradient" not in said[1]


if __name__ == "__main__":
    train(Path(sys.argv[1]))
