"""A task's settings, held against what its class takes before it is called with them."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from pg_transfer.task import Task

TARGET = "_target_"
"""What is to be called, in a table of settings of Hydra's."""

HOW = "docs/adding_a_task.md tells how a task is made"

LIST, TABLE = (list,), (dict,)
# For a type in the class's signature, those of settings that it takes, and what they are called.
TAKEN: Mapping[Any, tuple[tuple[type, ...], str]] = {
    str: ((str,), "text"),
    Path: ((str,), "text"),
    bool: ((bool,), "switch (true or false)"),
    int: ((int,), "whole number"),
    float: ((int, float), "number"),
    NoneType: ((NoneType,), "null"),
    **dict.fromkeys((list, tuple, Sequence, Collection, Iterable), (LIST, "list")),
    **dict.fromkeys((dict, Mapping), (TABLE, "table")),
}


def require_fitting(settings: Any, place: str = "task") -> None:
    """Raises ValueError unless there is such a task, and these are settings of it.

    Args:
        settings: resolved, with `_target_`; of a mixture those of its tasks as well.
        place: where they stand.
    """
    if not isinstance(settings, dict) or not isinstance(settings.get(TARGET), str):
        raise ValueError(f"{place}={settings!r:.60} names no class of a task as its {TARGET}")
    target = task_class(settings[TARGET], place)
    for inner, name in _inner(settings.get("components"), place):
        require_fitting(inner, name)
    given = {name: value for name, value in settings.items() if not str(name).startswith("_")}
    parameters = inspect.signature(target).parameters
    if not any(one.kind is one.VAR_KEYWORD for one in parameters.values()):
        _require_names(given, parameters, target.__name__, place)
    for name, hint in _hints(target).items():
        if name in given and not _fits(given[name], hint):
            words = dict.fromkeys(word for word in _words(hint) if word != "null")
            quotes = _quoted(given[name]) if "text" in words else ""
            raise ValueError(f"{place}.{name}={given[name]!r} is no {' or '.join(words)}{quotes}")


def task_class(target: str, place: str = "task") -> type[Task]:
    """The class of that name.

    Raises:
        ValueError: there is none, or it is of something else than tasks.
    """
    module, _, name = target.rpartition(".")
    where = f"{place}.{TARGET}={target}"
    try:
        found = getattr(import_module(module), name, None) if module else None
    except ImportError as error:
        missing = str(error.name)
        if f"{module}.".startswith(f"{missing}."):
            raise ValueError(
                f"{where}: there is no {missing.replace('.', '/')}.py here; write it, or mend the "
                f"name. {HOW}"
            ) from error
        if missing.startswith("pg_transfer"):
            raise
        raise ValueError(f"{where}: {module} cannot be imported: {error}") from error
    if not (isinstance(found, type) and issubclass(found, Task)):
        raise ValueError(f"{where}: there is no such subclass of Task. {HOW}")
    return found


def images_of(config: DictConfig) -> int:
    """How many images the model sees of an example, at most; the data are read if only they tell.

    Where these cannot be read, it is one, and reading them for the run tells why.
    """
    settings: Any = OmegaConf.to_container(config.task, resolve=True)
    tasks = [settings, *(inner for inner, _ in _inner(settings.get("components"), "task"))]
    counts = [one.get("frames") or task_class(one[TARGET]).seen for one in tasks]
    known = [count for count in counts if count is not None]
    if len(known) == len(counts):
        return max(known)
    try:
        return instantiate(config.task).examples(config.splits.train)[0].seen
    except (InstantiationException, FileNotFoundError, ValueError):
        return max(known, default=1)


def _inner(components: Any, place: str) -> Iterator[tuple[Any, str]]:
    """The tasks of a mixture, and where each stands."""
    if isinstance(components, dict):
        for name, one in components.items():
            if isinstance(one, dict) and "task" in one:
                yield one["task"], f"{place}.components.{name}.task"


def _require_names(
    given: Mapping[str, Any], parameters: Mapping[str, inspect.Parameter], task: str, place: str
) -> None:
    for name in given:
        if name not in parameters:
            raise ValueError(
                f"there is no setting {place}.{name}; {task} takes "
                f"{', '.join(parameters) or 'none'}"
            )
    for name, one in parameters.items():
        if one.default is one.empty and name not in given:
            raise ValueError(f"{task} needs the setting {place}.{name}: +{place}.{name}=...")


def _hints(target: type) -> Mapping[str, Any]:
    """The types in its signature; none where they cannot be looked up."""
    try:
        return get_type_hints(target.__init__)
    except Exception:  # whatever a user's annotations raise, which are not there to be run
        return {}


def _fits(value: Any, hint: Any) -> bool:
    """Whether a value may stand for a parameter of that type, or it is a type we do not know."""
    if isinstance(value, dict) and TARGET in value:
        return True
    kind, inner = get_origin(hint) or hint, get_args(hint)
    if kind in (Union, UnionType):
        return any(_fits(value, one) for one in inner)
    if kind is Literal:
        return value in inner
    if kind not in TAKEN:
        return True
    types, _ = TAKEN[kind]
    if type(value) not in types:
        return False
    parts = value.values() if types is TABLE else value if types is LIST else ()
    return not inner or all(_fits(part, inner[-1]) for part in parts if inner[-1] is not ...)


def _words(hint: Any) -> Iterator[str]:
    """What a value should be."""
    kind, inner = get_origin(hint) or hint, get_args(hint)
    if kind in (Union, UnionType):
        for one in inner:
            yield from _words(one)
    elif kind is Literal:
        yield from map(repr, inner)
    elif kind in TAKEN:
        types, word = TAKEN[kind]
        of = "" if types not in (LIST, TABLE) or not inner else " or ".join(_words(inner[-1]))
        yield f"{word} of {of}s" if of and " " not in of else word


def _quoted(value: Any) -> str:
    """How to give a number as a text."""
    if type(value) not in (int, float):
        return ""
    return f"; a text that looks like a number needs quotes and the shell's: '...=\"{value}\"'"
