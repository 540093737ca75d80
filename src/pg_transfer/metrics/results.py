"""Files of results, as benchmarks' own evaluators take them: a JSON list of rows."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, TypeVar

Id = TypeVar("Id", bound=int | str)


def read_json(path: Path) -> Any:
    """What a JSON file holds.

    Raises:
        FileNotFoundError: it does not exist.
        ValueError: it is no JSON.
    """
    try:
        return json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: no JSON, or cut short ({error})") from error


def read_list(path: Path, content: Any, name: str | None = None) -> list[Mapping[str, Any]]:
    """The rows of a file that is a list of objects, or of the list called `name` in it.

    Raises:
        ValueError: there is no such list.
    """
    if name is not None:
        content = content.get(name) if isinstance(content, dict) else None
    if not isinstance(content, list) or not all(isinstance(row, dict) for row in content):
        what = f"list of objects named {name!r}" if name else "list of objects"
        raise ValueError(f"{path}: no {what}")
    return content


def field(path: Path, row: Mapping[str, Any], name: str, *kinds: type) -> Any:
    """The value of `name` in a row.

    Raises:
        ValueError: it is missing, or of none of the `kinds`.
    """
    value = row.get(name)
    if not isinstance(value, kinds) or isinstance(value, bool):
        wanted = " or ".join(kind.__name__ for kind in kinds)
        found = f"{value!r:.60}" if name in row else "missing"
        raise ValueError(f"{path}: `{name}` has to be {wanted}, but is {found} in {row!r:.120}")
    return value


def read_results(path: Path, *, key: str, value: str) -> dict[int | str, str]:
    """Texts by id, from rows that have a `key` and a `value`.

    Raises:
        ValueError: a row lacks one of them, or an id comes twice.
    """
    results: dict[int | str, str] = {}
    for row in read_list(path, read_json(path)):
        one = field(path, row, key, int, str)
        if one in results:
            raise ValueError(f"{path}: a second result for {key} {one!r}; one each is scored")
        results[one] = field(path, row, value, str)
    return results


def require_match(path: Path, given: Collection[Any], wanted: Collection[Any], hint: str) -> None:
    """Refuses results that are not about exactly the `wanted` ids.

    Args:
        path: of the results.
        given: their ids.
        wanted: the ids to be scored.
        hint: what to do if some are missing.

    Raises:
        ValueError: one is unknown, or one is missing.
    """
    known = set(wanted)
    unknown = [one for one in given if one not in known]
    if unknown:
        raise ValueError(
            f"{path}: {len(unknown)} of {len(given)} results are about nothing that is asked for, "
            f"the first about {unknown[0]!r}; is it the right split?"
        )
    missing = [one for one in wanted if one not in given]
    if missing:
        raise ValueError(
            f"{path}: {len(missing)} of {len(known)} have no result, the first is {missing[0]!r}; "
            f"{hint}"
        )


def print_json(
    work: Callable[[argparse.Namespace], Mapping[str, Any]], arguments: argparse.Namespace
) -> None:
    """Prints what `work` makes of the command line; a user's mistake is one line of error."""
    try:
        scores = work(arguments)
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")
    print(json.dumps(scores, indent=2))
