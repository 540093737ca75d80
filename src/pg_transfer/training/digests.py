"""Short names for much content, by which it is told from other content."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256

DIGITS = 16


def short_digest(parts: Iterable[bytes]) -> str:
    """Sixteen hexadecimal digits of all the bytes, one part behind the other."""
    digest = sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()[:DIGITS]
