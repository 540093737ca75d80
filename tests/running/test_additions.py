"""What is added on the command line has a reader, or is refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hydra import initialize_config_dir

from pg_transfer.running.additions import refuse_additions
from pg_transfer.running.settings import register_resolvers

CONF = Path(__file__).parents[2] / "conf"


def add(*settings: str, program: str = "train") -> None:
    register_resolvers()
    with initialize_config_dir(str(CONF), version_base=None):
        refuse_additions(settings, program)


@pytest.mark.parametrize(
    ("setting", "complaint"),
    [
        ("+anything=1", "there is no setting anything, .* it; there are adapter_defaults, "),
        ("+lr=1e-5", "there is no setting lr, .* \\(is it recipe.lr or "),
        ("+recipe.x=1", "there is no setting recipe.x, .* it; in recipe there are batch_size, "),
        ("++recipe.droput=0.1", "there is no setting recipe.droput, .* \\(is it recipe.dropout\\?"),
        ("+recipe={lr: 1e-3, droput: 0.1}", "there is no setting recipe.droput, "),
        ("+splits.reports=[val]", "there is no setting splits.reports, .*is it splits.report\\?"),
        ("+tuning.vision.rate=1", "tuning.vision.rate, .* in tuning.vision there are lr, mode"),
        ("+final_split=false", "there is no setting final_split, "),
        ("+logger.mode=offline", "there is no setting logger.mode, "),  # as no logger is chosen
        ("+model={foo: 1}", "there is no setting model.foo, "),  # though there are groups model=
        ("+model.foo=1", "there is no setting model.foo, "),
    ],
)
def test_what_nothing_reads_is_refused(setting: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        add("task=shapes", setting, "recipe.lr=1e-3")


def test_two_options_of_a_group_are_refused() -> None:
    with pytest.raises(ValueError, match=r"logger= takes one, .* choose one: logger=wandb"):
        add("logger=[wandb,tensorboard]")
    add("splits.report=[val,test]")


def test_every_program_has_settings_of_its_own() -> None:
    add("+beams=2", program="evaluate")
    add("+trainer.profiler=simple", program="evaluate")  # for the class of the run's trainer
    with pytest.raises(ValueError, match=r"no setting recipe.lr, .* there are answers, beams"):
        add("+recipe.lr=1e-3", program="evaluate")


@pytest.mark.parametrize(
    "settings",
    [
        ["recipe.lr=1e-3"],
        ["++recipe.lr=1e-3", "+recipe={dropout: 0.1}"],
        ["+image_cache=cache", "+splits.optional=[test]"],
        ["+tuning.adapters.rank=4"],  # a table in place of null, judged by what reads it
        ["+trainer.detect_anomaly=true", "+trainer.profiler=simple"],
        ["trainer=fsdp", "+trainer.strategy.precision=3"],
        ["logger=wandb", "+logger.job_type=train", "+logger.settings.console=off"],
        ["+task.colour=red", "+task.mask_codec.device=cpu"],
        ["task=mixture", "+mixture.textvqa=2", "+mixture.custom.data=my.jsonl"],
        ["~patience", "+hydra.job.env_set.A=1"],
    ],
)
def test_what_has_a_reader_is_left_to_it(settings: list[str]) -> None:
    add("task=shapes", *settings)


def test_what_the_files_of_a_user_have_is_known(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "first.yaml").write_text("colour: red\nrecipe: {lr: 1e-3}\n")
    found = f"hydra.searchpath=[file://{tmp_path}]"
    add(found, "+mine=first")
    add(found, "+mine=first", "++mine.colour=blue")
    with pytest.raises(ValueError, match=re.escape("(is it mine.colour?); in mine there are colo")):
        add(found, "+mine=first", "+mine.color=blue")
