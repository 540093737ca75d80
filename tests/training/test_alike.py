"""Processes that have settled on different sizes are told so, and do not wait for one another."""

from __future__ import annotations

from typing import Any

import pytest

from pg_transfer.training import alike


def test_the_least_that_all_have_room_for_is_proposed(monkeypatch: pytest.MonkeyPatch) -> None:
    others: list[tuple[int, int]] = [(8, 0)]
    monkeypatch.setattr(alike, "together", lambda mine: mine + others)
    nothing: Any = None
    alike.RequireAlike(8, False).on_fit_start(nothing, nothing)
    with pytest.raises(ValueError, match=r"micro_batch=4 model\.rematerialise=3$"):
        alike.RequireAlike(4, 3).on_fit_start(nothing, nothing)
    others.clear()
    alike.RequireAlike(4, 3).on_fit_start(nothing, nothing)
