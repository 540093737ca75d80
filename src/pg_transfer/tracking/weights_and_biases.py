"""Weights & Biases, online or kept in the run's folder until `wandb sync`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from inspect import signature
from pathlib import Path
from secrets import token_hex
from typing import Any

import numpy as np
from lightning.pytorch.loggers import WandbLogger
from PIL import Image

from pg_transfer.task import Outline
from pg_transfer.tracking.predictions import Prediction, Predictions
from pg_transfer.tracking.tracker import BestModel, Told, Tracker, keep_id, known_id
from pg_transfer.tracking.wandb_file import history

SERVICE = "wandb"
MODES = ("online", "offline", "disabled")
FIRST_CLASS = {"truth": 1, "answer": 128}
MOST_SHAPES = 127
"""Of each. W&B has one list of classes for all that is drawn, and masks of 8 bits."""

STEP = "trainer/global_step"
"""What Lightning's logger calls the update, for the horizontal axis."""

SETTINGS: dict[str, Any] = {
    "silent": True,  # we say where the run is, in one line
    "console": "off",  # a bar redrawn ten times a second; and libraries may print what is secret
    "disable_git": True,  # it would send the difference to the last commit, whatever stands in it
    "disable_code": True,
    "init_timeout": 60.0,
    "finish_timeout": 600.0,  # without it a lost network holds a finished run up for days
}
"""Of `wandb.Settings`; `logger.settings` goes before them."""


class WeightsAndBiases(Tracker):
    """A run of W&B; the same one when the run is gone on with.

    Online and without an account or a network at the start, it is kept offline instead.

    Args:
        mode: "online", "offline" or "disabled".
        settings: of `wandb.Settings`.
        predictions: rows of each evaluation's table; 0 for none.
        log_model: keep the best weights as an artifact at the end.
        options: of `wandb.init`, such as project, entity, name, tags, group and notes.
    """

    title = "W&B"

    def __init__(
        self,
        *,
        mode: str = "online",
        settings: dict[str, Any] | None = None,
        predictions: int = 32,
        log_model: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(predictions=predictions, log_model=log_model)
        if mode not in MODES:
            raise ValueError(f"logger.mode={mode} is none of {', '.join(MODES)}")
        import wandb

        self.mode, self.settings = mode, SETTINGS | (settings or {})
        self.options = {name: value for name, value in options.items() if value is not None}
        try:
            wandb.Settings(**self.settings)
            signature(wandb.init).bind_partial(**self.options)
        except (ValueError, TypeError) as error:
            raise ValueError(f"logger=wandb: {' '.join(str(error).split())}") from error
        self._moved_data = False
        self._where = ""

    @property
    def where(self) -> str:
        """The run's page, or the command that sends it there; empty before `start`."""
        return self._where

    def start(self, run: Told) -> None:
        """Begins the run, or resumes the one that the folder or a sweep's agent names.

        Raises:
            wandb.Error: it cannot begin, and not for want of an account or a network.
        """
        import wandb

        if "WANDB_DATA_DIR" not in os.environ:  # else the images of tables go to the home folder
            os.environ["WANDB_DATA_DIR"] = str((run.folder / "wandb").resolve())
            self._moved_data = True
        # A sweep's agent has chosen already.
        run_id = known_id(run.folder, SERVICE) or os.environ.get("WANDB_RUN_ID") or token_hex(4)
        try:
            experiment = self._begin(run, run_id, self.mode)
        except wandb.Error as error:
            if self.mode != "online":
                raise
            wandb.teardown()
            experiment = self._begin(run, run_id, "offline")
            self._where = f"offline, for {' '.join(str(error).split())[:200]} "
        keep_id(run.folder, SERVICE, experiment.id)
        self.known = sent_before(run.folder, experiment)
        if experiment.offline:
            self._where += f"later: wandb sync {run.folder}/wandb/offline-run-*"
        else:
            self._where = str(experiment.url or "nowhere, mode=disabled")

    def _begin(self, run: Told, run_id: str, mode: Any) -> Any:
        import wandb

        settings = dict(self.settings)
        if "commit" in run.code:
            settings["git_commit"] = run.code["commit"]
        given: dict[str, Any] = {
            "id": run_id, "dir": run.folder, "mode": mode, "settings": settings, "name": run.name,
            "resume": "allow" if mode == "online" else None,
        }  # fmt: skip
        # Lightning's own call hands over a setting that wandb warns of.
        experiment = wandb.init(**given | self.options)
        experiment.define_metric(STEP)
        experiment.define_metric("*", step_metric=STEP, step_sync=True)
        self.logger = WandbLogger(experiment=experiment)
        self.logger.log_hyperparams({**run.settings, "code": dict(run.code)})
        return experiment

    def log_predictions(self, predictions: Predictions) -> None:
        """A table of answers with their images, whose boxes and masks can be switched."""
        import wandb

        assert isinstance(self.logger, WandbLogger)
        if self.knows(predictions.key, predictions.row):
            return
        columns = list(predictions.rows[0].cells)
        table = wandb.Table(
            columns=[columns[0], "image", *columns[1:], *predictions.rows[0].scores]
        )
        for row in predictions.rows:
            first, *others = row.cells.values()
            table.add_data(first, _image(row), *others, *row.scores.values())
        self.logger.log_metrics({predictions.key: table}, predictions.row)  # type: ignore[dict-item]

    def log_best(self, best: BestModel) -> None:
        """An artifact of type `model` with the alias `best`; files are not copied for it."""
        import wandb

        assert isinstance(self.logger, WandbLogger)
        experiment = self.logger.experiment
        artifact = wandb.Artifact(f"best-{experiment.id}", type="model", metadata=dict(best.facts))
        for name, path in best.files.items():
            artifact.add_file(str(path), name=name, policy="immutable")  # without another copy
        experiment.log_artifact(artifact, aliases=["best"])

    def finish(self, *, is_whole: bool) -> None:
        """Waits until all is sent, ten minutes at most; a run cut short has the exit code 1."""
        assert isinstance(self.logger, WandbLogger)
        self.logger.experiment.finish(exit_code=0 if is_whole else 1)
        if self._moved_data:
            os.environ.pop("WANDB_DATA_DIR", None)


def sent_before(folder: Path, experiment: Any) -> dict[str, int]:
    """The last update of each thing that earlier starts have sent, by name.

    What a killed process has not written yet is lost, up to 15 seconds of it.

    Args:
        folder: of the run, with the files that the client keeps of each start.
        experiment: the run, begun or resumed; online it has the last numbers that arrived.
    """
    found: dict[str, int] = {}
    for path in sorted(folder.glob("wandb/*run-*/run-*.wandb")):
        for row in history(path):
            step = row.get(STEP, -1)
            found |= {name: step for name in row if step > found.get(name, -1)}
    arrived = experiment.summary.get(STEP) if not experiment.offline else None
    if arrived is None:
        return found
    names = found.keys() | dict(experiment.summary).keys()
    return {name: min(int(arrived), found.get(name, int(arrived))) for name in names}


def _image(row: Prediction) -> Any:
    """An image of W&B, with boxes and masks to switch on and off."""
    import wandb

    boxes: dict[str, Any] = {}
    masks: dict[str, Any] = {}
    for kind in ("truth", "answer"):
        outlines = [outline for outline in row.outlines if outline.kind == kind][:MOST_SHAPES]
        shapes = dict(enumerate(outlines, start=FIRST_CLASS[kind]))
        labels = {
            number: f"{kind} {place}" + (f": {outline.label}" if outline.label else "")
            for place, (number, outline) in enumerate(shapes.items(), start=1)
        }
        if shapes:
            boxes[kind] = {"box_data": _boxes(shapes, labels), "class_labels": labels}
        if any(outline.mask is not None for outline in outlines):
            mask = _mask(shapes, row.image.size)
            masks[kind] = {"mask_data": mask, "class_labels": labels}
    return wandb.Image(row.image, boxes=boxes or None, masks=masks or None)


def _boxes(shapes: Mapping[int, Outline], labels: Mapping[int, str]) -> list[dict[str, Any]]:
    rows = []
    for number, outline in shapes.items():
        ymin, xmin, ymax, xmax = map(float, outline.box)
        position = {"minX": xmin, "maxX": xmax, "minY": ymin, "maxY": ymax}
        rows.append({"position": position, "class_id": number, "box_caption": labels[number]})
    return rows


def _mask(shapes: Mapping[int, Outline], size: tuple[int, int]) -> np.ndarray:
    """The number of the outline that a pixel belongs to, 0 for none, uint8 [H, W]."""
    numbers = np.zeros((size[1], size[0]), np.uint8)
    for number, outline in shapes.items():
        if outline.mask is not None:
            mask = Image.fromarray(outline.mask.astype(np.uint8))
            numbers[np.asarray(mask.resize(size, Image.Resampling.NEAREST)) > 0] = number
    return numbers
