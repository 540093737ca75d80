"""Fine-tune PaliGemma on a task and measure it the way the paper does (arXiv:2407.07726).

import pg_transfer
model = pg_transfer.load("runs/shapes-84/2026-11-23_12-00-00")
print(model.answer("photo.jpg", "the small red circle"))
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pg_transfer.answering.model import load

__all__ = ["load"]


def __getattr__(name: str) -> Any:
    # Not at the top: torch takes seconds to import, and whoever wants a task needs none.
    if name == "load":
        from pg_transfer.answering.model import load

        return load
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
