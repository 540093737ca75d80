"""Several tasks at once, one model for all: what the paper's mix models learnt from.

Each keeps its own prompts, splits, targets and metric. Source: big_vision input_pipeline.py and
the transfers that mix data sets (chartqa.py, coco35l.py).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, NamedTuple

from pg_transfer.data.mixed_examples import Marked, require_equal_images
from pg_transfer.data.packed_examples import Joined
from pg_transfer.data.splits import select
from pg_transfer.metrics.several import of_one, together
from pg_transfer.task import (
    Answer,
    Draw,
    Example,
    Formula,
    Outline,
    Scores,
    Share,
    Submission,
    Target,
    Task,
)

TRAIN, VALIDATE = "train", "validate"
"""The splits that are made of all components; every other one is `component/split`."""


class Component(NamedTuple):
    """One of the tasks.

    Attributes:
        task: as it is on its own.
        splits: its `train` and `validate`.
        weight: how often its examples come, as against others'; None for as often as it has some.
        beams: the width of the search by which it is answered on its own.
    """

    task: Task
    splits: Mapping[str, str]
    weight: float | None
    beams: int


class Mixture(Task):
    """Tasks by name, drawn from example by example.

    `train` and `validate` are those splits of all tasks, one after the other; any other is named
    as in "textvqa/val". Answers to one task's split are scored as that task scores them; of
    several, its metrics are called after it, behind the mean of the first ones.

    Args:
        components: for each name `task`, `splits`, `weight` and `beams`.
    """

    def __init__(self, components: Mapping[str, Mapping[str, Any]]) -> None:
        self.components = {
            name: Component(one["task"], one["splits"], one["weight"], one["beams"])
            for name, one in components.items()
        }
        self._joined: dict[str, dict[str, Marked]] = {}

    @property
    def sizes(self) -> Mapping[str, int]:  # type: ignore[override]
        """Those of all tasks, by `component/split`."""
        return {
            f"{name}/{split}": size
            for name, one in self.components.items()
            for split, size in one.task.sizes.items()
        }

    @property
    def unscored(self) -> Mapping[str, str]:  # type: ignore[override]
        """Those of all tasks, by `component/split`, and what is made of such a one."""
        found = {}
        for name, one in self.components.items():
            for split, why in one.task.unscored.items():
                found[f"{name}/{split}"] = why
                for joined in (TRAIN, VALIDATE):
                    if one.splits[joined] == split:
                        found[joined] = f"it has {name}/{split}: {why}"
        return found

    @property
    def departures(self) -> Sequence[str]:
        """Those of all tasks, and of each that alone would be answered by another search."""
        told = ["several tasks are learnt at once; nothing is published for that"]
        for name, one in self.components.items():
            told += [f"{name}: {departure}" for departure in one.task.departures]
            if one.beams > 1:
                told.append(
                    f"{name}: alone it is answered with beams={one.beams}; a mixture is answered "
                    f"in one way, and evaluate.py split={name}/... beams={one.beams} does that"
                )
        return told

    @property
    def findings(self) -> Sequence[str]:
        """Those of all tasks, each after its task's name."""
        return [
            f"{name}: {finding}"
            for name, one in self.components.items()
            for finding in one.task.findings
        ]

    def shares_of(self, split: str) -> Sequence[Share]:
        """Of each task its training examples, and its weight; whatever the split."""
        sizes = {name: len(those) for name, those in self._parts(TRAIN).items()}
        return [
            Share(name, sizes[name], float(sizes[name] if one.weight is None else one.weight))
            for name, one in self.components.items()
        ]

    @cached_property
    def mask_codec(self) -> Any:
        """That of a task that has one."""
        codecs = [getattr(one.task, "mask_codec", None) for one in self.components.values()]
        return next((codec for codec in codecs if codec is not None), None)

    def examples(self, split: str) -> Sequence[Example]:
        """The examples of `split`.

        Raises:
            FileNotFoundError: files of one of the tasks are missing.
            ValueError: there is no such task or split, or tasks have not equally many images.
        """
        name, _, inner = split.partition("/")
        if inner:
            return Marked(name, self._named(name, split).task.examples(inner), is_joined=False)
        return select(split, self._all)

    def target(self, example: Example, draw: Draw) -> Target:
        """What its own task would teach of it."""
        task, own = self._own(example)
        return task.target(own, replace(draw, example_id=own.id))

    def makes_target(self, example: Example) -> bool:
        """As its own task says."""
        task, own = self._own(example)
        return task.makes_target(own)

    def annotated_size(self, example: Example) -> tuple[int, int] | None:
        """As its own task knows it."""
        task, own = self._own(example)
        return task.annotated_size(own)

    def require_image(
        self, example: Example, size: tuple[int, int], *, is_on_its_side: bool
    ) -> None:
        """As its own task does."""
        task, own = self._own(example)
        task.require_image(own, size, is_on_its_side=is_on_its_side)

    def score(self, answers: Sequence[Answer]) -> Scores:
        """Each task's verdict on its own answers."""
        return self._score(answers, in_full=False)

    def score_in_full(self, answers: Sequence[Answer]) -> Scores:
        """Likewise, with the metrics that take long."""
        return self._score(answers, in_full=True)

    def submission(self, answers: Sequence[Answer]) -> Submission | None:
        """What the task's server takes; None of several tasks together."""
        if answers[0].example.reference.is_joined:
            return None
        own = [self._own_answer(answer) for answer in answers]
        return own[0][0].submission([answer for _, answer in own])

    def formulas_of(self, split: str) -> Mapping[str, Formula]:
        """Those of the split's task; of several tasks each one's, for metrics called after it."""
        name, _, inner = split.partition("/")
        if inner:
            return self._named(name, split).task.formulas_of(inner)
        return {
            f"{name}/{metric}": of_one(name, formula)
            for name, one in self.components.items()
            for metric, formula in one.task.formulas_of(one.splits[VALIDATE]).items()
        }

    def component(self, example: Example) -> str:
        """The name of the task that the example is of, and behind it what that calls it."""
        task, own = self._own(example)
        return "/".join(filter(None, (example.reference.component, task.component(own))))

    def kind(self, example: Example) -> str:
        """Its own task's; of several tasks together, that task."""
        task, own = self._own(example)
        origin = example.reference
        return origin.component if origin.is_joined else task.kind(own)

    def outlines(self, answer: Answer) -> list[Outline]:
        """What its own task would draw."""
        task, own = self._own_answer(answer)
        return task.outlines(own)

    def _all(self, split: str) -> Sequence[Example]:
        if split not in (TRAIN, VALIDATE):
            names = ", ".join(f"{name}/..." for name in self.components)
            raise ValueError(
                f"a mixture has no split {split!r}; there are {TRAIN} and {VALIDATE}, of all tasks "
                f"together, and {names} of each"
            )
        return Joined(list(self._parts(split).values()))

    def _parts(self, split: str) -> Mapping[str, Marked]:
        if split not in self._joined:
            parts = {
                name: Marked(name, one.task.examples(one.splits[split]), is_joined=True)
                for name, one in self.components.items()
            }
            require_equal_images(parts)
            self._joined[split] = parts
        return self._joined[split]

    def _named(self, name: str, split: str) -> Component:
        if name not in self.components:
            raise ValueError(
                f"{split!r} is no split of this mixture, which has the tasks "
                f"{', '.join(self.components)}: write {next(iter(self.components))}/ and its split"
            )
        return self.components[name]

    def _own(self, example: Example) -> tuple[Task, Example]:
        """The task of an example, and the example as that knows it."""
        origin = example.reference
        own = replace(example, id=origin.id, reference=origin.reference)
        return self.components[origin.component].task, own

    def _own_answer(self, answer: Answer) -> tuple[Task, Answer]:
        task, example = self._own(answer.example)
        return task, answer._replace(example=example)

    def _score(self, answers: Sequence[Answer], *, in_full: bool) -> Scores:
        rows: dict[str, list[int]] = defaultdict(list)
        for row, answer in enumerate(answers):
            rows[answer.example.reference.component].append(row)
        verdicts = {}
        for name, those in rows.items():
            task = self.components[name].task
            own = [self._own_answer(answers[row])[1] for row in those]
            verdicts[name] = task.score_in_full(own) if in_full else task.score(own)
        if not answers[0].example.reference.is_joined:
            return next(iter(verdicts.values()))
        return together(verdicts, rows, len(answers))
