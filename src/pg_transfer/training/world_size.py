"""A run that goes on with other devices, or in other micro-batches, than it was saved with.

Lightning counts micro-batches of one process. What an update learns from does not depend on how
many of them it takes, so that only the counts have to be made those of the new passes per update.
"""

from __future__ import annotations

from typing import Any


def recount(fit_loop: dict[str, Any], *, saved: int, now: int) -> None:
    """Makes the progress of a saved fit loop, in `saved` passes per update, one in `now` passes.

    Raises:
        ValueError: it was saved in the midst of an update.
    """
    if saved == now:
        return
    progress = fit_loop["epoch_loop.batch_progress"]
    for counts in (progress["total"], progress["current"]):
        updates, rest = divmod(counts["ready"], saved)
        if rest:
            raise ValueError(
                f"the checkpoint was saved in the midst of an update, after {rest} of {saved} "
                f"passes, and now an update takes {now}: go on with the same devices and the same "
                f"micro_batch as before"
            )
        behind = {name: counts["ready"] - count for name, count in counts.items()}
        counts.update({name: updates * now - fewer for name, fewer in behind.items()})
