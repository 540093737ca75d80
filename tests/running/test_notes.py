"""What a reader of scores is told before the run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.commands import call
from tests.faults.making import QUICK, whole


@pytest.mark.parametrize(
    ("validate", "told"),
    [("train[:2]", "note: train[:2] is not held out: 2 of its 2 examples are of images that"),
     ("val", "")],
)  # fmt: skip
def test_a_validation_on_what_is_learnt_is_told(validate: str, told: str, tmp_path: Path) -> None:
    """Also where that split is not scored at the end: it chooses the best weights."""
    whole(tmp_path)
    splits = f"splits={{train: train, validate: '{validate}', report: [test]}}"
    ended = call("train.py", (*QUICK, "task=textvqa", splits, "preview=true"), tmp_path)
    assert ended.code == 0, ended
    assert told in ended.out and ended.out.count("is not held out") == bool(told)
