"""Which run a folder holds, and which folder a run may have."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from pg_transfer.running import folder as module
from pg_transfer.running.folder import is_named_by_clock, require_one_folder, require_same_run

SETTINGS = {
    "recipe": {"lr": 1e-5, "batch_size": 256}, "micro_batch": 8, "workers": 4, "page": 1000,
    "trainer": {"devices": 1, "strategy": "auto", "precision": "32-true"}, "logger": None,
}  # fmt: skip


def settings(*changes: str) -> DictConfig:
    merged = OmegaConf.merge(SETTINGS, OmegaConf.from_dotlist([*changes]))
    assert isinstance(merged, DictConfig)
    return merged


@pytest.fixture
def run(tmp_path: Path) -> Path:
    (tmp_path / "config.yaml").write_text(OmegaConf.to_yaml(settings()))
    return tmp_path


def test_a_run_goes_on_as_it_was_or_elsewhere(run: Path, capsys) -> None:
    require_same_run(run / "new", settings("recipe.lr=1e-3"))  # which holds none
    require_same_run(run, settings())
    require_same_run(run, settings("page=0", "logger.mode=offline", "samples=1"))
    assert capsys.readouterr().out == ""
    require_same_run(run, settings("trainer.devices=2", "trainer.strategy=ddp", "micro_batch=4"))
    assert " ".join(capsys.readouterr().out.split()) == (
        "note: the run goes on elsewhere: micro_batch: 8 there, 4 now; trainer.devices: 1 there, "
        "2 now; trainer.strategy: auto there, ddp now"
    )


@pytest.mark.parametrize(
    "remedy", ["evaluation_batch=2", "model.rematerialise=true", "on_error=skip"]
)
def test_what_memory_or_an_image_has_stopped_goes_on_with_a_remedy(
    remedy: str, run: Path, capsys
) -> None:
    require_same_run(run, settings(remedy))
    assert capsys.readouterr().out.startswith("note: the run goes on elsewhere: ")


def test_a_setting_that_is_refused_by_now_is_told_with_its_line(run: Path) -> None:
    file = run / "config.yaml"
    old = settings("trainer.max_time.hours=1")
    file.write_text(OmegaConf.to_yaml(old))
    line = file.read_text().splitlines().index("  max_time:") + 1
    with pytest.raises(ValueError, match=rf"config.yaml, line {line}: .*max_time.*delete that"):
        require_same_run(run, old)


@pytest.mark.parametrize("change", ["recipe.lr=1e-3", "trainer.precision=bf16-mixed", "beams=2"])
def test_another_run_is_refused(run: Path, change: str) -> None:
    name = change.split("=")[0]
    with pytest.raises(ValueError, match=rf"holds another run; .* Different are: {name}: "):
        require_same_run(run, settings(change, "page=0"))


CLOCK = "runs/shapes-84/${now:%Y-%m-%d_%H-%M-%S}"


def given_to_hydra(monkeypatch: pytest.MonkeyPatch, *hydra: str, mode: str = "RUN") -> None:
    overrides = OmegaConf.create({"hydra": [*hydra]})
    given = SimpleNamespace(overrides=overrides, mode=RunMode[mode])
    monkeypatch.setattr(module.HydraConfig, "get", lambda: given)


@pytest.mark.parametrize(
    ("run", "hydra", "mode", "is_clock"),
    [
        (CLOCK, [], "RUN", True),
        ("runs/a", [], "RUN", False),
        (CLOCK, ["hydra.run.dir=runs/a"], "RUN", False),  # as Lightning starts others
        (CLOCK, ["hydra.run.dir=runs/${recipe.lr}"], "RUN", False),
        (CLOCK, [], "MULTIRUN", False),  # hydra.sweep.dir is what counts then
    ],
)
def test_a_folder_is_named_by_the_clock_or_by_the_user(
    run: str, hydra: list[str], mode: str, is_clock: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    given_to_hydra(monkeypatch, *hydra, mode=mode)
    assert is_named_by_clock(OmegaConf.create({"run": run})) == is_clock


@pytest.mark.parametrize(
    ("count", "run", "is_fit"), [(1, CLOCK, True), (2, CLOCK, False), (2, "runs/a", True)]
)
def test_processes_from_outside_share_a_folder_that_was_named(
    count: int, run: str, is_fit: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    given_to_hydra(monkeypatch)
    monkeypatch.setattr(module, "started_from_outside", lambda: count)
    config = OmegaConf.create({"run": run})
    if is_fit:
        require_one_folder(config)
    else:
        with pytest.raises(ValueError, match=r"2 processes .* name one for all of them with run="):
            require_one_folder(config)
