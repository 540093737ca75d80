"""Of a large file that is read there is a word now and then."""

from __future__ import annotations

from pathlib import Path

import pytest

from pg_transfer.process import slow_reading
from pg_transfer.process.slow_reading import SlowReading


def test_a_line_comes_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = 100.0
    monkeypatch.setattr(slow_reading.time, "monotonic", lambda: now)
    told = SlowReading()
    size = 4_000_000_000
    # A quarter every eight seconds: said after 16 and, ten seconds later, not at the end.
    for done in (0, 1, 2, 3, 4):
        told(Path("a.jsonl"), done * size // 4, size)
        now += 8
    assert capsys.readouterr().out == "reading a.jsonl: 50% of 4.0 GB, 16 s left\n"
    told(Path("b.jsonl"), 1, size)
    assert capsys.readouterr().out == ""
