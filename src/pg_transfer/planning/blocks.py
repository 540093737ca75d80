"""How few blocks have to be computed twice, so that a device has room for a micro-batch."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

from pg_transfer.planning.rehearsal import Demand
from pg_transfer.planning.room import cuts, largest

BUSY = 2048
"""Tokens from which on a pass is worth no more memory.

Reading weights and adding up gradients, which every pass has to do, then costs a fifth of it or
less: 20 bytes of a weight are moved, each as long as some 120 operations on it take, and a token
needs 6. Computing all blocks twice for larger passes costs a third.
"""


def fewest(blocks: int, room: int, demand: Callable[[int], Demand]) -> Demand:
    """The demand with the fewest blocks computed twice that there is room for; of all, if for none.

    Args:
        blocks: that the model has.
        room: bytes.
        demand: what it takes with so many computed twice.
    """
    too_large = demand(0)
    if too_large.peak <= room:
        return too_large
    fits = demand(blocks)
    if fits.peak > room:
        return fits
    while fits.twice - too_large.twice > 1:
        # Every block saves about as much as the next, of each tower: a line finds it in few steps.
        saved = (too_large.peak - fits.peak) / (fits.twice - too_large.twice)
        if room - fits.peak < saved / 2:
            break
        guess = too_large.twice + math.ceil((too_large.peak - room) / saved)
        tried = demand(min(guess, fits.twice - 1))
        if tried.peak <= room:
            fits = tried
        else:
            too_large = tried
    return fits


def quickest(
    share: int, tokens: int, blocks: int, room: int, demand: Callable[[int, int], Demand]
) -> Demand:
    """The demand of the micro-batch, and the blocks computed twice, that take the least time.

    It is the largest micro-batch for which no block has to be computed twice. Where that is below
    `BUSY` tokens, it is the smallest that is not, with as few blocks twice as can be.

    Args:
        share: examples of an update that a process has; they are cut evenly.
        tokens: of an example.
        blocks: that the model has.
        room: bytes.
        demand: what it takes with micro-batches of a size and so many blocks twice.

    Raises:
        ValueError: there is no room for a single example.
    """
    enough = next((size for size in cuts(share) if size * tokens >= BUSY), share)
    if demand(enough, 0).peak <= room:
        return largest(share, room, lambda size: demand(size, 0))
    if demand(enough, blocks).peak > room:
        enough = largest(share, room, lambda size: demand(size, blocks)).micro_batch
    return fewest(blocks, room, partial(demand, enough))
