"""Which column is what: by its name, by `columns=`, and by templates over all of them."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from pg_transfer.own_data.edges import way_to_read
from pg_transfer.own_data.typed import typed_column, typed_template

ROLES = {
    "image": 'a file, relative to the data\'s own folder; or a template such as "{id}.jpg"',
    "images": "a list of such files, the same number in every row",
    "video": "a video, likewise; or the folder of its frames",
    "prefix": "the request",
    "suffix": "the answer",
    "suffixes": "a list of answers, which take turns from epoch to epoch",
    "conversation": "questions about the image, each followed by its answer",
    "boxes": "a list of four numbers for each object; or four columns, a row for each box",
    "box_format": "what those numbers mean, where rows differ",
    "masks": "for each object polygons, run lengths, or the file of a mask",
    "labels": "what each object is called",
    "crowd": "for each object whether it is several in one, to be ignored",
    "width": "of the image in pixels; looked up if there is none",
    "height": "likewise",
    "id": "unique; the number of the row if there is none",
    "split": "train, validation or another name",
}
"""What a column can be."""

OTHER_NAMES: dict[str, tuple[str, ...]] = {
    "image": ("file_name", "image_path"),
    "video": ("video_path",),
    "prefix": ("prompt", "instruction"),
    "suffix": ("answer", "caption", "label"),
    "suffixes": ("answers", "captions"),
    "conversation": ("conversations", "messages"),
    "boxes": ("bboxes", "objects.bbox"),
    "labels": ("objects.category",),
    "id": ("__key__",),
}
"""What columns are also called that need no `columns=`, if none has the role's own name."""

IMAGE = "image"
SHOWN = (IMAGE, "images", "video")
"""What a row is about is in one of these."""

QUESTION = "question"

_FIELD = re.compile(r"\{([^{}]*)\}")


def choose_columns(found: Sequence[str], given: Mapping[str, str]) -> dict[str, str]:
    """For each role that there is a column for, its name.

    Args:
        found: the data's columns.
        given: what a user says of some roles.

    Raises:
        ValueError: a role or a column that there is not, or not one for what a row is about.
    """
    if not found:
        raise ValueError("there is not a single row in the data, or its rows have no columns")
    for role, name in given.items():
        if role not in ROLES:
            raise ValueError(
                f"columns={{{role}: {name}}}: there is no such role.\n{_possible(found)}"
            )
        if role == IMAGE and fields(name):
            require_fields("columns.image", name, found, ())
        elif not has(found, name):
            raise ValueError(f"columns={{{role}: {name}}}: the data has no such column. "
                             f"{_possible(found)}")  # fmt: skip
    chosen = dict(given)
    for role in ROLES:
        names = (role, *OTHER_NAMES.get(role, ()))
        free = [name for name in names if has(found, name) and name not in given.values()]
        if role not in chosen and free:
            chosen[role] = free[0]
    shown = [f"`{role}`" for role in SHOWN if role in chosen]
    if len(shown) != 1:
        have = f"both {' and '.join(shown)}" if shown else "no column `image`, `images` or `video`"
        way = "" if shown else way_to_read(found)
        raise ValueError(". ".join(filter(None, (f"the data has {have}", way, _possible(found)))))
    if chosen.get("suffix") == "suffix" and chosen.get("suffixes") in OTHER_NAMES["suffixes"]:
        del chosen["suffixes"]  # the role's own name is the surer one
    return chosen


def value(values: Mapping[str, Any], name: str) -> Any:
    """What a row has in a column; None if nothing.

    "objects.bbox" is looked up inside `objects`, which may be an object or a list of objects.
    """
    if name in values:
        return values[name]
    head, _, rest = name.partition(".")
    inner = values.get(head)
    if rest and isinstance(inner, Mapping):
        return value(inner, rest)
    if rest and isinstance(inner, list) and all(isinstance(one, Mapping) for one in inner):
        return [value(one, rest) for one in inner]
    return None


def image_named(values: Mapping[str, Any], name: str) -> Any:
    """What a row has in the column of its image, or the template of its name, filled.

    Raises:
        ValueError: the row lacks what the template names.
    """
    return fill(name, values, {}) if fields(name) else value(values, name)


def as_list(cell: Any) -> Any:
    """A cell of a table, in which lists are written as JSON; anything else as it is."""
    if isinstance(cell, str) and cell.strip().startswith(("[", "{")):
        try:
            return json.loads(cell)
        except (ValueError, RecursionError):
            return cell
    return cell


def fill(template: str, values: Mapping[str, Any], extra: Mapping[str, str]) -> str:
    """The template with each `{column}` replaced by the row's text in it.

    Raises:
        ValueError: the row has nothing there, or something that is no text.
    """

    def replaced(match: re.Match[str]) -> str:
        name = match[1]
        return extra[name] if name in extra else as_text(value(values, name), name)

    return _FIELD.sub(replaced, template)


def fields(template: str) -> list[str]:
    """The columns that a template names."""
    return _FIELD.findall(template)


def require_fields(setting: str, template: str, found: Sequence[str], extra: Sequence[str]) -> None:
    """Raises ValueError if a template names a column that there is not."""
    for name in fields(template):
        if name not in extra and not has(found, name):
            raise ValueError(
                f'{setting}="{template}": the data has no column {name!r}; it has '
                f"{', '.join((*found, *extra))}"
            )


def as_text(cell: Any, name: str) -> str:
    """A text or number as text.

    Raises:
        ValueError: it is neither, or empty.
    """
    if cell is None:
        raise ValueError(f"`{name}` is missing: give this row one, or leave the row out")
    if isinstance(cell, bool) or not isinstance(cell, (str, int, float)):
        raise ValueError(f"`{name}` is {cell!r:.60}, no text")
    if isinstance(cell, float) and not math.isfinite(cell):  # how tables write what is missing
        raise ValueError(f"`{name}` is {cell}: give this row one, or leave the row out")
    if isinstance(cell, str) and not cell.strip():
        raise ValueError(f"`{name}` is empty: give this row one, or leave the row out")
    return str(cell)


def no_request(found: Sequence[str], used: Collection[str]) -> str:
    """What to say of data of which nothing is known to ask.

    Args:
        found: the data's columns.
        used: those of them that have a role.
    """
    free = [name for name in found if name not in used and name[:2] != "__"]
    remedy = f"Write it ({typed_template('prefix', 'caption en')})"
    if free:
        remedy += (
            f", name its column ({typed_column('prefix', free[0])}), or write a template over "
            f"columns ({typed_template('prefix', f'answer en {{{free[-1]}}}')})"
        )
    if way := way_to_read(found):
        remedy = f"{way}. Otherwise: {remedy}"
    return (
        f"there is no request, which is what the model is asked about each image: the data has "
        f"{', '.join(found)}. {remedy}"
    )


def has(found: Sequence[str], name: str) -> bool:
    """Whether there is a column of that name, or one that it may reach into."""
    return name in found or ("." in name and name.partition(".")[0] in found)


def _possible(found: Sequence[str]) -> str:
    width = max(map(len, ROLES))
    roles = "\n".join(f"  {role:<{width}}  {meaning}" for role, meaning in ROLES.items())
    return (
        f"It has {', '.join(found)}. Say which is which, e.g. {typed_column('image', found[0])}; "
        f"there may be\n{roles}"
    )
