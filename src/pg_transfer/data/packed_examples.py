"""A million examples in little memory, none of which loading processes come to copy.

Python counts the references to an object in the object itself, so that whoever looks at one writes
to it; a forked process thereby gets a copy of all that it looks at. Here texts lie one after the
other in a stretch of bytes, what comes again and again is held once, and an example becomes an
object when it is asked for.
"""

from __future__ import annotations

from abc import abstractmethod
from array import array
from bisect import bisect_right
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, chain
from typing import Any, Generic, TypeVar, overload

import numpy as np

from pg_transfer.task import Example, Image

T = TypeVar("T")
Value = TypeVar("Value", bound=Hashable)
Other = TypeVar("Other", bound=Hashable)


class Computed(Sequence[T]):
    """A sequence whose elements are made when they are asked for; a slice of it is a list."""

    @abstractmethod
    def at(self, row: int) -> T:
        """The element in that row: one that there is, counted from the first."""

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> list[T]: ...
    def __getitem__(self, index: int | slice) -> T | list[T]:
        rows = range(len(self))[index]
        return self.at(rows) if isinstance(rows, int) else [self.at(row) for row in rows]

    def __iter__(self) -> Iterator[T]:
        return map(self.at, range(len(self)))


class Texts(Computed[str]):
    """Texts, as bytes."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._bytes, self._ends = bytearray(), array("q")
        for text in texts:
            self.append(text)

    def append(self, text: str) -> None:
        """Adds one to the end."""
        self._bytes += text.encode(errors="surrogatepass")  # JSON can spell half a character
        self._ends.append(len(self._bytes))

    def __len__(self) -> int:
        return len(self._ends)

    def at(self, row: int) -> str:
        """The text in that row, decoded anew each time; half a character comes back as it came."""
        start = self._ends[row - 1] if row else 0
        return self._bytes[start : self._ends[row]].decode(errors="surrogatepass")


class Repeated(Computed[Value], Generic[Value]):
    """Values of which few are different.

    Attributes:
        different: these, in the order in which they first came.
    """

    def __init__(self, values: Iterable[Value] = ()) -> None:
        self.different: list[Value] = []
        self._numbers: dict[Value, int] = {}
        self._chosen = array("i")
        for value in values:
            self.append(value)

    def append(self, value: Value) -> None:
        """Adds one to the end."""
        number = self._numbers.setdefault(value, len(self.different))
        if number == len(self.different):
            self.different.append(value)
        self._chosen.append(number)

    def exchanged(self, others: Mapping[Value, Other]) -> Repeated[Other]:
        """The same with another value in place of each."""
        result: Repeated[Other] = Repeated()
        result.different = [others[value] for value in self.different]
        result._numbers = {value: number for number, value in enumerate(result.different)}
        result._chosen = self._chosen[:]
        return result

    def __len__(self) -> int:
        return len(self._chosen)

    def at(self, row: int) -> Value:
        """The value in that row: for equal values the very same object."""
        return self.different[self._chosen[row]]


class Lists(Computed[tuple[Value, ...]], Generic[Value]):
    """Short lists of values of which few are different, such as what people answered."""

    def __init__(self, lists: Iterable[Iterable[Value]] = ()) -> None:
        self._values: Repeated[Value] = Repeated()
        self._ends = array("q")
        for values in lists:
            self.append(values)

    def append(self, values: Iterable[Value]) -> None:
        """Adds one to the end."""
        for value in values:
            self._values.append(value)
        self._ends.append(len(self._values))

    def __len__(self) -> int:
        return len(self._ends)

    def at(self, row: int) -> tuple[Value, ...]:
        """The list in that row, a new tuple each time."""
        start = self._ends[row - 1] if row else 0
        return tuple(self._values[start : self._ends[row]])


class Gathered(Computed[tuple[str, ...]]):
    """Lists of texts that come in any order, each with the number of its list.

    It is read once all are there: texts are put in order by the first look at them.
    """

    def __init__(self) -> None:
        self._texts, self._numbers = Texts(), array("i")
        self._order, self._ends = array("i"), array("i")

    def append(self, number: int, text: str) -> None:
        """Adds a text to the end of the list of that number."""
        self._numbers.append(number)
        self._texts.append(text)

    def __len__(self) -> int:
        self._put_in_order()
        return len(self._ends)

    def at(self, row: int) -> tuple[str, ...]:
        """The list of that number, a new tuple each time; one without texts is empty."""
        self._put_in_order()
        start = self._ends[row - 1] if row else 0
        return tuple(map(self._texts.at, self._order[start : self._ends[row]]))

    def first_empty(self, count: int) -> int | None:
        """The first number below `count` whose list has no text; None if there is none."""
        counts = np.bincount(np.frombuffer(self._numbers, np.intc), minlength=count)
        return int(counts.argmin()) if count and not counts.min() else None

    def _put_in_order(self) -> None:
        if len(self._order) != len(self._numbers):
            numbers = np.frombuffer(self._numbers, np.intc)
            order = np.argsort(numbers, kind="stable").astype(np.intc)
            self._order = array("i", order.tobytes())
            self._ends = array("i", np.bincount(numbers).cumsum().astype(np.intc).tobytes())


class PackedExamples(Computed[Example]):
    """Examples by their attributes, of each as many as there are examples."""

    def __init__(
        self,
        *,
        ids: Computed[str],
        images: Computed[Image],
        prefixes: Computed[str],
        suffixes: Computed[tuple[str, ...]],
        references: Computed[Any],
    ) -> None:
        self._columns: tuple[Computed[Any], ...] = ids, images, prefixes, suffixes, references
        if len({len(column) for column in self._columns}) != 1:
            raise ValueError(f"columns of {[len(column) for column in self._columns]} examples")

    def __len__(self) -> int:
        return len(self._columns[0])

    def at(self, row: int) -> Example:
        """The example in that row, a new object each time."""
        return Example(*[column.at(row) for column in self._columns])

    def __iter__(self) -> Iterator[Example]:
        return map(Example, *self._columns)


class Chosen(Computed[T]):
    """Some elements of a sequence, in the order of `rows`."""

    def __init__(self, elements: Sequence[T], rows: Iterable[int]) -> None:
        self._elements, self._rows = elements, array("q", rows)

    def __len__(self) -> int:
        return len(self._rows)

    def at(self, row: int) -> T:
        """The element whose number is the one in that row of `rows`."""
        return self._elements[self._rows[row]]


class Joined(Computed[T]):
    """Sequences one after the other."""

    def __init__(self, parts: Sequence[Sequence[T]]) -> None:
        self._parts = parts
        self._ends = list(accumulate(map(len, parts)))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def at(self, row: int) -> T:
        """The element in that row, counted from the first of the first part."""
        part = bisect_right(self._ends, row)
        return self._parts[part][row - (self._ends[part - 1] if part else 0)]

    def __iter__(self) -> Iterator[T]:
        return chain.from_iterable(self._parts)
