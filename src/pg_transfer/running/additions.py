"""Settings that are added on the command line (`+name=value`), where something has to read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from hydra import compose
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import OmegaConf

from pg_transfer.process.near_names import meant, names

TARGET = "_target_"
"""What is to be called with a table of settings, and judges them."""

OF_THE_RUN = "trainer"
"""The table of an evaluation that is joined with the run's, which says what is to be called."""


def refuse_typed_additions(hydra: Any = None) -> None:
    """`refuse_additions` for what Hydra knows of a run; by default of the one of this process."""
    hydra = hydra or HydraConfig.get()
    # As typed: OmegaConf would look up a ${...} in them.
    typed = cast(dict[str, list[str]], OmegaConf.to_container(hydra.overrides))
    found_in = [one for one in typed["hydra"] if "hydra.searchpath" in one]
    refuse_additions([*found_in, *typed["task"]], str(hydra.job.config_name))


def refuse_additions(settings: Sequence[str], program: str) -> None:
    """Raises ValueError if one is added to the configuration that nothing reads.

    And if several options of a group are, of which the last would be all that counts.

    There is a reader for what files have, whoever wrote them; for what replaces the value of a
    setting; and for what is given to a class. Called while Hydra is about.

    Args:
        settings: as typed.
        program: the name of its configuration.
    """
    typed = OverridesParser.create().parse_overrides([*settings])
    for one in typed:
        _refuse_several(one)
    if not any(map(_adds, typed)):
        return
    whole = compose(program, overrides=[*settings], return_hydra_config=True)
    groups = whole.hydra.runtime.choices
    added = [one for one in typed if _adds(one) and not _is_choice(one, groups)]
    others = [str(one.input_line) for one in typed if one not in added and not one.is_delete()]
    known = cast(dict[str, Any], OmegaConf.to_container(compose(program, overrides=others)))
    for one in added:
        for name in names(one.key_or_group, one.value()):
            if not _is_read(name, known):
                raise ValueError(_unread(name, known))


def _refuse_several(override: Override) -> None:
    name, several = override.key_or_group, override.value()
    loader = GlobalHydra.instance().config_loader()
    if isinstance(several, list) and len(several) > 1 and loader.get_group_options(name):
        raise ValueError(
            f"{override.input_line}: {name}= takes one, and the last would stand for all; choose "
            f"one: {name}={several[0]}"
        )


def _adds(override: Override) -> bool:
    """Whether it may bring what is not there already; what is Hydra's, Hydra judges."""
    is_added = override.is_add() or override.is_force_add()
    return is_added and not override.key_or_group.startswith("hydra.")


def _is_choice(override: Override, groups: Mapping[str, Any]) -> bool:
    """Whether the value is an option of a group: a file."""
    is_table = isinstance(override.value(), dict)
    return not is_table and override.get_key_element().lstrip("+") in groups


def _is_read(name: str, known: Mapping[str, Any]) -> bool:
    table: Any = known
    if name.startswith(f"{OF_THE_RUN}."):
        return True
    for part in name.split("."):
        if not isinstance(table, dict) or TARGET in table:
            return True
        if part not in table:
            return False
        table = table[part]
    return True


def _unread(name: str, known: Mapping[str, Any]) -> str:
    """What to say of it: what it could be meant for, and what there is beside it."""
    *within, _ = name.split(".")
    table, place = known, []
    while within and isinstance(table.get(within[0]), dict):
        place.append(within.pop(0))
        table = table[place[-1]]
    there = ", ".join(sorted(map(str, table))) or "none"
    where = f"in {'.'.join(place)} " if place else ""
    return (
        f"there is no setting {name}, and nothing would read it{meant(name, known)}; {where}there "
        f"are {there}"
    )
