"""A run that does not become better is ended, after a resume as without one."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from lightning.pytorch import Callback

from pg_transfer.running.assemble import Run, assemble
from pg_transfer.training.weights import LAST
from tasks.shapes import SPLITS
from tests.short_runs import settings

OPTIONS = ("validations=4", "patience=2", "recipe.epochs=2")


@pytest.fixture(autouse=True)
def few_examples(monkeypatch: pytest.MonkeyPatch) -> None:
    for split, count in {"train": 32, "val": 2}.items():
        monkeypatch.setitem(SPLITS, split, count)


class Scripted(Callback):
    """Gives validations scores beforehand, and ends the run where it is told to."""

    def __init__(self, crash: tuple[str, int] | None, scores: dict[int, float]) -> None:
        self.crash, self.scores = crash, scores

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx) -> None:
        self._crash("training", trainer.global_step)

    def on_validation_start(self, trainer, pl_module) -> None:
        self._crash("validation", trainer.global_step)

    def on_validation_end(self, trainer, pl_module) -> None:
        scorer = next(one for one in trainer.callbacks if hasattr(one, "results"))
        scorer.results["val"].scores.metrics["mIoU"] = self.scores[trainer.global_step]

    def _crash(self, place: str, step: int) -> None:
        if self.crash == (place, step):
            raise RuntimeError("power cut")


class Ended(NamedTuple):
    step: int
    reason: str
    best: float | None
    best_step: int | None
    weights: list[torch.Tensor]


def fit(folder: Path, scores: dict[int, float], crash: tuple[str, int] | None = None) -> Run:
    run = assemble(settings(folder, *OPTIONS), folder)
    run.trainer.callbacks.insert(0, Scripted(crash, scores))  # type: ignore[attr-defined]
    last = folder / "checkpoints" / LAST
    run.trainer.fit(
        run.module, run.data, ckpt_path=last if last.exists() else None, weights_only=True
    )
    return run


def ended(run: Run) -> Ended:
    assert run.watchers.stopper is not None
    weights = [parameter.detach().clone() for parameter in run.module.model.parameters()]
    return Ended(
        run.trainer.global_step,
        run.watchers.stopper.reason,
        run.watchers.keeper.best,
        run.watchers.keeper.best_step,
        weights,
    )


# Eight updates, a validation after every second.
WORSE = {2: 10.0, 4: 10.0, 6: 9.0, 8: 99.0}
BETTER = {2: 10.0, 4: 9.0, 6: 11.0, 8: 10.0}


@pytest.mark.slow
@pytest.mark.parametrize("crash", [("validation", 4), ("training", 4), ("validation", 6)])
def test_it_ends_where_it_would_have_ended(tmp_path: Path, crash: tuple[str, int]) -> None:
    whole = ended(fit(tmp_path / "whole", WORSE))
    # No better at 4 than at 2, and none at 6: two in a row.
    assert whole[:4] == (
        6,
        "2 validation(s) in a row were no better than the one after update 2 (patience=2)",
        10.0,
        2,
    )
    with pytest.raises(RuntimeError, match="power cut"):
        fit(tmp_path / "broken", WORSE, crash)
    again = ended(fit(tmp_path / "broken", WORSE))
    assert again[:4] == whole[:4]
    for one, other in zip(again.weights, whole.weights, strict=True):
        assert torch.equal(one, other)
    # Going on with a run that was ended does not train it further.
    assert ended(fit(tmp_path / "broken", WORSE))[:4] == whole[:4]


@pytest.mark.slow
def test_it_goes_on_while_it_becomes_better(tmp_path: Path) -> None:
    assert ended(fit(tmp_path, BETTER))[:4] == (8, "", 11.0, 6)


@pytest.mark.parametrize("patience", ["0", "4", "1.5", "soon"])
def test_a_patience_that_cannot_be_is_refused(tmp_path: Path, patience: str) -> None:
    with pytest.raises(ValueError, match=f"patience={patience} is no number of validations from 1"):
        assemble(settings(tmp_path, "validations=4", f"patience={patience}"), tmp_path)
