"""Runs whose parts are kept in different precisions, as a GPU's bf16-mixed keeps them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from pg_transfer import load
from pg_transfer.export import export
from pg_transfer.model.paligemma import PaliGemma
from tests.exchange.conftest import logits

MIXED = "trainer.precision=bf16-mixed"
RUNS = {
    "projector trained": ("parts",),
    "vision trained": ("lora", "tuning.vision.mode=trained"),
    "language trained": ("lora", "tuning.language.mode=trained"),
    "vision frozen in bfloat16": (
        "full", "tuning.vision.mode=frozen", "tuning.frozen_dtype=bfloat16",
    ),
    "dropout": ("lora", "tuning.adapters.dropout=0.5"),
    "qlora": ("qlora",),
}  # fmt: skip


@pytest.fixture(scope="module")
def mixed(make_run, tmp_path_factory: pytest.TempPathFactory):
    """The folder of one of `RUNS`."""
    made: dict[str, Path] = {}

    def of(name: str) -> Path:
        if name not in made:
            tuning, *more = RUNS[name]
            folder = tmp_path_factory.mktemp("mixed") / "run"
            made[name] = make_run(folder, tuning, MIXED, *more)
        return made[name]

    return of


def dtypes(model: PaliGemma) -> set[torch.dtype]:
    return {parameter.dtype for parameter in model.parameters()}


@pytest.mark.parametrize("name", RUNS)
def test_they_answer_and_are_merged(name: str, mixed, tmp_path: Path) -> None:
    model = load(mixed(name), checkpoint="best", device="cpu")
    assert dtypes(model.loaded.model) >= {torch.float32, torch.bfloat16}
    expected = logits(model.loaded.model)
    export(mixed(name), tmp_path / "out", format="huggingface", checkpoint="best")
    found = logits(load(tmp_path / "out", device="cpu").loaded.model)
    assert (found - expected).abs().max() < 0.05 * expected.abs().max()


@pytest.mark.parametrize("name", ["projector trained", "dropout", "qlora"])
def test_their_adapters_are_written(name: str, mixed, tmp_path: Path) -> None:
    export(mixed(name), tmp_path / "out", format="adapter", checkpoint="best")


def test_a_run_without_a_mask_codec(make_run, tmp_path: Path) -> None:
    make_run(tmp_path / "run", "lora", "model.mask_codec=null")
    assert load(tmp_path / "run", checkpoint="best", device="cpu").codec is None


@pytest.mark.parametrize("name", ["projector trained", "qlora"])
def test_they_are_merged_in_float32(name: str, mixed, tmp_path: Path, capsys) -> None:
    out = tmp_path / "out"
    export(mixed(name), out, format="huggingface", checkpoint="best", dtype=torch.float32)
    model = load(out, device="cpu").loaded.model
    assert dtypes(model) == {torch.float32}
    merged = capsys.readouterr().out.splitlines()[0]
    assert float(merged.split("at most ")[1].split(";")[0]) < 1e-4
