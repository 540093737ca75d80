"""Every known fault is made for real, and the user reads what docs/faults.md says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.faults.commands import call
from tests.faults.fault import Fault
from tests.faults.making import QUICK
from tests.faults.table import FAULTS, PAGE, page

ALL = [fault for faults in FAULTS.values() for fault in faults]

# Folders of Linux that refuse what the others would take.
NEEDED = {"a full disk": "/dev/full", "a folder that may not be written to": "/sys/kernel"}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # a user sees the error below them
@pytest.mark.parametrize("fault", ALL, ids=lambda fault: fault.about)
def test_a_fault_is_told_in_these_words(
    fault: Fault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not Path(NEEDED.get(fault.about, "/")).exists():
        pytest.skip(f"no {NEEDED[fault.about]} here")
    monkeypatch.delenv("PG_DATA", raising=False)
    monkeypatch.delenv("PG_TRUST", raising=False)
    fault.make(tmp_path)
    arguments = fault.arguments
    if fault.program == "train.py":
        arguments = (*(QUICK if fault.is_quick else ["run=run"]), *arguments)
    ended = call(fault.program, arguments, tmp_path)
    assert ended.code == 1, ended
    assert "Traceback" not in ended.error
    words = map(re.escape, fault.message.split("…"))
    said = ended.message.replace(f"{tmp_path}/", "")
    assert re.fullmatch(".+?".join(words), said, re.DOTALL), said
    if "checkpoint" in said:  # the command to go on would meet it again
        assert "to go on from the last checkpoint: " not in ended.out
    assert not (tmp_path / "attacked").exists()


def test_the_page_has_every_fault() -> None:
    assert len(ALL) >= 60
    assert len({fault.about for fault in ALL}) == len(ALL)
    assert PAGE.read_text(encoding="utf-8") == page(), "run python -m tests.faults.table"


def test_the_attack_of_the_checkpoint_is_a_real_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pickle

    from tests.faults.broken_runs import Attack

    monkeypatch.chdir(tmp_path)
    pickle.loads(pickle.dumps(Attack()))
    assert (tmp_path / "attacked").exists()
