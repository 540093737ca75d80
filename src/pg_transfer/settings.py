"""What a configuration may say: values it looks up, and combinations that are refused."""

from __future__ import annotations

from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf

from pg_transfer.task import Task
from pg_transfer.training.batches import Antialias
from pg_transfer.training.recipe import Recipe


def paper(key: str, *, _root_: DictConfig) -> Any:
    """Resolves `${paper:lr}` to the published value for this task at this resolution.

    Raises:
        ValueError: nothing was published for it.
    """
    recipes, resolution = _root_.recipes, _root_.resolution
    if resolution not in recipes:
        raise ValueError(
            f"no published recipe at resolution={resolution}; this task has "
            f"{', '.join(map(str, recipes))}. For another one give every line of the recipe by "
            f"hand: recipe.lr=... and so on"
        )
    return recipes[resolution][key]


def split(line: str, *, _root_: DictConfig) -> Any:
    """Resolves `${split:train}` to that line of the task's `split_tables`.

    Raises:
        ValueError: `final_split` is neither true nor false.
    """
    if not isinstance(_root_.final_split, bool):
        raise ValueError(
            f"final_split={_root_.final_split} is neither true (the published splits) nor false "
            f"(part of the training data held out, to tune on)"
        )
    return _root_.split_tables["final" if _root_.final_split else "tuning"][line]


def precision() -> str:
    """Resolves `${precision:}`: float32 weights, with bfloat16 compute on a GPU."""
    return "bf16-mixed" if torch.cuda.is_available() else "32-true"


def register_resolvers() -> None:
    """Makes `${paper:...}`, `${split:...}` and `${precision:}` known, before Hydra composes."""
    OmegaConf.register_new_resolver("paper", paper, replace=True)
    OmegaConf.register_new_resolver("split", split, replace=True)
    OmegaConf.register_new_resolver("precision", precision, replace=True)


def refuse_bfloat16_masters(recipe: Recipe, precision: str) -> None:
    """Raises ValueError where pure bfloat16 weights would round the updates away."""
    if precision in ("bf16-true", "16-true") and recipe.lr < 1e-4:
        raise ValueError(
            f"trainer.precision={precision} with recipe.lr={recipe.lr}: weights of so few bits do "
            f"not move at such a learning rate (one update is far below their spacing). Take "
            f"trainer.precision=bf16-mixed: float32 weights, bfloat16 compute"
        )


def refuse_foreign_codec(task: Task, weights: str | None) -> None:
    """Raises ValueError where a pretrained model would be taught another mask alphabet."""
    codec = getattr(task, "mask_codec", None)
    if weights and codec is not None and not codec.official:
        raise ValueError(
            f"{weights} has learnt what <seg> tokens mean from the official mask codec, and "
            f"model.mask_codec is another one: its answers would be read wrongly and its knowledge "
            f"lost. Point model.mask_codec at vae-oid.npz, or start from nothing with model=tiny"
        )


def read_antialias(config: DictConfig) -> Antialias:
    """The task's two flags.

    Raises:
        ValueError: there is one for both.
    """
    if not isinstance(config.antialias, DictConfig):
        raise ValueError(
            f"antialias={config.antialias}: training and evaluation have a flag each, "
            f"antialias.train=... and antialias.evaluate=..."
        )
    return Antialias(train=config.antialias.train, evaluate=config.antialias.evaluate)
