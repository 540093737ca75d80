"""How many blocks are computed twice: by hand, and of the tiny model."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pg_transfer.planning.asked import demands
from pg_transfer.planning.blocks import BUSY, fewest, quickest
from pg_transfer.planning.rehearsal import Demand
from tests.planning.test_rehearsal import RECIPE, UPDATE

TOWER, DECODER = 6, 4
BLOCKS = TOWER + DECODER


class Made:
    """100 bytes, and for each example 10; a block kept is 2 of the tower's or 7 of the decoder's.

    With nothing computed twice an example takes 10 + 6 * 2 + 4 * 7 = 50.
    """

    def __init__(self) -> None:
        self.asked: list[tuple[int, int]] = []

    def __call__(self, size: int, twice: int) -> Demand:
        self.asked.append((size, twice))
        kept = 2 * max(TOWER - twice, 0) + 7 * (DECODER - max(twice - TOWER, 0))
        memory = {"weights": 100, "activations": size * (10 + kept)}
        return Demand(
            micro_batch=size, passes=64 // size, twice=twice, parameters=1, learning=1,
            memory=memory, flops=1,
        )  # fmt: skip


@pytest.mark.parametrize("room", range(140, 420, 3))
def test_as_few_as_there_is_room_for(room: int) -> None:
    """For four examples: 140 bytes with all twice, 300 with none; against trying every number."""
    made = Made()
    found = fewest(BLOCKS, room, lambda twice: made(4, twice))
    fitting = [twice for twice in range(BLOCKS + 1) if Made()(4, twice).peak <= room]
    assert found.twice == fitting[0]
    assert len(made.asked) <= 6


def test_all_where_there_is_no_room() -> None:
    assert fewest(BLOCKS, 139, lambda twice: Made()(4, twice)).twice == BLOCKS


@pytest.mark.parametrize(
    ("room", "tokens", "size", "twice"),
    [
        (100 + 32 * 50, 256, 32, 0),  # the largest for which nothing is computed twice
        (100 + 8 * 50, 256, 8, 0),  # 8 * 256 tokens are enough
        (100 + 8 * 50 - 1, 256, 8, 1),  # a little less room: not a smaller pass
        (100 + 8 * 10, 256, 8, BLOCKS),
        (100 + 8 * 10 - 1, 256, 4, 9),  # 79 // 4 = 19 for each of four: 10, and one block of 7
        (100 + 49, 4096, 1, 1),  # one example is enough
    ],
)
def test_the_quickest(room: int, tokens: int, size: int, twice: int) -> None:
    found = quickest(64, tokens, BLOCKS, room, Made())
    assert (found.micro_batch, found.twice) == (size, twice)
    assert found.peak <= room
    assert found.micro_batch * tokens >= BUSY or size == 4


def test_no_room_for_one() -> None:
    with pytest.raises(ValueError, match="a single example at a time takes"):
        quickest(64, 256, BLOCKS, 109, Made())


@pytest.mark.slow
def test_of_the_tiny_model() -> None:
    """What is found fits, and one block less does not."""
    update = replace(UPDATE, recipe=replace(RECIPE, batch_size=32))
    demand = demands(update)
    blocks = update.config.blocks
    room = (demand(32, 0).peak + demand(32, blocks).peak) // 2
    found = fewest(blocks, room, lambda twice: demand(32, twice))
    assert 0 < found.twice < blocks
    assert found.peak <= room < demand(32, found.twice - 1).peak
    assert found.flops < demand(32, blocks).flops
