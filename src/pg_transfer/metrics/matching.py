"""Whether a short answer matches: three people saying so, almost the same spelling or amount.

Sources: big_vision evaluators/proj/paligemma/transfers/vqa.py (OKVQA, A-OKVQA, VizWiz, DocVQA,
InfoVQA, ST-VQA and others) and chartqa.py. Some tasks compare in lower case; that is theirs to do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pg_transfer.metrics.averages import (
    averaged,
    averaged_by_group,
    mean_of_groups,
    require_as_many,
)
from pg_transfer.metrics.vqa import ENOUGH
from pg_transfer.task import Formula, Scores

LARGEST_DISTANCE = 0.5
"""Spellings that differ by so much, as a fraction of the longer one, have nothing in common."""

LARGEST_ERROR = 0.05
"""Of an amount, as a fraction of it."""


def agreement(answer: str, truths: Sequence[str]) -> float:
    """The number of people who said the same, as a fraction of `ENOUGH`, at most 1."""
    return min(1.0, truths.count(answer) / ENOUGH)


def anls(answer: str, truth: str) -> float:
    """How similar two spellings are, 0..1: one less the edits per letter, if these are few.

    Source: Biten et al. 2019, arXiv:1907.00490, equation 1.
    """
    if not truth:
        return float(not answer)
    longer = max(len(answer), len(truth))
    if abs(len(answer) - len(truth)) / longer >= LARGEST_DISTANCE:
        return 0.0  # it takes as many edits at least, which need not be counted
    distance = _edits(answer, truth) / longer
    return 1 - distance if distance < LARGEST_DISTANCE else 0.0


def is_close(answer: str, truth: str) -> bool:
    """Whether an amount is right but for five percent, or anything else entirely.

    Amounts are what Python reads as a number, and percentages: "50%" is 0.5, and "1,000" none.
    Zero has to be spelled as in the truth. Source: Masry et al. 2022, arXiv:2203.10244, 5.1.
    """
    said, true = _amount(answer), _amount(truth)
    if said is None or not true:
        return answer == truth
    return abs(said - true) / abs(true) <= LARGEST_ERROR


def score_matches(answers: Sequence[str], truths: Sequence[Sequence[str]]) -> Scores:
    """The verdict on answers to a split with several truths for each question.

    Returns:
        In percent `accuracy` (three truths make an answer right), `accuracy_any` (one does) and
        `anls` (with the most similar one); for each answer the same, 0..1.

    Raises:
        ValueError: no answers, not as many lists of truths, or an empty one.
    """
    require_as_many(answers, truths=truths)
    if not all(truths):
        raise ValueError("a question has no true answer to compare with")
    return averaged(
        [
            {
                "accuracy": agreement(answer, texts),
                "accuracy_any": float(answer in texts),
                "anls": 1.0 if answer in texts else max(anls(answer, text) for text in texts),
            }
            for answer, texts in zip(answers, truths, strict=True)
        ]
    )


def score_exact(answers: Sequence[str], truths: Sequence[Sequence[str]]) -> Scores:
    """The verdict on answers to a split of which each has to be one of several truths.

    Returns:
        `accuracy` in percent; for each answer 0 or 1.

    Raises:
        ValueError: no answers, or not as many lists of truths.
    """
    require_as_many(answers, truths=truths)
    return averaged(
        [
            {"accuracy": float(answer in texts)}
            for answer, texts in zip(answers, truths, strict=True)
        ]
    )


def score_amounts(answers: Sequence[str], truths: Sequence[str]) -> Scores:
    """The verdict on answers to a split where amounts need not be right to the last digit.

    Returns:
        In percent `relaxed_accuracy` (see `is_close`) and `accuracy`; for each answer 0 or 1.

    Raises:
        ValueError: no answers, or not as many truths.
    """
    require_as_many(answers, truths=truths)
    return averaged(
        [
            {
                "relaxed_accuracy": float(is_close(answer, truth)),
                "accuracy": float(answer == truth),
            }
            for answer, truth in zip(answers, truths, strict=True)
        ]
    )


def score_amounts_by_part(
    answers: Sequence[str], truths: Sequence[str], parts: Sequence[str]
) -> Scores:
    """The verdict on answers to a split of several parts, each of which counts the same.

    Args:
        answers: as they are compared.
        truths: likewise.
        parts: for each question the name of its part.

    Returns:
        In percent `relaxed_accuracy`, the mean of the parts' relaxed accuracies,
        `relaxed_accuracy_<part>`, and `accuracy`, of all answers; for each answer 0 or 1.

    Raises:
        ValueError: no answers, or not as many truths or parts.
    """
    require_as_many(answers, parts=parts)
    whole = score_amounts(answers, truths)
    name = "relaxed_accuracy"
    of_parts = averaged_by_group(name, [one[name] for one in whole.examples], parts)
    average = {name: mean_of_groups(name, of_parts.metrics)}
    return Scores(
        of_parts.metrics | average | {"accuracy": whole.metrics["accuracy"]},
        [one | its for one, its in zip(whole.examples, of_parts.examples, strict=True)],
    )


FORMULAS: Mapping[str, Formula] = {
    "relaxed_accuracy": lambda means: 100 * mean_of_groups("relaxed_accuracy", means),
}
"""How this follows from the means of the examples' scores of `score_amounts_by_part`."""


def _edits(text: str, other: str) -> int:
    """How many letters to insert, delete or replace to turn one into the other (Levenshtein)."""
    row = list(range(len(other) + 1))
    for done, letter in enumerate(text, start=1):
        before, row = row, [done]
        for place, wanted in enumerate(other):
            replaced = before[place] + (letter != wanted)
            row.append(min(replaced, before[place + 1] + 1, row[place] + 1))
    return row[-1]


def _amount(text: str) -> float | None:
    try:
        return float(text.rstrip("%")) / 100 if text.endswith("%") else float(text)
    except ValueError:
        return None
