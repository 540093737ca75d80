"""Where recorded outputs and sample data are found; everything else is made by the tests."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

TESTS = Path(__file__).parent
SHARED = TESTS.parent.parent / "shared"


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
