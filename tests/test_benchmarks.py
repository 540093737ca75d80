"""What measures against transformers: what fails is told, and costs nothing else its numbers."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"

SIDE = """
import json, sys, time
settings = json.loads(sys.argv[2])
for line in sys.stdin:
    case = json.loads(line)
    if (settings["side"], case["kind"]) == ("theirs", "hard"):
        sys.exit(3)
    if (settings["side"], case["kind"]) == ("theirs", "slow"):
        time.sleep(60)
    print(json.dumps({"seconds": 1.0, "value": case["kind"]}), flush=True)
"""
"""In the place of a process that measures."""


@pytest.fixture
def scripts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))


@pytest.fixture
def on_gpu(tmp_path: Path):
    """Runs benchmarks/on_gpu.sh with a Python that says what it was to do, or fails at it."""

    def run(*parts: str, status: int = 0, **settings: str) -> tuple[list[list[str]], str, int]:
        called, python = tmp_path / "called", tmp_path / "python"
        called.touch()
        python.write_text(
            f"#!{sys.executable}\nimport json, sys\n"
            f"with open({str(called)!r}, 'a') as file:\n"
            f"    file.write(json.dumps(sys.argv[1:]) + '\\n')\n"
            f"sys.exit({status})\n"
        )
        python.chmod(0o755)
        done = subprocess.run(
            ["bash", str(BENCHMARKS / "on_gpu.sh"), *parts], text=True, capture_output=True,
            env=os.environ | {"PYTHON": str(python)} | settings,
        )  # fmt: skip
        return list(map(json.loads, called.read_text().splitlines())), done.stderr, done.returncode

    return run


def test_every_command_for_a_gpu_is_understood(scripts, on_gpu, monkeypatch) -> None:
    commands, told, status = on_gpu()
    assert (told, status) == ("", 0)
    names = [command[command.index("--name") + 1] for command in commands if "--name" in command]
    assert len(names) == len(set(names))  # no table is written over
    for script, *options in commands:
        if script == "-m":
            assert all(Path(one).exists() for one in options if one.startswith("tests/"))
            continue
        monkeypatch.setattr(sys, "argv", [script, *options])
        understood = importlib.import_module(Path(script).stem).arguments()
        assert understood.device == "cuda"


def test_what_fails_on_a_gpu_is_told_at_the_end_and_all_else_is_run(on_gpu) -> None:
    commands, told, status = on_gpu("steps", "adapters", status=1)
    assert (len(commands), status) == (4, 1)
    assert told.count("failed: ") == 4
    assert told.splitlines()[-1].startswith("failed: benchmarks/training_step.py")


def test_nothing_is_begun_on_a_gpu_when_its_time_is_over(on_gpu) -> None:
    commands, told, status = on_gpu("adapters", MINUTES="0")
    assert (commands, status) == ([], 1)
    assert told.startswith("failed: not begun after 0 minutes: benchmarks/training_step.py")


@pytest.mark.parametrize("apart", [True, False])
@pytest.mark.parametrize("hindrance", ["hard", pytest.param("slow", marks=pytest.mark.slow)])
def test_a_side_that_fails_costs_no_other_its_numbers(
    scripts, tmp_path: Path, capfd, apart: bool, hindrance: str
) -> None:
    from side_by_side import measure

    (tmp_path / "side.py").write_text(SIDE)
    found = measure(
        str(tmp_path / "side.py"), [{"side": "ours"}, {"side": "theirs"}],
        [{"kind": "easy"}, {"kind": hindrance}, {"kind": "late"}],
        repeats=1, threads=1, apart=apart, limit=3,
    )  # fmt: skip
    values = [[[one["value"] for one in side] for side in case] for case in found]
    both = [["easy"] * 2, ["easy"] * 2], [[hindrance] * 2, []], [["late"] * 2, ["late"] * 2]
    assert values == list(both)
    reason = {"hard": "ended with status 3", "slow": "no repetition in 3 s"}[hindrance]
    assert f"failed: theirs {hindrance}: {reason}" in capfd.readouterr().err
