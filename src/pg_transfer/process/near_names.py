"""What a setting that there is not may have been meant for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any

NOT_SET = ("recipes", "split_tables", "hydra")
"""Tables that settings take their values from, and Hydra's own."""

LONGER = "recipe.epochs"
OLD_RUN = "run=FOLDER, to go on with a run, or model.weights=..., to start from other weights"
OWN_DATA = "task=custom data=..., for your own data"
ELSEWHERE = {
    "checkpoint": OLD_RUN,
    "ckpt_path": OLD_RUN,
    "data": OWN_DATA,
    "data.path": OWN_DATA,
    "dataset": OWN_DATA,
    "learning_rate": "recipe.lr",
    "gpus": "trainer=ddp or trainer=fsdp, and trainer.devices=...",
    "logger.mode": "logger=wandb logger.mode=...",
    "max_epochs": LONGER,
    "max_steps": LONGER,
    "num_train_epochs": LONGER,
    "num_workers": "workers",
    "output_dir": "run",
    "per_device_train_batch_size": "micro_batch",
    "rank": "tuning=lora tuning.adapters.rank=...",
    "resume": OLD_RUN,
    "resume_from_checkpoint": OLD_RUN,
    "wandb": "logger=wandb logger.project=...",
}
"""What Lightning, transformers and others call it, and what it is here."""

GUESSES = 3


def meant(name: str, settings: Mapping[str, Any]) -> str:
    """A question in brackets with the nearest names; empty if there are none.

    Args:
        name: dotted, as it was typed.
        settings: all there are.
    """
    within, _, last = name.rpartition(".")
    there = {key: inner for key, inner in settings.items() if key not in NOT_SET}
    table: Any = there
    for part in within.split(".") if within else ():
        table = table.get(part) if isinstance(table, Mapping) else None
    near = _near(last, names(within, table)) if within and table is not None else []
    foreign = ELSEWHERE.get(name) or ELSEWHERE.get(last)
    if not near and foreign and "recipe" in settings:
        near = [foreign]
    near = near or _near(last, names("", there))
    return f" (is it {' or '.join(near)}?)" if near else ""


def names(name: str, value: object) -> Iterator[str]:
    """The dotted name of every setting in the value."""
    if not isinstance(value, Mapping):
        yield name
        return
    for key, inner in value.items():
        yield from names(f"{name}.{key}" if name else str(key), inner)


def _near(last: str, those: Iterable[str]) -> list[str]:
    """Those of the names that end as this one does, or nearly."""
    ends: dict[str, list[str]] = {}
    for name in those:
        ends.setdefault(name.rpartition(".")[2], []).append(name)
    alike = get_close_matches(last, ends, cutoff=0.75)
    return [name for end in alike for name in ends[end]][:GUESSES]
