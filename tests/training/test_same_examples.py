"""A run goes on with the examples that it was begun with, and with no others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pg_transfer.running.assemble import Run
from pg_transfer.task import Example
from pg_transfer.training.same_examples import digest_of_examples, require_same_examples
from pg_transfer.training.weights import LAST
from tasks.shapes import SPLITS
from tests.short_runs import train  # noqa: F401

ONE = Example("1", Path("a/1.png"), "colour?", ("red", "rose"))
TWO = Example("2", (Path("a/2.png"), lambda: np.zeros((2, 2, 3), np.uint8)), "half \ud83d", ())


@pytest.mark.parametrize(
    "others",
    [
        [TWO, ONE],
        [ONE],
        [replace(ONE, id="3"), TWO],
        [replace(ONE, prefix="color?"), TWO],
        [replace(ONE, suffixes=("red",)), TWO],
        [replace(ONE, image=Path("a/3.png")), TWO],
    ],
)
def test_the_digest_tells_examples_and_their_order(others: Sequence[Example]) -> None:
    moved = replace(ONE, image=Path("elsewhere/1.png"), reference=[1])
    assert digest_of_examples([ONE, TWO]) == digest_of_examples([moved, TWO])
    assert digest_of_examples([ONE, TWO]) != digest_of_examples(others)


def test_it_is_said_what_has_changed() -> None:
    saved = {"count": 1000, "digest": "a"}
    require_same_examples(saved, dict(saved), split="train")
    with pytest.raises(ValueError, match="1,000 examples of 'train' there, and 1,010 now"):
        require_same_examples(saved, {"count": 1010, "digest": "b"}, split="train")
    with pytest.raises(ValueError, match="as many examples of 'train', 1,000, but not the same"):
        require_same_examples(saved, {"count": 1000, "digest": "b"}, split="train")


@pytest.mark.slow
def test_a_run_is_not_gone_on_with_on_more_examples(
    tmp_path: Path,
    train: Callable[..., Run],  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    train(tmp_path)
    train(tmp_path)
    monkeypatch.setitem(SPLITS, "train", 40)
    with pytest.raises(ValueError, match="32 examples of 'train' there, and 40 now"):
        train(tmp_path)

    # One of an earlier version does not tell.
    last = tmp_path / "checkpoints" / LAST
    saved = torch.load(last, weights_only=True)
    del saved["TransferData"]
    torch.save(saved, last)
    train(tmp_path)
