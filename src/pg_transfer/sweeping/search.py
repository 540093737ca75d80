"""What a sweep goes over, in the words that Hydra has for it.

`a,b` and `choice(a, b)`, `range(1, 10)`, `interval(0, 1)`, `int(interval(1, 9))`, `glob(*)`, and
`tag(log, interval(1e-6, 1e-3))` for what is to be searched by its order of magnitude: the same as
Hydra's own sweepers read.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep


@dataclass(frozen=True, slots=True)
class Options:
    """A setting that takes one of several values, as they stand on the command line."""

    values: tuple[str, ...]

    def examples(self) -> tuple[str, ...]:
        """Values that have to be possible for all to be."""
        return self.values

    def spelled(self, value: object) -> str:
        """A value as it is typed."""
        return str(value)


@dataclass(frozen=True, slots=True)
class Numbers:
    """A setting that takes any number between two, both included.

    Attributes:
        step: only every so manieth from the lowest; 0 for any.
        is_whole: without fractions.
        is_log: what counts is the order of magnitude.
    """

    low: float
    high: float
    step: float
    is_whole: bool
    is_log: bool

    def examples(self) -> tuple[str, ...]:
        """Values that have to be possible for all to be."""
        return self.spelled(self.low), self.spelled(self.high)

    def listed(self) -> tuple[str, ...]:
        """All of them, where there is a step."""
        count = round((self.high - self.low) / self.step) + 1
        return tuple(self.spelled(self.low + place * self.step) for place in range(count))

    def spelled(self, value: object) -> str:
        """A value as it is typed: six digits, so that the command can be read."""
        assert isinstance(value, int | float)
        return str(int(value)) if self.is_whole else f"{value:.6g}"


Dimension = Options | Numbers


@dataclass(frozen=True, slots=True)
class Search:
    """The settings of a sweep.

    Attributes:
        fixed: what all trials have, as typed.
        dimensions: what they differ in, by name.
    """

    fixed: list[str]
    dimensions: dict[str, Dimension]

    @property
    def is_finite(self) -> bool:
        """Whether all combinations can be tried."""
        return all(isinstance(one, Options) or one.step for one in self.dimensions.values())

    def grid(self) -> list[dict[str, str]]:
        """All combinations, the last setting changing fastest."""
        values = [
            one.values if isinstance(one, Options) else one.listed()
            for one in self.dimensions.values()
        ]
        return [dict(zip(self.dimensions, one, strict=True)) for one in product(*values)]

    def examples(self) -> list[list[str]]:
        """Settings of trials, of which every value that has to be possible is in one."""
        first = {name: one.examples()[0] for name, one in self.dimensions.items()}
        rows = [
            first | {name: value}
            for name, one in self.dimensions.items()
            for value in one.examples()
        ]
        return [self.settings(row) for row in rows or [{}]]

    def settings(self, values: dict[str, str]) -> list[str]:
        """The settings of a trial, as typed."""
        return [*self.fixed, *(f"{name}={value}" for name, value in values.items())]


def read_search(typed: Sequence[str], loader: ConfigLoader) -> Search:
    """What was typed, parted into what is fixed and what is searched.

    Args:
        typed: `name=value`, each; the later of two for the same name counts.
        loader: finds what `glob` stands for.

    Raises:
        ValueError: a range without a number in it, or a logarithm of what is not above 0.
        OverrideParseException: Hydra cannot read it.
    """
    fixed: dict[str, str] = {}
    dimensions: dict[str, Dimension] = {}
    for override in OverridesParser.create(loader).parse_overrides(list(typed)):
        name = override.get_key_element()
        fixed.pop(name, None)
        dimensions.pop(name, None)
        if override.is_sweep_override():
            dimensions[name] = _dimension(override)
        else:
            assert override.input_line is not None
            fixed[name] = override.input_line
    return Search(list(fixed.values()), dimensions)


def _dimension(override: Override) -> Dimension:
    sweep = override.value()
    is_log = "log" in getattr(sweep, "tags", ())
    if isinstance(sweep, IntervalSweep):
        low, high = sweep.start, sweep.end
        assert low is not None and high is not None
        is_whole = isinstance(low, int) and isinstance(high, int)
        found = Numbers(low, high, 0.0, is_whole, is_log)
    elif isinstance(sweep, RangeSweep) and not sweep.shuffle:
        values = sorted(sweep.range())  # without its end, as everywhere in Hydra
        if not values:
            raise ValueError(f"{override.input_line}: there is no number in this range")
        is_whole = all(isinstance(one, int) for one in values)
        found = Numbers(values[0], values[-1], abs(sweep.step), is_whole, is_log)
    else:
        return Options(tuple(dict.fromkeys(override.sweep_string_iterator())))
    if not (math.isfinite(found.low) and math.isfinite(found.high)):
        raise ValueError(f"{override.input_line}: both ends have to be finite numbers")
    if found.low > found.high or (is_log and found.low <= 0):
        raise ValueError(
            f"{override.input_line}: the lower end comes first"
            f"{', and a logarithm needs it above 0' if is_log else ''}"
        )
    return found
