"""Sums and slices of splits, which of them are reported, and what is remarked on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import pytest

from pg_transfer.data.splits import Splits, choose_reported, is_part, remarks_on, select
from pg_transfer.task import Answer, Example, Scores, Task


def read(name: str) -> list[Example]:
    """A hundred examples of `train`, thirty-one of `val`."""
    sizes = {"train": 100, "val": 31}
    if name not in sizes:
        raise ValueError(f"no split {name!r}")
    return [Example(f"{name}{number}", image=lambda: None) for number in range(sizes[name])]


def ids(expression: str) -> list[str]:
    return [example.id for example in select(expression, read)]


def test_a_whole_split_keeps_its_order() -> None:
    assert ids("val") == ids("val[:]") == [f"val{number}" for number in range(31)]
    assert ids("train+val") == ids("train + val") == ids("train") + ids("val")


def test_slices_have_the_sizes_of_tensorflow_datasets() -> None:
    # 10 % of 31 is 3.1 and goes to 3; 5 % is 1.55 and goes to 2; 50 % is 15.5, to the even 16.
    sizes = {
        "train[:98%]": 98, "train[-2%:]": 2, "train[:7]": 7, "train[-7:]": 7, "train[10:30]": 20,
        "train[:500]": 100, "val[:10%]": 3, "val[-5%:]": 2, "val[50%:]": 15, "val[:-5%]": 29,
        "train[-150:]": 100, "train[-150%:]": 100, "train[:150%]": 100, "val[:-150%]": 0,
    }  # fmt: skip
    assert {expression: len(ids(expression)) for expression in sizes} == sizes
    # Of COCO's 82,783: round(0.98 * 82,783) = round(81,127.34), and the rest.
    many = [Example(str(number), image=lambda: None) for number in range(82_783)]
    assert len(select("train[:98%]", lambda _: many)) == 81_127
    assert len(select("train[-2%:]", lambda _: many)) == 1_656


def test_slices_complement_each_other() -> None:
    first, last = ids("train[:98%]"), ids("train[-2%:]")
    assert not set(first) & set(last)
    assert set(first) | set(last) == set(ids("train"))
    assert ids("train[:98%]+val") == first + ids("val")


def test_slices_take_from_the_whole_file_and_always_the_same() -> None:
    chosen = [int(name.removeprefix("train")) for name in ids("train[:20]")]
    assert max(chosen) > 60 and min(chosen) < 40
    backwards = select("train[:20]", lambda name: read(name)[::-1])
    assert [example.id for example in backwards] == ids("train[:20]")


@pytest.mark.parametrize(
    ("split", "whole", "is_one"),
    [
        ("val", "train+val", True),
        ("train[:5120]", "train + val", True),
        ("train+val[:5]", "val+train", True),
        ("train[:5]", "train[:5]+val", True),
        ("val", "train", False),
        ("train[-2%:]", "train[:98%]+restval", False),
        ("train", "train[:98%]", False),
        ("train+test", "train+val", False),
        ("refcoco/val", "train", False),
    ],
)
def test_a_part_of_another_is_told_by_names(split: str, whole: str, is_one: bool) -> None:
    assert is_part(split, of=whole) == is_one


@pytest.mark.parametrize("expression", ["train[", "train[5]", "train[:1.5%]", "", "train+", "[:3]"])
def test_other_expressions_are_refused(expression: str) -> None:
    with pytest.raises(ValueError, match=r"is no split; write them as train, train\+val"):
        select(expression, read)


def test_unknown_names_are_the_readers_affair() -> None:
    with pytest.raises(ValueError, match="no split 'dev'"):
        select("train+dev[:3]", read)


class Pictures(Task):
    """Three pictures, of which `test` has one of its own; `extra` has not been downloaded."""

    departures: Sequence[str] = ("the pictures are made up",)
    sizes: Mapping[str, int] = MappingProxyType({"train": 2, "val": 3, "test": 2})
    unscored: Mapping[str, str] = MappingProxyType({"whole": "it asks for nothing"})
    rows: Mapping[str, Sequence[int]] = MappingProxyType(
        {
            "whole": (0, 1),
            "train": (0, 1),
            "val": (1,),
            "test": (1, 2),
            "empty": (),
            "twice": (1, 1),
        }
    )

    def __init__(self) -> None:
        self.read: list[str] = []

    def examples(self, split: str) -> Sequence[Example]:
        self.read.append(split)
        if split == "extra":
            raise FileNotFoundError("there is no extra.json.\nFetch it.")
        if split not in self.rows:
            raise ValueError(f"no split {split!r}")
        return [Example(str(row), Path(f"{row}.png"), "p", ("s",)) for row in self.rows[split]]

    def score(self, answers: Sequence[Answer]) -> Scores:
        raise NotImplementedError


def test_a_split_is_read_once_and_found_fit() -> None:
    splits = Splits(Pictures())
    assert splits.examples("val") is splits.examples("val")
    assert splits.task.read == ["val"]  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="the split 'empty' has no examples"):
        splits.examples("empty")
    with pytest.raises(ValueError, match="two examples of the split 'twice' have the id '1'"):
        splits.examples("twice")


def test_what_is_scored_is_read_and_what_is_optional_may_be_missing() -> None:
    chosen, missing = choose_reported(Splits(Pictures()), ["test"], optional=["extra", "val"])
    assert chosen == ["test", "val"]
    assert missing == ["extra is not scored: there is no extra.json. Fetch it."]
    with pytest.raises(FileNotFoundError, match=r"no extra\.json"):
        choose_reported(Splits(Pictures()), ["extra"], optional=[])
    with pytest.raises(ValueError, match="no split 'dev'"):
        choose_reported(Splits(Pictures()), ["test", "dev"], optional=[])


def test_what_can_only_be_learnt_from_is_not_scored() -> None:
    splits = Splits(Pictures())
    assert len(splits.examples("whole")) == 2 and splits.scored("val") is splits.examples("val")
    for reported, optional in ((["whole"], []), (["val"], ["whole"])):
        with pytest.raises(ValueError, match="'whole' cannot be scored: it a"):
            choose_reported(splits, reported, optional=optional)


def test_remarks_say_what_scores_are_not() -> None:
    assert remarks_on(Splits(Pictures()), ["test", "val"], train="train") == [
        "the pictures are made up",
        "val has 1 examples, and in the paper 3",
        "test is not held out: 1 of its 2 examples are of images that are trained on",
        "val is not held out: 1 of its 1 examples are of images that are trained on",
    ]


def test_a_split_that_is_learnt_from_and_scored_is_counted_once() -> None:
    assert remarks_on(Splits(Pictures()), ["val"], train="val") == [
        "the pictures are made up",
        "val has 1 examples, and in the paper 3",
        "val is not held out: 1 of its 1 examples are of images that are trained on",
    ]


def test_scores_can_be_had_without_the_training_files_and_that_is_said() -> None:
    task = Pictures()
    assert remarks_on(Splits(task), ["test"], train="extra") == [
        "the pictures are made up",
        "it is not known which of these images were trained on: there is no extra.json. Fetch it.",
    ]
    assert task.read == ["extra", "test"]
