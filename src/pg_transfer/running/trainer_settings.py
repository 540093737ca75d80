"""Settings of Lightning's trainer that a run makes by settings of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

CLIPPING = "gradients are clipped by their norm, recipe.clip_norm=..."
LENGTH = "recipe.epochs=... says how long it is"
LESS_DATA = "less data is a part of a split, 'splits.train=\"train[:100]\"'"
VALIDATIONS = "validations=... says how many there are"
WHOLE = "a split is scored whole; a part of one is a split of its own, 'val[:100]'"
SETTLED = {
    "accumulate_grad_batches": "it follows from recipe.batch_size, micro_batch and the devices",
    "callbacks": "they are its own",
    "check_val_every_n_epoch": VALIDATIONS,
    "enable_checkpointing": "checkpoint_minutes=... says how often its state is saved",
    "fast_dev_run": "preview=true shows the first batch and the plan",
    "gradient_clip_algorithm": CLIPPING,
    "gradient_clip_val": CLIPPING,
    "limit_train_batches": LESS_DATA,
    "limit_val_batches": WHOLE,
    "logger": "logger=... says where it is followed",
    "max_epochs": LENGTH,
    "max_steps": LENGTH,
    "max_time": "it would end in the midst of an update; asked to stop, it finishes that first, "
    "and can go on: timeout --signal=INT 3600 python train.py ...",
    "min_epochs": LENGTH,
    "min_steps": LENGTH,
    "overfit_batches": LESS_DATA,
    "val_check_interval": VALIDATIONS,
}
"""What to say of each: it would be lost, or leave a part of the run out."""


def refuse_odd_settings(trainer: Mapping[Any, Any]) -> None:
    """Raises ValueError if one of `SETTLED` is among the trainer's, or it would log every 0."""
    for name, instead in SETTLED.items():
        if (value := trainer.get(name)) is not None:
            raise ValueError(f"trainer.{name}={value} is for the run to settle: {instead}")
    every = trainer.get("log_every_n_steps")
    if every is not None and (type(every) is not int or every < 1):
        raise ValueError(f"trainer.log_every_n_steps={every} is no whole number from 1 up")
