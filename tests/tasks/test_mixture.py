"""A mixture asks each of its tasks for what that alone would say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from pg_transfer.data.videos import Video
from pg_transfer.metrics.bootstrap import concerned, intervals
from pg_transfer.task import (
    Answer,
    Draw,
    Example,
    Outline,
    Scores,
    Target,
    Task,
    pieces_of,
)
from tasks.mixture import Mixture


class Echo(Task):
    """Right is an answer that repeats the id; the name says who was asked."""

    formulas: ClassVar = {"twice": lambda means: 200 * means["right"]}
    sizes: ClassVar = {"val": 99}

    def __init__(self, name: str, *, images: int = 1, remark: str = "") -> None:
        self.name, self.images, self.remark = name, images, remark
        self.asked: list[Any] = []

    def examples(self, split: str) -> Sequence[Example]:
        if split == "missing":
            raise FileNotFoundError(f"no {split} of {self.name}")
        count = {"train": 3, "val": 2}[split]
        image = Path("a.png") if self.images == 1 else (Path("a.png"),) * self.images
        return [
            Example(str(number), image, prefix=f"{self.name} {number}", suffixes=("x", "y"),
                    reference=f"of {self.name}")
            for number in range(count)
        ]  # fmt: skip

    def target(self, example: Example, draw: Draw) -> Target:
        self.asked.append((example.id, example.reference, draw))
        return super().target(example, draw)

    def score(self, answers: Sequence[Answer]) -> Scores:
        assert all(answer.example.reference == f"of {self.name}" for answer in answers)
        right = [float(answer.text == answer.example.id) for answer in answers]
        return Scores(
            {"accuracy": 100 * sum(right) / len(right), "twice": 200 * sum(right) / len(right)},
            [{"accuracy": one} for one in right],
            [self.remark] if self.remark else [],
            [{"right": one} for one in right],
        )

    def submission(self, answers: Sequence[Answer]) -> list[dict[str, Any]]:
        return [{"id": int(answer.example.id), "answer": answer.text} for answer in answers]

    def outlines(self, answer: Answer) -> list[Outline]:
        return [Outline("answer", (0, 0, 1, 1))] if answer.example.id == "1" else []

    def kind(self, example: Example) -> str:
        return f"kind {example.reference}"

    @property
    def departures(self) -> Sequence[str]:
        return [f"{self.name} departs"]


class Filmed(Echo):
    """As many frames of a video."""

    def examples(self, split: str) -> Sequence[Example]:
        clip = Video(Path("a.mp4"), self.images, 1)
        return [replace(example, image=clip) for example in super().examples(split)]


def mixture(*tasks: Echo, weights: Sequence[float | None] = (1, 3), beams: int = 1) -> Mixture:
    splits = {"train": "train", "validate": "val"}
    return Mixture(
        {
            task.name: {"task": task, "weight": weight, "splits": splits, "beams": beams}
            for task, weight in zip(tasks, weights, strict=True)
        }
    )


def answered(task: Task, split: str, texts: Sequence[str]) -> list[Answer]:
    pairs = zip(task.examples(split), texts, strict=True)
    return [Answer(example, text, pieces_of(text)) for example, text in pairs]


def test_splits_of_all_and_of_each() -> None:
    both = mixture(Echo("one"), Echo("two"))
    train = both.examples("train")
    assert [one.id for one in train] == ["one/0", "one/1", "one/2", "two/0", "two/1", "two/2"]
    assert [both.component(one) for one in train] == ["one"] * 3 + ["two"] * 3
    assert [one.prefix for one in both.examples("two/val")] == ["two 0", "two 1"]
    assert [one.id for one in both.examples("two/val")] == ["0", "1"]
    assert len(both.examples("validate")) == 4
    assert len(both.examples("train[:50%]")) == 3
    assert dict(both.sizes) == {"one/val": 99, "two/val": 99}


@pytest.mark.parametrize(
    ("split", "complaint"),
    [
        ("test", r"no split 'test'; there are train and validate.*one/\.\.\., two/\.\.\. of each"),
        ("three/val", r"'three/val' is no split of this mixture, which has the tasks one, two"),
    ],
)
def test_unknown_splits_say_what_there_is(split: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        mixture(Echo("one"), Echo("two")).examples(split)


def test_weights_and_sizes_without_them() -> None:
    shares = mixture(Echo("a"), Echo("b")).shares_of("train")
    assert [(one.examples, one.weight) for one in shares] == [(3, 1.0), (3, 3.0)]
    shares = mixture(Echo("a"), Echo("b"), weights=(None, None)).shares_of("train")
    assert [one.weight for one in shares] == [3.0, 3.0]


def test_targets_are_those_of_the_task_alone() -> None:
    one = Echo("one")
    both = mixture(one, Echo("two"))
    alone = Echo("one")
    for epoch in range(4):
        for own, joined in zip(alone.examples("train"), both.examples("train"), strict=False):
            draw = Draw(7, own.id, epoch)
            mixed = both.target(joined, Draw(7, joined.id, epoch))
            assert mixed == alone.target(own, draw)
    assert one.asked == alone.asked


def test_one_tasks_split_is_scored_as_it_is_alone() -> None:
    both = mixture(Echo("one"), Echo("two"))
    answers = answered(both, "two/val", ["0", "no"])
    alone = answered(Echo("two"), "val", ["0", "no"])
    assert both.score(answers) == Echo("two").score(alone)
    assert both.score_in_full(answers) == both.score(answers)
    assert both.submission(answers) == Echo("two").submission(alone)
    assert both.kind(answers[0].example) == "kind of two"
    assert [len(both.outlines(answer)) for answer in answers] == [0, 1]
    assert both.formulas_of("two/val") == Echo("two").formulas


def test_several_tasks_are_scored_together_and_the_mean_comes_first() -> None:
    both = mixture(Echo("one", remark="slow is left out"), Echo("two"))
    scores = both.score(answered(both, "validate", ["0", "1", "0", "no"]))
    # One has both right, two one of two: (100 + 50) / 2.
    assert list(scores.metrics.items()) == [
        ("mean", 75.0), ("one/accuracy", 100.0), ("one/twice", 200.0), ("two/accuracy", 50.0),
        ("two/twice", 100.0),
    ]  # fmt: skip
    assert scores.examples == [
        {"one/accuracy": 1.0}, {"one/accuracy": 1.0}, {"two/accuracy": 1.0}, {"two/accuracy": 0.0},
    ]  # fmt: skip
    assert scores.remarks == ["one: slow is left out"]
    found = intervals(scores, both.formulas_of("validate"))
    assert found.keys() == {"one/accuracy", "one/twice", "two/accuracy", "two/twice"}
    assert (found["two/accuracy"].low, found["two/accuracy"].high) == (0.0, 100.0)
    assert np.allclose(found["two/twice"][:2], (0.0, 200.0))
    assert [found[name].examples for name in ("one/accuracy", "two/twice")] == [2, 2]
    assert (concerned(scores, "two/invalid"), concerned(scores, "mean")) == (2, 4)
    answers = answered(both, "validate", ["0", "1", "0", "no"])
    assert both.submission(answers) is None
    assert [both.kind(answer.example) for answer in answers] == ["one", "one", "two", "two"]


def test_what_has_to_be_known_is_told_of_each() -> None:
    told = mixture(Echo("one"), Echo("two"), beams=2).departures
    assert told[0] == "several tasks are learnt at once; nothing is published for that"
    assert told[1] == "one: one departs"
    assert "two: alone it is answered with beams=2" in told[4]


def test_frames_of_videos_count_as_images() -> None:
    with pytest.raises(ValueError, match=r"equally many images.*one has 3, two has 4"):
        mixture(Filmed("one", images=3), Filmed("two", images=4)).examples("train")
    assert len(mixture(Filmed("one", images=3), Echo("two", images=3)).examples("train")) == 6


def test_a_batch_has_to_be_of_equally_many_images() -> None:
    both = mixture(Echo("one"), Echo("pairs", images=2))
    with pytest.raises(ValueError, match=r"equally many images.*one has 1, pairs has 2"):
        both.examples("train")
    assert len(both.examples("pairs/val")) == 2
