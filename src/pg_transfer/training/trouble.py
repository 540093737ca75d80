"""Updates that go wrong: which examples were in them."""

from __future__ import annotations

import json
from collections import deque
from pathlib import Path
from statistics import median
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from pg_transfer.process.whole_files import write_whole
from pg_transfer.training.batches import Batch
from pg_transfer.training.data import TransferData
from pg_transfer.training.gathering import together
from pg_transfer.training.module import NotFiniteError, TransferModule

TIMES = 10.0
"""How many times the usual norm a gradient has to have to be told of."""

WINDOW, LEAST = 100, 5
"""Updates whose median norm is the usual one, and how many it takes to know it."""

LARGE = "large_gradients.json"
NAMED = 4
KEPT = 1000
"""Updates in the list, at most: the first ones."""


class TellTrouble(Callback):
    """Names the examples of updates with large gradients, or with a loss that is not finite.

    Args:
        data: to name the examples.
        folder: of the run.
    """

    def __init__(self, data: TransferData, *, folder: Path) -> None:
        self.data, self.folder = data, folder
        self.large: list[dict[str, Any]] = []
        self._norms: deque[float] = deque(maxlen=WINDOW)
        self._rows: list[int] = []
        self._step = 0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Notes which update comes first."""
        self._step = trainer.global_step

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Batch, batch_idx: int
    ) -> None:
        """Notes the micro-batch's examples as ones of the coming update."""
        self._rows += batch.rows

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """After an update, compares its gradient's norm to the usual one.

        One that is more than `TIMES` times as large is printed, and listed in `LARGE` with the
        examples of all processes.
        """
        if trainer.global_step == self._step:
            return
        self._step = trainer.global_step
        assert isinstance(pl_module, TransferModule)
        norm, examples = pl_module.gradient_norm, self._examples()
        usual = median(self._norms) if len(self._norms) >= LEAST else None
        is_large = bool(usual and norm > TIMES * usual and len(self.large) < KEPT)
        # All have the same norm but for rounding, and have to ask one another together.
        if trainer.strategy.reduce_boolean_decision(is_large, all=False):
            examples, usual = together(examples), usual or norm
            update = {"update": self._step, "norm": norm, "usual": usual, "examples": examples}
            self.large.append(update)
            named = ", ".join(map(ascii, examples[:NAMED])) + (", ..." * (len(examples) > NAMED))
            trainer.print(
                f"update {self._step}: the norm of its gradient was {norm:.3g}, "
                f"{norm / usual:.0f} times the usual {usual:.3g}; it was clipped. Its examples "
                f"({named}) are in {self.folder / LARGE}"
            )
            if trainer.is_global_zero:
                write_whole(self.folder / LARGE, [json.dumps(self.large, indent=1), "\n"])
        self._norms.append(norm)
        self._rows.clear()

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Saves what was in an update that could not be made, and says where."""
        if not isinstance(exception, NotFiniteError):
            return
        place = f"-{trainer.global_rank}" if trainer.world_size > 1 else ""
        path = self.folder / f"not_finite-update{exception.step:06d}{place}.json"
        losses = [float(loss) for loss in exception.losses]
        examples = [
            {"id": name, "loss": repr(loss)}  # JSON knows no NaN
            for name, loss in zip(self._examples(), losses, strict=True)
        ]
        found = {"update": exception.step, "norm": repr(exception.norm), "examples": examples}
        write_whole(path, [json.dumps(found, indent=1), "\n"])
        exception.args = (f"{exception}. Its examples, each with its loss, are in {path}",)

    def state_dict(self) -> dict[str, Any]:
        """The latest norms, so that the usual one is known at once, and the list."""
        return {"norms": list(self._norms), "large": self.large}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes up what `state_dict` gave."""
        self._norms.extend(state_dict["norms"])
        self.large = state_dict["large"]

    def report(self) -> str:
        """One line on the large gradients; empty if there were none."""
        if not self.large:
            return ""
        return (
            f"{len(self.large)} update(s) had gradients more than {TIMES:.0f} times as large as "
            f"usual, the first was update {self.large[0]['update']}: {self.folder / LARGE}"
        )

    def _examples(self) -> list[str]:
        examples = self.data.examples(self.data.train)
        return [examples[row].id for row in self._rows]
