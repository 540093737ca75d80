"""Whether a count is right, in digits or in words.

Source: big_vision evaluators/proj/paligemma/transfers/tallyqa.py (TallyQA and CountBenchQA).
"""

from __future__ import annotations

from collections.abc import Sequence

from pg_transfer.metrics.averages import require_as_many
from pg_transfer.task import Scores

KINDS = ("simple", "complex")
"""Of questions, in the order in which their accuracies are published."""

_WORDS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
    "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
    "twenty",
)  # fmt: skip
_DIGITS = {"none": "0", **{word: str(number) for number, word in enumerate(_WORDS)}}


def in_digits(text: str) -> str:
    """A number that is spelled out, "Two", as "2"; any other text as it is: "two dogs", " two"."""
    return _DIGITS.get(text.lower(), text)


def score_counts(answers: Sequence[str], truths: Sequence[str], kinds: Sequence[str]) -> Scores:
    """The verdict on answers to a split.

    Args:
        answers: as the model gave them.
        truths: the counts.
        kinds: of the questions, each of `KINDS`, or empty where it is not known.

    Returns:
        In percent `accuracy_simple` and `accuracy_complex`, as far as there are such questions, and
        `accuracy`; for each answer `accuracy` and that of its kind, 0 or 1.

    Raises:
        ValueError: no answers, or not as many truths or kinds.
    """
    require_as_many(answers, counts=truths, kinds=kinds)
    examples = []
    for answer, truth, kind in zip(answers, truths, kinds, strict=True):
        is_right = float(in_digits(answer) == in_digits(truth))
        of_kind = {f"accuracy_{kind}": is_right} if kind else {}
        examples.append({**of_kind, "accuracy": is_right})
    metrics = {}
    for name in (*(f"accuracy_{kind}" for kind in KINDS), "accuracy"):
        scores = [one[name] for one in examples if name in one]
        if scores:
            metrics[name] = 100 * sum(scores) / len(scores)
    return Scores(metrics, examples)
