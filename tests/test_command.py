"""`pg-transfer`: every program by one name."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from pg_transfer import command, project

ROOT = Path(__file__).parents[1]


def run(*words: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *words], cwd=folder, capture_output=True, text=True)


def test_every_command_is_a_program_and_every_program_a_command() -> None:
    for name, program in command.PROGRAMS.items():
        if program.name.endswith(".py"):
            assert (ROOT / program.name).is_file() and program.name == f"{name}.py"
        else:
            assert importlib.util.find_spec(program.name) and program.name == f"pg_transfer.{name}"
    modules = {
        path.stem
        for path in (ROOT / "src/pg_transfer").glob("*.py")
        if 'if __name__ == "__main__"' in path.read_text(encoding="utf-8")
    }
    assert {"train", "evaluate", *modules} - {"command"} == set(command.PROGRAMS)


def test_it_is_installed_by_that_name() -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert scripts["scripts"] == {"pg-transfer": "pg_transfer.command:main"}


@pytest.mark.parametrize("words", [[], ["trian"], ["--version"]])
def test_what_is_no_command_gets_the_list(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(words)
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and all(word in error for word in words)
    for name, program in command.PROGRAMS.items():
        assert any(line.split() == [name, *program.does.split()] for line in error.splitlines())


def test_the_list_comes_without_torch(capsys: pytest.CaptureFixture[str]) -> None:
    code = (
        "import sys; from pg_transfer.command import main; main(['--help']); "
        "sys.exit('torch' in sys.modules or 'hydra' in sys.modules)"
    )
    done = run("-c", code)
    assert done.returncode == 0 and done.stdout == f"{command.listed()}\n"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["train", "evaluate", "predict"])
def test_a_command_is_the_same_program(name: str, tmp_path: Path) -> None:
    program = command.PROGRAMS[name].name
    asked = [str(ROOT / program)] if program.endswith(".py") else ["-m", program]
    alone = run(*asked, "--help", folder=tmp_path)
    ours = run("-m", "pg_transfer.command", name, "--help", folder=tmp_path)
    assert ours.returncode == 0 and len(ours.stdout) > 200
    assert (ours.stdout, ours.stderr) == (alone.stdout, alone.stderr)


def test_its_exit_code_and_message_are_those_of_the_program(tmp_path: Path) -> None:
    done = run("-m", "pg_transfer.command", "train", "task=nothing", folder=tmp_path)
    assert done.returncode == 1 and "there is no task=nothing" in done.stderr
    assert "shapes" in done.stderr and not list(tmp_path.iterdir())


def test_without_a_checkout_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "ROOT", tmp_path)
    monkeypatch.setattr(command, "CONF", tmp_path / "conf")
    with pytest.raises(SystemExit) as ended:
        command.main(["train", "task=shapes"])
    assert ended.value.code == 1
    error = capsys.readouterr().err
    assert str(tmp_path) in error and "pip install -e ." in error


def test_what_to_type_next_can_be_typed_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    assert project.typed("train") == ["python", "train.py"]
    monkeypatch.chdir(tmp_path)
    assert project.typed("train") == ["pg-transfer", "train"]
