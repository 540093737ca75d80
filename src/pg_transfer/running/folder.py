"""The folder of a run: which run it holds, how to go on with it, what is kept there."""

from __future__ import annotations

import re
import shutil
import sys
from contextlib import suppress
from pathlib import Path
from typing import cast

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, read_write

from pg_transfer.process.console import say
from pg_transfer.process.processes import started_from_outside
from pg_transfer.project import typed
from pg_transfer.running.trainer_settings import SETTLED
from pg_transfer.sources.run_settings import CONFIG, parse_settings

# Settings under which a run computes the same, but for rounding, what dropout draws, and what
# cannot be read: remedies for a run that memory or an image has stopped.
WHERE = (
    "trainer.accelerator:", "trainer.devices:", "trainer.num_nodes:", "trainer.strategy",
    "trainer.inference_mode:", "micro_batch:", "evaluation_batch:", "model.rematerialise:",
    "workers:", "on_error:",
)  # fmt: skip

# Settings that change none of a run's numbers.
FREE = (
    "run", "logger", "image_cache", "checkpoint_minutes", "pictured", "page", "samples",
    "trainer.log_every_n_steps", "images_of_an_example", "score_only",
)  # fmt: skip

CLOCK = "${now:"
"""Hydra's for the time, in the names of folders."""


def is_named_by_clock(config: DictConfig) -> bool:
    """Whether the folder of the run is named by the time, so that another would do as well."""
    if HydraConfig.get().mode == RunMode.MULTIRUN:
        return False
    given = OmegaConf.to_container(HydraConfig.get().overrides)  # OmegaConf would look up a ${...}
    if any(one.startswith("hydra.run.dir=") for one in given["hydra"]):  # type: ignore[index, call-overload]
        return False
    return CLOCK in str(OmegaConf.to_container(config)["run"])  # type: ignore[index]


def take_another(folder: Path) -> None:
    """Has Hydra, whom Lightning asks for the folder of the processes that it starts, know this."""
    settings = cast(DictConfig, HydraConfig.instance().cfg)
    with read_write(settings.hydra):
        settings.hydra.run.dir = settings.hydra.runtime.output_dir = str(folder)


def require_one_folder(config: DictConfig) -> None:
    """Raises ValueError where each of several processes would name a folder by its own clock."""
    if started_from_outside() > 1 and is_named_by_clock(config):
        raise ValueError(
            f"{started_from_outside()} processes were started by torchrun or SLURM, and each would "
            f"write to a folder of its own: name one for all of them with run=runs/..., which also "
            f"goes on with the run when the same command is given again"
        )


def require_same_run(folder: Path, config: DictConfig) -> None:
    """Raises ValueError if `folder` holds a run with settings that would make it another one."""
    if not (folder / CONFIG).is_file():
        return
    saved = parse_settings(folder / CONFIG)
    _refuse_settled(folder / CONFIG, saved)
    old, new = (dict(flattened(OmegaConf.to_container(settings))) for settings in (saved, config))
    if new.get("prompt") is None:  # what own data are asked is chosen when they are read
        new["prompt"] = old.get("prompt")
    changed = [
        f"{key}: {old.get(key)} there, {new.get(key)} now"
        for key in sorted(old.keys() | new.keys())
        if not key.startswith(FREE) and old.get(key) != new.get(key)
    ]
    elsewhere = [change for change in changed if change.startswith(WHERE)]
    if changed == elsewhere:
        if changed:
            say(f"note: the run goes on elsewhere: {'; '.join(changed)}")
    else:
        names = old.get("task_name"), new.get("task_name")
        if names[0] != names[1]:
            raise ValueError(
                f"run={folder} holds a run of task={names[0]}, and this is one of task={names[1]}: "
                f"choose another folder"
            )
        raise ValueError(
            f"run={folder} holds another run; repeat its settings to go on with it, or choose "
            f"another folder. Different are: {'; '.join(changed)}"
        )


def _refuse_settled(file: Path, saved: DictConfig) -> None:
    """Raises ValueError if the run was begun with a setting, `saved` in `file`, refused by now."""
    trainer = saved.get("trainer") or {}
    for name, instead in SETTLED.items():
        if (value := trainer.get(name)) is not None:
            pattern = re.compile(rf"^  {name}:", re.MULTILINE)
            found = pattern.search(text := file.read_text(encoding="utf-8"))
            line = f", line {text.count(chr(10), 0, found.start()) + 1}" if found else ""
            raise ValueError(
                f"{file}{line}: this run was begun with trainer.{name}={value}, which is for the "
                f"run to settle by now ({instead}). To go on with it, delete that line, and leave "
                f"the setting out of the command"
            )


def flattened(settings: object, path: str = "") -> list[tuple[str, object]]:
    """Every leaf of nested settings with its dotted name."""
    if not isinstance(settings, dict):
        return [(path, settings)]
    return [
        leaf
        for key, value in settings.items()
        for leaf in flattened(value, f"{path}.{key}" if path else str(key))
    ]


def resume_command(folder: Path) -> list[str]:
    """What to type to go on with the run in `folder`."""
    options = [option for option in sys.argv[1:] if not option.startswith("run=")]
    return [*typed("train"), *options, f"run={folder}"]


def training_command() -> list[str]:
    """What to type to train as a preview has shown."""
    return [*typed("train"), *(one for one in sys.argv[1:] if not one.startswith("preview="))]


def keep_tokenizer(path: Path, folder: Path) -> None:
    """Copies the tokenizer into the run's folder, where scoring and answering look for it."""
    copy = folder / f"tokenizer{path.suffix}"
    if not copy.exists():
        unfinished = copy.with_name(f"{copy.name}.part")
        shutil.copyfile(path, unfinished)
        unfinished.replace(copy)


def remove_empty(folder: Path) -> None:
    """Removes what Hydra has made for a run that came to nothing; no folder of the user's."""
    made = [folder]
    if folder.parent.name.startswith(f"{HydraConfig.get().runtime.choices['task']}-"):
        made.append(folder.parent)
    for one in made:
        with suppress(OSError):  # there is something in it
            one.rmdir()
