"""Updates that go wrong are told with the examples that were in them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from pg_transfer.running.assemble import Run, assemble
from pg_transfer.training.module import NotFiniteError, TransferModule
from pg_transfer.training.weights import LAST
from tasks.shapes import SPLITS
from tests.training.test_checkpoints import settings

# Thirty updates of two micro-batches of two.
SMALL = (
    "recipe.epochs=10", "recipe.batch_size=4", "micro_batch=2", "recipe.dropout=0",
    "validations=1", "checkpoint_minutes=60",
)  # fmt: skip


@pytest.fixture(autouse=True)
def few_shapes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SPLITS, "val", 12)
    monkeypatch.setitem(SPLITS, "test", 2)


def started(folder: Path) -> Run:
    return assemble(settings(folder, *SMALL), folder)


def examples_of(run: Run, update: int) -> list[str]:
    """The ids in an update, counted from 1."""
    batches = list(run.data.train_dataloader().order)[2 * update - 2 : 2 * update]
    examples = run.data.examples("val")
    return [examples[row].id for batch in batches for row, _ in batch]


def scaled(monkeypatch: pytest.MonkeyPatch, update: int, place: int, factor: float) -> None:
    """The loss of one example of one update's second micro-batch is another one."""
    losses = TransferModule.losses

    def changed(self: TransferModule, batch: Any) -> Any:
        found = losses(self, batch)
        if self.global_step == update - 1 and len(self._losses) == 1:
            factors = torch.ones_like(found)
            factors[place] = factor
            return found * factors
        return found

    monkeypatch.setattr(TransferModule, "losses", changed)


def test_a_loss_that_is_not_finite_is_traced_to_its_example(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = started(tmp_path)
    ids = examples_of(run, 7)
    scaled(monkeypatch, 7, 1, float("nan"))
    path = tmp_path / "not_finite-update000007.json"
    with pytest.raises(NotFiniteError) as caught:
        run.trainer.fit(run.module, run.data)
    message = str(caught.value)
    assert message.startswith("update 7: loss nan, gradient norm nan; the weights are still those")
    assert message.endswith(f". Its examples, each with its loss, are in {path}")
    found = json.loads(path.read_text())
    assert found["update"] == 7 and found["norm"] == "nan"
    assert [one["id"] for one in found["examples"]] == ids
    assert [one["loss"] == "nan" for one in found["examples"]] == [False, False, False, True]
    assert all(weight.isfinite().all() for weight in run.module.parameters())


def test_weights_that_are_not_finite_are_not_saved(tmp_path: Path) -> None:
    """The update before the first saving is too large for float32."""
    run = assemble(settings(tmp_path, *SMALL, "recipe.lr=1e38", "recipe.warmup=0"), tmp_path)
    run.watchers.keeper.minutes = 0.0
    (tmp_path / "checkpoints").mkdir()
    last = tmp_path / "checkpoints" / LAST
    last.write_text("what was there before")
    with pytest.raises(FloatingPointError, match=r"after update 1 .* are not finite .* not saved"):
        run.trainer.fit(run.module, run.data)
    assert last.read_text() == "what was there before"


@pytest.mark.slow
@pytest.mark.parametrize("place", ["state_dict", "optimizer_states"])
def test_a_state_that_is_not_finite_is_not_gone_on_with(place: str, tmp_path: Path) -> None:
    run = assemble(settings(tmp_path, *SMALL, "recipe.epochs=1"), tmp_path)
    run.trainer.fit(run.module, run.data)
    last = tmp_path / "checkpoints" / LAST
    saved = torch.load(last, weights_only=True)
    weights, (optimizer,) = saved["state_dict"], saved["optimizer_states"]
    hit = weights if place == "state_dict" else optimizer["state"][3]
    name = list(hit)[-1]
    hit[name].view(-1)[0] = float("nan")
    torch.save(saved, last)
    again = assemble(settings(tmp_path, *SMALL, "recipe.epochs=1"), tmp_path)
    with pytest.raises(ValueError, match=rf"go on from is damaged: 1 of the .* {name} are not"):
        again.trainer.fit(again.module, again.data, ckpt_path=last, weights_only=True)


@pytest.mark.slow
@pytest.mark.parametrize("update", [6, 25])
def test_large_gradients_are_shown(
    update: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = started(tmp_path)
    ids = examples_of(run, update)
    scaled(monkeypatch, update, 0, 1e5)
    run.trainer.fit(run.module, run.data)
    (large,) = json.loads((tmp_path / "large_gradients.json").read_text())
    assert large["update"] == update and large["examples"] == ids
    assert large["norm"] > 10 * large["usual"] > 0
    printed = " ".join(capsys.readouterr().out.split())
    assert f"update {update}: the norm of its gradient was {large['norm']:.3g}, " in printed
    assert run.watchers.trouble.report().startswith(
        "1 update(s) had gradients more than 10 times as large"
    )
    saved = torch.load(tmp_path / "checkpoints" / LAST, weights_only=True)
    state = saved["callbacks"]["TellTrouble"]
    assert len(state["norms"]) == 30 and state["large"] == [large]


@pytest.mark.slow
def test_usual_gradients_are_not(tmp_path: Path) -> None:
    run = started(tmp_path)
    run.trainer.fit(run.module, run.data)
    assert run.watchers.trouble.report() == "" and not list(tmp_path.glob("*.json"))
