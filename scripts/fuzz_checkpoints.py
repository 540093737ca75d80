"""What `fuzz.py` feeds of a run: weights, and checkpoints to score and to go on from."""

from __future__ import annotations

import io
from copy import deepcopy
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import torch

from pg_transfer.model.config import PaliGemmaConfig, released
from pg_transfer.model.paligemma import PaliGemma
from pg_transfer.training.checkpoint_files import WholeFiles
from pg_transfer.training.damaged import PROGRESS
from pg_transfer.training.shards import REST, Checkpoint, write_shard
from pg_transfer.training.weights import read_weights, write_weights
from scripts.fuzz import Reader


@cache
def tiny() -> PaliGemmaConfig:
    config = released("tiny", resolution=28)
    return PaliGemmaConfig(
        vision=replace(config.vision, width=8, depth=1, heads=2, mlp=8),
        language=replace(
            config.language, width=8, depth=1, mlp=8, heads=2, kv_heads=1, head_width=4,
            vocabulary=64,
        ),
    )  # fmt: skip


def empty_model() -> PaliGemma:
    with torch.device("meta"):
        return PaliGemma(tiny())


def filled_model() -> PaliGemma:
    model = PaliGemma(tiny())
    model.initialise(torch.Generator().manual_seed(0))
    return model


def checkpoint(folder: Path) -> Path:
    parameters = dict(filled_model().named_parameters())
    weights = {f"model.{name}": value for name, value in parameters.items()}
    path = folder / "last.ckpt"
    torch.save({"state_dict": weights, "global_step": 3, "base": None}, path)
    return path


def learnt(folder: Path) -> Path:
    path = folder / "best.safetensors"
    weights = {f"model.{name}": value for name, value in filled_model().named_parameters()}
    write_weights(path, weights, base=None, step=3)
    return path


def to_go_on_from(folder: Path) -> Path:
    path = folder / "last.ckpt"
    torch.save(whole_checkpoint(), path)
    return path


def in_pieces(folder: Path, *, damaged: str) -> Path:
    """As two processes write it."""
    (folder / "last.ckpt").mkdir()
    for rank in range(2):
        content = Checkpoint(whole_checkpoint())
        for _, (there, name) in content.places():
            there[name] = there[name].tensor_split(2)[rank]
        write_shard(folder / "last.ckpt", content, rank=rank, processes=2)
    return folder / "last.ckpt" / damaged


def whole_checkpoint() -> dict[str, Any]:
    model = filled_model()
    optimizer = torch.optim.AdamW([{"params": [*model.named_parameters()]}])
    sum(value.sum() for value in model.parameters()).backward()  # type: ignore[union-attr]
    optimizer.step()
    counts = {"ready": 1, "started": 1, "processed": 1, "completed": 1}
    progress = {"total": {**counts}, "current": {**counts}}
    return {
        "state_dict": {f"model.{name}": value.detach() for name, value in model.named_parameters()},
        "optimizer_states": [optimizer.state_dict()],
        "lr_schedulers": [{"last_epoch": 1}],
        "loops": {"fit_loop": {name: deepcopy(progress) for name in PROGRESS}},
        "callbacks": {"KeepCheckpoints": {"best": 0.5, "best_step": 1}},
        "pytorch-lightning_version": "2.5.0", "epoch": 0, "global_step": 1, "passes": 1,
        "base": None,
    }  # fmt: skip


def from_torch(content: bytes) -> Any:
    return torch.load(io.BytesIO(content), weights_only=True)


def as_torch(content: Any) -> bytes:
    file = io.BytesIO()
    torch.save(content, file)
    return file.getvalue()


def read_pieces(path: Path) -> None:
    """Once to be scored, once to be gone on from."""
    for read in (partial(read_weights, model=empty_model()), WholeFiles().load_checkpoint):
        read(path.parent)


CHECKPOINTS = {
    "checkpoint": Reader(checkpoint, lambda path: read_weights(path, empty_model())),
    "weights": Reader(learnt, lambda path: read_weights(path, empty_model())),
    "go_on": Reader(
        to_go_on_from, partial(WholeFiles().load_checkpoint, weights_only=True),
        (from_torch, as_torch),
    ),
    "pieces": Reader(partial(in_pieces, damaged="00001-of-00002.safetensors"), read_pieces),
    "rest": Reader(partial(in_pieces, damaged=REST), read_pieces, (from_torch, as_torch)),
}  # fmt: skip
