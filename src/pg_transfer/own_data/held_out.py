"""The splits of a user's data: their usual names, and a part held out where there is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

from pg_transfer.data.images import StoredImage
from pg_transfer.task import Example

Shown = str | tuple[StoredImage, ...]
"""What the images of a row are known by: their names, or themselves inside another file."""

TRAIN = ("train", "training")
VALIDATION = ("validation", "val", "valid", "dev", "eval")


def hold_out(
    splits: dict[str, list[Example]], shown: Mapping[tuple[str, str], Shown], percent: float
) -> str:
    """Moves some of the training images to a validation split, if there is none; says so.

    All rows of an image stay together. Which ones are moved depends on the images' names alone, or
    on what they show where they lie inside another file, which has one for each row.

    Args:
        splits: by name.
        shown: the images of the row with this split and id.
        percent: of the images.

    Raises:
        ValueError: it is no such number, or there is but one image.
    """
    train = find_split(splits, TRAIN)
    if train is None or find_split(splits, VALIDATION) is not None:
        return ""
    if not 0 < percent < 100:
        raise ValueError(
            f"holdout={percent} percent: the data has no validation split, and some of the "
            f"training images have to be scored; give a number between 0 and 100"
        )
    keys = {one.id: _key(shown[train, one.id]) for one in splits[train]}
    groups = set(keys.values())
    ordered = sorted(groups, key=lambda key: sha256(key.encode()).digest())
    if len(ordered) < 2:
        raise ValueError("with a single image there is nothing to learn from and validate on")
    held = set(ordered[: max(1, round(len(ordered) * percent / 100))])
    everything = splits[train]
    splits[train] = [one for one in everything if keys[one.id] not in held]
    splits[VALIDATION[0]] = [one for one in everything if keys[one.id] in held]
    by = "images" if len(groups) < len(everything) else "rows"
    return f" (split off by a hash: {percent:g} % of the {by})"


def refuse_alike(first: Mapping[str, str]) -> None:
    """Raises ValueError if two splits are one by their names, of which one would not be used.

    Args:
        first: by split the place of its first row.
    """
    known: dict[str, str] = {}
    for split in first:
        name = split.strip().lower()
        other = known.setdefault(TRAIN[0] if name in TRAIN else name, split)
        if other != split:
            raise ValueError(
                f"{first[split]}: its split is {split!r}, and {first[other]} is of {other!r}, and "
                f"one of the two alone would be used: write them alike, or give one another name"
            )


def _key(images: Shown) -> str:
    if isinstance(images, str):
        return images
    content = sha256()
    for image in images:
        content.update(image.read())
    return content.hexdigest()


def find_split(splits: Mapping[str, Any], names: Sequence[str]) -> str | None:
    """The split that has one of the names, in whatever case."""
    lowered = {split.lower(): split for split in splits}
    return next((lowered[name] for name in names if name in lowered), None)
