"""Packed examples are the examples that went in."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pg_transfer.data.packed_examples import (
    Chosen,
    Gathered,
    Joined,
    Lists,
    PackedExamples,
    Repeated,
    Texts,
)
from pg_transfer.task import Example


def examples() -> list[Example]:
    images = [Path("a.png"), Path("b.png")]
    return [
        Example(f"{n}", images[n % 2], f"question {n} äöü", (("yes", "no")[n % 2],), "comp")
        for n in range(7)
    ]


def packed(given: list[Example]) -> PackedExamples:
    return PackedExamples(
        ids=Texts(one.id for one in given),
        images=Repeated(one.image for one in given),
        prefixes=Texts(one.prefix for one in given),
        suffixes=Repeated(one.suffixes for one in given),
        references=Repeated(one.reference for one in given),
    )


def test_examples_come_back_as_they_were() -> None:
    ours, expected = packed(examples()), examples()
    assert len(ours) == 7
    assert list(ours) == expected
    assert [ours[row] for row in range(-7, 7)] == expected * 2
    assert ours[1:6:2] == expected[1:6:2]
    for row in (7, -8):
        with pytest.raises(IndexError):
            ours[row]
    assert list(pickle.loads(pickle.dumps(ours))) == expected
    assert list(packed([])) == []


def test_columns_have_one_length() -> None:
    with pytest.raises(ValueError, match=r"columns of \[1, 0, 0, 0, 0\] examples"):
        PackedExamples(
            ids=Texts(["1"]), images=Repeated(), prefixes=Texts(), suffixes=Repeated(),
            references=Repeated(),
        )  # fmt: skip


@given(st.lists(st.text(st.characters(codec=None))))
def test_any_texts(texts: list[str]) -> None:
    ours = Texts(texts)
    assert list(ours) == texts
    assert [ours[row] for row in range(len(texts))] == texts


@given(st.lists(st.integers(0, 5)))
def test_repeated_values(values: list[int]) -> None:
    ours = Repeated(values)
    assert list(ours) == values
    assert ours.different == list(dict.fromkeys(values))
    spelled = ours.exchanged({value: str(value) for value in range(6)})
    assert list(spelled) == [str(value) for value in values]
    spelled.append("7")
    assert list(spelled) == [*map(str, values), "7"]
    assert list(ours) == values


@given(st.lists(st.lists(st.integers())), st.data())
def test_sums_and_slices(parts: list[list[int]], data: st.DataObject) -> None:
    whole = [number for part in parts for number in part]
    joined = Joined(parts)
    assert list(joined) == whole
    assert [joined[row] for row in range(-len(whole), len(whole))] == whole * 2
    rows = data.draw(st.lists(st.integers(0, len(whole) - 1))) if whole else []
    assert list(Chosen(joined, rows)) == [whole[row] for row in rows]


@given(st.lists(st.lists(st.text(max_size=3), max_size=3).map(tuple), max_size=8))
def test_lists_come_back_as_they_were(lists: list[tuple[str, ...]]) -> None:
    assert list(pickle.loads(pickle.dumps(Lists(lists)))) == lists


@given(st.lists(st.tuples(st.integers(0, 5), st.text(max_size=3))))
def test_texts_are_gathered_by_their_numbers(given: list[tuple[int, str]]) -> None:
    ours = Gathered()
    for number, text in given:
        ours.append(number, text)
    count = max((number for number, _ in given), default=-1) + 1
    expected = [tuple(text for number, text in given if number == row) for row in range(count)]
    assert list(ours) == expected
    assert list(pickle.loads(pickle.dumps(ours))) == expected
    empty = [row for row in range(6) if row not in {number for number, _ in given}]
    assert ours.first_empty(6) == (empty[0] if empty else None)
    ours.append(count, "late")
    assert ours[count] == ("late",)


def test_nothing_is_gathered_of_nothing() -> None:
    ours = Gathered()
    assert (list(ours), len(ours), ours.first_empty(0)) == ([], 0, None)
    assert ours.first_empty(2) == 0
