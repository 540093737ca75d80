"""The command line says what there is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pg_transfer.running.choices import choices, explain_choices

ROOT = Path(__file__).parents[2]
CONF = ROOT / "conf"


def run(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"COLUMNS": "120", "PYTHONPATH": str(ROOT / "src")}
    return subprocess.run(
        [sys.executable, str(ROOT / "train.py"), *words],
        cwd=folder, env=environment, capture_output=True, text=True,
    )  # fmt: skip


@pytest.mark.parametrize("group", ["task", "model", "tuning", "trainer"])
def test_every_option_has_a_line(group: str) -> None:
    found = choices(CONF / group)
    assert len(found) == len(list((CONF / group).glob("*.yaml"))) > 1
    for name, line in found:
        assert len(line) > 10 and not line.startswith("@"), name


@pytest.mark.slow
def test_help_lists_every_option(tmp_path: Path) -> None:
    done = run("--help", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    for group in ("task", "model", "tuning", "trainer"):
        for name, line in choices(CONF / group):
            assert any(
                shown.split(maxsplit=1) == [name, line] for shown in done.stdout.splitlines()
            ), name
    assert "recipe:" in done.stdout and "--multirun" in done.stdout
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_an_empty_choice_lists_what_there_is(tmp_path: Path) -> None:
    done = run("task=", folder=tmp_path)
    assert done.returncode == 0 and not done.stderr
    assert done.stdout.startswith("task= can be\n") and "custom" in done.stdout
    # As wide as the longest name, activitynet_cap.
    assert "  textvqa          TextVQA: questions about the text in an image." in done.stdout


def test_a_wrong_choice_lists_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        explain_choices(CONF, ["resolution=448", "task=foo"])
    assert ended.value.code == 1
    told = capsys.readouterr().err
    assert "error: there is no task=foo; it can be\n  " in told and "\n  coco_captions " in told


def test_what_is_hydras_to_say_is_left_to_it(capsys: pytest.CaptureFixture[str]) -> None:
    explain_choices(CONF, ["task=shapes", "run=", "data=task=", "recipe.lr=", "-m", "task=a,b"])
    explain_choices(CONF, ["task=mine", "hydra.searchpath=[file:///home/me/conf]"])
    explain_choices(CONF, ["--config-dir=conf", "task=mine"])
    assert not capsys.readouterr().err
