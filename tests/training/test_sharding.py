"""Two processes that hold a model together do what one does, and go on where the other stopped."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from pg_transfer.training.checkpoint_files import WholeFiles
from pg_transfer.training.weights import BEST, LAST
from tasks.shapes import SPLITS
from tests.training.sharded_work import TWO, outcome, together

LORA = ["tuning=lora", "tuning.vision.mode=frozen", "model.rematerialise=true"]
KINDS = {
    "full": ["model.rematerialise=true"],
    "lora": [*LORA, "trainer.strategy.sharded_checkpoints=false"],
}
# float32 masters and bfloat16 compute: in one process by autocast, in two as it is gathered.
HALF = [*LORA, "tuning.projector.mode=trained", "trainer.precision=bf16-mixed"]


@pytest.fixture(autouse=True)
def few_shapes(monkeypatch: pytest.MonkeyPatch) -> None:
    for split in ("val", "test"):
        monkeypatch.setitem(SPLITS, split, SPLITS[split])  # is put back


def alone(options: list[str]) -> list[str]:
    return [option for option in options if "strategy" not in option]


def same(one: dict[str, Any], other: dict[str, Any], *, start: int = 0) -> None:
    """Updates after `start`, answers and scores; as JSON has them, steps are texts."""
    one, other = json.loads(json.dumps(one)), json.loads(json.dumps(other))
    steps = [str(step) for step in range(start + 1, 7)]
    assert [step for step in other["updates"] if int(step) > start] == steps
    for step in steps:
        assert len(one["updates"][step]) == 3
        assert one["updates"][step] == pytest.approx(other["updates"][step], rel=1e-4), step
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
    once["half"] = outcome(tmp_path / "half-1", *HALF)
    jobs = [
        {"folder": str(tmp_path / f"{kind}-2"), "options": [*TWO, *options]}
        for kind, options in [*KINDS.items(), ("half", HALF)]
    ]
    for kind in KINDS:  # what one process has begun
        begun = {"resume": str(tmp_path / f"{kind}-1" / "kept.ckpt")}
        jobs.append(
            {"folder": str(tmp_path / f"{kind}-1-2"), "options": [*TWO, *KINDS[kind]], **begun}
        )
    last = tmp_path / "full-2" / "checkpoints" / LAST
    score = {"folder": str(tmp_path / "scored-2"), "options": TWO, "checkpoint": str(last)}
    twice = together([*jobs, score], tmp_path)
    for kind, found in zip(KINDS, twice, strict=False):
        same(once[kind], found)
        counts = [sum(map(bool, found[f"{way}, 1"][0][1])) for way in ("short", "long")]
        assert kind != "full" or counts == [1, 28]
        weights = [load_file(tmp_path / f"{kind}-{n}" / "checkpoints" / BEST) for n in (1, 2)]
        close(*weights)
    half, *begun, scored = twice[len(KINDS) :]
    for step in range(1, 7):
        found = half["updates"][str(step)]
        assert len(found) == 3
        assert found == pytest.approx(once["half"]["updates"][step], rel=0.03)
    for kind, found in zip(KINDS, begun, strict=True):
        same(once[kind], found, start=3)
    scored_alone = outcome(tmp_path / "scored-1", checkpoint=last)
    for way in ("long, 1", "long, 2"):
        assert scored[way] == json.loads(json.dumps(scored_alone[way])) == twice[0][way]
    assert scored["metrics"] == pytest.approx(scored_alone["metrics"])
    for kind in KINDS:  # what two have begun
        found = outcome(
            tmp_path / f"{kind}-2-1",
            *alone(KINDS[kind]),
            resume=tmp_path / f"{kind}-2" / "kept.ckpt",
        )
        same(once[kind], found, start=3)
        both = [tmp_path / f"{kind}-{n}" / "checkpoints" / LAST for n in (1, 2)]
        saved = [WholeFiles().load_checkpoint(path, weights_only=True) for path in both]
        close(*(one["state_dict"] for one in saved))
        (states,), (others,) = (one["optimizer_states"] for one in saved)
        close(states["state"], others["state"])
        assert states["param_groups"] == others["param_groups"]
        assert saved[0]["lr_schedulers"] == saved[1]["lr_schedulers"]
        assert both[1].is_dir() is (kind == "full")
