"""Tables with a row for each box, whose four numbers are in columns of their own.

    filename,width,height,class,xmin,ymin,xmax,ymax
    1.jpg,640,480,cat,10,20,110,220
    2.jpg,640,480,,,,,                                   an image without an object
    1.jpg,640,480,dog,300,20,400,90

All rows of an image are gathered, wherever they stand: each becomes one row with lists.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pg_transfer.data.images import StoredImage
from pg_transfer.data.release import tried
from pg_transfer.own_data import columns as roles
from pg_transfer.own_data.columns import IMAGE
from pg_transfer.own_data.rows import Row, Source
from pg_transfer.own_data.typed import typed_columns

BOXES, LABELS, CROWD, ID = "boxes", "labels", "crowd", "id"
LABEL_NAMES = (LABELS, "label", "class")
"""What the column of labels is called that needs no `columns=`."""

OTHERS = ("suffix", "suffixes", "conversation", "masks", "images", "video")
"""Roles that such a table cannot have."""

OF_ALL = (LABELS, "categories")
"""What a template names that is put together from objects, whatever columns are called."""

SIDES = ("width", "height")


def told_apart(
    columns: Mapping[str, str | Sequence[str]],
) -> tuple[dict[str, str], tuple[str, ...]]:
    """The roles that have one column, and the four columns of boxes, if there are.

    Raises:
        ValueError: another role has several, or these are not four.
    """
    one = {role: name for role, name in columns.items() if isinstance(name, str)}
    several = {role: tuple(names) for role, names in columns.items() if role not in one}
    for role, names in several.items():
        if role != BOXES or len(set(names)) != 4 or len(names) != 4:
            raise ValueError(
                f"columns={{{role}: [{', '.join(names)}]}}: a role has one column; `boxes` alone "
                f"may have the four of a box, {typed_columns({BOXES: ('x', 'y', 'w', 'h')})}"
            )
    return one, several.get(BOXES, ())


@dataclass(slots=True)
class _Image:
    """What has been met of one image, and of what is asked about it; small, as all are kept.

    Attributes:
        first: its first row.
        values: what that says of the image and not of the box.
        edges: four numbers for each object.
        labels: what each is called.
        crowd: what is said of each being several.
        places: where each stands.
    """

    first: Row
    values: dict[str, Any]
    edges: array[float] = field(default_factory=lambda: array("d"))
    labels: list[str] = field(default_factory=list)
    crowd: list[Any] = field(default_factory=list)
    places: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Table:
    """Which columns of such a table are what.

    Attributes:
        edges: those of a box.
        label: that of labels, if there is one.
        crowd: likewise.
        image: that of the image, or a template of its name.
        told_by: those by which rows belong together, besides the image: what is asked, the split.
        agreed: those that say something of the image, which its rows have to agree on.
        has_id: images are told by an id, and not by their names.
    """

    edges: tuple[str, ...]
    label: str | None
    crowd: str | None
    image: str
    told_by: tuple[str, ...]
    agreed: tuple[str, ...]
    has_id: bool


def gathered(
    source: Source, edges: Sequence[str], given: Mapping[str, str], prefix: str | None
) -> tuple[Source, dict[str, str]]:
    """The same with a row for each image, and the columns that then have a role.

    Rows are read once through before the first is given; what is kept of them is given back image
    by image.

    Args:
        source: the data, a row for each box.
        edges: the columns of its four numbers.
        given: what a user says of other roles.
        prefix: the template of the request.

    Raises:
        ValueError: a column that there is not, or one of another kind of data.
    """
    table, kept = _table(source.columns, tuple(edges), given, prefix)
    lists = [BOXES, *([LABELS] if table.label else []), *([CROWD] if table.crowd else [])]
    named = [name for column in kept.values() for name in (roles.fields(column) or [column])]
    carried = tuple(dict.fromkeys((*named, *table.told_by)))

    def rows() -> Iterator[Row]:
        met: dict[tuple[Any, ...], _Image] = {}
        for row in source.rows():
            tried(_add, row, table, carried, met)
        for key in list(met):
            yield _row(met.pop(key), table, lists)

    kind = f"{source.kind} with a row for each box, gathered by image"
    return replace(
        source, kind=kind, columns=tuple(dict.fromkeys((*carried, *lists))), rows=rows
    ), kept


def _table(
    found: Sequence[str], edges: tuple[str, ...], given: Mapping[str, str], prefix: str | None
) -> tuple[_Table, dict[str, str]]:
    shown = typed_columns({BOXES: edges})
    for edge in edges:
        if not roles.has(found, edge):
            raise ValueError(f"{shown}: the data has no column {edge!r}; it has {', '.join(found)}")
    if odd := [role for role in OTHERS if role in given]:
        raise ValueError(f"columns={{{odd[0]}: ...}} does not go with {shown}, a row for each box")
    free = [name for name in found if name not in edges]
    chosen = roles.choose_columns(free, given)
    if IMAGE not in chosen:
        raise ValueError(f"{shown}, a row for each box, needs a column `image`")
    label = given.get(LABELS) or next((name for name in LABEL_NAMES if name in free), None)
    wanted = (IMAGE, "prefix", "split", *SIDES, "box_format", *([ID] if ID in given else []))
    kept = {role: chosen[role] for role in wanted if role in chosen}
    asked = roles.fields(prefix or "") if prefix is not None else [kept.get("prefix", "")]
    told_by = [
        name
        for name in (*asked, kept.get("split", ""), given.get(ID, ""))
        if roles.has(free, name) and name not in OF_ALL
    ]
    agreed = [kept[role] for role in (*SIDES, "box_format") if role in kept]
    if ID in given:
        agreed += roles.fields(kept[IMAGE]) or [kept[IMAGE]]
    if prefix is not None:
        kept.pop("prefix", None)
    crowd, has_id = chosen.get(CROWD), ID in given
    return _Table(edges, label, crowd, kept[IMAGE], tuple(told_by), tuple(agreed), has_id), kept


def _add(
    row: Row, table: _Table, carried: Sequence[str], met: dict[tuple[Any, ...], _Image]
) -> None:
    """Takes a row into what is known of its image.

    Raises:
        ValueError: it cannot be, or does not go with those before it.
    """
    try:
        image = roles.image_named(row.values, table.image)
        if isinstance(image, StoredImage) and not table.has_id:
            raise ValueError(
                "the image lies in the row of a box, and nothing tells which rows have the same "
                "one: name a column that does, columns={id: ...}"
            )
        if _is_missing(image):
            raise ValueError("the image is missing")
        values = {name: roles.value(row.values, name) for name in carried}
        told = [str(values[name]).strip() for name in table.told_by]
        key = (row.split, row.folder, None if table.has_id else str(image), *told)
        known = met.get(key)
        if known is not None:
            _require_agreement(row, values, table, known)
        box = _box(row.values, table.edges)
        label = None if table.label is None else roles.value(row.values, table.label)
        if box is None and not _is_missing(label):
            raise ValueError(f"`{table.label}` is {label!r:.60}, and there is no box")
        text = "" if box is None or table.label is None else roles.as_text(label, table.label)
        crowd = None if table.crowd is None else roles.value(row.values, table.crowd)
    except ValueError as error:
        raise ValueError(f"{row.place}: {error}") from error
    if known is not None and (box is None or not known.places):
        raise ValueError(
            f"{row.place}: one of two rows says that there is no object, as its "
            f"{', '.join(table.edges)} are empty, and the other is of the same image and request "
            f"({known.first.place}): leave one out"
        )
    if known is None:
        known = met[key] = _Image(row._replace(values={}), values)
    if box is not None:
        known.edges.extend(box)
        known.labels.append(text)
        known.crowd.append(_whole(crowd))
        known.places.append(row.place)


def _require_agreement(row: Row, values: Mapping[str, Any], table: _Table, known: _Image) -> None:
    for name in table.agreed:
        is_stored = isinstance(values[name], StoredImage)  # which no two rows have as one
        if not is_stored and values[name] != known.values[name]:
            raise ValueError(
                f"`{name}` is {values[name]!r:.60}, and it is {known.values[name]!r:.60} in "
                f"another row of this image ({known.first.place})"
            )


def _box(values: Mapping[str, Any], edges: Sequence[str]) -> list[float] | None:
    """The numbers of a row's box; None if all are missing, as of an image without an object."""
    cells = {edge: roles.value(values, edge) for edge in edges}
    missing = [edge for edge, cell in cells.items() if _is_missing(cell)]
    if len(missing) == len(edges):
        return None
    if missing:
        raise ValueError(
            f"`{missing[0]}` is missing: a box has four numbers, and of an image without an object "
            f"all four are empty"
        )
    return [_number(edge, cell) for edge, cell in cells.items()]


def _number(edge: str, cell: Any) -> float:
    try:
        number = math.nan if isinstance(cell, bool) else float(cell)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"`{edge}` is {cell!r:.60}, no number")
    return number


def _is_missing(cell: Any) -> bool:
    """A table has nothing there, in any of the ways in which one is written."""
    is_lost = isinstance(cell, float) and math.isnan(cell)
    return cell is None or is_lost or (isinstance(cell, str) and not cell.strip())


def _whole(cell: Any) -> Any:
    """A whole number that a table has as a text; all else as it is."""
    return int(cell) if isinstance(cell, str) and cell.isascii() and cell.isdigit() else cell


def _row(image: _Image, table: _Table, lists: Sequence[str]) -> Row:
    edges = image.edges.tolist()
    boxes = [edges[start : start + 4] for start in range(0, len(edges), 4)]
    has = {BOXES: boxes, LABELS: image.labels, CROWD: image.crowd}
    values = image.values | {name: _whole(image.values[name]) for name in table.agreed}
    return image.first._replace(
        values=values | {name: has[name] for name in lists}, objects=tuple(image.places)
    )
