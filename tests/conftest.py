"""Where recorded outputs and sample data are found; everything else is made by the tests."""

from __future__ import annotations

import gc
import os
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

TESTS = Path(__file__).parent
SHARED = TESTS.parent.parent / "shared"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts files with many slow tests first: at the end no process waits long for the other."""
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    items.sort(key=lambda item: -slow[item.path])


def pytest_collection_finish() -> None:
    """What is imported stays: the collector of garbage need not look through it time and again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def golden() -> Callable[[str], Mapping[str, np.ndarray]]:
    """The recorded arrays of that name: from PG_GOLDEN, else from beside or below the project."""
    asked = os.environ.get("PG_GOLDEN")
    folders = [Path(asked)] if asked else [SHARED / "golden", TESTS / "golden"]

    def read(name: str) -> Mapping[str, np.ndarray]:
        for folder in folders:
            if (folder / f"{name}.npz").exists():
                return np.load(folder / f"{name}.npz", allow_pickle=False)
        pytest.skip(f"no {name}.npz in {', '.join(map(str, folders))}")

    return read


@pytest.fixture(scope="session")
def sample_data() -> Path:
    """The folder of small real data sets named by PG_SAMPLE_DATA, or one beside the project."""
    folder = Path(os.environ.get("PG_SAMPLE_DATA", SHARED / "data"))
    if not folder.is_dir():
        pytest.skip(f"no sample data in {folder}")
    return folder


@pytest.fixture
def fit_on(tmp_path: Path) -> Callable[..., list[dict[str, float]]]:
    """Train a module on one batch over and over, with Lightning; what was logged at each update."""

    def fit(module, batch, *, steps: int, micro_batch: int) -> list[dict[str, float]]:
        from lightning.pytorch import Trainer
        from lightning.pytorch.loggers.logger import DummyLogger
        from torch.utils.data import DataLoader

        rows: list[dict[str, float]] = []

        class Recorder(DummyLogger):
            """Keeps what is logged."""

            def log_metrics(self, metrics, step=None) -> None:
                rows.append(dict(metrics))

        parts = [
            replace(
                batch,
                **{name: getattr(batch, name)[start : start + micro_batch] for name in TENSORS},
                rows=batch.rows[start : start + micro_batch],
                cuts=batch.cuts[start : start + micro_batch],
            )
            for start in range(0, len(batch.rows), micro_batch)
        ]
        trainer = Trainer(
            accelerator="cpu", devices=1, max_epochs=1, accumulate_grad_batches=len(parts),
            logger=Recorder(), log_every_n_steps=1, default_root_dir=tmp_path,
            enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
        )  # fmt: skip
        loader = DataLoader(parts * steps, batch_size=None)
        trainer.fit(module, loader)
        return rows

    return fit


TENSORS = ("images", "tokens", "prefix_lengths", "lengths")
