"""MLflow, on a server or in a local database."""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Mapping
from typing import Any

from lightning.pytorch.loggers import MLFlowLogger

from pg_transfer.tracking.predictions import Predictions
from pg_transfer.tracking.tracker import BestModel, Told, Tracker, keep_id, known_id

SERVICE = "mlflow"

# MLflow waits for a server that is gone for two minutes at each call, a run would come to a halt.
PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "20"}


class MLflow(Tracker):
    """A run of MLflow; the same one when the run is gone on with.

    Args:
        experiment: its name.
        tracking_uri: of a server (`http://...`) or a database (`sqlite:///mlflow.db`).
        run_name: for people; None for the name of the folder.
        tags: of the run.
        predictions: rows of each evaluation's table; 0 for none.
        log_model: keep the best weights as artifacts at the end.
    """

    title = "MLflow"

    def __init__(
        self,
        *,
        experiment: str,
        tracking_uri: str,
        run_name: str | None = None,
        tags: dict[str, Any] | None = None,
        predictions: int = 32,
        log_model: bool = False,
    ) -> None:
        super().__init__(predictions=predictions, log_model=log_model)
        try:
            import mlflow  # noqa: F401  # pyright: ignore[reportMissingImports]
        except ImportError as error:
            raise ImportError(
                "logger=mlflow needs MLflow: pip install mlflow", name=error.name
            ) from error
        self.experiment, self.tracking_uri = experiment, tracking_uri
        self.run_name, self.tags = run_name, tags
        self._run_id = ""

    @property
    def where(self) -> str:
        """The server, or the command that serves the database, and the run's id."""
        if self.tracking_uri.startswith("http"):
            return f"{self.tracking_uri}, run {self._run_id}"
        return f"mlflow ui --backend-store-uri {self.tracking_uri}, run {self._run_id}"

    def start(self, run: Told) -> None:
        """Begins or resumes the run; settings are its parameters, the code's version its tags."""
        for name, value in PATIENCE.items():
            os.environ.setdefault(name, value)
        for name in ("mlflow", "alembic", "lightning.pytorch.loggers.mlflow"):
            logging.getLogger(name).setLevel(logging.ERROR)  # they tell of each table they make
        known = known_id(run.folder, SERVICE)
        logger = MLFlowLogger(
            self.experiment, tracking_uri=self.tracking_uri, run_id=known,
            run_name=self.run_name or run.name, tags=dict(self.tags or {}),
        )  # fmt: skip
        self._run_id = str(logger.run_id)
        if known is None:  # parameters can be set but once
            keep_id(run.folder, SERVICE, self._run_id)
            logger.log_hyperparams(dict(run.settings))
        for name, value in run.code.items():
            logger.experiment.set_tag(self._run_id, f"code.{name}", value)
        logger.experiment.update_run(self._run_id, status="RUNNING")
        self.known = {
            name: max(one.step for one in logger.experiment.get_metric_history(self._run_id, name))
            for name in logger.experiment.get_run(self._run_id).data.metrics
        }
        self.logger = logger

    def log_metrics(self, metrics: Mapping[str, float], step: int | None) -> None:
        """Numbers; MLflow knows no `@` in their names."""
        super().log_metrics(
            {re.sub(r"[^\w/. -]", "", name): value for name, value in metrics.items()}, step
        )

    def log_predictions(self, predictions: Predictions) -> None:
        """A JSON table in the layout of MLflow's own, and the picture below `predictions/`."""
        assert isinstance(self.logger, MLFlowLogger)
        client = self.logger.experiment
        folder = f"{predictions.key}-step{predictions.step:06d}"
        rows = [[*row.cells.values(), *row.scores.values()] for row in predictions.rows]
        table = {"columns": predictions.header, "data": rows}  # as MLflow writes its own
        client.log_text(self._run_id, json.dumps(table, ensure_ascii=False), f"{folder}.json")
        if predictions.picture is not None:
            client.log_artifact(self._run_id, str(predictions.picture), "predictions")

    def log_best(self, best: BestModel) -> None:
        """The files below `best/`, and the facts as tags."""
        assert isinstance(self.logger, MLFlowLogger)
        for name, path in best.files.items():
            place = ["best", *name.split("/")[:-1]]
            self.logger.experiment.log_artifact(self._run_id, str(path), "/".join(place))
        for name, value in best.facts.items():
            self.logger.experiment.set_tag(self._run_id, f"best.{name}", value)

    def finish(self, *, is_whole: bool) -> None:
        """Marks the run FINISHED, or FAILED if it was cut short."""
        assert isinstance(self.logger, MLFlowLogger)
        self.logger.finalize("success" if is_whole else "failed")
