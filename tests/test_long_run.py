"""A long run holds at its end what it held at its beginning."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.long_run import run
from tasks.shapes import SPLITS


@pytest.mark.slow
def test_nothing_is_piled_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The short form of benchmarks/long_run.py; one object an update would be 120."""
    for split, examples in SPLITS.items():
        monkeypatch.setitem(SPLITS, split, examples)
    held = run(tmp_path, updates=160, validations=16)
    early, late = held[3], held[15]
    assert late.tensors == early.tensors
    assert late.objects - early.objects < 60
    assert late.megabytes - early.megabytes < 30
