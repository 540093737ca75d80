"""What a configuration may say: values it looks up, and combinations that are refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, ListConfig, OmegaConf

from pg_transfer.task import Task
from pg_transfer.training.gpus import gpu_count, has_bfloat16
from pg_transfer.training.reader import Antialias

if TYPE_CHECKING:
    from pg_transfer.training.tuning import Learning

ANY = "any"
"""What stands for all other resolutions in the recipes of a task that has no published ones."""


def paper(key: str, *, _root_: DictConfig) -> Any:
    """Resolves `${paper:lr}` to the published value for this task at this resolution.

    Raises:
        ValueError: nothing was published for it.
    """
    recipes, resolution = _root_.recipes, _root_.resolution
    if resolution not in recipes and ANY in recipes:
        return recipes[ANY][key]
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
    """Resolves `${precision:}`: float32 weights, with bfloat16 compute on a GPU that has it."""
    return "bf16-mixed" if has_bfloat16() else "32-true"


def remark_on_precision(trainer: DictConfig) -> str:
    """What to know of a GPU without bfloat16; empty where there is nothing to be known."""
    is_on_gpu = gpu_count() > 0 and trainer.accelerator != "cpu"
    if not is_on_gpu or trainer.precision != "32-true" or has_bfloat16():
        return ""
    return (
        "this GPU has no bfloat16 (it came with NVIDIA's Ampere), so that it computes in float32: "
        "trainer.precision=32-true"
    )


def frozen_dtype(precision: str | int | None) -> str:
    """Resolves `${frozen_dtype:bf16-mixed}`: what does not learn is kept as it is computed with."""
    return "bfloat16" if str(precision).startswith("bf16") else "float32"


def times(factor: float, value: float) -> float:
    """Resolves `${times:10,3e-6}` to their product, 3e-5 and not 3.0000000000000004e-5.

    Raises:
        ValueError: one is no number.
    """
    if not {type(factor), type(value)} <= {int, float}:
        raise ValueError(
            f"{factor!r} times {value!r}: lr_factor and the learning rate have to be numbers"
        )
    return float(f"{factor * value:.12g}")


RESOLVERS: dict[str, Callable[..., Any]] = {
    "paper": paper, "split": split, "precision": precision, "frozen_dtype": frozen_dtype,
    "times": times,
}  # fmt: skip


def register_resolvers() -> None:
    """Makes `${paper:...}` and the others known, before Hydra composes."""
    for name, resolver in RESOLVERS.items():
        OmegaConf.register_new_resolver(name, resolver, replace=True)


# The least that a whole number may be. Others are looked at by what takes them.
LEAST = {
    "resolution": 1, "seed": 0, "micro_batch": 1, "evaluation_batch": 1, "workers": 0,
    "validations": 1, "pictured": 0, "page": 0, "samples": 0,
}  # fmt: skip
MOST_SEED = 2**63 - 1
"""What torch's generators take."""

TABLES = ("recipe", "splits", "model", "trainer", "task")
SWITCHES = (
    "preview",
    "score_before",
    "score_only",
    "model.resample",
    "antialias.train",
    "antialias.evaluate",
)
PLACES = {"image_cache": (str,), "model.weights": (str, DictConfig), "model.mask_codec": (str,),
          "model.tokenizer": (str, DictConfig)}  # fmt: skip
"""What names a file or folder, and what else may stand for it."""

CHOICES = {"on_cut": ("report", "error"), "on_error": ("stop", "skip")}


def refuse_odd_values(config: DictConfig, *, left: str | None = None) -> None:
    """Raises ValueError if a setting at the root is no number, too small or none of its choices.

    And if `splits` does not name splits.

    Args:
        config: of a run.
        left: the word that may stand for a size which is left to the planner, if it may.
    """
    for name in TABLES:
        if not isinstance(config.get(name), DictConfig):
            raise ValueError(
                f"{name}={config.get(name)} is no table of settings; set one of it: {name}.x=y"
            )
    for name, least in LEAST.items():
        value = config.get(name, least)  # runs of earlier versions do not have all of them
        if left is not None and (name, value) == ("micro_batch", left):
            continue
        if type(value) is not int or value < least:
            raise ValueError(f"{name}={value} is no whole number from {least} up")
    for name in SWITCHES:
        # Of one flag for both, `read_antialias` tells more.
        if (value := _found(config, name)) not in (None, True, False) or type(value) is int:
            raise ValueError(f"{name}={value} is neither true nor false")
    again = _found(config, "model.rematerialise")
    is_number = type(again) is int and again >= 0
    if not (is_number or again is None or isinstance(again, bool) or again == left):
        raise ValueError(
            f"model.rematerialise={again}: it is true (all blocks are computed twice), false "
            f"(none), auto (as few as memory asks for), or how many"
        )
    for name, kinds in PLACES.items():
        value = _found(config, name)  # empty where a shell's variable was
        if value is not None and (value == "" or not isinstance(value, kinds)):
            raise ValueError(f"{name}={value} is no name of a file or folder")
    if config.seed > MOST_SEED:
        raise ValueError(f"seed={config.seed} is too large; {MOST_SEED} is the last there is")
    _refuse_odd_splits(config.splits)
    minutes = config.checkpoint_minutes
    if type(minutes) not in (int, float) or not minutes >= 0:
        raise ValueError(f"checkpoint_minutes={minutes} is no number of minutes from 0 up")
    patience = config.get("patience")  # runs of earlier versions do not have it
    if patience is not None and not (type(patience) is int and 1 <= patience < config.validations):
        raise ValueError(
            f"patience={patience} is no number of validations from 1 to one less than "
            f"validations={config.validations}; null trains to the end"
        )
    for name, choices in CHOICES.items():
        # Runs of earlier versions do not have all of them.
        if (value := config.get(name, choices[0])) not in choices:
            raise ValueError(f"{name}={value} is none of {', '.join(choices)}")


def _found(config: DictConfig, name: str) -> Any:
    """A setting by its dotted name; None where runs of earlier versions do not have it."""
    group, _, key = name.rpartition(".")
    within = config.get(group) if group else config
    return within.get(key) if isinstance(within, DictConfig) else None


def _refuse_odd_splits(splits: DictConfig) -> None:
    lists = {line: splits.get(line) for line in ("report", "optional")}
    lists["optional"] = lists["optional"] or ListConfig([])  # not all tasks have some
    for line, names in lists.items():
        if not isinstance(names, ListConfig):
            raise ValueError(
                f"splits.{line}={names} is no list of splits; write it in brackets and quotes: "
                f"'splits.{line}=[{'val' if names is None else names}]'"
            )
    for line, names in {"train": [splits.train], "validate": [splits.validate], **lists}.items():
        for name in names:
            if not isinstance(name, str) or not name.strip():
                raise ValueError(f"splits.{line}: {name!r} is no name of a split, such as train")
    if not splits.report:
        raise ValueError("splits.report=[] leaves nothing to score at the end; name a split in it")


def refuse_rounded_updates(parts: Mapping[str, Learning], precision: str) -> None:
    """Raises ValueError where weights or gradients of so few bits would lose the updates."""
    if precision in ("16-mixed", "16"):  # which Lightning takes for the same
        raise ValueError(
            f"trainer.precision={precision}: float16 needs gradients to be scaled, which the "
            f"recipe's clipping would take for large ones. Take bf16-mixed, or 32-true where a GPU "
            f"has no bfloat16"
        )
    if precision not in ("bf16-true", "16-true"):
        return
    for part, learning in parts.items():
        if learning.mode == "adapted":
            raise ValueError(
                f"trainer.precision={precision} would round the adapters of the {part} part as "
                f"well. Take trainer.precision=bf16-mixed, and tuning.frozen_dtype=bfloat16 for "
                f"the weights that do not learn"
            )
        if learning.lr is not None and learning.lr < 1e-4:
            raise ValueError(
                f"trainer.precision={precision} with a learning rate of {learning.lr:g} for the "
                f"{part} part: weights of so few bits do not move at it (one update is far below "
                f"their spacing). Take trainer.precision=bf16-mixed: float32 weights, bfloat16 "
                f"compute"
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


def read_component_antialias(config: DictConfig) -> dict[str, Antialias]:
    """Those of the tasks in a mixture, or of a benchmark beside a task's own, by name."""
    # Runs of earlier versions, and most tasks, have none.
    given = config.get("antialias_of") or {}
    return {
        str(name): Antialias(train=flags.train, evaluate=flags.evaluate)
        for name, flags in given.items()
    }
