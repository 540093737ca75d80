"""Which weights move, and how: each part is trained, frozen, or given adapters that are trained."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import torch

from pg_transfer.adapters import PARTS, AdapterSettings, attach, is_adapter, part_of
from pg_transfer.model.paligemma import PaliGemma
from pg_transfer.training.recipe import Recipe

MODES = ("recipe", "trained", "frozen", "adapted")
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What is asked of one part.

    Attributes:
        mode: "trained", "frozen" or "adapted"; or "recipe": frozen if the recipe freezes it, else
            adapted where the tuning has adapters and trained where it has none.
        lr: peak learning rate; None for the recipe's, or the adapters'.
    """

    mode: str = "recipe"
    lr: float | None = None

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise ValueError(f"a part that is {self.mode!r}; it can be {', '.join(MODES)}")
        if self.lr is not None and not _is_rate(self.lr):
            raise ValueError(f"a part with lr={self.lr!r}, which is no number above 0")


def _is_rate(lr: Any) -> bool:
    return type(lr) in (int, float) and 0 < lr < math.inf


@dataclass(frozen=True, slots=True)
class Learning:
    """What becomes of one part.

    Attributes:
        mode: as it says.
        lr: peak learning rate of what learns; None in a frozen part.
    """

    mode: Literal["trained", "frozen", "adapted"]
    lr: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """How a model learns.

    Attributes:
        vision: the vision tower.
        projector: the linear layer behind it.
        language: the language model, with the vocabulary's table.
        adapters: which adapters, where there are any; its parts are those that are adapted.
        adapters_lr: their peak learning rate.
        frozen_dtype: what the weights of parts that are frozen or adapted are kept in.
    """

    vision: Part = field(default_factory=Part)
    projector: Part = field(default_factory=Part)
    language: Part = field(default_factory=Part)
    adapters: AdapterSettings | None = None
    adapters_lr: float | None = None
    frozen_dtype: str = "float32"

    def __post_init__(self) -> None:
        if self.frozen_dtype not in DTYPES:
            raise ValueError(
                f"tuning.frozen_dtype={self.frozen_dtype!r}; there are {', '.join(DTYPES)}"
            )
        if self.adapters is not None and not _is_rate(self.adapters_lr):
            raise ValueError(f"tuning.adapters.lr={self.adapters_lr!r} is no number above 0")

    def parts(self, recipe: Recipe) -> dict[str, Learning]:
        """What becomes of each of `PARTS` under that recipe.

        Raises:
            ValueError: nothing learns, a part is to be adapted and there are no adapters, there are
                adapters and no part for them, or a frozen part has a learning rate.
        """
        frozen = {
            "vision": recipe.freeze_vision,
            "projector": recipe.freeze_vision,  # the reference's `img/.*` is both
            "language": recipe.freeze_language,
        }
        learnt = "trained" if self.adapters is None else "adapted"
        parts: dict[str, Learning] = {}
        for name in PARTS:
            asked: Part = getattr(self, name)
            mode: Any = asked.mode
            if mode == "recipe":
                mode = "frozen" if frozen[name] else learnt
            if mode == "adapted" and self.adapters is None:
                raise ValueError(
                    f"tuning.{name}.mode=adapted and there are no adapters; choose them with "
                    f"tuning=lora, rslora, dora or qlora"
                )
            if mode == "frozen" and asked.lr is not None:
                raise ValueError(f"tuning.{name}.lr={asked.lr}, and the part is frozen")
            usual = {"trained": recipe.lr, "adapted": self.adapters_lr, "frozen": None}[mode]
            parts[name] = Learning(mode, usual if asked.lr is None else asked.lr)
        modes = {learning.mode for learning in parts.values()}
        if modes == {"frozen"}:
            raise ValueError(
                "every part is frozen, and nothing is left to learn; look at tuning.vision.mode, "
                ".projector.mode, .language.mode, recipe.freeze_vision and recipe.freeze_language"
            )
        if self.adapters is not None and "adapted" not in modes:
            raise ValueError("there are tuning.adapters and no part is adapted; take tuning=full")
        return parts

    def store(self, model: PaliGemma, recipe: Recipe) -> None:
        """Puts the parts of `model` that are not trained into `frozen_dtype`.

        On the meta device, before weights are read, this saves their memory altogether.
        """
        for part, learning in self.parts(recipe).items():
            if learning.mode != "trained":
                model.get_submodule(PARTS[part].rstrip(".")).to(DTYPES[self.frozen_dtype])
        model.tie()

    def apply(self, model: PaliGemma, recipe: Recipe, *, seed: int = 0) -> None:
        """Attaches adapters to `model`, which holds its weights, and lets what has to learn.

        Args:
            model: without adapters.
            recipe: which may freeze parts.
            seed: of the adapters.
        """
        parts = self.parts(recipe)
        if self.adapters is not None:
            adapted = tuple(part for part in parts if parts[part].mode == "adapted")
            attach(model, replace(self.adapters, parts=adapted), seed=seed)
        for name, parameter in model.named_parameters():
            mode = "adapted" if is_adapter(name) else "trained"
            parameter.requires_grad_(parts[part_of(name)].mode == mode)

    def needs_base(self, recipe: Recipe) -> bool:
        """Whether a checkpoint, which holds what learns, is not the whole model."""
        return any(learning.mode != "trained" for learning in self.parts(recipe).values())


FULL = Tuning()
"""Every weight that the recipe trains."""


def read_tuning(settings: Mapping[str, Any]) -> Tuning:
    """A tuning from plain settings, as in conf/tuning.

    Raises:
        ValueError: a setting that there is not, or that cannot be.
    """
    rest = dict(settings)
    rest["adapters"] = rest.get("adapters") or {}
    for name, line in {**dict.fromkeys(PARTS, "mode"), "adapters": "rank"}.items():
        if not isinstance(rest.get(name), Mapping):
            raise ValueError(
                f"tuning.{name}={rest.get(name)} is no table of settings; set one of it: "
                f"tuning.{name}.{line}=..."
            )
    adapters = dict(rest.pop("adapters"))
    if "parts" in adapters:
        raise ValueError(
            f"tuning.adapters.parts={adapters['parts']}: which parts have adapters is said by "
            f"tuning.vision.mode=adapted, and so for the projector and the language part"
        )
    try:
        parts = {part: Part(**rest.pop(part)) for part in PARTS}
        lr = adapters.pop("lr", None)
        chosen = AdapterSettings(**adapters) if adapters else None
        return Tuning(adapters=chosen, adapters_lr=lr, **parts, **rest)
    except (KeyError, TypeError) as error:
        raise ValueError(f"tuning={dict(settings)} is not what it should be: {error}") from error


def tuning_table(model: PaliGemma, parts: Mapping[str, Learning]) -> list[list[str]]:
    """A header, a row for each part, and their sum: what is there, and what of it learns."""
    rows = [["part", "is", "parameters", "learn", "lr"]]
    counts = {part: [0, 0] for part in parts}
    for name, parameter in model.named_parameters():
        # Two weights of 4 bits lie in a byte.
        size = parameter.numel() * (2 if parameter.dtype == torch.uint8 else 1)
        counts[part_of(name)][0] += size
        counts[part_of(name)][1] += size if parameter.requires_grad else 0
    for part, learning in parts.items():
        lr = "-" if learning.lr is None else f"{learning.lr:g}"
        rows.append([part, learning.mode, *(f"{count:,}" for count in counts[part]), lr])
    everything, learns = (sum(count[place] for count in counts.values()) for place in (0, 1))
    return [*rows, ["together", f"{learns / everything:.2%}", f"{everything:,}", f"{learns:,}", ""]]
