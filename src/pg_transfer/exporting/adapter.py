"""The adapters of a model alone."""

from __future__ import annotations

from pathlib import Path

import torch

from pg_transfer.adapters import is_adapter, load_portable, save_portable
from pg_transfer.exporting.comparing import compare, dtype_name, probe
from pg_transfer.model.checkpoint.hugging_face_config import CONFIG
from pg_transfer.model.paligemma import PaliGemma
from pg_transfer.process.console import say
from pg_transfer.sources.hub import hub_name, weights_folder
from pg_transfer.sources.loading import Loaded
from pg_transfer.sources.models import (
    base_name,
    is_adapter_folder,
    model_of,
    run_folder,
    trained_whole,
)
from pg_transfer.sources.run_settings import read_run_settings


def write_adapter(
    loaded: Loaded,
    folder: Path,
    source: str,
    *,
    base: str | None,
    weights: str | Path | None = None,
) -> None:
    """Writes the adapters alone, attaches them to their base again, and compares."""
    model = loaded.model
    if not has_adapters(model):
        raise ValueError(f"{source} has no adapters; --format huggingface writes the whole model")
    path = weights_folder(source)
    belongs = adapted(path) if weights is None else str(weights)
    name = base or belongs
    if name is None or not (hub_name(name) or (Path(name).expanduser() / CONFIG).is_file()):
        raise ValueError(
            f"the adapters of {source} belong to {belongs or 'weights of no name'}, which "
            f"transformers cannot load: write those with --format huggingface, and name that "
            f"folder with --base"
        )
    # PEFT has another place for a revision, and no way to look up a path from elsewhere.
    revision = ""
    if hub_name(name):
        name, _, revision = name.partition("@")
    else:
        name = str(Path(name).expanduser().resolve())
    save_portable(model, folder, base=name, revision=revision or None, whole=trained_whole(path))
    expected = probe(model)
    is_rounded = any(parameter.dtype == torch.uint8 for parameter in model.parameters())
    learnt = {n: p.detach().clone() for n, p in model.named_parameters() if is_adapter(n)}
    dtype = model.lm_head.weight.dtype
    for _, parameter in model.named_parameters():
        parameter.data = torch.empty(0)
    beneath = str((belongs if base is None or hub_name(base) else base) or base)
    again = model_of(weights_folder(beneath), dtype=dtype).model
    if again.config.vision.resolution != loaded.resolution:
        raise ValueError(
            f"{source} was trained at {loaded.resolution} px on a base that is made for "
            f"{again.config.vision.resolution} px: adapters alone do not say so; write the whole "
            f"model with --format huggingface"
        )
    load_portable(again, folder)
    found = dict(again.named_parameters())
    if lost := [n for n, value in learnt.items() if n not in found or not found[n].equal(value)]:
        raise ValueError(f"{len(lost)} adapters did not come back as written, e.g. {lost[0]}")
    what = "the model and its base with the adapters as written"
    if is_rounded:  # the base had 4 bits in training and has all of them now
        what = f"{what} (trained on a base of 4 bits, compared on one of {dtype_name(dtype)})"
    compare(what, expected, again, refuse=not is_rounded)
    if base is not None and hub_name(base):
        say(f"compared on {beneath}, which the adapters learnt on; {base} was not loaded")


def has_adapters(model: PaliGemma) -> bool:
    """Whether there are adapters that are not merged."""
    return any(is_adapter(name) for name, _ in model.named_parameters())


def adapted(path: Path) -> str | None:
    """What the adapters of a run, or of a folder of adapters, belong to."""
    if is_adapter_folder(path):
        return base_name(path)
    run = run_folder(path)
    weights = None if run is None else read_run_settings(run, builds=False).model.weights
    return weights if isinstance(weights, str) else None
