"""Adapters as a folder that transformers and PEFT load, of today and of 2025.

transformers renamed the vision tower's layers in 5.x: adapters under today's names are dropped by
4.57 without a word. Both read the names with `vision_model.` in them. Old PEFT warns of settings
that it does not know, so none but the settled ones are written.
"""

from __future__ import annotations

import json
import math
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from pg_transfer.adapters.attach import (
    NAME,
    PARTS,
    AdapterSettings,
    config_of,
    find_targets,
    inject,
    is_adapter,
    part_of,
)
from pg_transfer.model.checkpoint.names import VISION, from_hugging_face
from pg_transfer.model.paligemma import PaliGemma

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
WRAPPER = "base_model.model."
WHOLE = "multi_modal_projector"
"""The module that may be saved whole, beside the adapters, where it was trained and not adapted."""

# Settings of others that change nothing in what a loaded adapter computes.
HARMLESS = {
    "auto_mapping", "base_model_name_or_path", "bias", "exclude_modules",
    "inference_mode", "init_lora_weights", "layers_pattern", "layers_to_transform", "lora_alpha",
    "lora_dropout", "megatron_core", "modules_to_save", "peft_type", "peft_version",
    "qalora_group_size", "r", "revision", "runtime_config", "target_modules",
    "task_type", "use_dora", "use_rslora", "ensure_weight_tying",
}  # fmt: skip


def save_portable(
    model: PaliGemma,
    folder: Path,
    *,
    base: str,
    revision: str | None = None,
    whole: Collection[str] = (),
) -> None:
    """Writes the adapters of `model` into `folder`: adapter_config.json, adapter_model.safetensors.

    Args:
        model: with adapters, not merged.
        folder: made if it is not there.
        base: name on the hub, or path, of the weights that they belong to.
        revision: of what is on the hub.
        whole: the parts that were trained themselves; the projector's weights are saved with the
            adapters.

    Raises:
        ValueError: the model has no adapters, or a tower was trained, whose weights a folder of
            adapters does not hold.
    """
    config = config_of(model)
    if config is None:
        raise ValueError("the model has no adapters to save; merged or whole, save it as a folder")
    if others := sorted(set(whole) - {"projector"}):
        raise ValueError(
            f"the {' and the '.join(others)} part was trained itself, and a folder of adapters has "
            f"no room for its weights: merge the adapters and save the whole model"
        )
    weights = {
        _their_key(name): parameter.detach().cpu().contiguous()
        for name, parameter in model.named_parameters()
        if is_adapter(name) or ("projector" in whole and part_of(name) == "projector")
    }
    targets = [name for name, module in model.named_modules() if hasattr(module, "lora_A")]
    settings = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base,
        "r": config.r,
        "lora_alpha": config.lora_alpha,
        "lora_dropout": config.lora_dropout,
        "target_modules": expression(targets),
        "modules_to_save": [WHOLE] if "projector" in whole else None,
        "use_rslora": config.use_rslora,
        "use_dora": config.use_dora,
        "bias": "none",
        "fan_in_fan_out": False,
        "init_lora_weights": True,
        "inference_mode": True,
        **({} if revision is None else {"revision": revision}),
    }
    folder.mkdir(parents=True, exist_ok=True)
    save_file(weights, folder / WEIGHTS, metadata={"format": "pt"})
    readable(folder / WEIGHTS)
    (folder / CONFIG).write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")


def readable(path: Path) -> None:
    """Lets everyone read a file who may read its folder; safetensors writes for its owner alone."""
    path.chmod(path.parent.stat().st_mode & 0o666)


def _their_key(name: str) -> str:
    """The key of one of our parameters in PEFT's file."""
    name = name.replace(f".{NAME}.", ".").replace(VISION, f"{VISION}vision_model.")
    return WRAPPER + name.replace(".lora_magnitude_vector.weight", ".lora_magnitude_vector")


def expression(names: Iterable[str]) -> str:
    """A regular expression for the layers `names` and no other, in transformers old and new."""
    blocks: dict[str, dict[int, set[str]]] = defaultdict(lambda: defaultdict(set))
    single = []
    for name in names:
        found = re.fullmatch(r"(.*\.layers)\.(\d+)\.(.*)", name)
        if found is None:
            single.append(re.escape(name))
        else:
            blocks[found[1]][int(found[2])].add(found[3])
    for stack, layers in blocks.items():
        alike: dict[tuple[str, ...], list[int]] = defaultdict(list)
        for layer, leaves in sorted(layers.items()):
            alike[tuple(sorted(leaves))].append(layer)
        place = re.escape(stack).replace(
            re.escape(VISION), re.escape(VISION) + r"(vision_model\.)?"
        )
        for leaves, numbers in alike.items():
            single.append(
                rf"{place}\.({'|'.join(map(str, numbers))})\.({'|'.join(map(re.escape, leaves))})"
            )
    return "|".join(single)


def base_of(folder: Path) -> str | None:
    """The name or path of the weights that the adapters in `folder` belong to, if it says so.

    Of a name on the hub that has a revision it is `name@revision`.
    """
    config = _read_config(folder)
    name, revision = config.get("base_model_name_or_path"), config.get("revision")
    return f"{name}@{revision}" if name and revision and not Path(name).exists() else name


@torch.no_grad()
def load_portable(model: PaliGemma, folder: Path) -> None:
    """Attaches the adapters in `folder` to `model`, which holds the base's weights.

    Folders that PEFT wrote for transformers' model are read too, under all of its names.

    Raises:
        FileNotFoundError: the folder lacks a file.
        ValueError: the adapters are of another kind or for another model; nothing is attached.
    """
    config = _read_config(folder)
    if not (folder / WEIGHTS).is_file():
        raise FileNotFoundError(f"{folder} has {CONFIG} and no {WEIGHTS}; download it again")
    try:
        stored = load_file(folder / WEIGHTS)
    except SafetensorError as error:
        raise ValueError(f"{folder / WEIGHTS} is no whole safetensors file: {error}") from error
    weights = {_our_name(key): value for key, value in stored.items()}
    plain = dict(model.named_parameters())
    layers = sorted({name.split(".lora_")[0] for name in weights if is_adapter(name)})
    whole = {name for name in weights if not is_adapter(name)}
    foreign = [n for n in layers if f"{n}.weight" not in plain] + sorted(whole - plain.keys())
    if foreign or not layers or {part_of(name) for name in whole} - {"projector"}:
        raise ValueError(
            f"{folder} holds adapters for another model than this one: "
            f"{', '.join(foreign[:5]) or ', '.join(sorted(whole)[:5]) or 'it holds none at all'}"
        )
    kind = "dora" if config.get("use_dora") else "rslora" if config.get("use_rslora") else "lora"
    alpha = config["lora_alpha"]
    if kind == "dora" and config.get("use_rslora"):  # alpha / sqrt(r), said as so much / r
        alpha *= math.sqrt(config["r"])
    settings = AdapterSettings(
        kind=kind, rank=config["r"], alpha=alpha,
        dropout=config.get("lora_dropout", 0.0),
        parts=tuple(part for part in PARTS if any(part_of(name) == part for name in layers)),
        targets="|".join(map(re.escape, layers)),
    )  # fmt: skip
    find_targets(model, settings)
    _require_shapes(folder, weights, plain, settings)
    inject(model, settings, layers)
    _fill(folder, model, weights)
    model.train(model.training)  # the new modules, too


def _read_config(folder: Path) -> dict[str, Any]:
    path = folder / CONFIG
    if not path.is_file():
        raise FileNotFoundError(f"{folder} holds no {CONFIG}: it is no folder of adapters")
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        required = config["peft_type"], int(config["r"]), float(config["lora_alpha"])
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise ValueError(f"{path} is no configuration of LoRA adapters: {error!r}") from error
    unknown = [f"{key}={config[key]!r}" for key in sorted(config.keys() - HARMLESS) if config[key]]
    if required[0] != "LORA":
        unknown.append(f"peft_type={required[0]!r}")
    if config.get("bias", "none") != "none":
        unknown.append(f"bias={config['bias']!r}")
    if set(config.get("modules_to_save") or ()) - {WHOLE, f"model.{WHOLE}"}:
        unknown.append(f"modules_to_save={config['modules_to_save']!r}")
    # These starts change the base as well, and what is left of it is not what the base is.
    if config.get("init_lora_weights") not in (None, True, False, "gaussian", "eva", "orthogonal"):
        unknown.append(f"init_lora_weights={config['init_lora_weights']!r}")
    if unknown:
        raise ValueError(
            f"{path} asks for what cannot be read here: {', '.join(unknown)}; merge the adapters "
            f"into their base with PEFT and load the folder of that"
        )
    return config


def _our_name(key: str) -> str:
    name = from_hugging_face(key.removeprefix(WRAPPER))
    name = re.sub(r"\.lora_magnitude_vector(\.weight)?$", ".lora_magnitude_vector.weight", name)
    return re.sub(r"\.(lora_(?:A|B|magnitude_vector))\.weight$", rf".\1.{NAME}.weight", name)


def _require_shapes(
    folder: Path,
    weights: Mapping[str, Tensor],
    plain: Mapping[str, Tensor],
    settings: AdapterSettings,
) -> None:
    """Raises ValueError where an adapter does not fit its layer, before anything is changed."""
    for name, value in weights.items():
        if not is_adapter(name):
            expected = tuple(plain[name].shape)
        else:
            rows, columns = plain[f"{name.split('.lora_')[0]}.weight"].shape
            expected = (settings.rank, columns) if ".lora_A." in name else (rows, settings.rank)
            expected = (rows,) if ".lora_magnitude_vector." in name else expected
        if tuple(value.shape) != expected:
            raise ValueError(
                f"{folder / WEIGHTS}: {name} has the shape {tuple(value.shape)} and not "
                f"{expected}; the adapters are for a model of another size"
            )


def _fill(folder: Path, model: PaliGemma, weights: Mapping[str, Tensor]) -> None:
    parameters = dict(model.named_parameters())
    missing = sorted(name for name in parameters if is_adapter(name) and name not in weights)
    if missing:
        raise ValueError(f"{folder / WEIGHTS} lacks {', '.join(missing[:5])}; it is damaged")
    for name, value in weights.items():
        parameters[name].copy_(value)
