"""Every command in the documentation works, and every setting in it exists."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from contextlib import chdir, redirect_stdout
from pathlib import Path

import pytest
import yaml
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

from pg_transfer.running.choices import each_tracker
from pg_transfer.running.settings import register_resolvers
from tests.documented import folder as folders
from tests.documented.blocks import DATA, SHELL, Block, Command, blocks, commands, in_passing, pages
from tests.documented.ways import (
    NOT_TRIED_PAGES,
    has_training,
    jobs_of,
    own_groups,
    python,
    settings_of,
    way_of,
)

ROOT = Path(__file__).parents[1]
BLOCKS = [
    block
    for path in pages()
    for block in blocks(path)
    if block.page not in NOT_TRIED_PAGES
]  # fmt: skip
COMMANDS = [command for block in BLOCKS for command in commands(block)]
TRIED = {command.text: command for command in COMMANDS}  # the same one on two pages once
CODE = {block.page: [one for one in BLOCKS if one.page == block.page and one.language == "python"]
        for block in BLOCKS if block.language == "python"}  # fmt: skip


def test_every_block_is_of_a_kind_that_is_tried() -> None:
    assert len(COMMANDS) > 30 and len(CODE) >= 3
    known = {*SHELL, *DATA, "python"}
    unknown = {f"{one.page}:{one.line} {one.language}" for one in BLOCKS} - {
        f"{one.page}:{one.line} {one.language}" for one in BLOCKS if one.language in known
    }
    assert not unknown, f"these languages of blocks are not known here: {unknown}; see blocks.py"


@pytest.mark.parametrize("command", COMMANDS, ids=str)
def test_it_is_known_how_to_try_a_command(command: Command) -> None:
    way_of(command)


@pytest.mark.parametrize("block", [one for one in BLOCKS if one.language in ("yaml", "json")],
                         ids=lambda one: f"{one.page}:{one.line}")  # fmt: skip
def test_data_can_be_read(block: Block) -> None:
    assert (yaml.safe_load if block.language == "yaml" else json.loads)(block.text)


@pytest.mark.parametrize("command", [one for one in TRIED.values() if settings_of(one)], ids=str)
def test_the_settings_exist_as_they_are_written(
    command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if "task=mine" in command.words:
        folders.own_task(tmp_path)
    monkeypatch.delenv("PG_DATA", raising=False)
    program, settings = settings_of(command) or ("", [])
    if not has_training(command.words):
        return
    register_resolvers()
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(ROOT / "conf"), version_base=None):
        for job in jobs_of(settings):
            overrides = [*each_tracker(job), *own_groups(job, tmp_path)]
            name = program.removesuffix(".py")
            config = compose(name, overrides=overrides, return_hydra_config=True)
            for key in {"recipe", "task", "splits", "model", "tuning", "trainer"} & config.keys():
                OmegaConf.to_container(config[key], resolve=True)


@pytest.fixture(scope="module")
def settings() -> set[str]:
    """The names of all settings, with those of every option of every group, and of Hydra's own."""
    conf = ROOT / "conf"
    groups = [path for path in conf.iterdir() if path.is_dir()]
    register_resolvers()
    GlobalHydra.instance().clear()
    known = {group.name for group in groups}
    with initialize_config_dir(str(conf), version_base=None):
        composed = [compose("evaluate"), compose("train", return_hydra_config=True)] + [
            compose("train", overrides=[f"{group.name}={option.stem}"])
            for group in groups
            if group.name != "hydra"
            for option in group.glob("*.yaml")
        ]
    for config in composed:
        known |= names_in(OmegaConf.to_container(config, resolve=False))
    return known


def names_in(node: object, within: str = "") -> set[str]:
    """Dotted names of everything in nested settings."""
    if not isinstance(node, dict):
        return set()
    found = set()
    for key, value in node.items():
        name = f"{within}.{key}" if within else str(key)
        found |= {name} | names_in(value, name)
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    "page", [page for page in pages() if any(in_passing(page))], ids=lambda page: page.name
)
def test_settings_named_in_passing_exist(page: Path, settings: set[str]) -> None:
    for command in in_passing(page):
        if command.page not in NOT_TRIED_PAGES:
            names = {word.partition("=")[0] for word in command.words if "=" in word}
            unknown = {name.lstrip("+~") for name in names} - settings
            assert not unknown, f"{command}: there are no such settings: {unknown}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where a user might be who reads on; all commands are tried in it, page by page."""
    made = tmp_path_factory.mktemp("user")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("PG_DATA", raising=False)
        patch.setenv("HF_HUB_OFFLINE", "1")
        patch.setenv("COLUMNS", "120")
        patch.setenv("WANDB_MODE", "offline")
        # Without Java, METEOR is left out, which takes eight seconds to begin.
        patch.setenv("PATH", str(Path(sys.executable).parent))
        folders.make(made)
        yield made


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # a user may see them, and read on
@pytest.mark.parametrize("command", TRIED.values(), ids=str)
def test_a_command_works(command: Command, folder: Path) -> None:
    way = way_of(command)
    if way is None:
        return
    ended = way(command, folder)
    assert ended is None or ended.code == 0, f"{command.text}\n{ended.out[-2000:]}{ended.error}"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("page", CODE)
def test_python_works(page: str, folder: Path) -> None:
    names: dict[str, object] = {}
    with chdir(folder), redirect_stdout(io.StringIO()):
        for block in CODE[page]:
            names |= python(block.text, folder, names)
