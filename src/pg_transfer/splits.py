"""Splits made of splits: "train+val", "train[:98%]", "val[:500]", as in TensorFlow Datasets."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from hashlib import sha256

from pg_transfer.task import Example

_PART = re.compile(r"(?P<name>[^\[\]]+?)(\[(?P<first>-?\d+%?)?:(?P<last>-?\d+%?)?\])?")


def select(expression: str, read: Callable[[str], Sequence[Example]]) -> list[Example]:
    """The examples of a sum of splits, each whole or a slice.

    Neighbours in a file are often of one image, or otherwise alike. A slice is therefore one of
    the examples in an order that depends on nothing but their ids; the paper's slices are of
    TensorFlow Datasets' order, also by a hash: of the same size, but other examples.

    Args:
        expression: names of splits joined by "+"; a slice has bounds in examples or in percent,
            counted from the end where they are negative.
        read: the examples of a split named alone.

    Raises:
        ValueError: not such an expression, or what `read` raises at an unknown name.
    """
    return [example for part in expression.split("+") for example in _part(part.strip(), read)]


def _part(part: str, read: Callable[[str], Sequence[Example]]) -> Sequence[Example]:
    match = _PART.fullmatch(part)
    if match is None:
        raise ValueError(
            f"{part!r} is no split; write them as train, train+val, train[:98%] or train[-500:]"
        )
    examples = read(match["name"])
    if match["first"] is None and match["last"] is None:
        return examples
    shuffled = sorted(examples, key=lambda example: sha256(example.id.encode()).digest())
    return shuffled[_bound(match["first"], len(shuffled)) : _bound(match["last"], len(shuffled))]


def _bound(text: str | None, count: int) -> int | None:
    """A place in a list; percentages go to the nearest one."""
    if text is None or not text.endswith("%"):
        return None if text is None else int(text)
    place = round(count * int(text[:-1]) / 100)
    return count + place if text.startswith("-") else place
