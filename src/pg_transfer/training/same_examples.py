"""Whether a run goes on with the examples that it was begun with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pg_transfer.task import Example
from pg_transfer.training.damaged import CheckpointError
from pg_transfer.training.digests import short_digest


def digest_of_examples(examples: Sequence[Example]) -> str:
    """Sixteen hexadecimal digits of ids, requests, answers and names of images, in order."""
    return short_digest(map(_told, examples))


def _told(example: Example) -> bytes:
    files = [image.name for image in example.images if isinstance(image, Path)]
    return repr((example.id, example.prefix, example.suffixes, files)).encode()


def require_same_examples(saved: Mapping[str, Any], now: Mapping[str, Any], *, split: str) -> None:
    """Raises CheckpointError unless both tell, by `count` and `digest`, of the same examples."""
    if saved["count"] != now["count"]:
        change = f"{saved['count']:,} examples of {split!r} there, and {now['count']:,} now"
    elif saved["digest"] != now["digest"]:
        change = (
            f"as many examples of {split!r}, {now['count']:,}, but not the same ones in the same "
            f"order"
        )
    else:
        return
    raise CheckpointError(
        f"the checkpoint to go on from was trained on other data: {change}. The schedule and the "
        f"order of a run depend on all of them: put the data back as it was, or begin anew in "
        f"another folder, run=..."
    )
