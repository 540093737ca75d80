"""Finds the longest text that any of several patterns matches, as a lexer generator does.

Python's `re` takes the first alternative that leads to a match, not the longest one. Here patterns
become one non-deterministic automaton, made deterministic where a text leads (the subset
construction: Aho, Sethi and Ullman, Compilers, sections 3.6 and 3.7), so that a character costs
one look-up whatever the patterns are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

_LEXEME = re.compile(r"\[(?:\\.|[^\]\\])+\]|\\.|\{\d+(?:,\d*)?\}|.", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v"}
# What Unicode counts as another case of an ASCII letter, besides its own capital.
_OTHER_CASES = {"i": "ıİ", "k": "\u212a", "s": "ſ"}


class Match(NamedTuple):
    """Where a match ends, and the number of the pattern that made it."""

    end: int
    pattern: int


class _Set(NamedTuple):
    """One character: of `characters`, or none of them."""

    characters: frozenset[str]
    negated: bool = False


class _Repeat(NamedTuple):
    """What `body` matches, from `least` times to `most` times (None: without limit)."""

    body: _Node
    least: int
    most: int | None


@dataclass(frozen=True, slots=True)
class _Sequence:
    """One after the other."""

    parts: list[_Node]


@dataclass(frozen=True, slots=True)
class _Choice:
    """One or the other."""

    options: list[_Node]


_Node = _Set | _Repeat | _Sequence | _Choice


@dataclass(slots=True)
class _State:
    """A state of the deterministic automaton: all the places where a pattern may stand.

    Attributes:
        places: what each place waits for, and the place that follows.
        pattern: the first of the patterns that end here.
        following: the next state by character, filled as texts ask; None is a dead end.
    """

    places: list[tuple[_Set, int]]
    pattern: int | None
    following: dict[str, _State | None] = field(default_factory=dict)


class Automaton:
    """Patterns, matched together.

    A pattern is written as in `re`, with characters, `[...]`, `[^...]`, `(...)`, `|`, `*`, `+`,
    `?` and `{m,n}`. Letters on their own match in either case, those within brackets do not.
    """

    def __init__(self, patterns: Sequence[str]) -> None:
        self._waiting: list[tuple[_Set, int] | None] = []
        self._skips: list[list[int]] = []
        self._ends: dict[int, int] = {}
        entries = []
        for number, pattern in enumerate(patterns):
            end = self._place()
            self._ends[end] = number
            entries.append(self._build(_parse(pattern), end))
        self._states: dict[frozenset[int], _State] = {}
        self._start = self._state(entries)

    def longest(self, text: str, start: int) -> Match | None:
        """The longest match from `start` on; of equally long ones, the first pattern's."""
        return max(self.matches(text, start), key=lambda match: match.end, default=None)

    def matches(self, text: str, start: int) -> Iterator[Match]:
        """Every match from `start` on, shortest first; of each length, the first pattern's."""
        state: _State | None = self._start
        for place in range(start, len(text)):
            try:
                state = state.following[text[place]]
            except KeyError:
                state = self._follow(state, text[place])
            if state is None:
                return
            if state.pattern is not None:
                yield Match(place + 1, state.pattern)

    def _follow(self, state: _State, character: str) -> _State | None:
        reached = [
            then
            for wanted, then in state.places
            if (character in wanted.characters) != wanted.negated
        ]
        state.following[character] = self._state(reached) if reached else None
        return state.following[character]

    def _state(self, places: Sequence[int]) -> _State:
        """The deterministic state of all that is reached from `places` without a character."""
        reached, open_ = set(places), list(places)
        while open_:
            new = [place for place in self._skips[open_.pop()] if place not in reached]
            reached.update(new)
            open_.extend(new)
        key = frozenset(reached)
        if key not in self._states:
            waiting = [self._waiting[place] for place in reached]
            ends = [self._ends[place] for place in reached if place in self._ends]
            self._states[key] = _State([w for w in waiting if w], min(ends, default=None))
        return self._states[key]

    def _place(self, waiting: tuple[_Set, int] | None = None, skips: Sequence[int] = ()) -> int:
        self._waiting.append(waiting)
        self._skips.append(list(skips))
        return len(self._waiting) - 1

    def _build(self, node: _Node, then: int) -> int:
        """The place where `node` begins, if `then` is where its match has to lead."""
        match node:
            case _Set():
                return self._place((node, then))
            case _Sequence(parts):
                for part in reversed(parts):
                    then = self._build(part, then)
                return then
            case _Choice(options):
                return self._place(skips=[self._build(option, then) for option in options])
            case _Repeat(body, least, most):
                return self._build_repeat(body, least, most, then)

    def _build_repeat(self, body: _Node, least: int, most: int | None, then: int) -> int:
        if most is None:
            loop = self._place(skips=[then])
            self._skips[loop].append(self._build(body, loop))
            entry = loop
        else:
            entry = then
            for _ in range(most - least):
                entry = self._place(skips=[self._build(body, entry), then])
        for _ in range(least):
            entry = self._build(body, entry)
        return entry


def _parse(pattern: str) -> _Node:
    lexemes = _LEXEME.findall(pattern)
    lexemes.reverse()
    node = _choice(lexemes)
    if lexemes:
        raise ValueError(f"{pattern!r}: a bracket too many")
    return node


def _choice(lexemes: list[str]) -> _Node:
    options = [_sequence(lexemes)]
    while lexemes and lexemes[-1] == "|":
        lexemes.pop()
        options.append(_sequence(lexemes))
    return options[0] if len(options) == 1 else _Choice(options)


def _sequence(lexemes: list[str]) -> _Node:
    parts: list[_Node] = []
    while lexemes and lexemes[-1] not in "|)":
        lexeme = lexemes.pop()
        if lexeme in "*+?" or re.fullmatch(r"\{.+\}", lexeme):
            parts.append(_Repeat(parts.pop(), *_times(lexeme)))
        elif lexeme == "(":
            parts.append(_choice(lexemes))
            lexemes.pop()
        else:
            parts.append(_set(lexeme))
    return _Sequence(parts)


def _times(lexeme: str) -> tuple[int, int | None]:
    if lexeme in "*+?":
        return int(lexeme == "+"), 1 if lexeme == "?" else None
    least, comma, most = lexeme[1:-1].partition(",")
    return int(least), int(most) if most else None if comma else int(least)


def _set(lexeme: str) -> _Set:
    if not lexeme.startswith("["):
        character = _unescaped(lexeme)
        cases = {character.lower(), character.upper()} if character.isascii() else {character}
        return _Set(frozenset(cases) | set(_OTHER_CASES.get(character.lower(), "")))
    inner = lexeme[1:-1]
    negated = inner.startswith("^")
    characters: set[str] = set()
    for first, last in re.findall(r"(\\.|.)(?:-(\\.|.))?", inner[negated:], re.DOTALL):
        start = ord(_unescaped(first))
        characters |= set(map(chr, range(start, ord(_unescaped(last or first)) + 1)))
    return _Set(frozenset(characters), negated)


def _unescaped(lexeme: str) -> str:
    return _ESCAPES.get(lexeme[1], lexeme[1]) if lexeme.startswith("\\") else lexeme
