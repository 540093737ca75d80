"""Any other logger of Lightning's, e.g. Comet's or one of the user's: settings and numbers."""

from __future__ import annotations

from lightning.pytorch.loggers.logger import Logger

from pg_transfer.tracking.predictions import Predictions
from pg_transfer.tracking.tracker import BestModel, Told, Tracker


class Plain(Tracker):
    """Settings and numbers go there, answers and weights do not.

    Args:
        logger: whatever takes them.
    """

    def __init__(self, logger: Logger) -> None:
        super().__init__()
        self.logger = self._given = logger

    @property
    def title(self) -> str:  # type: ignore[override]
        """The class of the logger."""
        return type(self._given).__name__

    @property
    def where(self) -> str:
        """The logger's folder, or its name if it has none."""
        return str(self._given.save_dir or self._given.name)

    def start(self, run: Told) -> None:
        """Hands over the settings, with the code's version among them."""
        self._given.log_hyperparams({**run.settings, "code": dict(run.code)})

    def log_predictions(self, predictions: Predictions) -> None:
        """Nothing: what a logger takes besides numbers, no two of them agree on."""

    def log_best(self, best: BestModel) -> None:
        """Nothing."""

    def finish(self, *, is_whole: bool) -> None:
        """Tells the logger "success" or "failed", which are Lightning's words."""
        self._given.finalize("success" if is_whole else "failed")
