"""What is said of a checkpoint that is damaged, wherever in reading it that comes out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError
from traceback import walk_tb
from typing import Any

from pg_transfer.process.shortage import is_shortage

PARTS = {
    "pytorch-lightning_version": str, "epoch": int, "global_step": int, "state_dict": dict,
    "loops": dict, "callbacks": dict, "optimizer_states": list, "lr_schedulers": list,
    "passes": int,
}  # fmt: skip
"""Of a checkpoint to go on from; without some of them Lightning would begin anew, unsaid."""
PROGRESS = (
    "epoch_progress", "epoch_loop.batch_progress", "epoch_loop.val_loop.batch_progress",
    "epoch_loop.automatic_optimization.optim_progress",
)  # fmt: skip
"""Likewise, of its loops."""

RESTORING = "lightning.pytorch.trainer.connectors.checkpoint_connector"


class CheckpointError(ValueError):
    """A checkpoint is damaged, or of another model; the message names it."""


def damaged(path: object, reason: str) -> CheckpointError:
    """What to say of a file or a folder that is no whole checkpoint."""
    return CheckpointError(
        f"{path} is no checkpoint of a run of ours, or a damaged one ({reason}); take it away, or "
        f"put a whole one in its place"
    )


@contextmanager
def reading(path: object) -> Iterator[None]:
    """Around what reads a checkpoint: whatever is found to be wrong with it is told as such.

    Raises:
        CheckpointError: in place of any error but those of memory and of rights.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, CheckpointError | PermissionError) or is_shortage(error):
            raise
        raise _told(path, error) from error


@contextmanager
def going_on_from(path: Path) -> Iterator[None]:
    """Around a training: the same of what Lightning finds wrong with the checkpoint it begins from.

    Raises:
        CheckpointError: in place of an error over the saved state. What the training itself raises
            is let through, and so is what we say of a state that does not fit.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, OSError) or is_shortage(error) or not _is_over_state(error):
            raise
        raise _told(path, error) from error


def require_parts(path: object, content: Any) -> None:
    """Raises CheckpointError if what `path` holds lacks a part that a run goes on with."""
    if not isinstance(content, Mapping):
        raise damaged(path, f"it holds a {type(content).__name__}")
    for name, kind in PARTS.items():
        if name not in content:
            raise damaged(path, f"it lacks {name}")
        if not isinstance(content[name], kind):
            raise damaged(path, f"its {name} is a {type(content[name]).__name__}")
    for name in ("optimizer_states", "lr_schedulers"):  # Lightning takes fewer without a word
        if len(content[name]) != 1:
            raise damaged(path, f"it has {len(content[name])} {name}, not one")
    fit_loop = content["loops"].get("fit_loop")
    if not isinstance(fit_loop, Mapping):
        raise damaged(path, "its loops lack fit_loop")
    for name in PROGRESS:
        if name not in fit_loop:
            raise damaged(path, f"its fit_loop lacks {name}")
    _require_counts(path, fit_loop, "fit_loop")
    if "base" not in content:
        raise damaged(path, "it lacks base")
    require_base(path, content["base"])


def require_base(path: object, base: Any) -> None:
    """Raises CheckpointError if this is nothing that tells the weights beneath a checkpoint."""
    if base is None:
        return
    for name in ("source", "fingerprint"):
        if not isinstance(base, Mapping) or not isinstance(base.get(name), str):
            raise damaged(path, f"its base has no {name}")


def _require_counts(path: object, loop: Mapping[str, Any], name: str) -> None:
    """Lightning takes up anything for its progress, and stumbles over it in the training."""
    for key, part in loop.items():
        if isinstance(part, Mapping):
            _require_counts(path, part, f"{name}.{key}")
        elif name.endswith((".total", ".current")) and not isinstance(part, int):
            raise damaged(path, f"its {name}.{key} is {part!r:.40}")


def _told(path: object, error: Exception) -> CheckpointError:
    if isinstance(error, UnpicklingError):  # torch would say how to open it all the same
        return CheckpointError(
            f"{path} holds other things than weights and numbers, or is damaged: opened without "
            f"care it could run code. Refused; take a checkpoint that a run of ours has written"
        )
    said = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
    return damaged(path, said.partition("\n")[0].partition(". ")[0] or type(error).__name__)


def _is_over_state(error: Exception) -> bool:
    """Whether it was raised while Lightning took up a state, and not by us to say that."""
    frames = [
        (str(frame.f_globals.get("__name__")), frame.f_code.co_name)
        for frame, _ in walk_tb(error.__traceback__)
    ]
    is_said = isinstance(error, ValueError) and frames[-1][0].startswith("pg_transfer")
    return not is_said and any(
        module == RESTORING and name.lstrip("_").startswith(("restore", "resume"))
        for module, name in frames
    )
