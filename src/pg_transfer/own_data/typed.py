"""Settings as they are typed: what a shell and Hydra leave as it is."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence

PLAIN = re.compile(r"[A-Za-z_][\w.]*", re.ASCII)
"""Names that Hydra reads without quotes."""
WORDS = ("true", "false", "null", "nan", "inf")
"""They match `PLAIN`, and mean something else to Hydra."""


def typed_template(setting: str, template: str) -> str:
    """`setting=template` for a command line: 'prefix="detect {categories}"'."""
    return shlex.quote(f"{setting}={_quoted(template)}")


def typed_column(role: str, name: str) -> str:
    """The setting that gives a column its role: 'columns={image: filename}'."""
    return typed_columns({role: name})


def typed_columns(columns: Mapping[str, str | Sequence[str]]) -> str:
    """The setting that gives columns their roles: 'columns={image: file, boxes: [x, y, w, h]}'."""
    given = [
        f"{role}: {_name(names)}"
        if isinstance(names, str)
        else f"{role}: [{', '.join(map(_name, names))}]"
        for role, names in columns.items()
    ]
    return shlex.quote(f"columns={{{', '.join(given)}}}")


def _name(name: str) -> str:
    is_plain = PLAIN.fullmatch(name) and name.lower() not in WORDS
    return name if is_plain else _quoted(name)


def _quoted(text: str) -> str:
    # In Hydra a backslash counts only before a quote, and at the end.
    escaped = re.sub(r'(\\*)("|$)', lambda found: 2 * found[1] + found[2].replace('"', '\\"'), text)
    return f'"{escaped}"'
