"""What a transfer task is: examples to learn from, and a score for the answers given."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Literal, NamedTuple, TypeVar

import numpy as np

T = TypeVar("T")

ONE_TEXT = "its suffixes are the text {!r}, and not several of them; of one write (text,)"
"""What to say of one text in the place of suffixes, whose letters would be the answers."""

OneImage = Path | Callable[[], np.ndarray]
"""A file to open, or a function that makes the pixels: uint8 [H, W, 3]."""


class Clip(ABC):
    """A stretch of a video, of which the model sees some frames in their order.

    Equal ones show the same.

    Attributes:
        path: of the video.
        count: of the frames that the model sees.
    """

    path: Path
    count: int

    @abstractmethod
    def frames(self, draw: Draw | None = None) -> Iterator[np.ndarray]:
        """`count` of its frames, uint8 [H, W, 3]; fewer, but one at least, if it is too short.

        Args:
            draw: says where they begin; without it they do with the first frame.

        Raises:
            FileNotFoundError: there is no such video.
            ValueError: it cannot be read; perhaps after some frames.
        """

    def repeated(self, frames: Sequence[T]) -> list[T]:
        """`count` of these; if they are too few, they come again from the first on."""
        return [frames[place % len(frames)] for place in range(self.count)]


Image = OneImage | tuple[OneImage, ...] | Clip
"""What an example is about: mostly one image; or several, which the model sees in this order; or a
video."""


@dataclass(frozen=True, slots=True)
class Example:
    """One image, one request about it, and what a right answer looks like.

    Attributes:
        id: unique within its split; answers gathered from many processes are deduplicated by it.
        image: the file to open, or a function that draws it; or several of these; or a clip.
        prefix: the request, e.g. "answer en what brand is this?", without the closing newline.
        suffixes: the acceptable answers; each epoch trains on another one of them.
        reference: whatever else the task's `target` and `score` need, e.g. polygons.
    """

    id: str
    image: Image
    prefix: str = ""
    suffixes: tuple[str, ...] = ()
    reference: Any = None

    def __post_init__(self) -> None:
        """Raises TypeError at one text as `suffixes`, whose letters would be the answers."""
        if isinstance(self.suffixes, str):
            raise TypeError(f"example {self.id!r}: {ONE_TEXT.format(self.suffixes)}")

    @property
    def images(self) -> tuple[OneImage, ...]:
        """The image, or all of them; the file of a video, which is no image itself."""
        if isinstance(self.image, Clip):
            return (self.image.path,)
        return self.image if isinstance(self.image, tuple) else (self.image,)

    @property
    def seen(self) -> int:
        """How many images the model sees."""
        return self.image.count if isinstance(self.image, Clip) else len(self.images)


class Target(NamedTuple):
    """The request and the answer that one epoch trains on."""

    prefix: str
    suffix: str


class Answer(NamedTuple):
    """What the model said about an example.

    Attributes:
        example: what was asked.
        text: the decoded answer up to the end of sequence; not stripped.
        pieces: the tokens it is made of, spelled out one by one. Where only a text is at hand
            (a file of answers), `pieces_of(text)`.
    """

    example: Example
    text: str
    pieces: tuple[str, ...]


def pieces_of(text: str) -> tuple[str, ...]:
    """The tokens of an answer known only as text: `<loc…>` and `<seg…>` whole, else characters."""
    return tuple(re.findall(r"<loc\d{4}>|<seg\d{3}>|.", text, flags=re.DOTALL))


class Outline(NamedTuple):
    """Something to draw into a picture of an answer.

    Attributes:
        kind: what was given as an answer, or what should have been.
        box: ymin, xmin, ymax, xmax as fractions of the image's height and width.
        mask: bool [H, W] at the image's own size.
        label: what it is called; empty where the request names it.
    """

    kind: Literal["answer", "truth"]
    box: tuple[float, float, float, float]
    mask: np.ndarray | None = None
    label: str = ""


class Scores(NamedTuple):
    """A task's verdict on the answers to a whole split.

    Attributes:
        metrics: named results, fractions in percent, counts as int; the first is the one that
            the paper reports.
        examples: for every answer, in order, its own named scores.
        remarks: what a reader of these has to know, in sentences; e.g. a metric that is left out.
        parts: for every answer, numbers that `Task.formulas` need and nobody else; may be empty.
    """

    metrics: dict[str, float]
    examples: list[dict[str, float]]
    remarks: Sequence[str] = ()
    parts: Sequence[Mapping[str, float]] = ()

    def only(self, names: Mapping[str, str]) -> Scores:
        """Some of the metrics, each as the name that `names` gives it; all of them examples'."""
        return self._replace(
            metrics={new: self.metrics[old] for old, new in names.items()},
            examples=[{new: one[old] for old, new in names.items()} for one in self.examples],
        )


@dataclass(frozen=True, slots=True)
class Draw:
    """Reproducible random choices for one example in one epoch: equal after a resume.

    Attributes:
        seed: the run's seed.
        example_id: `Example.id`.
        epoch: how often this example has been seen before.
    """

    seed: int
    example_id: str
    epoch: int

    def without_replacement(self, options: Sequence[T]) -> T:
        """One of `options`; n epochs in a row use each of n options once.

        The order is a fresh permutation in every round (big_vision pp/ops_general.py,
        choice_no_replacement).
        """
        if not options:
            raise ValueError(f"example {self.example_id!r} has nothing to choose from")
        turn, place = divmod(self.epoch, len(options))
        return options[self._generator("order", turn).permutation(len(options))[place]]

    def uniform(self, options: Sequence[T]) -> T:
        """One of `options`, independent of other epochs."""
        if not options:
            raise ValueError(f"example {self.example_id!r} has nothing to choose from")
        return options[int(self._generator("choice", self.epoch).integers(len(options)))]

    def number(self, below: int) -> int:
        """One from 0 on, independent of other epochs and of what else is drawn."""
        return int(self._generator("number", self.epoch).integers(below))

    def shuffled(self, options: Sequence[T]) -> list[T]:
        """All of `options` in an order that is independent of other epochs'."""
        order = self._generator("shuffle", self.epoch).permutation(len(options))
        return [options[place] for place in order]

    def _generator(self, purpose: str, turn: int) -> np.random.Generator:
        words = f"{purpose}\0{self.seed}\0{self.example_id}\0{turn}".encode()
        return np.random.default_rng(int.from_bytes(sha256(words).digest()[:16], "big"))


class Share(NamedTuple):
    """A part of a training split that several data sets make up.

    Attributes:
        name: of the data set.
        examples: how many of the split's rows are of it.
        weight: how often one of them comes, as against one of the others.
    """

    name: str
    examples: int
    weight: float


Formula = Callable[[Mapping[str, Any]], Any]
"""A metric, given the mean of each of the examples' scores and parts, over those examples that have
it; works on floats as on arrays of them."""


Submission = list[dict[str, Any]] | dict[str, Any]
"""What a benchmark's server takes: rows, or an object by the ids of the examples."""


class Task(ABC):
    """A benchmark to transfer to. Subclasses live in `tasks/`, one file each.

    Attributes:
        formulas: metrics that are not simply 100 times the mean of the examples' scores of that
            name. A metric that follows from the examples' scores in neither way has no interval in
            the report.
        sizes: how many examples splits have in the paper; the report says where there are others.
        unscored: splits to learn from whose answers cannot be scored, and why, in a sentence.
        request: what every image is asked, or its template, where the data chose it; else None.
        seen: how many images the model sees of an example, unless there is a setting `frames`; None
            where only the data tell.
    """

    formulas: ClassVar[Mapping[str, Formula]] = {}
    sizes: Mapping[str, int] = MappingProxyType({})
    unscored: Mapping[str, str] = MappingProxyType({})
    request: str | None = None
    seen: ClassVar[int | None] = 1

    @abstractmethod
    def examples(self, split: str) -> Sequence[Example]:
        """The examples of `split`, in a fixed order.

        Raises:
            ValueError: no such split; the message names those there are.
        """

    def target(self, example: Example, draw: Draw) -> Target:
        """What to learn from a training example this time: by default, suffixes in turn."""
        return Target(example.prefix, draw.without_replacement(example.suffixes))

    def makes_target(self, example: Example) -> bool:
        """Whether `target` makes up what is learnt of it, rather than take one of its suffixes."""
        return type(self).target is not Task.target

    def annotated_size(self, example: Example) -> tuple[int, int] | None:
        """Width and height in pixels of the image that the example's boxes or masks are made for.

        None where there are none, or nothing says so.
        """
        return None

    def require_image(  # noqa: B027  (most need none)
        self, example: Example, size: tuple[int, int], *, is_on_its_side: bool
    ) -> None:
        """Raises ValueError if the first image is not the one that `reference` is about.

        It is called whenever the image is read, or taken as it was read before. By default nothing
        is looked at.

        Args:
            example: whose image it is.
            size: its width and height in pixels, as it is stored.
            is_on_its_side: its EXIF asks to show the width as the height, which is not obeyed.
        """

    @abstractmethod
    def score(self, answers: Sequence[Answer]) -> Scores:
        """The verdict on the answers to a split; of one without ground truth a count alone.

        It is asked for again and again while a run trains, and its first metric says which
        weights and which trials of a sweep are the best: the more of it, the better. An error
        comes first as what is right (100 less a percentage) or below zero.
        """

    def score_in_full(self, answers: Sequence[Answer]) -> Scores:
        """As `score`, with metrics that take too long to be worked out in the midst of training.

        By default there are none.
        """
        return self.score(answers)

    def submission(self, answers: Sequence[Answer]) -> Submission | None:
        """The answers as the benchmark's server or evaluator wants its JSON; None if it has none.

        It is given the same answers as `score`.
        """
        return None

    @property
    def departures(self) -> Sequence[str]:
        """How the data at hand differ from the paper's, in sentences for whoever reads the scores.

        Not empty, they forbid to hold a score against the published one without a word.
        """
        return ()

    @property
    def findings(self) -> Sequence[str]:
        """What was found in the data and chosen by looking, in lines for whoever starts a run."""
        return ()

    def shares_of(self, split: str) -> Sequence[Share]:
        """What a training split is mixed of, in the order of its rows; empty if of one thing."""
        return ()

    def formulas_of(self, split: str) -> Mapping[str, Formula]:
        """`formulas` for the metrics of a split; they are the same for all, unless a task mixes."""
        return self.formulas

    def component(self, example: Example) -> str:
        """Which of several benchmarks an example is of, in a task of more than one.

        Empty for the task's own: for all examples, unless a task says so.
        """
        return ""

    def kind(self, example: Example) -> str:
        """What the benchmark counts the example among, e.g. a type of question; empty for none."""
        return ""

    def outlines(self, answer: Answer) -> list[Outline]:
        """What a picture of the answer shows besides its text: nothing, unless a task says so."""
        return []
