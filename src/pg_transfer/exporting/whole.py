"""All weights of a model, adapters merged into them."""

from __future__ import annotations

import shutil
from pathlib import Path

import torch
from torch import Tensor

from pg_transfer.adapters import merge
from pg_transfer.exporting.adapter import has_adapters
from pg_transfer.exporting.comparing import compare, dtype_name, probe
from pg_transfer.model.checkpoint.big_vision import write_big_vision
from pg_transfer.model.checkpoint.hugging_face import write_hugging_face
from pg_transfer.model.checkpoint.hugging_face_settings import write_settings
from pg_transfer.model.checkpoint.safetensors_files import SHARD_BYTES
from pg_transfer.model.paligemma import PaliGemma
from pg_transfer.sources.loading import Loaded
from pg_transfer.sources.models import model_of
from pg_transfer.text.tokenizer import Tokenizer, extended
from pg_transfer.text.tokenizer_files import write_tokenizer

ARCHIVE = "weights.npz"


def write_whole(
    loaded: Loaded,
    folder: Path,
    format: str,
    dtype: torch.dtype | None,
    *,
    spare: Tensor | None = None,
    shard_bytes: int = SHARD_BYTES,
) -> None:
    """Merges what there is to merge, writes all weights, reads them again.

    Args:
        loaded: whose weights are used up.
        folder: is there, and empty.
        format: "huggingface" or "big_vision".
        dtype: of what is written; None takes the widest that a weight has.
        spare: rows beyond the vocabulary, of a Hugging Face folder.
        shard_bytes: the most that a file of such a folder holds.
    """
    model = loaded.model
    expected = probe(model)
    if has_adapters(model):
        merge(model)
        expected = compare("merged and unmerged adapters", expected, model)
    dtype = dtype or _widest(model)
    if {parameter.dtype for parameter in model.parameters()} != {dtype}:
        for _, parameter in model.named_parameters():
            parameter.data = parameter.data.to(dtype)
        expected = compare(f"weights as they were and as {dtype_name(dtype)}", expected, model)
    if format == "big_vision":
        path = folder / ARCHIVE
        require_room(model, folder)
        write_big_vision(dict(model.named_parameters()), model.config, path, dtype)
        copy_tokenizer(loaded.tokenizer, folder)
    else:
        path = folder
        require_room(model, folder)
        write_hugging_face(
            dict(model.named_parameters()), folder, dtype, spare=spare, shard_bytes=shard_bytes
        )
        tokenizer = loaded.tokenizer
        write_settings(
            model.config, folder, dtype, pad=tokenizer.pad, eos=tokenizer.eos, bos=tokenizer.bos
        )
        write_tokenizer(tokenizer, folder)
    for _, parameter in model.named_parameters():
        parameter.data = torch.empty(0)  # what is read again has its place
    again = model_of(path, dtype=dtype).model
    compare("the model and what was written", expected, again)


def copy_tokenizer(tokenizer: Tokenizer, folder: Path) -> None:
    """Puts the file of `tokenizer` into `folder`, with `<loc>` and `<seg>` in it where it can."""
    if tokenizer.path.suffix == ".model":
        (folder / "tokenizer.model").write_bytes(extended(tokenizer.path.read_bytes()))
    else:
        shutil.copyfile(tokenizer.path, folder / "tokenizer.json")


def require_room(model: PaliGemma, folder: Path) -> None:
    """Raises ValueError where the disk is too full."""
    size, free = sum(p.nbytes for p in model.parameters()), shutil.disk_usage(folder).free
    if size > free:
        raise ValueError(
            f"{folder.parent} has {free / 1e9:.1f} GB free, and the weights take {size / 1e9:.1f}"
        )


def _widest(model: PaliGemma) -> torch.dtype:
    dtypes = {parameter.dtype for parameter in model.parameters()}
    return dtypes.pop() if len(dtypes) == 1 else torch.float32
