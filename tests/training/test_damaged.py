"""A checkpoint that lacks a part is told as damaged, by its name, whoever finds that out."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from pg_transfer.process.console import user_message
from pg_transfer.process.whole_files import whole
from pg_transfer.training import shards
from pg_transfer.training.checkpoint_files import WholeFiles
from pg_transfer.training.damaged import PARTS, PROGRESS, CheckpointError, going_on_from, reading
from pg_transfer.training.shards import REST, Checkpoint, write_shard
from pg_transfer.training.weights import LAST, read_file, read_weights
from scripts.fuzz_checkpoints import empty_model
from tasks.shapes import SPLITS
from tests.training.test_checkpoints import started
from tests.training.test_shards import saved, written

SAID = "last.ckpt is no checkpoint of a run of ours, or a damaged one"


@pytest.mark.parametrize("read", [WholeFiles().load_checkpoint, read_file])
@pytest.mark.parametrize("name", [*PARTS, "base"])
def test_a_file_that_lacks_a_part_is_refused(name: str, read: Callable, tmp_path: Path) -> None:
    torch.save(saved(), tmp_path / LAST)
    assert read(tmp_path / LAST)["passes"] == 1
    content = saved()
    del content[name]
    torch.save(content, tmp_path / LAST)
    with pytest.raises(CheckpointError, match=rf"{SAID} \(it lacks {name}\)"):
        read(tmp_path / LAST)
    torch.save({**content, name: torch.zeros(1)}, tmp_path / LAST)
    with pytest.raises(CheckpointError, match=rf"{SAID} \(its {name} "):
        read(tmp_path / LAST)


def progress(without: str = "", **counts: Any) -> dict[str, Any]:
    return {name: counts for name in PROGRESS if name != without}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({}, "it lacks pytorch-lightning_version"),
        ([], "it holds a list"),
        (torch.zeros(1), "it holds a Tensor"),
        ({**saved(), "optimizer_states": []}, "it has 0 optimizer_states, not one"),
        ({**saved(), "lr_schedulers": [{}, {}]}, "it has 2 lr_schedulers, not one"),
        ({**saved(), "base": {"source": "x"}}, "its base has no fingerprint"),
        ({**saved(), "loops": {}}, "its loops lack fit_loop"),
        *(
            ({**saved(), "loops": {"fit_loop": progress(without=name)}}, f"fit_loop lacks {name}")
            for name in PROGRESS
        ),
        (
            {**saved(), "loops": {"fit_loop": progress(total={"ready": None})}},
            "fit_loop.epoch_progress.total.ready is None",
        ),
    ],
)
def test_a_file_with_a_wrong_part_is_refused(content: Any, said: str, tmp_path: Path) -> None:
    torch.save(content, tmp_path / LAST)
    with pytest.raises(CheckpointError, match=rf"{SAID} \(.*{said}\)"):
        WholeFiles().load_checkpoint(tmp_path / LAST)


def rest_without(name: str) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        content = torch.load(folder / REST, weights_only=True)
        del content[name]
        torch.save(content, folder / REST)

    return change


def rest_with(**parts: Any) -> Callable[[Path], object]:
    return lambda folder: torch.save(
        torch.load(folder / REST, weights_only=True) | parts, folder / REST
    )


def piece(change: Callable[[dict[str, Tensor]], object]) -> Callable[[Path], object]:
    """Another first file of tensors."""

    def make(folder: Path) -> None:
        path = folder / "00000-of-00002.safetensors"
        tensors = load_file(path)
        change(tensors)
        save_file(tensors, path)

    return make


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        *((rest_without(name), f"it lacks {name}") for name in PARTS if name != "state_dict"),
        (rest_without("base"), "it lacks base"),
        (rest_with(optimizer_states=[{}]), "it lacks 'param_groups'"),
        (rest_with(optimizer_states=7), "not iterable"),
        (rest_with(optimizer_states=[{"param_groups": [{"params": [0]}]}]), "does not name"),
        (piece(lambda of: of.update({"exp_avg/model.no": torch.ones(1)})), "model.no"),
        (piece(lambda of: of.update({"weights/model.weight": torch.ones(3, 4)})),
         r"pieces of weights/model.weight do not fit together: rows of \[3, 'F32'\] and \[4"),
        (piece(lambda of: of.update({"weights/model.bias": torch.ones(1).half()})), "'F16'"),
        (piece(lambda of: of.pop("weights/model.weight")), "weights/model.weight"),
    ],
)  # fmt: skip
def test_a_folder_with_a_wrong_part_is_refused(harm: Any, said: str, tmp_path: Path) -> None:
    written(tmp_path / LAST)
    harm(tmp_path / LAST)
    with pytest.raises(CheckpointError, match=rf"{SAID} \(.*{said}"):
        WholeFiles().load_checkpoint(tmp_path / LAST)


@pytest.mark.parametrize("name", ["base", "global_step"])
def test_a_folder_that_lacks_what_scoring_needs_is_refused(name: str, tmp_path: Path) -> None:
    written(tmp_path / LAST)
    rest_without(name)(tmp_path / LAST)
    with pytest.raises(CheckpointError, match=rf"{SAID} \(it lacks '{name}'\)"):
        read_weights(tmp_path / LAST, empty_model())


def test_what_is_no_damage_is_let_through() -> None:
    for error in (MemoryError(), PermissionError(13, "no"), CheckpointError("said already")):
        with pytest.raises(type(error)) as caught, reading("x"):
            raise error
        assert caught.value is error
    for error in (KeyError("of the training"), ValueError("of the data")):
        with pytest.raises(type(error)), going_on_from(Path("x")):
            raise error


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The folder of a run, and what its last checkpoint holds."""
    with pytest.MonkeyPatch.context() as patched:
        for split, count in {"val": 16, "test": 1}.items():
            patched.setitem(SPLITS, split, count)
        folder = tmp_path_factory.mktemp("run")
        made = started(folder, "tuning=lora", "recipe.epochs=1", "validations=1")
        made.trainer.fit(made.module, made.data)
        yield folder, torch.load(folder / "checkpoints" / LAST, weights_only=True)


@pytest.mark.parametrize(
    "place",
    [
        ("loops", "fit_loop", "epoch_loop.batch_progress", "total"),
        ("callbacks", "KeepCheckpoints"),
        ("optimizer_states", 0, "param_groups"),
        ("lr_schedulers", 0),
    ],
)
def test_what_is_found_while_a_state_is_taken_up_is_told_the_same(
    place: tuple[Any, ...], run: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    content = part = deepcopy(run[1])
    *above, last = place
    for name in above:
        part = part[name]
    part[last] = ["x"]
    torch.save(content, tmp_path / LAST)
    again = started(tmp_path / "run", "tuning=lora", "recipe.epochs=1", "validations=1")
    with pytest.raises(CheckpointError, match=SAID), going_on_from(tmp_path / LAST):
        again.trainer.fit(again.module, again.data, ckpt_path=tmp_path / LAST, weights_only=True)


def full(*_: Any, **__: Any) -> None:
    raise SafetensorError(
        "Error while serializing: I/O error: No space left on device (os error 28)"
    )


def test_a_disk_that_is_full_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "save_file", full)
    with pytest.raises(OSError, match="No space left") as caught:
        write_shard(tmp_path, Checkpoint(saved()), rank=0, processes=2)
    assert caught.value.errno == errno.ENOSPC
    message = user_message(caught.value)
    assert message is not None and "00000-of-00002.safetensors: No space left" in message
    with (
        pytest.raises(OSError, match=r"No space left on device.*best\.safetensors"),
        whole(tmp_path / "best.safetensors"),
    ):
        full()
    assert list(tmp_path.iterdir()) == []


def test_what_else_goes_wrong_with_a_file_stays_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(_: Any, path: Path) -> None:
        path.write_bytes(b"half")
        raise SafetensorError("no such kind of number")

    monkeypatch.setattr(shards, "save_file", wrong)
    with pytest.raises(SafetensorError, match="no such kind"):
        write_shard(tmp_path, Checkpoint(saved()), rank=0, processes=1)
    assert list(tmp_path.iterdir()) == []
