"""Adapters onto a model and into its weights; arXiv:2106.09685, 2312.03732, 2402.09353, 2305.14314.

Adapters are float32, whatever the base is kept in: their updates are too small for bfloat16.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

from pg_transfer.adapters.four_bit import is_four_bit, plain, to_four_bit
from pg_transfer.model.paligemma import PaliGemma

PARTS = {
    "vision": "model.vision_tower.",
    "projector": "model.multi_modal_projector.",
    "language": "model.language_model.",
}
"""How the names of a part's parameters begin; the output table is the language part's input."""

TARGETS = {
    "vision": r"model\.vision_tower\.encoder\.layers\.\d+\."
    r"(self_attn\.(q|k|v|out)_proj|mlp\.fc[12])",
    "projector": r"model\.multi_modal_projector\.linear",
    "language": r"model\.language_model\.layers\.\d+\."
    r"(self_attn\.(q|k|v|o)_proj|mlp\.(gate|up|down)_proj)",
}
"""The linear layers of each part that are given adapters: all of its blocks'."""

KINDS = ("lora", "rslora", "dora", "qlora")
NAME = "default"
"""PEFT's name of the only adapter that there is at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterSettings:
    """What is put beside the weights, and where.

    Attributes:
        kind: "lora"; "rslora", scaled by alpha / sqrt(rank) instead of alpha / rank; "dora", with a
            learnt length of every row of weights; "qlora", LoRA beside weights of 4 bits.
        rank: inner width of the pair of matrices.
        alpha: their product is scaled by alpha / rank.
        dropout: of what the adapters are given, while training.
        parts: keys of `PARTS`.
        targets: a regular expression for the whole names of the linear layers, in place of
            `TARGETS`; every part has to be hit, and nothing outside of them.
    """

    kind: str = "lora"
    rank: int = 16
    alpha: float = 32
    dropout: float = 0.0
    parts: tuple[str, ...] = tuple(PARTS)
    targets: str | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"no adapters of kind {self.kind!r}; there are {', '.join(KINDS)}")
        if not (type(self.rank) is int and self.rank >= 1):
            raise ValueError(f"adapters of rank {self.rank!r}: a rank is a whole number above 0")
        if not (type(self.alpha) in (int, float) and 0 < self.alpha < math.inf):
            raise ValueError(f"adapters with alpha={self.alpha!r}, which is no number above 0")
        if not (type(self.dropout) in (int, float) and 0 <= self.dropout < 1):
            raise ValueError(f"adapters with dropout={self.dropout!r}, which is not in [0, 1)")
        if not isinstance(self.targets, str | None):
            raise ValueError(f"adapters.targets={self.targets!r} is no expression, which is a text")
        if not self.parts or not set(self.parts) <= PARTS.keys():
            raise ValueError(
                f"adapters on {', '.join(self.parts) or 'nothing'}; there are {', '.join(PARTS)}"
            )


def part_of(name: str) -> str:
    """The key of `PARTS` that a parameter or module of that name belongs to.

    Raises:
        ValueError: it is none of a PaliGemma's.
    """
    for part, prefix in PARTS.items():
        if name.startswith(prefix):
            return part
    raise ValueError(f"{name} belongs to none of {', '.join(PARTS)}")


def is_adapter(name: str) -> bool:
    """Whether the parameter of that name is part of an adapter, and not of the base."""
    return re.search(r"\.lora_(A|B|magnitude_vector)\.", name) is not None


def is_target(name: str, part: str) -> bool:
    """Whether the layer of that name is one that adapters on `part` stand beside by default."""
    return re.fullmatch(TARGETS[part], name) is not None


def attach(model: PaliGemma, settings: AdapterSettings, *, seed: int = 0) -> None:
    """Puts adapters beside layers of `model`; it computes what it did, and they alone learn.

    The base stays in its dtype, except that qlora rounds the layers of `TARGETS` in the adapted
    towers to 4 bits; so the weights have to be there already.

    Args:
        model: without adapters, with its weights.
        settings: which adapters, and where.
        seed: of the first of each pair of matrices; the second is zero.

    Raises:
        ValueError: `settings.targets` hits what must not be adapted, or not all that has to be.
        ImportError: bitsandbytes is missing, which qlora needs.
    """
    if config_of(model) is not None:
        raise ValueError("the model has adapters already; merge them before attaching others")
    names = find_targets(model, settings)
    if settings.kind == "qlora":
        towers = set(settings.parts) - {"projector"}
        blocks = [
            name for name, _ in model.named_modules() for part in towers if is_target(name, part)
        ]
        to_four_bit(model, blocks)
    inject(model, settings, names)
    generator = torch.Generator().manual_seed(seed)
    for _, layer in _layers(model):
        first, second = layer.lora_A[NAME].weight, layer.lora_B[NAME].weight
        drawn = torch.empty(first.shape)
        nn.init.kaiming_uniform_(drawn, a=math.sqrt(5), generator=generator)
        first.data.copy_(drawn)
        second.data.zero_()
        if settings.kind == "dora":
            # PEFT takes the lengths in the dtype of the base and compares them in float32.
            lengths = plain(layer.get_base_layer()).norm(dim=1)
            layer.lora_magnitude_vector[NAME].weight.data.copy_(lengths)
    model.train(model.training)  # the new modules, too


def find_targets(model: PaliGemma, settings: AdapterSettings) -> list[str]:
    """The names of the linear layers of `model` that adapters go beside.

    Raises:
        ValueError: the expression is none, or it hits too much or too little; with the names.
    """
    modules = dict(model.named_modules())
    if settings.targets is None:
        return [name for name in modules if any(is_target(name, part) for part in settings.parts)]
    try:
        hits = [name for name in modules if re.fullmatch(settings.targets, name)]
    except re.error as error:
        raise ValueError(
            f"adapters.targets={settings.targets!r} is no expression: {error}"
        ) from error
    for name in hits:
        if reason := _unfit(name, modules[name], settings.parts):
            raise ValueError(f"adapters.targets={settings.targets!r} hits {name}, {reason}")
    for part in settings.parts:
        if not any(part_of(name) == part for name in hits):
            example = next(name for name in modules if is_target(name, part))
            raise ValueError(
                f"adapters.targets={settings.targets!r} hits no layer of the {part} part, which is "
                f"to be adapted; the expression has to match whole names, such as {example}"
            )
    return hits


def _unfit(name: str, module: nn.Module, parts: tuple[str, ...]) -> str | None:
    """Why that module cannot have an adapter; None if it can."""
    if name == "lm_head" or name.endswith("embed_tokens"):
        return (
            "the vocabulary's table, which serves as input and output at once: an adapter would "
            "change one of the two; leave it out"
        )
    if not isinstance(module, nn.Linear):
        return f"a {type(module).__name__}, and adapters stand beside linear layers alone"
    if part_of(name) not in parts:
        return (
            f"in the {part_of(name)} part, which is not to be adapted (that is: "
            f"{', '.join(parts)}); layers of the two towers share their last names, so begin with "
            f"model\\.vision_tower or model\\.language_model"
        )
    return None


def inject(model: PaliGemma, settings: AdapterSettings, names: list[str]) -> None:
    """Has PEFT put adapters beside the layers `names`; their values are to be set."""
    from peft import LoraConfig, inject_adapter_in_model

    config = LoraConfig(
        r=settings.rank,
        lora_alpha=cast(int, settings.alpha),
        lora_dropout=settings.dropout,
        target_modules="|".join(map(re.escape, names)),
        use_rslora=settings.kind == "rslora",
        use_dora=settings.kind == "dora",
    )
    # PEFT asks the model, and not the layer, whether layers are of 4 bits.
    model.is_loaded_in_4bit = any(map(is_four_bit, model.modules()))  # type: ignore[assignment]
    inject_adapter_in_model(config, model)
    for name, parameter in model.named_parameters():
        if is_adapter(name):
            parameter.data = parameter.data.float()
    for _, layer in _layers(model):
        if settings.kind == "dora":  # whose lengths would be compared in what it is given
            layer.reads_weights = True  # casts_kept
        else:
            layer.register_forward_pre_hook(_cast_once)


def _cast_once(layer: Any, given: tuple[Any, ...]) -> None:
    """Keeps PEFT from casting what the adapter reads to its float32 where autocast casts it back.

    Each adapter would keep a copy of its own for the gradient.
    """
    layer.cast_input_dtype_enabled = not torch.is_autocast_enabled(given[0].device.type)


@torch.no_grad()
def merge(model: PaliGemma) -> None:
    """Adds the adapters to the weights, which are then as they were before `attach`: plain.

    Those of qlora are no longer of 4 bits, or the sum would be rounded. Sums are made in float32
    and kept in the dtype of the base; take a float32 base where that is too coarse.

    Raises:
        ValueError: there are no adapters.
    """
    if config_of(model) is None:
        raise ValueError("the model has no adapters to merge")
    for name, layer in list(_layers(model)):
        base = layer.get_base_layer()
        weight = plain(base) + layer.get_delta_weight(NAME).float()
        if layer.use_dora[NAME]:
            lengths = layer.lora_magnitude_vector[NAME].weight
            weight *= (lengths / weight.norm(dim=1))[:, None]
        model.set_submodule(name, _linear(weight, base))
    for name, layer in list(model.named_modules()):
        if is_four_bit(layer):  # rounded, and without an adapter of its own
            model.set_submodule(name, _linear(plain(layer), cast(nn.Linear, layer)))
    del model.peft_config, model.is_loaded_in_4bit


def _linear(weight: Tensor, like: nn.Linear) -> nn.Linear:
    """A plain layer with that weight, in the dtype of `like`, and its bias."""
    dtype = like.compute_dtype if is_four_bit(like) else like.weight.dtype
    layer = nn.Linear(like.in_features, like.out_features, bias=False, device="meta")
    layer.weight = nn.Parameter(weight.to(cast(torch.dtype, dtype)), requires_grad=False)
    layer.bias = like.bias
    return layer.train(like.training)


def _layers(model: PaliGemma) -> Iterator[tuple[str, Any]]:
    """PEFT's layers with their names."""
    for name, module in model.named_modules():
        if hasattr(module, "lora_A"):
            yield name, module


def config_of(model: PaliGemma) -> Any:
    """PEFT's configuration of the adapters; None where there are none."""
    return getattr(model, "peft_config", {}).get(NAME)
