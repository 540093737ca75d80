"""TensorBoard's files of events, in the run's folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from lightning.pytorch.loggers import TensorBoardLogger
from omegaconf import OmegaConf
from PIL import Image

from pg_transfer.tracking.predictions import Predictions
from pg_transfer.tracking.tracker import BestModel, Told, Tracker

FOLDER = "tensorboard"


class TensorBoard(Tracker):
    """Events below `tensorboard/`; a run that is gone on with adds to them.

    Args:
        predictions: rows of each evaluation's table; 0 for none.
        options: of `torch.utils.tensorboard.SummaryWriter`, such as flush_secs.
    """

    title = "TensorBoard"

    def __init__(self, *, predictions: int = 32, **options: Any) -> None:
        super().__init__(predictions=predictions)
        try:
            import tensorboard  # noqa: F401
        except ImportError as error:
            raise ImportError(
                "logger=tensorboard needs TensorBoard: pip install tensorboard", name=error.name
            ) from error
        self.options = options
        self._where = ""

    @property
    def where(self) -> str:
        """The command that shows the run; empty before `start`."""
        return self._where

    def start(self, run: Told) -> None:
        """Opens a file of events, with the settings as hyper-parameters and as a text."""
        self._where = f"tensorboard --logdir {run.folder / FOLDER}"
        self.known = last_steps(run.folder / FOLDER)
        self.logger = TensorBoardLogger(
            run.folder, name=FOLDER, version="", default_hp_metric=False, **self.options
        )
        self.logger.log_hyperparams({**run.settings, "code": dict(run.code)})
        text = OmegaConf.to_yaml(OmegaConf.create({"code": dict(run.code), **run.settings}))
        self.logger.experiment.add_text("settings", f"```yaml\n{text}```")

    def log_predictions(self, predictions: Predictions) -> None:
        """The picture, if there is one, and the answers as a table."""
        assert isinstance(self.logger, TensorBoardLogger)
        if self.knows(predictions.key, predictions.row):
            return
        writer = self.logger.experiment
        if predictions.picture is not None:
            with Image.open(predictions.picture) as picture:
                pixels = np.asarray(picture.convert("RGB"))
            writer.add_image(predictions.key, pixels, predictions.row, dataformats="HWC")
        writer.add_text(predictions.key, _markdown(predictions), predictions.row)

    def log_best(self, best: BestModel) -> None:
        """Nothing: TensorBoard keeps no files, and the run's folder has them."""

    def finish(self, *, is_whole: bool) -> None:
        """Writes what is left; how the run ended, files of events do not tell."""
        assert isinstance(self.logger, TensorBoardLogger)
        self.logger.experiment.flush()
        self.logger.experiment.close()


def last_steps(folder: Path) -> dict[str, int]:
    """The last step of each thing in the files of events below a folder, by name."""
    from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader

    found: dict[str, int] = {}
    for path in sorted(folder.glob("events.out.tfevents.*")):
        for event in LegacyEventFileLoader(str(path)).Load():
            for value in event.summary.value:
                name = value.tag.removesuffix("/text_summary")
                found[name] = max(event.step, found.get(name, -1))
    return found


def _markdown(predictions: Predictions) -> str:
    header = predictions.header
    lines = [header, ["---"] * len(header)]
    for row in predictions.rows:
        scores = ["" if value is None else f"{value:.3g}" for value in row.scores.values()]
        lines.append([*(_escaped(cell) for cell in row.cells.values()), *scores])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _escaped(text: str) -> str:
    """A text within a cell: `<loc0012>` is no element of HTML, and | no border."""
    plain = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;")
    return plain.replace("|", "\\|")
