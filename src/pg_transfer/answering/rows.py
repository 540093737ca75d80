"""A reply as a row of a file, and as a line for a person."""

from __future__ import annotations

from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from pg_transfer.answering.asked import Request
from pg_transfer.answering.reply import Reply
from pg_transfer.segmentation.instances import Found


def as_row(request: Request, reply: Reply, picture: str | None) -> dict[str, Any]:
    """A line of the file of answers.

    Args:
        request: what was asked.
        reply: what was answered.
        picture: the file that it is drawn into, if it is.
    """
    height, width = reply.pixels.shape[:2]
    return {
        **request.named,
        "width": width,
        "height": height,
        "prompt": request.prompt,
        "answer": reply.text,
        "boxes": [[round(edge, 2) for edge in one.box] for one in reply.objects],
        "labels": [one.label for one in reply.objects],
        "masks": [_run_lengths(one.mask) for one in reply.objects],
        "malformed": reply.malformed,
        "picture": picture,
    }


def _run_lengths(mask: np.ndarray | None) -> dict[str, Any] | None:
    """A mask as COCO writes it."""
    if mask is None:
        return None
    encoded: Any = coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8))
    return {"size": list(mask.shape), "counts": encoded["counts"].decode("ascii")}


def said(request: Request, reply: Reply) -> str:
    """The answer for a person: objects with their boxes in pixels, or the words."""
    return f"{', '.join(map(str, request.images))}: {_in_a_line(request.prompt)} → {_answer(reply)}"


def _answer(reply: Reply) -> str:
    if not reply.objects:
        return _in_a_line(reply.text) or "(nothing)"
    unread = [f"cannot be read: {_in_a_line(part)}" for part in reply.malformed]
    return "; ".join([_described(one) for one in reply.objects] + unread)


def _described(one: Found) -> str:
    x0, y0, x1, y1 = (round(edge) for edge in one.box)
    mask = "" if one.mask is None else f", mask of {one.mask.sum():,} pixels"
    return f"{_in_a_line(one.label) or 'object'} at x {x0}-{x1}, y {y0}-{y1}{mask}"


def _in_a_line(text: str) -> str:
    return " ".join(text.split())
