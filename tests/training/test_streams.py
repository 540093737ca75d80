"""What comes at which place of a run over one data set, and over several mixed."""

from __future__ import annotations

from collections import Counter
from itertools import chain, pairwise

import numpy as np
import pytest

from pg_transfer.task import Share
from pg_transfer.training.order import Order
from pg_transfer.training.streams import BLOCK, Mixed, Shuffled, stream_of, told_shares

SHARES = (Share("many", 50, 3.0), Share("few", 7, 1.0), Share("rare", 20, 0.25))
FIRSTS = {"many": range(50), "few": range(50, 57), "rare": range(57, 77)}


def mixed(places: range) -> list[tuple[int, int]]:
    stream = Mixed(SHARES, seed=5)
    return [stream.at(place) for place in places]


def test_one_data_set_comes_in_numpys_permutations() -> None:
    stream = Shuffled(10, seed=3)
    rows = [stream.at(place) for place in range(20)]
    for epoch in range(2):
        order = np.random.default_rng([3, epoch]).permutation(10).tolist()
        assert rows[10 * epoch : 10 * (epoch + 1)] == [(row, epoch) for row in order]


def test_each_data_set_is_gone_through_whole_before_it_begins_again() -> None:
    seen = mixed(range(3 * BLOCK))
    for name, rows in FIRSTS.items():
        own = [(row, epoch) for row, epoch in seen if row in rows]
        size = len(rows)
        assert [epoch for _, epoch in own] == [number // size for number in range(len(own))], name
        for start in range(0, len(own) - size + 1, size):
            assert sorted(row for row, _ in own[start : start + size]) == list(rows), name
        assert own[:size] != own[size : 2 * size]


def test_they_come_as_often_as_they_weigh_and_whatever_came_before() -> None:
    count = 5 * BLOCK
    names = {row: name for name, rows in FIRSTS.items() for row in rows}
    drawn = [names[row] for row, _ in mixed(range(count))]
    chances = {"many": 3 / 4.25, "few": 1 / 4.25, "rare": 0.25 / 4.25}
    pairs = Counter(pairwise(drawn))
    for one, chance in chances.items():
        # Four standard deviations of a count of independent draws.
        assert abs(drawn.count(one) - count * chance) < 4 * (count * chance * (1 - chance)) ** 0.5
        for other, second in chances.items():
            both = chance * second
            assert abs(pairs[one, other] - count * both) < 4 * (count * both) ** 0.5


def test_a_run_can_go_on_anywhere_and_be_shared() -> None:
    whole = mixed(range(2 * BLOCK))
    assert mixed(range(BLOCK + 17, BLOCK + 90)) == whole[BLOCK + 17 : BLOCK + 90]
    assert Mixed(SHARES, seed=6).at(0) != whole[0] or Mixed(SHARES, seed=6).at(1) != whole[1]
    cut = {
        rank: list(
            Order(Mixed(SHARES, seed=5), batch_size=8, micro_batch=2, steps=5, rank=rank,
                  processes=2)
        )
        for rank in range(2)
    }  # fmt: skip
    together = chain.from_iterable(zip(cut[0], cut[1], strict=True))
    assert list(chain.from_iterable(together)) == whole[:40]


def test_the_shares_are_of_the_split_that_is_learnt() -> None:
    assert isinstance(stream_of(77, SHARES, seed=0), Mixed)
    assert isinstance(stream_of(77, (), seed=0), Shuffled)
    with pytest.raises(ValueError, match=r"splits\.train has 12 examples, and the mixture 77"):
        stream_of(12, SHARES, seed=0)


def test_shares_in_words() -> None:
    # A quarter of 400 places is 100, over 20 examples 5 times each; the rest 300 / 50 = 6.
    told = told_shares([Share("a", 20, 1.0), Share("b", 50, 3.0)], places=400)
    assert told == [
        ("- a", "25.0% of what is learnt: 20 examples, 5 times each"),
        ("- b", "75.0% of what is learnt: 50 examples, 6 times each"),
    ]


def test_many_shares_alike_are_told_in_a_line() -> None:
    alike = [Share(f"l{number}", 20, 1.0) for number in range(10)]
    words = "10.0% of what is learnt: 20 examples, 2 times each"
    assert told_shares(alike, places=400) == [
        ("- each of 10", f"{words}: l0, l1, l2, l3, l4, l5, l6, l7, l8, l9")
    ]
    assert len(told_shares(alike[:8], places=400)) == 8
    assert len(told_shares([*alike, Share("more", 30, 1.0)], places=400)) == 11
