"""Whether the letter of the right choice was said, in a sentence of a fixed form.

Source: big_vision evaluators/proj/paligemma/transfers/science_qa.py, after the official
evaluation of ScienceQA (Lu et al. 2022, arXiv:2209.09513).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from pg_transfer.metrics.averages import averaged, require_as_many
from pg_transfer.task import Scores

_SENTENCE = re.compile(r"the answer is ([a-z])\.")


def letter_of(answer: str) -> str | None:
    """The letter, in lower case, of an answer that begins with "The answer is X."; else None.

    Case does not matter, nor what follows.
    """
    match = _SENTENCE.match(answer.lower())
    return match[1] if match else None


def score_letters(answers: Sequence[str], truths: Sequence[str]) -> Scores:
    """The verdict on answers to a split, where truths are sentences of that form as well.

    Returns:
        In percent `accuracy` and `parsefail`, how many have no letter and are wrong thereby; for
        each answer the same, 0 or 1.

    Raises:
        ValueError: no answers, not as many truths, or a truth without a letter.
    """
    require_as_many(answers, truths=truths)
    letters = [letter_of(truth) for truth in truths]
    if None in letters:
        raise ValueError(f"the truth {truths[letters.index(None)]!r} does not say a letter")
    said = [letter_of(answer) for answer in answers]
    return averaged([
        {"accuracy": float(one == letter), "parsefail": float(one is None)}
        for one, letter in zip(said, letters, strict=True)
    ])  # fmt: skip
