"""A model with its tokenizer, ready to answer, from any source.

Called `loading` and not `load`, so that `pg_transfer.load` can be the function.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from omegaconf import DictConfig

from pg_transfer.model.checkpoint.positions import stretch
from pg_transfer.model.paligemma import PaliGemma
from pg_transfer.sources.hub import WITHOUT_WEIGHTS, weights_folder
from pg_transfer.sources.models import base_name, halves, is_adapter_folder, model_of, run_folder
from pg_transfer.sources.run_settings import read_run_settings
from pg_transfer.text.tokenizer import FILES, Tokenizer, load_tokenizer


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model with what is needed to use it.

    Attributes:
        model: in evaluation mode; adapters are attached, not merged.
        tokenizer: the model's.
        resolution: the image side in pixels that the model takes.
        settings: of the run it comes from, resolved; None if it comes from elsewhere.
        step: the update of that run after which the weights are what they are; else None.
    """

    model: PaliGemma
    tokenizer: Tokenizer
    resolution: int
    settings: DictConfig | None = None
    step: int | None = None


def load(
    source: str | Path,
    *,
    checkpoint: str = "last",
    resolution: int | None = None,
    tokenizer: str | Path | None = None,
    weights: str | Path | None = None,
    device: str | torch.device | None = None,
    dtype: torch.dtype | None = None,
) -> Loaded:
    """The model of `source`, ready to answer; its size and resolution are read there.

    Args:
        source: a run's folder, a checkpoint in one, a folder in Hugging Face's format, the name of
            a model on the hub (`owner/name`, or `owner/name@revision`), a big_vision `.npz`, or
            the folder of a PEFT adapter, whose base is looked up.
        checkpoint: "last" or "best", of a run's folder.
        resolution: image side in pixels; another than the checkpoint's has its position embeddings
            stretched. None takes the checkpoint's.
        tokenizer: "builtin", a file, a folder or a name on the hub; None takes the one beside the
            weights.
        weights: what the source was learnt on top of, a run or adapters, where it has moved.
        device: where to; None leaves the model on the CPU.
        dtype: of the weights; None keeps the precision in which they are stored, but float32 for
            float16. Adapters are float32.

    Raises:
        FileNotFoundError: the source, a file of it, its base or its tokenizer is not there.
        PermissionError: the hub wants a licence accepted first.
        ValueError: it is no PaliGemma, is damaged, or its tokenizer is not its own.
    """
    path = weights_folder(str(source))
    if tokenizer is None and weights is not None and is_adapter_folder(path):
        tokenizer = weights
    own = tokenizer_of(path if tokenizer is None else tokenizer)
    origin = model_of(path, checkpoint=checkpoint, weights=weights, dtype=dtype)
    model = origin.model
    rows = model.config.language.vocabulary
    if own.size != rows:
        raise ValueError(
            f"{source} has {rows} rows for tokens and {own.path} has {own.size} tokens: it is the "
            f"tokenizer of another model"
        )
    if resolution is not None:
        stretch(model, resolution)
    return Loaded(
        model.to(device or "cpu").requires_grad_(False).eval(),
        own,
        model.config.vision.resolution,
        origin.settings,
        origin.step,
    )


def tokenizer_of(source: str | Path | Mapping[str, str]) -> Tokenizer:
    """The tokenizer that belongs to `source`: itself, or what lies beside the weights.

    Of a model on the hub no weights are fetched.

    Args:
        source: "builtin", a tokenizer's file, whatever `load` takes, or two halves to be joined,
            `{vision: ..., language: ...}`.

    Raises:
        FileNotFoundError: there is none.
        PermissionError: the hub wants a licence accepted first.
        ValueError: it is no tokenizer of PaliGemma's kind.
    """
    if source == "builtin":
        return load_tokenizer("builtin")
    if isinstance(source, Mapping):
        return tokenizer_of(halves(source)[1])
    try:
        path = weights_folder(str(source), wanted=WITHOUT_WEIGHTS)
    except FileNotFoundError as error:
        if not str(error).startswith("no weights at"):
            raise
        raise FileNotFoundError(
            f"no tokenizer at {str(source)!r}; give a file (tokenizer.model, tokenizer.json), a "
            f"folder that has one, or the name of a model on the hub"
        ) from error
    run = run_folder(path)
    folder = run or (path.parent if path.suffix == ".npz" else path)
    if folder.is_file() or any((folder / name).is_file() for name in FILES):
        return load_tokenizer(folder)
    if run:
        return tokenizer_of(read_run_settings(run, builds=False).model.tokenizer)
    if is_adapter_folder(path):
        return tokenizer_of(base_name(path))
    raise FileNotFoundError(
        f"no tokenizer in {folder}: it has none of {', '.join(FILES)}. Put one there, or name it "
        f"(train.py: model.tokenizer=...; others: --tokenizer): a file, a folder, or a model on "
        f"the hub"
    )
