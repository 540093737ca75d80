"""One entry for every checkpoint we can start from; the format is told by what the path is."""

from __future__ import annotations

from pathlib import Path

import torch

from pg_transfer.model.checkpoint.big_vision import read_big_vision
from pg_transfer.model.checkpoint.fit import LoadReport
from pg_transfer.model.checkpoint.hugging_face import read_hugging_face
from pg_transfer.model.paligemma import PaliGemma


@torch.no_grad()
def load_weights(model: PaliGemma, source: Path) -> LoadReport:
    """Fill every parameter of `model` from `source`, each straight into its place.

    Little more memory is used than the model itself takes. Values are cast to the dtypes the
    parameters have. A model built on the meta device is given memory on the CPU first.

    Args:
        model: of the size that the checkpoint has; its resolution may differ, then the position
            embeddings are resampled and the report says so.
        source: big_vision's `.npz` file, or a folder in Hugging Face's format.

    Raises:
        FileNotFoundError: there is nothing at `source`, or a file of the folder is missing.
        ValueError: the checkpoint is not one of this model, and nothing has been read: the message
            names the tensors that are missing, extra or of another shape. Or it is damaged.
    """
    is_archive = source.is_file() and source.suffix == ".npz"
    if not source.exists():
        raise FileNotFoundError(f"no weights at {source}")
    if not is_archive and not source.is_dir():
        raise ValueError(
            f"{source} is no checkpoint: give a big_vision .npz file, or the folder that a "
            f"Hugging Face model.safetensors lies in"
        )
    if any(parameter.is_meta for parameter in model.parameters()):
        model.to_empty(device="cpu")
        model.tie()
    parameters = dict(model.named_parameters())
    read = read_big_vision if is_archive else read_hugging_face
    return read(parameters, model.config, source)
