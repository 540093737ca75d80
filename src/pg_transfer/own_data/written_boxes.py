"""Answers that are boxes in the user's own hand, `<loc....>` four times and a label: how to score.

They are learnt as they are written. Scored as boxes they are if all of them are boxes, as those of
the columns `boxes` would be; otherwise all are texts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from pg_transfer.task import Example

METRIC = "box_ap"


class Written(NamedTuple):
    """What there is to score answers by.

    Attributes:
        splits: the examples by split, each with a scene for a reference, or none with one.
        are_boxes: it is the former.
        remarks: sentences for whoever starts a run.
    """

    splits: dict[str, list[Example]]
    are_boxes: bool
    remarks: list[str]


def all_or_none(splits: Mapping[str, Sequence[Example]], metric: str | None) -> Written:
    """Scenes for the examples that have an answer if all of these have one, otherwise for none.

    Args:
        splits: examples by split, with a scene where the answer is boxes and nothing else.
        metric: that was asked for.

    Raises:
        ValueError: boxes are to be scored, and there are other answers.
    """
    answered = [one for examples in splits.values() for one in examples if one.suffixes]
    texts = [one for one in answered if one.reference is None]
    kept = {split: list(examples) for split, examples in splits.items()}
    if answered and not texts:
        masks = sum("<seg" in one.suffixes[0] for one in answered)
        told = f"note: {masks:,} answers have masks (<seg...>), which are learnt; scored are boxes"
        return Written(kept, True, [f"{told}, as true masks need a column `masks`"] * bool(masks))
    if metric == METRIC:
        shown = f", and the answer of {texts[0].id!r} is {texts[0].suffixes[0]!r:.60}"
        raise ValueError(
            f"metric={METRIC} needs a column `boxes` or `masks`, or answers that are boxes alone, "
            f"<loc....> 4 times and a label, with ; between them{shown if texts else ''}"
        )
    located = [one for one in answered if any("<loc" in text for text in one.suffixes)]
    remarks = []
    if located and metric is None:
        remarks.append(
            f"note: {len(located):,} of {len(answered):,} rows have <loc...> in answers; as not "
            f"every row has one answer of boxes alone, {texts[0].id!r} being the first, all are "
            f"compared as texts. In data of their own, or in a mixture, boxes are scored as boxes"
        )
    stripped = {
        split: [one if one.reference is None else replace(one, reference=None) for one in examples]
        for split, examples in kept.items()
    }
    return Written(stripped, False, remarks)
