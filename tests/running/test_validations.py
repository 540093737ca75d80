"""How often a run validates: as often as is asked for where that divides, and never more often."""

from __future__ import annotations

import pytest

from pg_transfer.running.parts import updates_between


# By hand: (updates, validations that are asked for, updates between them, validations, the last).
@pytest.mark.parametrize(
    ("steps", "asked", "between", "made", "last"),
    [
        (1344, 5, 268, 5, 1340),
        (40, 10, 4, 10, 40),
        (19, 1, 19, 1, 19),
        (19, 2, 9, 2, 18),
        (19, 19, 1, 19, 19),
        (19, 10, 2, 9, 18),  # every update would be 19, every other one is 9
        (19, 7, 3, 6, 18),  # 2 would give 9; 3 gives 6, and so does no longer interval
        (10, 4, 3, 3, 9),  # 2 gives 5
        (11, 3, 3, 3, 9),
        (24, 5, 6, 4, 24),  # 4 gives 6, and 5 gives 4 of which the last is at 20
        (1, 1, 1, 1, 1),
        (2, 9, 1, 2, 2),  # after each update, which is as often as can be
    ],
)
def test_no_more_than_asked_for(steps: int, asked: int, between: int, made: int, last: int) -> None:
    assert updates_between(steps, asked) == between
    assert [steps // between, steps // between * between] == [made, last]


def test_as_many_as_one_interval_can_make_and_the_last_as_late() -> None:
    for steps in range(1, 60):
        for asked in range(1, steps + 1):
            fitting = [one for one in range(1, steps + 1) if steps // one <= asked]
            most = max(steps // one for one in fitting)
            assert updates_between(steps, asked) == max(o for o in fitting if steps // o == most)
