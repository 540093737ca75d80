"""Two processes that hold a model together do what one does, and go on where the other stopped."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from pg_transfer.training.shards import read_whole
from pg_transfer.training.weights import BEST, LAST
from tasks.shapes import SPLITS
from tests.training.sharded_work import TWO, outcome, together

LORA = ["tuning=lora", "tuning.vision.mode=frozen", "model.rematerialise=true"]
KINDS = {
    "full": ["model.rematerialise=true"],
    "lora": LORA,
    "frozen": ["recipe.freeze_vision=true", "trainer.strategy.sharded_checkpoints=false"],
}


@pytest.fixture(autouse=True)
def few_shapes(monkeypatch: pytest.MonkeyPatch) -> None:
    for split in ("val", "test"):
        monkeypatch.setitem(SPLITS, split, SPLITS[split])  # is put back


def alone(options: list[str]) -> list[str]:
    return [option for option in options if "strategy" not in option]


def same(one: dict[str, Any], other: dict[str, Any], *, start: int = 0, rel: float = 1e-4) -> None:
    """Updates after `start`, answers and scores; as JSON has them, steps are texts."""
    one, other = json.loads(json.dumps(one)), json.loads(json.dumps(other))
    steps = [str(step) for step in range(start + 1, 7)]
    assert [step for step in other["updates"] if int(step) > start] == steps
    for step in steps:
        assert len(one["updates"][step]) == 3
        assert one["updates"][step] == pytest.approx(other["updates"][step], rel=rel), step
    for beams in (1, 2):
        short, long, mixed = (f"{name}, {beams}" for name in ("short", "long", "mixed"))
        for way in (short, long):
            assert [row for row, _ in one[way]] == list(range(5))
            assert one[way] == other[way]
        if mixed in other:  # the first process answers two
            assert other[mixed] == one[short][:2] + one[long][2:]
    assert one["metrics"] == pytest.approx(other["metrics"])


def close(one: Any, other: Any) -> None:
    """Tensors in nested dictionaries."""
    if isinstance(one, dict):
        # Attention does not depend on a bias of keys: its gradient is rounding, blown up by Adam.
        one, other = (
            {k: v for k, v in some.items() if not str(k).endswith("k_proj.bias")}
            for some in (one, other)
        )
    torch.testing.assert_close(one, other, rtol=1e-3, atol=2e-6)


@pytest.mark.slow
def test_two_processes_do_what_one_does(tmp_path: Path) -> None:
    once = {
        kind: outcome(tmp_path / f"{kind}-1", *alone(options)) for kind, options in KINDS.items()
    }
    jobs = [
        {"folder": str(tmp_path / f"{kind}-2"), "options": [*TWO, *options]}
        for kind, options in KINDS.items()
    ]
    for kind in ("full", "lora"):  # what one process has begun
        jobs.append(
            {
                "folder": str(tmp_path / f"{kind}-1-2"),
                "options": [*TWO, *KINDS[kind]],
                "resume": str(tmp_path / f"{kind}-1" / "kept.ckpt"),
            }
        )
    twice = together(jobs, tmp_path)
    for kind, found in zip(KINDS, twice, strict=False):
        same(once[kind], found)
        counts = [sum(map(bool, found[f"{way}, 1"][0][1])) for way in ("short", "long")]
        assert kind != "full" or counts == [1, 28]
        weights = [load_file(tmp_path / f"{kind}-{n}" / "checkpoints" / BEST) for n in (1, 2)]
        close(*weights)
    for kind, found in zip(("full", "lora"), twice[len(KINDS) :], strict=True):
        same(once[kind], found, start=3)
    for kind in ("full", "lora"):  # what two have begun
        found = outcome(
            tmp_path / f"{kind}-2-1",
            *KINDS[kind],
            resume=tmp_path / f"{kind}-2" / "kept.ckpt",
        )
        same(once[kind], found, start=3)
        last = [tmp_path / f"{kind}-{n}" / "checkpoints" / LAST for n in ("1", "2")]
        saved = [torch.load(last[0], weights_only=True), read_whole(last[1])]
        close(*(one["state_dict"] for one in saved))
        (states,), (others,) = (one["optimizer_states"] for one in saved)
        close(states["state"], others["state"])
        assert states["param_groups"] == others["param_groups"]
        assert saved[0]["lr_schedulers"] == saved[1]["lr_schedulers"]
    assert (tmp_path / "full-2" / "checkpoints" / LAST).is_dir()
    assert (tmp_path / "frozen-2" / "checkpoints" / LAST).is_file()
