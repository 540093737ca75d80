"""From `mixture=` to the settings of several tasks, each as `task=` alone would compose them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, cast

from hydra import compose
from hydra.errors import ConfigCompositionException, MissingConfigException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

NAMES = re.compile(r"[A-Za-z]\w*")
RESERVED = ("train", "validate", "evaluate")
OWN = ("splits", "antialias", "final_split")
"""What a component may set although the mixture has it, too."""

SPLITS = ("train", "validate", "report", "optional")
HOW = (
    "mixture=[textvqa,coco_captions] draws from all examples alike, mixture={textvqa: 2, "
    "coco_captions: 1} two of the one to one of the other, and mixture={mine: {task: custom, "
    "data: my.jsonl, weight: 1}, ...} changes settings of one"
)


def with_components(config: DictConfig) -> DictConfig:
    """The settings with those of each task that `mixture` names; others as they are.

    Called while Hydra is about, whose groups the tasks are of.

    Raises:
        ValueError: no tasks, none of that name, or settings that they do not have.
    """
    if "mixture" not in config:
        return config
    wanted = _wanted(config.mixture)
    composed = {name: _composed(name, dict(one), config) for name, one in wanted.items()}
    mixed = cast(DictConfig, config.copy())
    OmegaConf.set_struct(mixed, False)
    mixed.task.components = {
        name: {
            "weight": wanted[name]["weight"],
            "beams": one["beams"],
            "splits": one["splits"],
            "task": one["task"],
        }
        for name, one in composed.items()
    }
    mixed.antialias_of = {
        **{name: one["antialias"] for name, one in composed.items()},
        **{
            f"{name}/{part}": flags
            for name, one in composed.items()
            for part, flags in one["antialias_of"].items()
        },
    }
    for line in ("report", "optional"):
        if config.splits[line] is None:
            mixed.splits[line] = [
                f"{name}/{split}" for name, one in composed.items() for split in one["splits"][line]
            ]
    return mixed


def move_data(settings: DictConfig, root: Any) -> None:
    """Takes the data of a run from elsewhere; of a mixture, for each task that `root` names.

    Raises:
        ValueError: `root` does not say which task's data.
    """
    _move("root", root, _tasks(settings))


def move_images(settings: DictConfig, images: Any) -> None:
    """Takes the images of own data from another folder; of a mixture, for each task in `images`.

    Raises:
        ValueError: the task's images lie where its data does, or it is not said which task's.
    """
    movable = {name: task for name, task in _tasks(settings).items() if "images" in task}
    if not movable:
        raise ValueError(
            f"images={images}: this run's task finds its images in its own data; root=... says "
            f"where that lies"
        )
    _move("images", images, movable)


def _tasks(settings: DictConfig) -> dict[str, DictConfig]:
    """The settings of a run's tasks by name; of the only one by none."""
    components = settings.task.get("components")
    if components is None:
        return {"": settings.task}
    return {str(name): one.task for name, one in components.items()}


def _move(setting: str, place: Any, tasks: Mapping[str, DictConfig]) -> None:
    places = {"": place} if "" in tasks else place
    if not isinstance(places, Mapping) or set(places) - set(tasks):
        names = ", ".join(f"{name}: ..." for name in tasks)
        raise ValueError(
            f"{setting}={place}: this run mixes tasks, say of which: {setting}={{{names}}}"
        )
    for name, one in places.items():
        tasks[name][setting] = one


def _wanted(mixture: Any) -> dict[str, dict[str, Any]]:
    """For each name its settings, `task` and `weight` among them."""
    given = OmegaConf.to_container(mixture, resolve=True) if OmegaConf.is_config(mixture) else None
    if isinstance(given, list):
        given = dict.fromkeys(given) if len(set(map(str, given))) == len(given) else None
    if not given:
        raise ValueError(f"mixture={mixture} is no tasks to learn together: {HOW}")
    wanted: dict[str, dict[str, Any]] = {}
    for name, one in cast(dict[Any, Any], given).items():
        if not NAMES.fullmatch(str(name)) or name in RESERVED:
            raise ValueError(
                f"mixture: {name!r} cannot be the name of a task in it: letters, digits and _, and "
                f"not {', '.join(RESERVED)}"
            )
        wanted[name] = {"task": name, "weight": None} | (
            one if isinstance(one, dict) else {"weight": one}
        )
        weight = wanted[name]["weight"]
        if weight is not None and not _is_weight(weight):
            raise ValueError(f"mixture.{name}: weight={weight} is no number above 0")
    weightless = [name for name, one in wanted.items() if one["weight"] is None]
    if 0 < len(weightless) < len(wanted):
        raise ValueError(
            f"mixture: {', '.join(weightless)} has no weight and others have one. Give all of them "
            f"one, or none: then each task's weight is the number of its training examples"
        )
    return wanted


def _is_weight(weight: Any) -> bool:
    return type(weight) in (int, float) and 0 < weight < math.inf


def _composed(name: str, settings: dict[str, Any], config: DictConfig) -> dict[str, Any]:
    """The looked-up settings of a task that its component of a mixture needs."""
    task = settings.pop("task")
    del settings["weight"]
    if task == "mixture":
        raise ValueError(f"mixture.{name}: a mixture in a mixture; name its tasks themselves")
    try:
        one = compose("train", overrides=[f"task={task}"])
    except (MissingConfigException, ConfigCompositionException) as error:
        raise ValueError(
            f"mixture.{name}: there is no task={task}; `python train.py task=` lists them. One "
            f"under another name is {{{name}: {{task: ..., weight: 1}}}}"
        ) from error
    own = [key for key in one if key in OWN or key not in (*config, "recipes", "split_tables")]
    of_task = [key for key in one.task if not str(key).startswith("_")]
    OmegaConf.set_struct(one, True)
    one.model, one.resolution = config.model, config.resolution
    if "final_split" in one:
        one.final_split = config.final_split
    for key, value in settings.items():
        if key not in own and key not in of_task:
            raise ValueError(
                f"mixture.{name}: task={task} has no setting {key!r} of its own; it has "
                f"{', '.join(dict.fromkeys(map(str, (*own, *of_task))))}. What all tasks share, "
                f"recipe.lr for one, is set beside the mixture"
            )
        if key in ("splits", "antialias") and not isinstance(value, dict):
            raise ValueError(f"mixture.{name}.{key}={value} is no table, such as {{train: ...}}")
        try:
            OmegaConf.update(one, key if key in own else f"task.{key}", value, merge=True)
        except OmegaConfBaseException as error:
            first, *_ = str(error).splitlines()
            raise ValueError(f"mixture.{name}.{key}={value}: {first}") from error
    looked_up = {key: _looked_up(one, key) for key in ("task", "splits", "antialias")}
    looked_up["splits"] = {line: looked_up["splits"].get(line) or [] for line in SPLITS}
    for line in ("train", "validate"):
        if not isinstance(value := looked_up["splits"][line], str):
            raise ValueError(f"mixture.{name}.splits.{line}={value} is no name of a split")
    return looked_up | {"beams": one.beams, "antialias_of": one.get("antialias_of") or {}}


def _looked_up(config: DictConfig, key: str) -> Any:
    return OmegaConf.to_container(config[key], resolve=True)
