"""The largest micro-batch that there is room for; devices; settings."""

from __future__ import annotations

import pytest

from pg_transfer.planning.asked import processes_of
from pg_transfer.planning.rehearsal import Demand
from pg_transfer.planning.room import asked_device, found_device, largest


def demand_of(bytes_of):
    """A demand that is given by a formula, and the micro-batches that it was asked of."""
    asked = []

    def demand(size: int) -> Demand:
        asked.append(size)
        memory = {"weights": bytes_of(size)}
        return Demand(
            micro_batch=size, passes=1, twice=0, parameters=1, learning=1, memory=memory, flops=1
        )

    return demand, asked


@pytest.mark.parametrize(
    ("room", "size"), [(110, 1), (119, 1), (120, 2), (259, 8), (260, 16), (2660, 256), (9999, 256)]
)
def test_the_largest_that_fits(room: int, size: int) -> None:
    """100 bytes, and 10 for each example."""
    demand, asked = demand_of(lambda size: 100 + 10 * size)
    assert largest(256, room, demand).micro_batch == size
    assert len(asked) <= 3  # each takes seconds


@pytest.mark.parametrize(("room", "size"), [(300, 16), (420, 32), (2660, 256)])
def test_a_peak_that_is_now_here_now_there(room: int, size: int) -> None:
    """Up to 20 examples the optimiser's 300 bytes are the most, and the activations beyond."""
    demand, _ = demand_of(lambda size: max(300, 100 + 10 * size))
    assert largest(256, room, demand).micro_batch == size


def test_an_update_is_cut_evenly() -> None:
    demand, _ = demand_of(lambda size: size)
    assert largest(30, 14, demand).micro_batch == 10


def test_no_room_for_one() -> None:
    demand, _ = demand_of(lambda size: 5_000_000_000 * size)
    with pytest.raises(ValueError, match=r"a single example at a time takes 5 GB.*for 4 GB"):
        largest(8, 4_000_000_000, demand)


def test_devices() -> None:
    assert asked_device("H100").bytes == 85_000_000_000
    # (80 - 1.5) * 0.95 = 74.575
    assert asked_device("80").room == 74_575_000_000
    for wrong in ("h1000", "1", "nan", "inf", "-80"):
        with pytest.raises(ValueError, match=f"--device {wrong} is not known; there are h200"):
            asked_device(wrong)
    here = found_device("cpu")
    assert 0 < here.room < here.bytes


@pytest.mark.parametrize(
    ("trainer", "processes"),
    [
        ({"devices": 1}, 1),
        ({"devices": "4", "num_nodes": 2}, 8),
        ({"devices": [0, 3]}, 2),
        ({"devices": "0, 3", "num_nodes": 2}, 4),
        ({"devices": "3,"}, 1),
        ({"devices": "auto", "accelerator": "cpu"}, 1),
    ],
)
def test_processes(trainer: dict, processes: int) -> None:
    assert processes_of(trainer) == processes
