"""Says how far numbers were from the recorded ones: `python -m pytest -m golden -p tests.measured`.

A test compares with a bound; this plugin writes down how much of it was needed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

_largest: dict[str, float] = {}
_running = ""


def _noting(compare: Callable[..., None]) -> Callable[..., None]:
    def noted(actual: Any, expected: Any, *arguments: Any, **options: Any) -> None:
        ours, theirs = (np.asarray(_array(one), np.float64) for one in (actual, expected))
        if ours.shape == theirs.shape and ours.size:
            difference = float(np.abs(ours - theirs).max())
            _largest[_running] = max(_largest.get(_running, 0.0), difference)
        compare(actual, expected, *arguments, **options)

    return noted


def _array(value: Any) -> Any:
    return value.detach().double().numpy() if isinstance(value, torch.Tensor) else value


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item):
    """Notes which test it is that compares."""
    global _running
    _running = item.nodeid
    return (yield)


def pytest_configure() -> None:
    """Stands between the tests and what they compare with."""
    np.testing.assert_allclose = _noting(np.testing.assert_allclose)
    torch.testing.assert_close = _noting(torch.testing.assert_close)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Prints the largest difference of each test."""
    terminalreporter.section("largest absolute difference")
    for test, difference in _largest.items():
        terminalreporter.write_line(f"{difference:9.1e}  {test}")
