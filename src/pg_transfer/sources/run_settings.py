"""The settings that a run has saved in its folder, which may have been downloaded.

What settings name is built and called, so that whoever wrote them could have code run on the
reader's machine. Only what a run of ours needs may be named; all else is refused.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf

from pg_transfer.task import Task

CONFIG = "config.yaml"
"""What a run's settings are saved as, in its folder."""

NEEDED = ("model", "recipe", "resolution", "antialias", "splits")
"""What no run does without."""

MOST_BYTES = 2**20
MOST_BRACKETS = 1000
"""The time to parse them grows with their square: a megabyte of them would take days."""

TRUST = "PG_TRUST"
"""An environment variable: what else may be named, e.g. "mine.boxes.Boxes other.Callback"."""

TARGETS = frozenset(
    {
        "lightning.pytorch.Trainer",
        "lightning.pytorch.strategies.DDPStrategy",
        "lightning.pytorch.strategies.FSDPStrategy",
        "lightning.pytorch.strategies.ModelParallelStrategy",
        "pg_transfer.segmentation.codec.load_codec",
        "pg_transfer.training.sharding.FullySharded",
        "pg_transfer.tracking.mlflow.MLflow",
        "pg_transfer.tracking.tensorboard.TensorBoard",
        "pg_transfer.tracking.weights_and_biases.WeightsAndBiases",
    }
)
"""What may be named besides the tasks of this project."""

_TASK = re.compile(r"(tasks|pg_transfer)(\.[a-z_]\w*)+\.[A-Z]\w*")


def read_run_settings(folder: Path, *, builds: bool = True) -> DictConfig:
    """The settings of the run in `folder`, fit to build from.

    Args:
        folder: of the run.
        builds: whether what they name is to be built. If not, it is not looked at, and does not
            have to be at hand: a model answers without its task.

    Raises:
        FileNotFoundError: it is no run's folder.
        ValueError: they are no settings of a run, or name something that could run code.
    """
    path = folder / CONFIG
    if not path.is_file():
        raise FileNotFoundError(f"{folder} holds no {CONFIG}; give the folder of a train.py run")
    settings = parse_settings(path)
    for key, value in _nodes(OmegaConf.to_container(settings)):
        if isinstance(value, str) and "${" in value:
            raise _unfit(path, f"{key}={value} would be looked up on this machine")
        if builds and key.rpartition(".")[2] == "_target_":
            _refuse_foreign(path, key, value)
    return settings


def require_parts(folder: Path, settings: DictConfig) -> None:
    """Raises ValueError if settings that were read there lack what no run does without."""
    for key in NEEDED:
        if key not in settings:
            raise _unfit(folder / CONFIG, f"it has no {key}")


def anchored(weights: Any) -> Any:
    """`model.weights` for a reader in another folder: paths whole, all else as it is."""
    if isinstance(weights, dict):
        return {half: anchored(value) for half, value in weights.items()}
    if isinstance(weights, str) and weights and Path(weights).expanduser().exists():
        return str(Path(weights).expanduser().resolve())
    return weights


def parse_settings(path: Path) -> DictConfig:
    """What is written in the file, for comparison; nothing is to be built from it.

    Raises:
        ValueError: it is no table of settings.
    """
    if path.stat().st_size > MOST_BYTES:
        raise _unfit(path, f"it is larger than {MOST_BYTES:,} bytes")
    try:
        text = path.read_text(encoding="utf-8")
        if text.count("[") + text.count("{") > MOST_BRACKETS:
            raise ValueError(f"it has more than {MOST_BRACKETS:,} brackets")
        repeats = any(isinstance(one, yaml.AliasEvent) for one in yaml.parse(text, yaml.SafeLoader))
        settings = OmegaConf.create("" if repeats else text)
        OmegaConf.to_container(settings)
    except Exception as error:  # OmegaConf raises its own, and lets those of its parsers through
        raise _unfit(path, f"{' '.join(str(error).split()):.200}") from error
    if repeats:  # each could double what it repeats
        raise _unfit(path, "it repeats parts of itself (YAML aliases)")
    if not isinstance(settings, DictConfig):
        raise _unfit(path, "it is no table of settings")
    return settings


def _nodes(settings: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every value, tables and lists included, with its dotted name."""
    yield path, settings
    if isinstance(settings, dict | list):
        pairs = settings.items() if isinstance(settings, dict) else enumerate(settings)
        for key, value in pairs:
            yield from _nodes(value, f"{path}.{key}" if path else str(key))


def _refuse_foreign(path: Path, key: str, target: Any) -> None:
    """Raises ValueError unless `target` is one of `TARGETS`, a task, or trusted by the user."""
    trusted = os.environ.get(TRUST, "").split()
    if isinstance(target, str) and (target in TARGETS or target in trusted):
        return
    # A name such as tasks.refcoco.json.load leads out of the module, so the class is looked at.
    if isinstance(target, str) and _TASK.fullmatch(target):
        module, _, name = target.rpartition(".")
        try:
            found = getattr(import_module(module), name, None)
        except ImportError:
            found = None
        if isinstance(found, type) and issubclass(found, Task):
            return
    raise ValueError(
        f"{path}: {key}={target} is no task of this project nor anything else that a run needs; "
        f"whoever wrote the file could have it run any code here. If it is your own class, or you "
        f"trust it, set {TRUST}={target} in the environment"
    )


def _unfit(path: Path, reason: str) -> ValueError:
    return ValueError(f"{path} holds no settings of a run of train.py: {reason}")
