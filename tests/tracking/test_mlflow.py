"""A local store is read back by MLflow's own client."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from pg_transfer.running.assemble import Run
from pg_transfer.tracking.follow import best_model

pytest.importorskip("mlflow")
pytest.importorskip("sqlalchemy")


@pytest.mark.filterwarnings("ignore")
def test_a_run_that_is_gone_on_with_is_one_run(
    train: Callable[..., Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow.tracking import MlflowClient

    monkeypatch.chdir(tmp_path)  # artifacts lie beside the database
    folder = tmp_path / "run"
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    options = ("logger=mlflow", f'logger.tracking_uri="{uri}"', "logger.predictions=3")
    for _ in range(2):  # the second time there is nothing left to train
        run = train(folder, *options)
        (folder / "config.yaml").write_text("seed: 0\n")
        run.watchers.trackers[0].log_best(
            best_model(folder, folder / "checkpoints" / "best.safetensors", {"step": 2})
        )
        run.watchers.trackers[0].finish()

    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name("pg_transfer")
    assert experiment is not None
    (found,) = client.search_runs([experiment.experiment_id])
    run_id = found.info.run_id
    assert json.loads((folder / "tracker.json").read_text()) == {"mlflow": run_id}
    assert found.info.status == "FINISHED" and found.info.run_name == "Shapes-84 run"
    assert found.data.params["recipe/batch_size"] == "8"
    assert found.data.tags["code.pg_transfer"] and found.data.tags["best.step"] == "2"
    with (folder / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    for column in ("loss", "lr_vision", "gradient_norm"):
        sent = [(one.step, one.value) for one in client.get_metric_history(run_id, column)]
        assert sent == [(int(row["step"]), float(row[column])) for row in rows if row[column]]

    artifacts = Path(client.download_artifacts(run_id, "", str(tmp_path)))
    table = json.loads((artifacts / "predictions" / "val-step000004.json").read_text())
    assert table["columns"][:4] == ["id", "prompt", "answer", "truth"] and len(table["data"]) == 3
    for name in ("predictions/val-step000004.png", "best/checkpoints/best.safetensors"):
        assert (artifacts / name).stat().st_size > 1000
    assert (artifacts / "best" / "config.yaml").read_text() == "seed: 0\n"
