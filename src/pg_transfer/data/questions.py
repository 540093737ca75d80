"""Benchmarks of questions about images: each record of a file becomes an example."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from string import ascii_lowercase, ascii_uppercase
from typing import Any, ClassVar, NamedTuple, TypeVar

from pg_transfer.data.packed_examples import Lists, PackedExamples, Repeated, Texts
from pg_transfer.data.release import fault, field, refuse_repeated, tried
from pg_transfer.data.splits import select
from pg_transfer.task import ONE_TEXT, Answer, Example, Image, Scores, Task

Record = Mapping[str, Any]
Made = TypeVar("Made")

_LOWER = str.maketrans(ascii_uppercase, ascii_lowercase)


class Question(NamedTuple):
    """What a record says.

    Attributes:
        id: unique within its split.
        image: how the record names its image, or its images.
        prefix: the request, as `Example.prefix`.
        suffixes: the answers; none in a split that a server scores.
        reference: whatever else the task has to know of it, e.g. the type of the question.
    """

    id: str
    image: Hashable
    prefix: str
    suffixes: tuple[str, ...] = ()
    reference: Hashable = None


class QuestionTask(Task):
    """One example for each question; splits are `splits`, sums and slices of them.

    Attributes:
        title: what the benchmark is called.
        splits: those that it is published in.
    """

    title: ClassVar[str]
    splits: ClassVar[Sequence[str]]

    def examples(self, split: str) -> Sequence[Example]:
        """The questions of `split`, in the order of the files.

        Raises:
            FileNotFoundError: annotations or images are missing.
            ValueError: no such split, or a record that cannot be right.
        """
        return select(split, self._whole)

    def score(self, answers: Sequence[Answer]) -> Scores:
        """The benchmark's metrics; the mere number of answers if a truth is missing."""
        if not all(answer.example.suffixes for answer in answers):
            return Scores({"answered": len(answers)}, [{} for _ in answers])
        return self.verdict(answers)

    @abstractmethod
    def questions(self, split: str) -> Iterable[Question]:
        """Those of one of `splits`, one at a time."""

    @abstractmethod
    def images(self, split: str, names: Sequence[Any]) -> Mapping[Any, Image]:
        """The image, or images, for each of the different `Question.image` of a split."""

    @abstractmethod
    def verdict(self, answers: Sequence[Answer]) -> Scores:
        """The benchmark's metrics, where every example has an answer to compare with."""

    def _whole(self, name: str) -> Sequence[Example]:
        """One of `splits`, which is read once, however many sums and slices it is in."""
        if name not in self.splits:
            known = ", ".join(self.splits)
            raise ValueError(f"{self.title} has no split {name!r}; there are {known}")
        if name not in self._known:
            self._known[name] = self._packed(name)
        return self._known[name]

    @cached_property
    def _known(self) -> dict[str, Sequence[Example]]:
        return {}

    def _packed(self, name: str) -> Sequence[Example]:
        ids, prefixes = Texts(), Texts()
        images: Repeated[Hashable] = Repeated()
        suffixes: Lists[str] = Lists()
        references: Repeated[Hashable] = Repeated()
        for question in self.questions(name):
            if isinstance(question.suffixes, str):  # whose letters would be the answers
                told = ONE_TEXT.format(question.suffixes)
                raise ValueError(f"{self.title}, question {question.id!r}: {told}")
            ids.append(question.id)
            images.append(question.image)
            prefixes.append(question.prefix)
            suffixes.append(question.suffixes)
            references.append(question.reference)
        return PackedExamples(
            ids=ids,
            images=images.exchanged(self.images(name, images.different)),
            prefixes=prefixes,
            suffixes=suffixes,
            references=references,
        )


def read_questions(
    path: Path, records: Iterable[Record], make: Callable[[Record], Question], *, id_field: str
) -> Iterator[Question]:
    """What `make` gives of each record of a file.

    Args:
        path: of the file.
        records: its records.
        make: raises TypeError or ValueError at one that cannot be.
        id_field: what the file calls the id.

    Raises:
        ValueError: a record cannot be, which the error names, or an id comes twice. While all
            faults are wanted (`release.all_faults_wanted`), such records are left out.
    """
    made = naming_faults(path, make, id_field=id_field)
    ids: list[Hashable] = []
    for record in records:
        question = tried(made, record)
        if question is not None:
            ids.append(record.get(id_field, question.id))
            yield question
    refuse_repeated(path, id_field, ids)


def naming_faults(
    path: Path, make: Callable[[Record], Made], *, id_field: str
) -> Callable[[Record], Made]:
    """`make`, of which every TypeError or ValueError becomes one that names file and record."""

    def made(record: Record) -> Made:
        try:
            return make(record)
        except (TypeError, ValueError) as error:
            name = f"{id_field} {record[id_field]!r}" if id_field in record else f"{record!r:.80}"
            raise fault(path, name, str(error)) from error

    return made


def text_of(record: Record, name: str) -> str:
    """A text in a record that says something.

    Raises:
        TypeError: there is none, it is something else, or nothing but space.
    """
    text = field(record, name, str)  # type: ignore[arg-type]
    if not text.strip():
        raise TypeError(f"its {name} is empty")
    return text


def texts_of(record: Record, name: str, *, count: int | None = None) -> tuple[str, ...]:
    """A list of texts in a record, or of objects whose `answer` is one.

    Raises:
        TypeError: there is none, or something else in it; or there are not `count` of them.
    """
    values: list[Any] = [
        one.get("answer") if isinstance(one, dict) else one for one in field(record, name, list)
    ]
    wrong = [one for one in values if not isinstance(one, str)]
    if wrong:
        raise TypeError(f"one of its {name} is {wrong[0]!r:.40}, no text")
    if count is not None and len(values) != count:
        raise TypeError(f"it has {len(values)} {name}, not {count}")
    return tuple(values)


def texts_and_suffixes(answers: Sequence[Answer]) -> tuple[list[str], list[tuple[str, ...]]]:
    """What was answered, and for each answer what people did, as metrics compare them."""
    return [one.text for one in answers], [one.example.suffixes for one in answers]


def lowered(text: str) -> str:
    """In lower case as TensorFlow has it, which knows the letters of ASCII alone."""
    return text.translate(_LOWER)


def with_choices(question: str, choices: Sequence[str]) -> str:
    """The paper's request to choose an answer; the two spaces and the tabulators are its own."""
    listed = " \t ".join(choices)
    return f"answer en  {question} choose from: {listed}"
