"""The splits of a task: read once, looked at, and what their scores are not.

Splits are made of splits, as in TensorFlow Datasets: "train+val", "train[:98%]", "val[:500]".
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from hashlib import sha256

import numpy as np

from pg_transfer.data.packed_examples import Chosen, Joined
from pg_transfer.task import Example, Task

_PART = re.compile(r"(?P<name>[^\[\]]+?)(\[(?P<first>-?\d+%?)?:(?P<last>-?\d+%?)?\])?")


def select(expression: str, read: Callable[[str], Sequence[Example]]) -> Sequence[Example]:
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
    parts = [slice_of(part.strip(), read) for part in expression.split("+")]
    return parts[0] if len(parts) == 1 else Joined(parts)


def slice_of(part: str, read: Callable[[str], Sequence[Example]]) -> Sequence[Example]:
    """As `select`, of one split: for a task whose splits have a "+" in their names."""
    match = _PART.fullmatch(part)
    if match is None:
        raise ValueError(
            f"{part!r} is no split; write them as train, train+val, train[:98%] or train[-500:]"
        )
    examples = read(match["name"])
    if match["first"] is None and match["last"] is None:
        return examples
    hashes = [sha256(example.id.encode()).digest() for example in examples]
    rows = sorted(range(len(hashes)), key=hashes.__getitem__)
    return Chosen(
        examples, rows[_bound(match["first"], len(rows)) : _bound(match["last"], len(rows))]
    )


def is_part(split: str, *, of: str) -> bool:
    """Whether all examples of one expression are in another, by the names of splits alone.

    They are where the other has the same slice, or all of the split that it is one of.
    """
    there = {part.strip() for part in of.split("+")}
    parts = [part.strip() for part in split.split("+")]
    return all(part in there or part.partition("[")[0] in there for part in parts)


def _bound(text: str | None, count: int) -> int | None:
    """A place in a list; percentages go to the nearest one."""
    if text is None or not text.endswith("%"):
        return None if text is None else int(text)
    place = round(count * int(text[:-1]) / 100)
    return max(0, count + place) if text.startswith("-") else place


class Splits:
    """The splits of a task, each read once."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self._examples: dict[str, Sequence[Example]] = {}

    def examples(self, split: str) -> Sequence[Example]:
        """The examples of `split`.

        Raises:
            FileNotFoundError: its files are missing.
            ValueError: there is no such split, it is empty, or two examples share an id.
        """
        if split not in self._examples:
            examples = self.task.examples(split)
            if not examples:
                raise ValueError(f"the split {split!r} has no examples")
            repeated = _repeated_id(examples)
            if repeated is not None:
                raise ValueError(f"two examples of the split {split!r} have the id {repeated!r}")
            self._examples[split] = examples
        return self._examples[split]

    def scored(self, split: str) -> Sequence[Example]:
        """The examples of `split`, to be answered and scored.

        Raises:
            FileNotFoundError: see `examples`.
            ValueError: likewise; or its answers cannot be scored.
        """
        for whole, why in self.task.unscored.items():
            if any(is_part(part, of=whole) for part in split.split("+")):
                raise ValueError(f"the split {split!r} cannot be scored: {why}")
        return self.examples(split)


def _repeated_id(examples: Sequence[Example]) -> str | None:
    """An id that comes twice. Hashes tell where to look, as a million ids take much memory."""
    hashes = np.fromiter((hash(example.id) for example in examples), np.int64, len(examples))
    hashes.sort()
    suspects = set(hashes[1:][hashes[1:] == hashes[:-1]].tolist())
    if not suspects:
        return None
    ids = Counter(example.id for example in examples if hash(example.id) in suspects)
    return next((id for id, count in ids.items() if count > 1), None)


def choose_reported(
    splits: Splits, wanted: Sequence[str], *, optional: Sequence[str]
) -> tuple[list[str], list[str]]:
    """The splits to score, all of them read, and a sentence on each that cannot be.

    Args:
        splits: of the task.
        wanted: to be scored.
        optional: to be scored where their files are there.

    Raises:
        FileNotFoundError: the files of a split that is wanted are missing.
        ValueError: there is no such split, or a record of it cannot be right.
    """
    chosen, remarks = list(wanted), []
    for split in chosen:
        splits.scored(split)
    for split in optional:
        try:
            splits.scored(split)
        except FileNotFoundError as error:
            remarks.append(f"{split} is not scored: {_in_one_line(error)}")
        else:
            chosen.append(split)
    return chosen, remarks


def remarks_on(splits: Splits, reported: Sequence[str], *, train: str) -> list[str]:
    """What a reader of scores has to know of their data, in sentences.

    How they differ from the paper's, and how many of the images were trained on. Where answers are
    scored on another machine the training files may be missing; that is a remark, too.

    Args:
        splits: of the task.
        reported: those that are scored.
        train: the one that was learnt from.

    Raises:
        ValueError: a record of one of them cannot be right.
    """
    remarks, counted = [], list(reported)
    trained, unknown = set(), None
    try:
        trained = {image for example in splits.examples(train) for image in example.images}
        counted = list(dict.fromkeys([train, *reported]))
    except FileNotFoundError as error:
        unknown = f"it is not known which of these images were trained on: {_in_one_line(error)}"
    for split in counted:
        count, published = len(splits.examples(split)), splits.task.sizes.get(split)
        if published not in (None, count):
            remarks.append(f"{split} has {count:,} examples, and in the paper {published:,}")
    for split in reported:
        examples = splits.examples(split)
        known = sum(not trained.isdisjoint(example.images) for example in examples)
        if known:
            remarks.append(
                f"{split} is not held out: {known:,} of its {len(examples):,} examples are of "
                f"images that are trained on"
            )
    # Of what is left out, tasks tell once it is read.
    return [*splits.task.departures, *remarks, *([unknown] if unknown else [])]


def _in_one_line(error: Exception) -> str:
    return " ".join(str(error).splitlines())
