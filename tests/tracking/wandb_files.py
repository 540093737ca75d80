"""Reads what wandb keeps of a run offline: protocol buffers of its own in LevelDB's log format."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from wandb.proto.wandb_internal_pb2 import Record

BLOCK = 32768
HEADER = 7
FULL, FIRST, MIDDLE, LAST = 1, 2, 3, 4


def records(path: Path) -> Iterator[Record]:
    """All records of a `.wandb` file.

    A record is cut into pieces of a checksum (4 bytes), a length (2), a kind (1) and that many
    bytes, none of which crosses a border of a block (doc/log_format.md of LevelDB).
    """
    content = path.read_bytes()
    assert content[:4] == b":W&B"
    place, parts = HEADER, []
    while place + HEADER <= len(content):
        left = BLOCK - place % BLOCK
        if left < HEADER:
            place += left
            continue
        _, length, kind = struct.unpack("<IHB", content[place : place + HEADER])
        if kind == 0:
            return
        parts.append(content[place + HEADER : place + HEADER + length])
        place += HEADER + length
        if kind in (FULL, LAST):
            record = Record()
            record.ParseFromString(b"".join(parts))
            parts = []
            yield record


class Offline:
    """One offline run, read back."""

    def __init__(self, path: Path) -> None:
        self.config: dict[str, Any] = {}
        self.history: list[dict[str, Any]] = []
        self.artifacts: list[Any] = []
        self.exit_code: int | None = None
        for record in records(path):
            kind = record.WhichOneof("record_type")
            if kind == "run":
                self.run = record.run
                self._configure(record.run.config)
            elif kind == "config":
                self._configure(record.config)
            elif kind == "history":
                self.history.append(_values(record.history.item))
            elif kind == "artifact":
                self.artifacts.append(record.artifact)
            elif kind == "exit":
                self.exit_code = record.exit.exit_code

    def _configure(self, config: Any) -> None:
        for item in config.update:
            key = item.key or "/".join(item.nested_key)
            self.config[key] = json.loads(item.value_json)


def _values(items: Any) -> dict[str, Any]:
    return {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in items}
