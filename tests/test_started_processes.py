"""The other processes of a run that `pg-transfer` has started are started as the program itself."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from pg_transfer import command

# Writes down by which command Lightning would start a run's second process from here.
PROBE = """
import json, sys
from pathlib import Path
from lightning.fabric.strategies.launchers.subprocess_script import _basic_subprocess_cmd
Path(sys.argv[1]).write_text(json.dumps(_basic_subprocess_cmd()))
"""


@pytest.mark.parametrize(
    ("name", "by"), [("started.py", "{folder}/started.py"), ("started", "-m started")]
)
def test_the_second_process_has_the_command_of_the_program(
    name: str, by: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "started.py").write_text(PROBE)
    monkeypatch.setattr(command, "ROOT", tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.setattr(sys, "argv", ["/somewhere/bin/pg-transfer", "train", "task=shapes"])
    told = tmp_path / "told.json"
    command.start(command.Program(name, ""), [str(told), "trainer.devices=2"])
    words = by.format(folder=tmp_path).split()
    assert json.loads(told.read_text()) == [sys.executable, *words, str(told), "trainer.devices=2"]
