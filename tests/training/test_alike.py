"""Processes that are about to do different things are told so, and do not wait for one another."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pg_transfer.training import alike
from pg_transfer.training.alike import CHECKPOINT, CODE, RequireAlike

NOTHING: Any = None


def compared(
    monkeypatch: pytest.MonkeyPatch, *, sizes: tuple[int, int] = (4, 3), **other: str
) -> None:
    """This process of two, where the second has these sizes and these facts."""
    data: Any = SimpleNamespace(digest=lambda split: {"count": 7, "digest": f"of {split}"})
    mine = RequireAlike(
        data, ["train", "val", "val"], micro_batch=4, rematerialise=3, last=Path("no/last.ckpt"),
        settings={"seed": 0},
    )  # fmt: skip
    known = {"code": CODE, "checkpoint": CHECKPOINT, "val": "the split 'val'", "seed": "seed"}
    changed = {known[name]: value for name, value in other.items()}
    monkeypatch.setattr(alike, "together", lambda own: [*own, (sizes, own[0][1] | changed)])
    trainer: Any = SimpleNamespace(world_size=2)
    mine.setup(trainer, NOTHING, "fit")


def test_the_least_that_all_have_room_for_is_proposed(monkeypatch: pytest.MonkeyPatch) -> None:
    compared(monkeypatch)
    with pytest.raises(ValueError, match=r"micro_batch=4 model\.rematerialise=3$"):
        compared(monkeypatch, sizes=(8, 0))


@pytest.mark.parametrize(
    ("name", "there", "complaint"),
    [
        ("code", "pg_transfer 0.1", "the code is pg_transfer .*; start all of them with the same"),
        ("checkpoint", "last.ckpt", f"{CHECKPOINT} is none for process 0 and last.ckpt for .* 1;"),
        ("val", "8 examples (of val)", r"the split 'val' is 7 examples \(of val\) for .* 0 and 8"),
        ("seed", "1", "seed is 0 for process 0 and 1 for process 1; start all of them with"),
    ],
)
def test_what_differs_is_told(
    name: str, there: str, complaint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match=f"the processes of this run are not alike: {complaint}"):
        compared(monkeypatch, **{name: there})
