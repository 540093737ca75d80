"""Lengths of prefix and suffix in tokens, held against the window that a recipe has for them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from random import Random
from typing import NamedTuple

from pg_transfer.task import Draw, Example, Target, Task
from pg_transfer.text.tokenizer import Tokenizer

LISTED = 20


@dataclass(slots=True)
class Lengths:
    """How long texts are.

    Attributes:
        tokens: for every length how many texts have it, bos, separator and eos included.
        cut: what would be cut of how many: "suffix" or "separator", as training has it.
        longest: the longest, and whose they are; at most `LISTED`, none twice.
        odd: what is unusual in a text, and the examples it was found in.
    """

    tokens: Counter[int] = field(default_factory=Counter)
    cut: Counter[str] = field(default_factory=Counter)
    longest: list[tuple[int, str]] = field(default_factory=list)
    odd: dict[str, list[str]] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """How many texts there are."""
        return self.tokens.total()

    def quantile(self, fraction: float) -> int:
        """The least length that `fraction` of the texts do not exceed."""
        left = fraction * self.count
        for length, count in sorted(self.tokens.items()):
            left -= count
            if left <= 0:
                return length
        raise ValueError("there are no texts")


class Drawn(NamedTuple):
    """What is to be learnt.

    Attributes:
        targets: with the examples they are of.
        is_all: there is nothing else to learn from these examples.
        failed: sentences about examples that nothing can be learnt from.
    """

    targets: list[tuple[Example, Target]]
    is_all: bool
    failed: list[str]


def drawn_targets(task: Task, examples: Sequence[Example], *, most: int, seed: int) -> Drawn:
    """What is learnt from examples.

    Every acceptable answer where an example lists them. Where the task makes the target (encodes a
    mask, chooses an object), it is asked for one of each of at most `most` examples, drawn at
    random.

    Args:
        task: of the examples.
        examples: of a split to learn from.
        most: see above; 0 for all.
        seed: of the draws.
    """
    listed = [one for one in examples if not task.makes_target(one)]
    made = [one for one in examples if task.makes_target(one)]
    failed = [f"{one.id!r} has no answer to learn" for one in listed if not one.suffixes]
    pairs = [(one, Target(one.prefix, suffix)) for one in listed for suffix in one.suffixes]
    drawn = Drawn(pairs, not made, failed)
    if most and len(made) > most:
        made = Random(seed).sample(made, most)
    for one in made:
        try:
            drawn.targets.append((one, task.target(one, Draw(seed, one.id, 0))))
        except ValueError as error:
            drawn.failed.append(f"{one.id!r} has no target: {error}")
    return drawn


def measure_targets(
    targets: Iterable[tuple[Example, Target]],
    tokenizer: Tokenizer,
    *,
    text_length: int,
    lines: bool = False,
) -> Lengths:
    """Lengths of `[bos prefix][separator][suffix eos]`, which has `text_length + 1` places.

    Args:
        targets: with the examples they are of.
        tokenizer: that the texts are read by.
        text_length: of the recipe.
        lines: the task asks in several lines itself, so that these are nothing unusual.
    """
    texts = ((example.id, prefix, suffix) for example, (prefix, suffix) in targets)
    return _measured(texts, tokenizer, window=text_length + 1, lines=lines)


def measure_prompts(
    examples: Sequence[Example], tokenizer: Tokenizer, *, text_length: int, lines: bool = False
) -> Lengths:
    """Lengths of `[bos prefix][separator]`, which has `text_length` places.

    Arguments are those of `measure_targets`.
    """
    texts = ((example.id, example.prefix, None) for example in examples)
    return _measured(texts, tokenizer, window=text_length, lines=lines)


def _measured(
    texts: Iterable[tuple[str, str, str | None]], tokenizer: Tokenizer, *, window: int, lines: bool
) -> Lengths:
    """Of the example's id, its prefix, and its suffix, each, which is None where only asked."""
    length = cache(lambda text: len(tokenizer.encode(text)))
    found = Lengths()
    for example_id, prefix, suffix in texts:
        request = length(prefix) + 1 + len(tokenizer.separator)
        answer = 0 if suffix is None else length(suffix) + 1
        _add(found, example_id, request, answer, window)
        for place, text in (("prefix", prefix), ("suffix", suffix)):
            for oddity in _oddities(place, text, lines) if text is not None else ():
                _note(found, oddity, example_id)
    return found


def _add(found: Lengths, example_id: str, request: int, answer: int, window: int) -> None:
    length = request + answer
    found.tokens[length] += 1
    if request > window:
        found.cut["separator"] += 1
    elif length > window:
        found.cut["suffix"] += 1
    if len(found.longest) < LISTED or length > found.longest[-1][0]:
        others = [one for one in found.longest if one[1] != example_id]
        own = [one for one in found.longest if one[1] == example_id]
        found.longest = sorted([*others, max([(length, example_id), *own])], reverse=True)[:LISTED]


def _oddities(place: str, text: str, lines: bool) -> Iterator[str]:
    if place == "suffix" and not text.strip():
        yield "an empty suffix"
        return
    if place == "prefix" and "\n" in text and not lines:
        yield "a line break in the prefix, which is what ends one"
    if text != text.strip():
        yield f"spaces or line breaks around the {place}"
    if "\ufffd" in text:
        yield f"a replacement character in the {place}: a file read in a wrong encoding"


def _note(found: Lengths, oddity: str, example_id: str) -> None:
    ids = found.odd.setdefault(oddity, [])
    if not ids or ids[-1] != example_id:
        ids.append(example_id)
