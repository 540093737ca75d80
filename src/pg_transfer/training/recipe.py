"""A transfer's hyper-parameters and what follows from them; big_vision trainers, utils.steps."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any

KINDS = {"float": (int, float), "int": (int,), "bool": (bool,)}
REFUSED = {
    "float": "is no number",
    "int": "is no whole number",
    "bool": "is neither true nor false",
}
"""Types of a recipe's lines: what may be given for them, and what is said of all else."""

MOST_STEPS = 10**9
"""A year of thirty updates a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One row of the paper's table of transfers.

    Attributes:
        lr: peak learning rate.
        weight_decay: decoupled from `lr`, as the reference has it; see `optimizer.py`.
        epochs: passes over the training examples.
        batch_size: examples per update, over all devices and accumulated micro-batches.
        label_smoothing: probability moved from the right token to all others together.
        dropout: in the language model.
        text_length: text tokens fed to the model, and the most that an answer may have.
        warmup: fraction of the steps over which the learning rate rises.
        beta2: Adam's memory of squared gradients; 0.999 in all of the paper's transfers.
        clip_norm: largest allowed norm of all gradients together.
        freeze_vision: the paper held the vision tower still and, as its code does, the projector.
        freeze_language: the paper held the language model still. See `tuning.py`, which follows
            both unless it is told otherwise.
    """

    lr: float
    weight_decay: float
    epochs: float
    batch_size: int
    label_smoothing: float
    dropout: float
    text_length: int
    warmup: float
    clip_norm: float
    beta2: float = 0.999
    freeze_vision: bool = False
    freeze_language: bool = False

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if type(value) not in KINDS[str(field.type)]:
                raise ValueError(f"recipe.{field.name}={value!r} {REFUSED[str(field.type)]}")
        for name, low, high in (
            ("label_smoothing", 0, 1), ("dropout", 0, 1), ("warmup", 0, 1), ("beta2", 0, 1),
        ):  # fmt: skip
            if not low <= getattr(self, name) < high:
                raise ValueError(f"recipe.{name}={getattr(self, name)} is not in [{low}, {high})")
        for name in ("lr", "epochs", "batch_size", "text_length", "clip_norm"):
            if not getattr(self, name) > 0:
                raise ValueError(f"recipe.{name}={getattr(self, name)} is not above 0")
        if not self.weight_decay >= 0:
            raise ValueError(f"recipe.weight_decay={self.weight_decay} is not from 0 up")
        for name in ("lr", "weight_decay", "epochs"):  # of gradients an endless norm is no limit
            if math.isinf(getattr(self, name)):
                raise ValueError(f"recipe.{name}={getattr(self, name)} is endless")

    def steps(self, examples: int) -> int:
        """Updates in the whole run over a training split of `examples`.

        Raises:
            ValueError: there are more than any machine makes.
        """
        steps = self.epochs * examples / self.batch_size
        if steps > MOST_STEPS:
            raise ValueError(
                f"recipe.epochs={self.epochs} of {examples:,} examples are {steps:.3g} updates, "
                f"more than {MOST_STEPS:,}: lower it"
            )
        return max(1, round(steps))

    def schedule(self, step: int, steps: int) -> float:
        """Multiplier of the learning rate for the update after `step` others, out of `steps`.

        Linear from 0 during the warm-up, so the first update changes nothing; then half a cosine
        to 0.

        Raises:
            ValueError: the run is too short for a warm-up.
        """
        warmup = max(1, round(self.warmup * steps)) if self.warmup else 0
        if warmup >= steps:
            raise ValueError(
                f"a run of {steps} step(s) has no room for {warmup} of warm-up; train on more "
                f"examples, raise recipe.epochs, lower recipe.batch_size or set recipe.warmup=0"
            )
        progress = min(max((step - warmup) / (steps - warmup), 0.0), 1.0)
        cosine = 0.5 * (1 + math.cos(math.pi * progress))
        return cosine * min(1.0, step / warmup) if warmup else cosine


def read_recipe(settings: Mapping[str, Any]) -> Recipe:
    """The recipe in a table of settings.

    Raises:
        ValueError: it lacks a line, has one more than a recipe has, or a value that cannot be.
    """
    lines = {field.name: field for field in fields(Recipe)}
    for name in settings:
        if name not in lines:
            raise ValueError(
                f"there is no setting recipe.{name}; in recipe there are {', '.join(sorted(lines))}"
            )
    for name, line in lines.items():
        if name not in settings and line.default is MISSING:
            raise ValueError(f"recipe.{name} is missing: a recipe needs a value for it")
    return Recipe(**settings)
