"""A checkpoint in pieces is the checkpoint, whole or refused; a crash leaves one to be read."""

from __future__ import annotations

import subprocess
import sys
import time
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from pg_transfer.consolidate import consolidate
from pg_transfer.process.replacing import put, settle
from pg_transfer.training.checkpoint_files import WholeFiles
from pg_transfer.training.damaged import PROGRESS
from pg_transfer.training.ending import end
from pg_transfer.training.shards import Checkpoint, Shards, read_whole, write_shard
from pg_transfer.training.world_size import recount


def saved() -> dict[str, Any]:
    """Five rows, and one, for two processes: of which the second has two, and none."""
    torch.manual_seed(0)
    model = nn.ModuleDict({"model": nn.Linear(3, 5)})
    model["model"].bias = nn.Parameter(torch.randn(1))
    optimizer = torch.optim.AdamW(
        [
            {"params": [("bias", model["model"].bias)], "lr": 1e-2},
            {"params": [("weight", model["model"].weight)]},
        ]
    )
    (model["model"].weight.sum() + model["model"].bias.sum()).backward()
    optimizer.step()
    weights = {name: value.detach().clone() for name, value in model.named_parameters()}
    return {
        "state_dict": weights,
        "optimizer_states": [deepcopy(optimizer.state_dict())],
        "lr_schedulers": [{"last_epoch": 1}],
        "pytorch-lightning_version": "2.5.0",
        "epoch": 0,
        "global_step": 1,
        "loops": {"fit_loop": {name: {} for name in PROGRESS}},
        "callbacks": {},
        "passes": 1,
        "base": None,
    }


def written(folder: Path) -> dict[str, Any]:
    """What was written to `folder`, by two processes."""
    folder.mkdir(parents=True)
    for rank in range(2):
        checkpoint = Checkpoint(saved())
        for _, (there, name) in checkpoint.places():
            pieces = there[name].split(-(-len(there[name]) // 2))
            there[name] = pieces[rank] if rank < len(pieces) else there[name][:0]
        write_shard(folder, checkpoint, rank=rank, processes=2)
    return saved()


def equal(one: Any, other: Any) -> bool:
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(equal(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(equal, one, other))
    return torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other


def test_pieces_put_together_are_what_was_cut(tmp_path: Path) -> None:
    expected = written(tmp_path / "last.ckpt")
    assert equal(read_whole(tmp_path / "last.ckpt"), expected)
    assert equal(WholeFiles().load_checkpoint(tmp_path / "last.ckpt"), expected)
    consolidate(tmp_path / "last.ckpt", tmp_path / "whole.ckpt")
    assert equal(torch.load(tmp_path / "whole.ckpt", weights_only=True), expected)
    with pytest.raises(ValueError, match="is there already"):
        consolidate(tmp_path / "last.ckpt", tmp_path / "whole.ckpt")
    shards = Shards(tmp_path / "last.ckpt")
    weight = expected["state_dict"]["model.weight"]
    for first in range(6):
        for last in range(first, 6):
            assert torch.equal(shards.rows("weights/model.weight", first, last), weight[first:last])
    assert shards.rows("weights/model.bias", 1, 1).shape == (0,)


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda one: one.unlink(), r"it has 1 files of tensors, of \{2\}"),
        (lambda one: one.write_bytes(one.read_bytes()[:-4]), "damaged one"),
        (lambda one: one.with_name("rest.ckpt").unlink(), "No such file"),
        (lambda one: one.with_name("rest.ckpt").write_bytes(b"\x80\x02cos\nsystem\n."), "damaged"),
    ],
)
def test_a_damaged_folder_is_refused_by_name(harm: Any, said: str, tmp_path: Path) -> None:
    written(tmp_path / "last.ckpt")
    harm(tmp_path / "last.ckpt" / "00001-of-00002.safetensors")
    with pytest.raises(ValueError, match=rf"last.ckpt is no checkpoint of a run of ours.*{said}"):
        read_whole(tmp_path / "last.ckpt")


@pytest.mark.parametrize("older_is_file", [True, False])
@pytest.mark.parametrize("newer_is_file", [True, False])
def test_whenever_it_is_killed_there_is_one_or_the_other(
    older_is_file: bool, newer_is_file: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def make(path: Path, text: str, is_file: bool) -> None:
        if not is_file:
            path.mkdir()
            path = path / "inside"
        path.write_text(text)

    def read(path: Path) -> str:
        return (path / "inside" if path.is_dir() else path).read_text()

    class Killed(BaseException):
        pass

    for number, moment in enumerate(range(4)):
        calls = [0]

        def dying(real: Any, calls: list[int] = calls, moment: int = moment) -> Any:
            def step(*arguments: Any, **more: Any) -> Any:
                calls[0] += 1
                if calls[0] > moment:
                    raise Killed
                return real(*arguments, **more)

            return step

        folder = tmp_path / str(number)
        folder.mkdir()
        path, unfinished = folder / "last.ckpt", folder / "last.ckpt.part"
        make(path, "older", older_is_file)
        make(unfinished, "newer", newer_is_file)
        with monkeypatch.context() as patched:
            for name in ("rename", "replace"):
                patched.setattr(Path, name, dying(getattr(Path, name)))
            try:
                put(unfinished, path)
                expected = "newer"
            except Killed:
                expected = "older"
        settle(path)
        assert read(path) == expected
        put(path, folder / "again.ckpt")  # and can go on
        settle(folder / "again.ckpt")


def test_progress_is_counted_in_updates() -> None:
    def progress(**counts: int) -> dict[str, Any]:
        return {"epoch_loop.batch_progress": {"total": dict(counts), "current": dict(counts)}}

    # Three updates of four passes, the last not yet counted as completed; now of one pass.
    loop = progress(ready=12, started=12, processed=12, completed=11)
    recount(loop, saved=4, now=1)
    assert loop == progress(ready=3, started=3, processed=3, completed=2)
    with pytest.raises(ValueError, match="after 1 of 4 passes"):
        recount(progress(ready=5, started=5, processed=5, completed=4), saved=4, now=2)


def test_processes_that_do_not_end_are_ended() -> None:
    code = "import time; time.sleep(60)"
    started = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(2)]
    began = time.monotonic()
    end(started, grace=0.1)
    assert [one.wait(10) for one in started] == [-9, -9]
    assert time.monotonic() - began < 30
