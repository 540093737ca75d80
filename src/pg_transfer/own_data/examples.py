"""Rows to examples in splits, with the metric that fits, and what was found by looking."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from pg_transfer.data.release import missing_images, tried
from pg_transfer.data.video_files import require_decoder
from pg_transfer.own_data.box_formats import require_form
from pg_transfer.own_data.columns import OTHER_NAMES
from pg_transfer.own_data.conversations import ROLE, conversation_column, unrolled
from pg_transfer.own_data.held_out import Shown, hold_out, refuse_alike
from pg_transfer.own_data.image_files import require_files
from pg_transfer.own_data.maker import Kind, Maker, Wishes
from pg_transfer.own_data.rows import Row, Source
from pg_transfer.own_data.rows_of_an_image import require_all_objects
from pg_transfer.own_data.rows_of_boxes import gathered
from pg_transfer.own_data.scoring import Seen, choose_metric, require_metric
from pg_transfer.own_data.typed import typed_columns
from pg_transfer.own_data.written_boxes import all_or_none
from pg_transfer.task import Clip, Example

CAPTIONS = ("caption", "describe")
"""How requests begin that are answered by captions."""

NAMED = 5
"""Rows that a remark names."""


class OwnData(NamedTuple):
    """Data made into examples.

    Attributes:
        splits: by name.
        kind: what the answers are.
        metric: the one asked for, or the one that fits.
        request: what every image is asked, or the template if they are asked different things.
        findings: what was found and chosen, in lines for whoever starts a run.
    """

    splits: dict[str, list[Example]]
    kind: Kind
    metric: str
    request: str
    findings: list[str]


def read_examples(source: Source, wishes: Wishes) -> OwnData:
    """All examples of a source.

    Raises:
        FileNotFoundError: images are missing, and they are not allowed to be.
        ImportError: there are video files, and nothing to decode them.
        ValueError: columns do not fit, or a row cannot be right; the message names it.
    """
    if wishes.metric is not None:
        require_metric(wishes.metric)
    if wishes.box_format is not None:
        require_form(wishes.box_format)
    source, wishes = _gathered(*_without_conversations(source, wishes))
    maker = Maker(source, wishes)
    splits, shown, places = _rows(maker, source)
    has_boxes = maker.kind == "boxes"
    if maker.kind == "text":
        splits, has_boxes, remarks = all_or_none(splits, wishes.metric)
        maker.remarks += remarks
    else:
        splits = maker.with_requests(splits)
    if has_boxes or maker.kind == "masks":
        require_all_objects(splits, places)
    require_files(image for examples in splits.values() for one in examples for image in one.images)
    if any(
        isinstance(one.image, Clip) and one.image.path.is_file()
        for examples in splits.values()
        for one in examples
    ):
        require_decoder()
    total = sum(map(len, splits.values()))
    note = hold_out(splits, shown, wishes.holdout)
    asked = {one.prefix for examples in splits.values() for one in examples}
    metric, why = _metric(maker, splits, wishes, has_boxes=has_boxes)
    counts = ", ".join(f"{len(examples):,} {split}" for split, examples in splits.items())
    return OwnData(
        dict(splits),
        maker.kind,
        metric,
        asked.pop() if len(asked) == 1 else maker.request,
        [
            f"data: {total:,} rows of {source.kind}, columns {', '.join(source.columns)}; "
            f"{counts}{note}",
            f"request: {maker.request}; answer: {maker.answer}; metric: {metric}{why}",
            *maker.remarks,
            *maker.tally.remarks(),
        ],
    )


def _without_conversations(source: Source, wishes: Wishes) -> tuple[Source, Wishes]:
    """Each question of a conversation a row; the data as they are if there is none."""
    column = conversation_column(source, wishes.columns, wishes.suffix)
    if column is None:
        return source, wishes
    id_columns = (wishes.columns.get("id"), "id", *OTHER_NAMES["id"])
    id_column = next((name for name in id_columns if name in source.columns), "id")
    given = {role: name for role, name in wishes.columns.items() if role != ROLE}
    return unrolled(source, column, id_column=id_column), replace(wishes, columns=given)


def _gathered(source: Source, wishes: Wishes) -> tuple[Source, Wishes]:
    """An image with all of its boxes a row; the data as they are if rows are no boxes."""
    if not wishes.edges:
        return source, wishes
    if wishes.suffix is not None or wishes.metric not in (None, "box_ap", "none"):
        said = "suffix" if wishes.suffix is not None else f"metric={wishes.metric}"
        raise ValueError(f"{said} does not go with {typed_columns({'boxes': wishes.edges})}")
    found, columns = gathered(source, wishes.edges, wishes.columns, wishes.prefix)
    return found, replace(wishes, columns=columns)


def _rows(
    maker: Maker, source: Source
) -> tuple[dict[str, list[Example]], dict[tuple[str, str], Shown], dict[tuple[str, str], str]]:
    """The examples of each split; by split and id what images are known by, and rows' places."""
    splits: dict[str, list[Example]] = defaultdict(list)
    shown: dict[tuple[str, str], Shown] = {}
    places: dict[tuple[str, str], str] = {}
    left_out: list[str] = []
    first: dict[bool, str] = {}
    first_of: dict[str, str] = {}
    for number, row in enumerate(source.rows()):
        first.setdefault(maker.says_split(row), row.place)
        made = tried(_row, maker, row, number, shown)
        if made is None:
            continue
        if isinstance(made, FileNotFoundError):
            left_out.append(row.place)
            continue
        split, example, images = made
        first_of.setdefault(split, row.place)
        splits[split].append(example)
        shown[split, example.id] = images
        if example.reference is not None:
            places[split, example.id] = row.place
    if left_out:
        more = ", ..." if len(left_out) > NAMED else ""
        maker.remarks.append(
            f"note: {len(left_out):,} rows are left out: their boxes or masks need the size of an "
            f"image that is missing ({'; '.join(left_out[:NAMED])}{more})"
        )
    if len(first) == 2:
        raise ValueError(
            f"{first[False]}: nothing says which split it is of, as names of files do elsewhere "
            f"({first[True]}). Take its file away, or say which are meant: data={{train: ..., "
            f"validation: ...}}"
        )
    refuse_alike(first_of)
    if not splits:
        raise ValueError("not one row is left to make an example of")
    return splits, shown, places


def _row(
    maker: Maker, row: Row, number: int, shown: Mapping[tuple[str, str], Shown]
) -> tuple[str, Example, Shown] | FileNotFoundError:
    """What `Maker.example` gives, or why not where missing images are allowed."""
    try:
        made = maker.example(row, number)
    except FileNotFoundError as error:
        missing = missing_images()
        if missing is None:
            raise
        missing.append(f"{row.place}: {error}, whose size its boxes or masks need")
        return error
    except ValueError as error:
        raise ValueError(f"{row.place}: {error}") from error
    split, example, _ = made
    if (split, example.id) in shown:
        raise ValueError(
            f"{row.place}: a second row of {split!r} with the id {example.id!r}; give each its "
            f"own, or none to any, and they are numbered"
        )
    return made


def _metric(
    maker: Maker, splits: Mapping[str, Sequence[Example]], wishes: Wishes, *, has_boxes: bool
) -> tuple[str, str]:
    if wishes.metric is not None:
        return wishes.metric, ""
    prefixes = [one.prefix for examples in splits.values() for one in examples]
    texts = [one.suffixes for examples in splits.values() for one in examples if one.suffixes]
    words = [len(text.split()) for several in texts for text in several]
    name, why = choose_metric(
        Seen(
            has_boxes=has_boxes,
            has_masks=maker.kind == "masks",
            is_caption=all(prefix.lower().startswith(CAPTIONS) for prefix in prefixes),
            fewest=min(map(len, texts), default=0),
            words=sum(words) / len(words) if words else 0.0,
        )
    )
    require_metric(name)
    return name, f" (chosen: {why})"
