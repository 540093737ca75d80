"""What lies in the environment is in nothing that a run, its evaluation or a sweep leaves."""

from __future__ import annotations

import json
import zipfile
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from pg_transfer.sweeping.processes import error_in
from pg_transfer.sweeping.summary import write_summary
from pg_transfer.sweeping.trials import OUTPUT, Trial
from tests.faults.commands import Ended, call
from tests.faults.making import ON_TEXTVQA, QUICK, whole

PLANTED = {
    "WANDB_API_KEY": "0123456789abcdef0123456789abcdef01234567",
    "HF_TOKEN": "hf_PlantedPlantedPlantedPlanted01",
    "MLFLOW_TRACKING_PASSWORD": "planted/pass word+1",
    "SERVICE_SECRET": "planted-secret-of-a-service",
}
TYPED = "planted0typed0value"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, value in PLANTED.items():
        monkeypatch.setenv(name, value)
    whole(tmp_path)
    return tmp_path


def spellings() -> list[bytes]:
    """The planted values, and how they are written in addresses and in headers."""
    plain = [*PLANTED.values(), TYPED]
    coded = [b64encode(one.encode()).rstrip(b"=") for one in plain]
    return [*(one.encode() for one in plain), *(quote(one).encode() for one in plain), *coded]


def contents(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Every file below a folder, those inside of checkpoints and archives as well."""
    for path in sorted(folder.rglob("*")):
        yield str(path), str(path).encode()
        if path.is_file():
            yield str(path), path.read_bytes()
        if path.is_file() and zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                for name in archive.namelist():
                    yield f"{path}, {name}", archive.read(name)


def leaks(folder: Path, *programs: Ended) -> list[str]:
    printed = [("printed", (one.out + one.error).encode()) for one in programs]
    return [
        place
        for place, content in (*contents(folder), *printed)
        if any(spelled in content for spelled in spellings())
    ]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of so short a run
def test_of_a_run_with_its_trackers_an_evaluation_and_its_answers(folder: Path) -> None:
    given = (*QUICK, *ON_TEXTVQA, "page=9", "pictured=2", "run=run")
    done = [
        call("train.py", (*given, "logger=tensorboard"), folder),
        call("train.py", (*given, "run=kept", "logger=wandb", "logger.mode=offline"), folder),
        call("evaluate.py", ("run=run", "split=val", "page=9"), folder),
        call("-m pg_transfer.export", ("run", "--to", "out", "--format", "huggingface"), folder),
    ]
    assert [one.code for one in done] == [0] * 4, done
    assert len([place for place, _ in contents(folder / "kept")]) > 20  # wandb's files among them
    assert leaks(folder, *done) == []


@pytest.mark.parametrize(
    "typed",
    [
        f"+logger.settings.api_key={TYPED}",
        f"task.root=https://me:{TYPED}@example.org/data",
        f"task.root=https://example.org/data?token={TYPED}",
        f"model.weights=https://{TYPED}@example.org/w.npz",
        f"hydra.job.env_set.HF_TOKEN={TYPED}",
        f"task.root={PLANTED['SERVICE_SECRET']}",
    ],
)
@pytest.mark.parametrize(
    ("program", "more"),
    [
        ("train.py", ()),
        ("train.py", ("-m", "recipe.lr=1e-5,1e-4")),
        ("-m pg_transfer.sweep", ("recipe.lr=1e-5,1e-4",)),
    ],
)
def test_of_a_secret_that_is_typed(
    program: str, more: tuple[str, ...], typed: str, folder: Path
) -> None:
    """It is refused before anything is written, and not repeated."""
    quick = [one for one in QUICK if one != "run=run"]
    ended = call(program, (*quick, *ON_TEXTVQA, *more, typed), folder)
    assert ended.code == 1 and "looks like a secret" in ended.message
    assert leaks(folder, ended) == []
    assert {path.name for path in folder.iterdir()} == {"data"}


def test_of_what_a_failed_trial_has_said(folder: Path) -> None:
    for number, line in enumerate((f"error: no {PLANTED['HF_TOKEN']}", PLANTED["WANDB_API_KEY"])):
        trial = Trial(number, folder / "sweep" / str(number), {"recipe.lr": str(number)})
        trial.save()
        (trial.folder / OUTPUT).write_text(line)
        trial.ended("failed", error_in(trial.folder / OUTPUT, 1)).save()
        (trial.folder / OUTPUT).unlink()  # of another process, whose words are not ours
    write_summary(folder / "sweep")
    assert json.loads((folder / "sweep" / "sweep.json").read_text())["trials"][0]["reason"]
    assert leaks(folder) == []


def test_a_leak_would_be_found(folder: Path) -> None:
    """Else none of the others could fail."""
    with zipfile.ZipFile(folder / "last.ckpt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("data.pkl", f"...{PLANTED['HF_TOKEN']}...")
    (folder / PLANTED["SERVICE_SECRET"]).mkdir()
    assert len(leaks(folder, Ended(0, "", TYPED))) == 3
