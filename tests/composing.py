"""Settings as a command line would make them."""

from __future__ import annotations

from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf

from pg_transfer.running.settings import register_resolvers

CONF = Path(__file__).parents[1] / "conf"


@cache
def composed(*overrides: str) -> DictConfig:
    """Of train.py, for a run called `runs/test`; the same ones again, which nobody may change.

    Composing takes a tenth of a second.
    """
    register_resolvers()
    with initialize_config_dir(str(CONF), version_base=None):
        return compose("train", overrides=["run=runs/test", *overrides])


def with_values(config: DictConfig, **values: Any) -> DictConfig:
    """A copy in which root settings are others, as Hydra itself sets them: it composes first.

    Composing takes thirty times as long.
    """
    changed = deepcopy(config)
    for name, value in values.items():
        OmegaConf.update(changed, name, value)
    return changed
