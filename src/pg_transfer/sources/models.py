"""Models from sources of weights: a run, a folder, the hub, an archive, adapters, two halves."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import torch
from omegaconf import DictConfig, OmegaConf, open_dict

from pg_transfer.adapters import base_of, compute_in, is_adapter, load_portable, merge
from pg_transfer.adapters.portable import CONFIG as ADAPTER
from pg_transfer.model.checkpoint import describe, join_halves, load_weights
from pg_transfer.model.checkpoint.hugging_face_config import read_json
from pg_transfer.model.checkpoint.load import give_memory
from pg_transfer.model.checkpoint.positions import resized_from, stretch
from pg_transfer.model.config import PaliGemmaConfig, released
from pg_transfer.model.paligemma import PaliGemma
from pg_transfer.sources.hub import hub_name, weights_folder
from pg_transfer.sources.run_settings import CONFIG, read_run_settings, require_parts
from pg_transfer.training.recipe import Recipe, read_recipe
from pg_transfer.training.tuning import FULL, read_tuning
from pg_transfer.training.weights import CHECKPOINTS, SUFFIXES, Base, fingerprint, read_weights

HALVES = ("vision", "language")


@dataclass(frozen=True, slots=True)
class Origin:
    """A model and where it comes from.

    Attributes:
        model: on the CPU; adapters are attached, not merged.
        settings: of the run it comes from; None if it comes from elsewhere.
        step: the update of that run after which the weights are what they are; else None.
    """

    model: PaliGemma
    settings: DictConfig | None = None
    step: int | None = None


def model_of(
    path: Path,
    *,
    checkpoint: str = "last",
    weights: str | Path | None = None,
    dtype: torch.dtype | None = None,
) -> Origin:
    """The model of `path`; its size and resolution are read there.

    Args:
        path: a run's folder or a checkpoint in it, a folder in Hugging Face's format, a big_vision
            `.npz`, or the folder of a PEFT adapter, whose base is looked up.
        checkpoint: "last" or "best", of a run's folder.
        weights: what a run started from, or adapters belong to, where it has moved; None looks
            where it was.
        dtype: of the weights but for adapters, which are float32; None keeps what is stored.

    Raises:
        FileNotFoundError: a file of it, or its base, is not there.
        PermissionError: the hub wants a licence accepted first.
        ValueError: it is no PaliGemma, or damaged.
    """
    settings = step = None
    if run := run_folder(path):
        settings = read_run_settings(run, builds=False)
        require_parts(run, settings)
        with open_dict(settings):
            settings.model.weights = settings.model.weights if weights is None else str(weights)
        with _beneath(path):
            model, step = _of_run(settings, _checkpoint(path, run, checkpoint))
    elif is_adapter_folder(path):
        with _beneath(path):
            base = weights_folder(str(weights or base_name(path)))
        model = model_of(base, dtype=dtype).model
        load_portable(model, path)
    elif weights is not None:
        raise ValueError(f"{path} stands on no other weights, and weights={weights} is given")
    else:
        found = describe(path)
        model = _empty(found.config).to(dtype or found.dtype)
        load_weights(model, path)
    if dtype is not None:
        for name, parameter in model.named_parameters():
            if parameter.is_floating_point() and not is_adapter(name):
                parameter.data = parameter.data.to(dtype)
        compute_in(model, dtype)
    return Origin(model, settings, step)


class MissingBase(FileNotFoundError):
    """The weights that others stand on are not where they were."""


@contextmanager
def _beneath(path: Path) -> Iterator[None]:
    """Adds to an error about weights who wants them, and what to do if they have moved."""
    try:
        yield
    except FileNotFoundError as error:
        if isinstance(error, MissingBase) or not str(error).startswith("no weights at"):
            raise
        where = str(error).split(";")[0]
        raise MissingBase(
            f"{path} is what was learnt on top of other weights, and there are {where}. If they "
            f"have moved, say where they are: --weights of predict and export, weights=... of "
            f"evaluate.py and pg_transfer.load; for good, in model.weights of a run's config.yaml "
            f"or base_model_name_or_path of an adapter_config.json"
        ) from error


def start(
    model: PaliGemma, weights: str | Mapping[str, str] | None, *, seed: int, resample: bool = False
) -> list[str]:
    """Fill `model`, built on the meta device, with the weights that a run starts from.

    Args:
        model: of the size that the weights have; values are cast to the dtypes it has.
        weights: what `model_of` takes, or a name on the hub; or `{vision: ..., language: ...}`, a
            SigLIP and a Gemma to be joined; or None for random weights.
        seed: of what is drawn.
        resample: stretch position embeddings that are for another resolution.

    Returns:
        What a person has to know.

    Raises:
        FileNotFoundError: they, or a part of them, are not there.
        PermissionError: the hub wants a licence accepted first.
        ValueError: they are not those of such a model, or for another resolution.
    """
    generator = torch.Generator().manual_seed(seed)
    remarks = []
    if not weights:
        _draw(model, generator)
        return remarks
    if isinstance(weights, Mapping):
        vision, language = map(weights_folder, halves(weights))
        seen, read = join_halves(model, vision, language, generator, resample=resample)
        rows = model.config.language.vocabulary - cast(int, read.rows)
        remarks.append(f"the projector starts at zero, and {rows} tokens' rows are drawn")
        weights, resized = str(vision), seen.resized_from
    else:
        if not resample:
            _refuse_other_resolution(weights, model.config.vision.resolution)
        path = weights_folder(weights)
        if run_folder(path) or is_adapter_folder(path):
            resized = _adopt(model, path, resample=resample)
        else:
            resized = load_weights(model, path, resample=resample).resized_from
    if resized is not None:
        remarks.append(
            f"{weights} is made for {resized} px; its position embeddings were stretched for "
            f"{model.config.vision.resolution} px"
        )
    return remarks


def _draw(model: PaliGemma, generator: torch.Generator) -> None:
    """Random weights, drawn in float32 whatever they are kept in."""
    dtypes = {name: parameter.dtype for name, parameter in model.named_parameters()}
    give_memory(model.float())
    model.initialise(generator)
    for name, parameter in model.named_parameters():
        parameter.data = parameter.data.to(dtypes[name])


def halves(weights: Mapping[str, Any]) -> list[str]:
    """The vision and the language half of `weights`.

    Raises:
        ValueError: there are others, or not both.
    """
    if set(weights) != set(HALVES):
        raise ValueError(
            f"model.weights={dict(weights)}: two halves to be joined are given as "
            f"{{vision: <a SigLIP>, language: <a Gemma>}}"
        )
    return [str(weights[half]) for half in HALVES]


def run_folder(path: Path) -> Path | None:
    """The folder of the run that `path` is, or is a checkpoint of; else None."""
    folder = path.parent.parent if path.suffix in SUFFIXES else path
    return folder if (folder / CONFIG).is_file() else None


def is_adapter_folder(path: Path) -> bool:
    """Whether it is a folder of PEFT adapters."""
    return (path / ADAPTER).is_file()


def base_name(folder: Path) -> str:
    """What the adapters in `folder` belong to: a path or a name on the hub.

    Raises:
        ValueError: the folder does not say.
    """
    base = base_of(folder)
    if not base:
        raise ValueError(
            f"{folder / ADAPTER} does not say which weights its adapters belong to: set its "
            f"base_model_name_or_path to a folder or a name on the hub"
        )
    return base


def trained_whole(path: Path) -> set[str]:
    """The parts of a run, or of a folder of adapters, that were trained themselves."""
    if run := run_folder(path):
        settings = read_run_settings(run, builds=False)
        parts = read_tuning(settings.tuning).parts(_recipe(settings))
        return {part for part, learning in parts.items() if learning.mode == "trained"}
    saved = read_json(path / ADAPTER).get("modules_to_save")
    return {"projector"} if saved else set()


def _recipe(settings: DictConfig) -> Recipe:
    return read_recipe(cast(dict[str, Any], OmegaConf.to_container(settings.recipe)))


def _checkpoint(path: Path, run: Path, asked: str) -> Path:
    if path != run:
        return path
    if asked not in CHECKPOINTS:
        raise ValueError(f"no checkpoint {asked!r}; a run has {', '.join(CHECKPOINTS)}")
    return run / "checkpoints" / CHECKPOINTS[asked]


def _of_run(settings: DictConfig, checkpoint: Path) -> tuple[PaliGemma, int]:
    """What a run has learnt, and after which update."""
    recipe = _recipe(settings)
    tuning = read_tuning(settings.tuning) if "tuning" in settings else FULL
    model = _empty(released(settings.model.size, resolution=settings.resolution))
    base = None
    if tuning.needs_base(recipe):
        tuning.store(model, recipe)
        resample = settings.model.get("resample", False)
        start(model, settings.model.weights, seed=settings.seed, resample=resample)
        base = Base(str(settings.model.weights or "random weights"), fingerprint(model))
    tuning.apply(model, recipe, seed=settings.seed)
    return model, read_weights(checkpoint, model, base=base)


def _empty(config: PaliGemmaConfig) -> PaliGemma:
    with torch.device("meta"):
        return PaliGemma(config)


@torch.no_grad()
def _adopt(model: PaliGemma, path: Path, *, resample: bool) -> int | None:
    """Move the weights of a run, or of merged adapters, into `model`.

    Returns:
        The resolution that they were stretched from, if they were.
    """
    dtypes = {name: parameter.dtype for name, parameter in model.named_parameters()}
    # Merged in float32 where that is kept, or what small adapters add is mostly rounded off.
    wide = torch.float32 if torch.float32 in dtypes.values() else None
    given = model_of(path, dtype=wide).model
    if any(is_adapter(name) for name, _ in given.named_parameters()):
        merge(given)
    if _size(given.config) != _size(model.config):
        raise ValueError(
            f"{path} holds a model of another size: its language model is "
            f"{given.config.language}; choose the same with model.size"
        )
    tokens, ours = given.config.vision.image_tokens, model.config.vision
    stretched = resized_from(tokens, ours, path, resample=resample)
    stretch(given, ours.resolution)
    for name, parameter in given.named_parameters():
        value = parameter.detach().to(dtypes[name], copy=True)
        model.load_state_dict({name: value}, strict=False, assign=True)
        parameter.data = torch.empty(0)  # so that at no time there are two models
    model.tie()
    return stretched


def _size(config: PaliGemmaConfig) -> PaliGemmaConfig:
    """`config` without what two models of one size may differ in."""
    return PaliGemmaConfig(
        vision=replace(config.vision, resolution=config.vision.patch, dropout=0.0),
        language=replace(config.language, final_softcap=None, dropout=0.0),
    )


def _refuse_other_resolution(weights: str, resolution: int) -> None:
    """Raises ValueError before a download that could not be used."""
    sides = re.findall(r"-(224|448|896)(?!\d)", hub_name(weights) or "")
    if len(sides) == 1 and int(sides[0]) != resolution:
        other = weights.replace(f"-{sides[0]}", f"-{resolution}")
        published = f"{other} or " if resolution in (224, 448, 896) else ""
        raise ValueError(
            f"{weights} is made for images of {sides[0]} px, and resolution={resolution}: take "
            f"{published}resolution={sides[0]}, as the published transfers do; or "
            f"model.resample=true, which stretches its position embeddings"
        )
