"""Examples of several tasks in one split, of which each knows its task."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from pg_transfer.data.packed_examples import Computed
from pg_transfer.task import Example


class Origin(NamedTuple):
    """What an example of a mixture has for its reference.

    Attributes:
        component: the name of the task that it is of.
        id: its own there.
        reference: likewise.
        is_joined: examples of other tasks stand beside it in its split.
    """

    component: str
    id: str
    reference: Any
    is_joined: bool


class Marked(Computed[Example]):
    """Examples of a component, each with its `Origin`.

    Args:
        name: of the component.
        examples: its own.
        is_joined: others stand beside them, whose ids may be the same.
    """

    def __init__(self, name: str, examples: Sequence[Example], *, is_joined: bool) -> None:
        self._name, self._examples, self._is_joined = name, examples, is_joined

    def __len__(self) -> int:
        return len(self._examples)

    def at(self, row: int) -> Example:
        """The task's example in that row, its id and reference told apart from others'."""
        return self._marked(self._examples[row])

    def __iter__(self) -> Iterator[Example]:
        return map(self._marked, self._examples)

    def _marked(self, example: Example) -> Example:
        return replace(
            example,
            id=f"{self._name}/{example.id}" if self._is_joined else example.id,
            reference=Origin(self._name, example.id, example.reference, self._is_joined),
        )


def require_equal_images(parts: Mapping[str, Marked]) -> None:
    """Raises ValueError if a batch could not be made of examples of all of them."""
    counts = {name: those[0].seen for name, those in parts.items() if those}
    if len(set(counts.values())) > 1:
        told = ", ".join(f"{name} has {count}" for name, count in counts.items())
        raise ValueError(
            f"tasks in a mixture need equally many images an example: {told}. Learn them in turn"
        )
