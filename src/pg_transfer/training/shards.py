"""A checkpoint as a folder: one file of tensors for each process, and one of all else.

Every tensor is cut along its first dimension, one piece in each file in the order of the processes,
so that any rows of it can be read without the others. Torch's own format for this begins with a
pickle that is read without restriction, and runs what code it holds; safetensors hold numbers.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch.distributed.tensor import DTensor

from pg_transfer.process.whole_files import raise_reason
from pg_transfer.training.damaged import damaged, reading, require_parts

REST = "rest.ckpt"
"""All that is not cut: settings of the optimiser, progress, scores."""
LIGHTNING = "model."
"""What Lightning puts before our names: the attribute that the module has the model in."""
WEIGHTS = "weights"
"""What stands before a name for the parameter itself; else it is the key of an Adam state."""

_FILE = re.compile(r"(\d{5})-of-(\d{5})\.safetensors")

Place = tuple[dict[Any, Any], Any]


class Checkpoint:
    """Lightning's dictionary of a run, with its large tensors known by name.

    Their keys are `weights/<parameter>`, `exp_avg/<parameter>` and `exp_avg_sq/<parameter>`.

    Args:
        content: as Lightning saves it; is changed in place.

    Raises:
        ValueError: its optimiser's state does not say what its parameters are called.
    """

    def __init__(self, content: dict[str, Any]) -> None:
        self.content = content
        self._states: dict[str, dict[Any, Any]] = {}
        for optimizer in content.get("optimizer_states", []):
            for group in optimizer["param_groups"]:
                if "param_names" not in group:
                    raise ValueError("its optimiser's state does not name the parameters")
                for name, number in zip(group["param_names"], group["params"], strict=True):
                    self._states[LIGHTNING + name] = optimizer["state"].setdefault(number, {})

    def places(self) -> Iterator[tuple[str, Place]]:
        """The key of every large tensor, and where it is."""
        weights = self.content["state_dict"]
        for name in list(weights):
            yield f"{WEIGHTS}/{name}", (weights, name)
        for name, state in self._states.items():
            for kind in [kind for kind, value in state.items() if value.ndim]:
                yield f"{kind}/{name}", (state, kind)

    def place(self, key: str) -> Place:
        """Where the tensor of that key belongs.

        Raises:
            ValueError: there is no parameter of its name.
        """
        kind, _, name = key.partition("/")
        if kind != WEIGHTS and name not in self._states:
            raise ValueError(f"its optimiser knows no parameter {name}, and there is {key}")
        return (self.content["state_dict"], name) if kind == WEIGHTS else (self._states[name], kind)


def piece(tensor: Tensor) -> Tensor:
    """What this process has of a tensor; all of one that is not cut."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def write_shard(folder: Path, checkpoint: Checkpoint, *, rank: int, processes: int) -> None:
    """Writes one process's pieces, which are taken out of `checkpoint`; the first writes the rest.

    Args:
        folder: which is there.
        checkpoint: whose tensors are cut already, each into this process's piece.
        rank: of this process.
        processes: how many there are.

    Raises:
        OSError: of a full disk, say, with the file's name.
    """
    pieces = {}
    for key, (there, name) in checkpoint.places():
        value = there.pop(name).detach()
        pieces[key] = piece(value).cpu().contiguous()
    path = folder / f"{rank:05d}-of-{processes:05d}.safetensors"
    try:
        save_file(pieces, path)
        _to_disk(path)
        if rank == 0:
            path = folder / REST
            torch.save(checkpoint.content, path)
            _to_disk(path)
    except Exception as error:
        try:
            raise_reason(error, path)
        finally:
            path.unlink(missing_ok=True)  # of a full disk it may be the larger part
        raise


class Shards:
    """The tensors in a folder of a checkpoint.

    Attributes:
        keys: of `Checkpoint`.

    Raises:
        ValueError: a file is missing, or damaged.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        found = sorted(path for path in folder.glob("*.safetensors") if _FILE.fullmatch(path.name))
        counts = {int(_FILE.sub(r"\2", path.name)) for path in found}
        if counts != {len(found)}:
            raise damaged(folder, f"it has {len(found)} files of tensors, of {counts or 'none'}")
        self._open = ExitStack()
        try:
            self._files = [
                self._open.enter_context(safe_open(path, framework="pt")) for path in found
            ]
            self.keys: list[str] = list(self._files[0].keys())
            if odd := {key for file in self._files for key in file.keys()} ^ {*self.keys}:  # noqa: SIM118
                raise damaged(folder, f"not all of its files have {min(odd)}")
            slices = {key: [file.get_slice(key) for file in self._files] for key in self.keys}
            self._counts = {
                key: [piece.get_shape()[0] for piece in pieces] for key, pieces in slices.items()
            }
        except (SafetensorError, OSError, IndexError) as error:
            raise damaged(folder, str(error)) from error
        for key, pieces in slices.items():
            kinds = [(*piece.get_shape()[1:], piece.get_dtype()) for piece in pieces]
            if len(set(kinds)) > 1:
                told = " and ".join(sorted({f"{list(kind)}" for kind in kinds}))
                raise damaged(folder, f"its pieces of {key} do not fit together: rows of {told}")

    def rows(self, key: str, first: int, last: int) -> Tensor:
        """Those rows of a tensor, on the CPU."""
        pieces, start = [], 0
        for file, count in zip(self._files, self._counts[key], strict=True):
            low, high = max(first - start, 0), min(last - start, count)
            if low < high:
                pieces.append(file.get_slice(key)[low:high])
            start += count
        return torch.cat(pieces) if pieces else self._files[0].get_slice(key)[0:0]

    def length(self, key: str) -> int:
        """How many rows a tensor has."""
        return sum(self._counts[key])


class Whole:
    """The same of a checkpoint in one file."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._tensors = {key: there[name] for key, (there, name) in checkpoint.places()}
        self.keys = list(self._tensors)

    def rows(self, key: str, first: int, last: int) -> Tensor:
        """Those rows of a tensor, on the CPU."""
        return self._tensors[key][first:last]

    def length(self, key: str) -> int:
        """How many rows a tensor has."""
        return len(self._tensors[key])


def read_rest(folder: Path) -> Checkpoint:
    """What is not cut.

    Raises:
        ValueError: it is missing, or damaged.
    """
    with reading(folder):
        try:
            rest = torch.load(folder / REST, map_location="cpu", weights_only=True)
        except UnpicklingError as error:
            raise damaged(folder, str(error).partition(". ")[0]) from error
        return Checkpoint({**rest, "state_dict": {}})


def read_whole(folder: Path) -> dict[str, Any]:
    """The checkpoint as if it had been saved in one file, put together.

    Raises:
        ValueError: it is damaged, or lacks a part.
    """
    checkpoint, shards = read_rest(folder), Shards(folder)
    require_parts(folder, checkpoint.content)
    with reading(folder):
        for key in shards.keys:
            there, name = checkpoint.place(key)
            there[name] = shards.rows(key, 0, shards.length(key))
    return checkpoint.content


def _to_disk(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())
