"""Runs of four updates, two validations and a last scoring in full."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf

from pg_transfer.running.assemble import Run, assemble
from pg_transfer.running.settings import register_resolvers
from pg_transfer.training.weights import LAST
from tasks.shapes import SPLITS

ROOT = Path(__file__).parents[1]

SHORT = [
    "splits.report=[val]", "recipe.epochs=1",
    "recipe.batch_size=8", "micro_batch=8", "validations=2", "checkpoint_minutes=0", "page=0",
    "pictured=2", "trainer=cpu", "trainer.log_every_n_steps=1", "workers=0",
]  # fmt: skip


def composed(folder: Path, *overrides: str) -> DictConfig:
    """The settings of a run into `folder`, every value looked up."""
    register_resolvers()
    with initialize_config_dir(str(ROOT / "conf"), version_base=None):
        config = compose("train", overrides=[f"run={folder}", *overrides])
    resolved = OmegaConf.create(OmegaConf.to_container(config, resolve=True))
    assert isinstance(resolved, DictConfig)
    return resolved


def settings(folder: Path, *overrides: str) -> DictConfig:
    return composed(folder, *SHORT, *overrides)


@pytest.fixture
def train(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Run]:
    """Runs into a folder, or goes on there, as `transfer` does."""
    for split, count in {"train": 32, "val": 6}.items():
        monkeypatch.setitem(SPLITS, split, count)

    def run(folder: Path, *overrides: str, before: Callable[[Run], None] = lambda _: None) -> Run:
        made = assemble(settings(folder, *overrides), folder)
        before(made)
        last = folder / "checkpoints" / LAST
        made.trainer.fit(
            made.module, made.data, ckpt_path=last if last.exists() else None, weights_only=True
        )
        made.score("val")
        return made

    return run
