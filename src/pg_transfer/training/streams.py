"""Which example comes at which place of a run: one data set over and over, or several mixed.

A place is a number: the first example of the first update has 0. What comes there depends on the
seed alone, so that a run can go on at any of them, cut up and shared as one likes.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Protocol

import numpy as np

from pg_transfer.task import Share

BLOCK = 4096
"""Places whose shares are drawn at once."""

MOST_TOLD = 8
"""Shares that are told one by one even where they are alike."""


class Stream(Protocol):
    """What comes at each place of a run."""

    def at(self, place: int) -> tuple[int, int]:
        """The row of the example at that place, and its epoch."""
        ...


class Shuffled:
    """Examples over and over, in every epoch in an order of its own.

    Args:
        examples: how many there are.
        seed: of the orders.
        number: tells streams of one seed apart; one that stands alone has 0.
    """

    def __init__(self, examples: int, *, seed: int, number: int = 0) -> None:
        self.examples, self._seed, self._number = examples, seed, number
        self._known, self._order = -1, np.empty(0, dtype=np.int64)

    def at(self, place: int) -> tuple[int, int]:
        """The row, and the epoch: how often all have come before."""
        epoch, turn = divmod(place, self.examples)
        if epoch != self._known:
            # A zero behind the others would count for nothing.
            entropy = [self._seed, epoch, *([self._number] if self._number else [])]
            generator = np.random.default_rng(entropy)
            self._known, self._order = epoch, generator.permutation(self.examples)
        return int(self._order[turn]), epoch


class Mixed:
    """Several data sets, each of them shuffled and endless; every example is one of a set drawn.

    As in the paper's code, an example has the chance of its set's weight to come from there,
    whatever came before; its epoch counts how often that set has been gone through.
    Source: big_vision input_pipeline.py.

    Args:
        shares: the sets, whose rows follow each other.
        seed: of the draws and of the orders.
    """

    def __init__(self, shares: Sequence[Share], *, seed: int) -> None:
        self._firsts = [0, *accumulate(share.examples for share in shares)]
        self._streams = [
            Shuffled(share.examples, seed=seed, number=number)
            for number, share in enumerate(shares, start=1)
        ]
        weights = np.array([share.weight for share in shares], dtype=np.float64)
        self._chances, self._seed = weights / weights.sum(), seed
        # How often each set has come before each block.
        self._before = [np.zeros(len(shares), dtype=np.int64)]
        self._known, self._drawn, self._turns = -1, np.empty(0, np.int64), np.empty(0, np.int64)

    def at(self, place: int) -> tuple[int, int]:
        """The row, and how often its own set has been gone through before."""
        block, inside = divmod(place, BLOCK)
        if block != self._known:
            self._known, self._drawn = block, self._draw(block)
            self._turns = self._counted(block)
        number = int(self._drawn[inside])
        row, epoch = self._streams[number].at(int(self._turns[inside]))
        return self._firsts[number] + row, epoch

    def _draw(self, block: int) -> np.ndarray:
        """The number of a set for each place of the block."""
        generator = np.random.default_rng([self._seed, block, 0, 1])
        return generator.choice(len(self._chances), size=BLOCK, p=self._chances)

    def _counted(self, block: int) -> np.ndarray:
        """For each place of the block drawn last, how often its set has come before."""
        while len(self._before) <= block:
            done = self._draw(len(self._before) - 1)
            more = np.bincount(done, minlength=len(self._chances))
            self._before.append(self._before[-1] + more)
        turns = np.empty(BLOCK, dtype=np.int64)
        for number, before in enumerate(self._before[block]):
            places = self._drawn == number
            turns[places] = before + np.arange(np.count_nonzero(places))
        return turns


def stream_of(examples: int, shares: Sequence[Share], *, seed: int) -> Stream:
    """The stream of a training split.

    Args:
        examples: of the split.
        shares: `Task.shares_of` it.
        seed: of the run.

    Raises:
        ValueError: the shares are of another split.
    """
    counted = sum(share.examples for share in shares)
    if shares and counted != examples:
        raise ValueError(
            f"splits.train has {examples:,} examples, and the mixture {counted:,}: leave it at "
            f"`train`, and say at each task what of it is learnt, as in "
            f"mixture={{{shares[0].name}: {{splits: {{train: ...}}}}}}"
        )
    return Mixed(shares, seed=seed) if shares else Shuffled(examples, seed=seed)


def told_shares(shares: Sequence[Share], *, places: int) -> list[tuple[str, str]]:
    """For each share what part of a run of so many places it is, in words; many alike in a line."""
    total = sum(share.weight for share in shares)
    told = [
        (
            f"- {share.name}",
            f"{share.weight / total:.1%} of what is learnt: {share.examples:,} examples, "
            f"{places * share.weight / total / share.examples:.2g} times each",
        )
        for share in shares
    ]
    if len(told) > MOST_TOLD and len({words for _, words in told}) == 1:
        names = ", ".join(share.name for share in shares)
        return [(f"- each of {len(told)}", f"{told[0][1]}: {names}")]
    return told
