"""Which example comes when."""

from __future__ import annotations

from collections import Counter
from itertools import chain

import pytest

from pg_transfer.task import Draw
from pg_transfer.training.order import Order
from pg_transfer.training.streams import Shuffled


def order(**changes) -> Order:
    stream = Shuffled(10, seed=3)
    return Order(stream, **{"batch_size": 8, "micro_batch": 8, "steps": 5} | changes)


def test_every_epoch_sees_every_example_once() -> None:
    seen = list(chain(*order()))
    assert len(seen) == 40
    assert Counter(epoch for _, epoch in seen) == {0: 10, 1: 10, 2: 10, 3: 10}
    for epoch in range(4):
        assert sorted(row for row, e in seen if e == epoch) == list(range(10))
    assert [row for row, e in seen if e == 0] != [row for row, e in seen if e == 1]


def test_updates_hold_the_same_examples_however_they_are_cut() -> None:
    whole = list(order())
    cut = list(order(micro_batch=2))
    assert [list(chain(*cut[i : i + 4])) for i in range(0, 20, 4)] == whole
    ranks = [list(order(micro_batch=2, rank=rank, processes=2)) for rank in range(2)]
    for step, update in enumerate(whole):
        parts = chain(*(rank[2 * step : 2 * step + 2] for rank in ranks))
        assert sorted(chain(*parts)) == sorted(update)


def test_it_goes_on_where_it_stopped() -> None:
    resumed = order(micro_batch=2)
    resumed.start = 7
    assert list(resumed) == list(order(micro_batch=2))[7:]
    assert len(resumed) == 20


def test_a_batch_that_cannot_be_cut_is_refused() -> None:
    with pytest.raises(ValueError, match=r"batch_size=8.*micro_batch=3"):
        order(micro_batch=3)


def test_draws_use_every_option_before_one_comes_again() -> None:
    options = ["a", "b", "c", "d"]
    drawn = [Draw(0, "7", epoch).without_replacement(options) for epoch in range(12)]
    for start in range(0, 12, 4):
        assert sorted(drawn[start : start + 4]) == options
    assert drawn[:4] != drawn[4:8] or drawn[4:8] != drawn[8:]
    assert drawn == [Draw(0, "7", epoch).without_replacement(options) for epoch in range(12)]


def test_shuffled_options_come_in_every_order_alike() -> None:
    orders = [tuple(Draw(0, str(i), e).shuffled("xyz")) for i in range(60) for e in range(10)]
    counts = Counter(orders)
    assert len(counts) == 6  # each about 100 times: 9 is one standard deviation
    assert all(60 < count < 140 for count in counts.values())
    assert orders == [
        tuple(Draw(0, str(i), e).shuffled("xyz")) for i in range(60) for e in range(10)
    ]


def test_uniform_draws_differ_by_example_and_epoch() -> None:
    counts = Counter(Draw(0, str(i), e).uniform("xyz") for i in range(30) for e in range(10))
    assert all(70 < count < 130 for count in counts.values())
