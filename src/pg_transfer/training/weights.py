"""Files of what a run has learnt: read safely, written whole or not at all, known by their base.

`last.ckpt` is Lightning's, with the optimiser's state; `best.safetensors` holds weights alone. Both
have the parameters that learn and no others: where a part is frozen or adapted, the weights to
start from are named instead, and told by their fingerprint.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from pg_transfer.adapters.portable import readable
from pg_transfer.model.checkpoint.names import POSITIONS
from pg_transfer.model.paligemma import PaliGemma
from pg_transfer.process.replacing import clear_unfinished
from pg_transfer.process.whole_files import whole
from pg_transfer.training.damaged import CheckpointError, reading, require_base, require_parts
from pg_transfer.training.digests import short_digest
from pg_transfer.training.shards import LIGHTNING, WEIGHTS, Shards, piece, read_rest

LAST, BEST = "last.ckpt", "best.safetensors"
SUFFIXES = (".ckpt", ".safetensors")
CHECKPOINTS = {"last": LAST, "best": BEST}
"""Those of a run that need no path."""


@dataclass(frozen=True, slots=True)
class Base:
    """The weights that a run started from.

    Attributes:
        source: a hub id, a path, or how they were drawn.
        fingerprint: of their values.
    """

    source: str
    fingerprint: str


def fingerprint(model: PaliGemma) -> str:
    """Sixteen hexadecimal digits that tell weights from others, at no cost.

    Of every parameter some values are taken, rounded to bfloat16, so that it is the same in either
    precision; not of the position embeddings, which are stretched for other resolutions.

    Args:
        model: without adapters.
    """
    named = model.named_parameters()
    return short_digest(_some_of(*one) for one in named if one[0] != POSITIONS)


def _some_of(name: str, parameter: nn.Parameter) -> bytes:
    values = parameter.detach().reshape(-1)
    some = values[:: max(1, len(values) // 256)].bfloat16().view(torch.int16)
    return name.encode() + some.cpu().numpy().tobytes()


def learning(model: nn.Module) -> list[str]:
    """The names of the parameters that learn; the table that serves twice is named once."""
    return [name for name, parameter in model.named_parameters() if parameter.requires_grad]


def require_fit(
    file: str,
    found: Collection[str],
    saved: Mapping[str, str] | None,
    *,
    names: Collection[str],
    base: Base | None,
) -> None:
    """Compares what a file of weights holds with what a model needs.

    Args:
        file: for the message.
        found: the names of its weights.
        saved: the base that it says it belongs to; None if it holds the whole model.
        names: what learns in the model.
        base: the model's; None if all of it learns.

    Raises:
        CheckpointError: they differ.
    """
    missing, extra = sorted(set(names) - set(found)), sorted(set(found) - set(names))
    if missing or extra:
        raise CheckpointError(
            f"{file} is no checkpoint of this model under this tuning: of the {len(names)} "
            f"parameters that learn it lacks {len(missing)} ({', '.join(missing[:3])}), and it has "
            f"{len(extra)} others ({', '.join(extra[:3])})"
        )
    if base is not None and saved is not None and saved["fingerprint"] != base.fingerprint:
        raise CheckpointError(
            f"{file} holds what was learnt on top of {saved['source']} (fingerprint "
            f"{saved['fingerprint']}), and the weights at hand are {base.source} (fingerprint "
            f"{base.fingerprint}), which are others; give those that it was trained on"
        )


def read_weights(path: Path, model: PaliGemma, *, base: Base | None = None) -> int:
    """Fills what learns in `model` from a file of ours; the update it was saved after.

    Args:
        path: a .ckpt or .safetensors of a run.
        model: under the run's tuning; on the meta device if all of it learns.
        base: what the weights that do not learn are.

    Raises:
        FileNotFoundError: no such file.
        CheckpointError: it is no checkpoint of ours, or one of another model or base.
    """
    if not path.exists():
        there = [file.name for file in sorted(path.parent.glob("*")) if file.suffix in SUFFIXES]
        raise FileNotFoundError(
            f"no checkpoint {path}; in its folder: {', '.join(there) or 'none'}"
        )
    with reading(path):
        if path.is_dir():
            weights, saved, step = _read_folder(path)
        else:
            read = _read_safetensors if path.suffix == ".safetensors" else _read_lightning
            weights, saved, step = read(path)
        require_base(path, saved)
    require_fit(str(path), weights, saved, names=learning(model), base=base)
    is_empty = any(parameter.is_meta for parameter in model.parameters())
    try:
        model.load_state_dict(weights, strict=False, assign=is_empty)
    except RuntimeError as error:
        raise CheckpointError(f"{path} is of another size than this model: {error}") from error
    model.tie()
    return step


def require_finite(source: str, model: nn.Module) -> None:
    """Raises ValueError if a weight of `model`, which came from `source`, is NaN or infinite."""
    if found := not_finite(model.named_parameters()):
        raise ValueError(
            f"{source}: {found}: nothing can be learnt or answered with them. Take an earlier "
            f"checkpoint, or download the weights again"
        )


def not_finite(tensors: Iterable[tuple[str, Tensor]]) -> str:
    """Which of the tensors is the first that has NaN or infinity, and how much; empty if none has.

    Of one that processes share, this one's piece is looked at.
    """
    for name, tensor in tensors:
        values = piece(tensor.detach())
        # A sum is read through once, and is finite where all is.
        if not values.is_floating_point() or values.sum().isfinite():
            continue
        if bad := int((~values.isfinite()).sum()):
            return (
                f"{bad:,} of the {values.numel():,} values of {name} are not finite (NaN or "
                f"infinity)"
            )
    return ""


Read = tuple[dict[str, Tensor], dict[str, str] | None, int]


def _read_folder(path: Path) -> Read:
    rest, shards = read_rest(path).content, Shards(path)
    weights = {
        key.removeprefix(f"{WEIGHTS}/{LIGHTNING}"): shards.rows(key, 0, shards.length(key))
        for key in shards.keys
        if key.startswith(f"{WEIGHTS}/")
    }
    return weights, rest["base"], int(rest["global_step"])


def _read_lightning(path: Path) -> Read:
    saved = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    weights = {name.removeprefix(LIGHTNING): v for name, v in saved["state_dict"].items()}
    return weights, saved["base"], int(saved["global_step"])


def _read_safetensors(path: Path) -> Read:
    with safe_open(path, framework="pt") as file:
        facts = file.metadata()
        weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    return weights, json.loads(facts["base"]), int(facts["step"])


def write_weights(
    path: Path, weights: Mapping[str, Tensor], *, base: Base | None, step: int
) -> None:
    """Saves weights, under Lightning's names, in a file that appears when it is whole."""
    facts = {
        "format": "pt",
        "step": str(step),
        "base": json.dumps(None if base is None else asdict(base)),
    }
    ours = {name.removeprefix(LIGHTNING): v.cpu().contiguous() for name, v in weights.items()}
    with whole(path) as unfinished:
        save_file(ours, unfinished, metadata=facts)
        readable(unfinished)


def write_file(content: Mapping[str, Any], path: Path) -> None:
    """Saves a checkpoint in one file, without a copy of the whole of it in memory.

    A crash in the middle of it, of the machine even, leaves the file that was there.
    """
    clear_unfinished(path)
    with whole(path) as unfinished:
        torch.save(content, unfinished)


def read_file(path: Path) -> dict[str, Any]:
    """A checkpoint in one file, of which no more is read than is looked at.

    Raises:
        ValueError: it is damaged, or lacks a part.
    """
    with reading(path):
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    require_parts(path, content)
    return content
