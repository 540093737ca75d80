"""JSON as people and programs have written it: read, or refused for what is wrong with it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

_HALF = re.compile(rb"\\u[dD][89a-fA-F]")


def parse_json(text: str | bytes) -> Any:
    r"""What `json.loads` makes of it.

    Raises:
        ValueError: it is no JSON, or has half a letter in it: `\ud83d` alone, of the two that make
            one. No file can hold that, so that it would be an error later and elsewhere.
        RecursionError: it is nested too deeply.
    """
    value = json.loads(text)
    if _HALF.search(text if isinstance(text, bytes) else text.encode()):
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError as error:
            half = error.object[error.start : error.end]
            raise ValueError(f"{half!a} is half a letter, without the other half") from error
    return value


def read_lines(path: Path) -> list[str]:
    """The lines of a text, with or without the mark by which some programs begin one.

    Not `splitlines`, which also splits at separators that JSON leaves unescaped.

    Raises:
        ValueError: it is not in UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig").removesuffix("\n").split("\n")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: no UTF-8 text ({error}); save it as UTF-8") from error
