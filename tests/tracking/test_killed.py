"""A run that is killed and gone on with is in every tracker as one that was not: each update once.

The killed runs are forked from this process, and end by a real SIGKILL: what a client had not
written yet is lost.
"""

from __future__ import annotations

import csv
import os
import signal
import traceback
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from lightning.pytorch import Callback, LightningModule, Trainer

from pg_transfer.running.assemble import Run
from tests.tracking.wandb_files import Offline

Sent = dict[str, list[tuple[int, float]]]
COLUMNS = ("loss", "lr_vision", "gradient_norm", "val/mIoU", "val/total")

# Eight updates; the state is saved before the validations after the fourth and the eighth.
LONGER = ["recipe.batch_size=4", "micro_batch=4", "checkpoint_minutes=60", "logger.predictions=2"]


class Kill(Callback):
    """Ends the process as the system does that is out of memory."""

    def __init__(self, update: int) -> None:
        self.update = update

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: object, batch_idx: int
    ) -> None:
        if trainer.global_step == self.update:
            os.kill(os.getpid(), signal.SIGKILL)


def killed(train: Callable[..., Run], update: int) -> None:
    """Trains in a process of its own, up to that update."""
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL
        return
    try:
        train(before=lambda run: run.trainer.callbacks.append(Kill(update)))  # type: ignore[attr-defined]
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(1)


def in_log(folder: Path) -> Sent:
    with (folder / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    return {
        name: [(int(row["step"]), float(row[name])) for row in rows if row[name]]
        for name in COLUMNS
    }


def in_tensorboard(folder: Path) -> tuple[Sent, list[int]]:
    """The numbers, and the steps of the tables of answers."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    numbers = {name: [(one.step, one.value) for one in events.Scalars(name)] for name in COLUMNS}
    # Lightning numbers updates from 0.
    return numbers, [one.step + 1 for one in events.Tensors("predictions/val/text_summary")]


def in_wandb(folder: Path) -> tuple[Sent, list[int]]:
    """The same."""
    import wandb

    wandb.teardown()  # its service writes in its own time
    found: Sent = defaultdict(list)
    tables = []
    for path in sorted(folder.glob("wandb/offline-run-*/run-*.wandb")):
        for row in Offline(path).history:
            step = row["trainer/global_step"]
            for name in row.keys() & set(COLUMNS):
                found[name].append((step, row[name]))
            if "predictions/val/nrows" in row:
                tables.append(step + 1)  # Lightning numbers updates from 0
    return found, tables


def in_mlflow(folder: Path) -> tuple[Sent, list[int]]:
    """The same."""
    from mlflow.tracking import MlflowClient  # pyright: ignore[reportMissingImports]

    client = MlflowClient(f"sqlite:///{folder}/mlflow.db")
    experiment = client.get_experiment_by_name("pg_transfer")
    (run,) = client.search_runs([experiment.experiment_id])
    sent = {
        name: [(one.step, one.value) for one in client.get_metric_history(run.info.run_id, name)]
        for name in COLUMNS
    }
    tables = [Path(one.path) for one in client.list_artifacts(run.info.run_id, "predictions")]
    return sent, [int(path.stem[-6:]) for path in tables if path.suffix == ".json"]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("service", "read"),
    [("tensorboard", in_tensorboard), ("wandb", in_wandb), ("mlflow", in_mlflow)],
)
def test_each_update_is_there_once(
    train: Callable[..., Run], tmp_path: Path, service: str,
    read: Callable[[Path], tuple[Sent, list[int]]], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    client = pytest.importorskip(service)
    if service == "wandb":
        client.teardown()  # else the processes share a service, which outlives them
    monkeypatch.chdir(tmp_path)  # artifacts lie beside the database
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    for update in (7, 6):  # the second time it comes less far
        killed(partial(train, tmp_path, *LONGER, f"logger={service}"), update)
    run = train(tmp_path, *LONGER, f"logger={service}")
    run.watchers.trackers[0].finish()
    log, (sent, tables) = in_log(tmp_path), read(tmp_path)
    for name in COLUMNS:
        assert sent[name] == [(step, pytest.approx(value)) for step, value in log[name]], name
    assert [step for step, _ in log["loss"]] == list(range(8))
    assert tables == [4, 8]
