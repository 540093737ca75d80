"""What the client of W&B has written of a run: records in LevelDB's log format."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

BLOCK_BYTES = 32768
MARK = b":W&B"
MARK_BYTES = 7
HEADER = struct.Struct("<IHB")
"""Of a piece of a record: checksum, length, kind."""

WHOLE, LAST = 1, 4
"""Kinds of pieces: a record of one, and the end of one of several."""


def history(path: Path) -> Iterator[dict[str, Any]]:
    """The rows that were logged, as far as the file goes: that of a killed process is cut short.

    Of a name in parts, as a table's is, there is the first. A file that is none of W&B's, or of a
    version to come, has no rows.
    """
    from google.protobuf.message import DecodeError
    from wandb.proto.wandb_internal_pb2 import Record  # pyright: ignore[reportAttributeAccessIssue]

    for content in records(path.read_bytes()):
        record = Record()
        try:
            record.ParseFromString(content)
            items = record.history.item
            row = {item.key or item.nested_key[0]: json.loads(item.value_json) for item in items}
        except (DecodeError, ValueError):
            return
        if row:
            yield row


def records(content: bytes) -> Iterator[bytes]:
    """The whole records of a file; no piece of one crosses a border of a block."""
    if not content.startswith(MARK):
        return
    place, pieces = MARK_BYTES, []
    while place + HEADER.size <= len(content):
        left = BLOCK_BYTES - place % BLOCK_BYTES
        if left < HEADER.size:  # too short for a piece, and filled with zeros
            place += left
            continue
        _, length, kind = HEADER.unpack_from(content, place)
        place += HEADER.size
        if kind == 0 or place + length > len(content):
            return
        pieces.append(content[place : place + length])
        place += length
        if kind in (WHOLE, LAST):
            yield b"".join(pieces)
            pieces = []
