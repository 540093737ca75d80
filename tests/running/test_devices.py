"""A run is scored on what is at hand, or on what the user says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from pg_transfer.process import processes
from pg_transfer.running.devices import AtHand, scoring_trainer
from pg_transfer.running.settings import register_resolvers

CONF = Path(__file__).parents[2] / "conf"
SHARDED = {"_target_": "pg_transfer.training.sharding.FullySharded"}
NOTHING = dict.fromkeys(("accelerator", "devices", "num_nodes", "strategy", "precision"))


def learnt(**settings: Any) -> dict[str, Any]:
    common = {"accelerator": "auto", "devices": 1, "strategy": "auto", "precision": "bf16-mixed"}
    return {"_target_": "lightning.pytorch.Trainer", **common, **settings}


def scored(before: dict[str, Any], at_hand: AtHand, **asked: Any) -> tuple[Any, ...]:
    """Devices, nodes and strategy of the evaluation, and how much was said."""
    settings, notes = scoring_trainer(before, NOTHING | asked, at_hand)
    return settings["devices"], settings.get("num_nodes", 1), settings["strategy"], len(notes)


@pytest.mark.parametrize(
    ("before", "at_hand", "expected"),
    [
        (learnt(), AtHand(1), (1, 1, "auto", 0)),
        (learnt(devices=8, strategy="ddp"), AtHand(8), (8, 1, "ddp", 0)),
        (learnt(devices=8, strategy="ddp"), AtHand(2), (2, 1, "ddp", 1)),
        (learnt(devices=8, strategy=SHARDED), AtHand(1), (1, 1, "auto", 1)),
        (learnt(devices=8, strategy=SHARDED, num_nodes=2), AtHand(8), (8, 1, SHARDED, 1)),
        (learnt(devices=8, strategy=SHARDED, num_nodes=2), AtHand(1), (1, 1, "auto", 2)),
        (learnt(devices=8, strategy="ddp", num_nodes=2), AtHand(8, 16, 2), (8, 2, "ddp", 0)),
        (learnt(devices=8, strategy="ddp"), AtHand(4, 8, 2), (4, 2, "ddp", 2)),
        (learnt(devices=8, strategy="ddp"), AtHand(8, 2, 1), (2, 1, "ddp", 1)),
        (learnt(devices="auto", strategy="ddp"), AtHand(4), ("auto", 1, "ddp", 0)),
        (learnt(devices=-1, strategy="ddp"), AtHand(1), (-1, 1, "auto", 0)),
        (learnt(devices=[2, 3], strategy="ddp"), AtHand(4), ([2, 3], 1, "ddp", 0)),
        (learnt(devices=[2, 3], strategy="ddp"), AtHand(1), (1, 1, "auto", 1)),
        (learnt(devices="0,1", strategy="ddp"), AtHand(1), (1, 1, "auto", 1)),
        (learnt(devices="1,", strategy="ddp"), AtHand(2), ("1,", 1, "auto", 0)),
        # Processors have room for as many processes as one likes; where GPUs were looked for, and
        # there are none, one is enough.
        (learnt(accelerator="cpu", devices=2, strategy="ddp"), AtHand(0), (2, 1, "ddp", 0)),
        (learnt(devices=2, strategy="ddp"), AtHand(0), (1, 1, "auto", 1)),
        (learnt(accelerator="gpu", devices=2, strategy="ddp"), AtHand(0), (1, 1, "auto", 2)),
    ],
)
def test_what_the_run_had_as_far_as_it_is_at_hand(
    before: dict[str, Any], at_hand: AtHand, expected: tuple[Any, ...]
) -> None:
    assert scored(before, at_hand) == expected


def test_what_the_user_says_goes_before_it() -> None:
    before = learnt(devices=8, strategy=SHARDED, num_nodes=2)
    assert scored(before, AtHand(8), devices=1) == (1, 1, "auto", 1)
    assert scored(before, AtHand(8), devices=1, num_nodes=1) == (1, 1, "auto", 0)
    assert scored(before, AtHand(1), devices=4, num_nodes=3) == (4, 3, SHARDED, 0)
    assert scored(before, AtHand(1), strategy="ddp")[2] == "ddp"
    settings, notes = scoring_trainer(before, NOTHING | {"precision": "32-true"}, AtHand(8, 16, 2))
    assert settings == before | {"precision": "32-true"} and not notes
    gone, notes = scoring_trainer(learnt(accelerator="cuda"), NOTHING, AtHand(0))
    assert gone["accelerator"] == "auto"
    assert notes[0].startswith("trainer.accelerator=auto, where the run had cuda, by")


def test_a_trainer_that_is_named_is_taken_whole() -> None:
    register_resolvers()
    with initialize_config_dir(str(CONF), version_base=None):
        config = compose("evaluate", overrides=["trainer=cpu", "trainer.devices=2"])
        untouched = compose("evaluate")
    asked: Any = OmegaConf.to_container(config.trainer)
    settings, notes = scoring_trainer(learnt(devices=8, num_nodes=2), asked, AtHand(0))
    assert settings == {
        "_target_": "lightning.pytorch.Trainer", "accelerator": "cpu", "devices": 2,
        "strategy": "auto", "precision": "32-true", "log_every_n_steps": 10,
    }  # fmt: skip
    assert not notes
    assert OmegaConf.to_container(untouched.trainer) == NOTHING


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, (0, 1, 1)),
        ({"LOCAL_RANK": 1}, (1, 1, 1)),
        ({"TORCHELASTIC_RUN_ID": "a", "RANK": 5, "WORLD_SIZE": 8, "GROUP_WORLD_SIZE": 2},
         (5, 8, 2)),
        ({"SLURM_NTASKS": 8, "SLURM_PROCID": 5, "SLURM_STEP_ID": 0, "SLURM_STEP_NUM_TASKS": 8,
          "SLURM_STEP_NUM_NODES": 2}, (5, 8, 2)),
        # A job's script, and what Lightning starts from there, has SLURM's variables as well.
        ({"SLURM_NTASKS": 8, "SLURM_PROCID": 0}, (0, 1, 1)),
        ({"SLURM_NTASKS": 8, "SLURM_PROCID": 0, "LOCAL_RANK": 3}, (3, 1, 1)),
        ({"SLURM_NTASKS": 1, "SLURM_PROCID": 0, "SLURM_STEP_NUM_TASKS": 1, "LOCAL_RANK": 3},
         (3, 1, 1)),
    ],
)  # fmt: skip
def test_who_has_started_how_many(
    variables: dict[str, Any], expected: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("RANK", "LOCAL_RANK", "TORCHELASTIC_RUN_ID", "SLURM_PROCID"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, str(value))
    assert (
        processes.rank(), processes.started_from_outside(), processes.nodes_from_outside()
    ) == expected  # fmt: skip
