"""Weights of any released format into a model."""

from __future__ import annotations

from pathlib import Path

import torch

from pg_transfer.model.checkpoint.big_vision import read_big_vision
from pg_transfer.model.checkpoint.fit import LoadReport
from pg_transfer.model.checkpoint.hugging_face import read_hugging_face
from pg_transfer.model.checkpoint.kinds import PALIGEMMA, Kind
from pg_transfer.model.paligemma import PaliGemma


@torch.no_grad()
def load_weights(model: PaliGemma, source: Path, *, resample: bool = False) -> LoadReport:
    """Fill every parameter of `model` from `source`, each straight into its place.

    Little more memory is used than the model itself takes. Values are cast to the dtypes the
    parameters have. A model built on the meta device is given memory on the CPU first.

    Args:
        model: of the size that the checkpoint has.
        source: big_vision's `.npz` file, or a folder in Hugging Face's format.
        resample: stretch the position embeddings where they are for another resolution than the
            model's, as the reference does; the report says so.

    Raises:
        FileNotFoundError: there is nothing at `source`, or a file of the folder is missing.
        ValueError: the checkpoint is not one of this model or for another resolution, and nothing
            has been read: the message names what differs. Or it is damaged.
    """
    return fill_kind(model, source, PALIGEMMA, resample=resample)


def fill_kind(model: PaliGemma, source: Path, kind: Kind, *, resample: bool = False) -> LoadReport:
    """`load_weights`, of a checkpoint that may hold only a part of the model."""
    is_archive = require_checkpoint(source)
    give_memory(model)
    parameters = dict(model.named_parameters())
    read = read_big_vision if is_archive else read_hugging_face
    return read(parameters, model.config, source, kind, resample=resample)


def require_checkpoint(source: Path) -> bool:
    """Whether `source` is an archive; the alternative is a folder.

    Raises:
        FileNotFoundError: there is nothing.
        ValueError: it is neither.
    """
    if not source.exists():
        raise FileNotFoundError(f"no weights at {source}")
    is_archive = source.is_file() and source.suffix == ".npz"
    if not is_archive and not source.is_dir():
        raise ValueError(
            f"{source} is no checkpoint: give a big_vision .npz file, or the folder that a "
            f"Hugging Face model.safetensors lies in"
        )
    return is_archive


def give_memory(model: PaliGemma) -> None:
    """Memory on the CPU for a model that was built without."""
    if any(parameter.is_meta for parameter in model.parameters()):
        model.to_empty(device="cpu")
        model.tie()
