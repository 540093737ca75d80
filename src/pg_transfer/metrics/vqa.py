"""The accuracy of short answers, by the rules of the VQA benchmarks (Antol et al. 2015).

Sources: big_vision evaluators/proj/paligemma/transfers/vqav2.py and rsvqa.py, which follow the
official VQA evaluation. Where that strikes out at most 32 periods of an answer (a flag passed as a
count), this, as the paper's code, strikes out all.

`python -m pg_transfer.metrics.vqa --annotations TextVQA_0.5.1_val.json --results answers.json`
scores a file in the format of the benchmarks' servers.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pg_transfer.metrics.averages import averaged_by_group, mean_of_groups, require_as_many
from pg_transfer.metrics.results import (
    field,
    print_json,
    read_json,
    read_list,
    read_results,
    require_match,
)
from pg_transfer.task import Formula, Scores

ENOUGH = 3
"""So many people who said the same make an answer entirely right."""

UNTYPED = "other"
"""The type of every question of a benchmark without types."""

_PUNCTUATION = ';/[]"{}()=+\\_-><@`,?!'
_ARTICLES = frozenset({"a", "an", "the"})
_NUMBERS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
)  # fmt: skip
# They are corrected where one apostrophe is missing. The official table lists the mistakes; four
# of them have capitals and never match, as answers are in lower case by then.
_CONTRACTIONS = """
    'ow's'at 'twas ain't aren't can't could've couldn't couldn't've didn't doesn't don't hadn't
    hadn't've hasn't haven't he'd he'd've he's how'd how'll how's isn't it'd it'd've it'll ma'am
    might've mightn't mightn't've must've mustn't needn't not've o'clock oughtn't shan't she'd've
    should've shouldn't shouldn't've somebody'd've somebody'll somebody's someone'd someone'd've
    someone'll someone's something'd something'd've something'll that's there'd there'd've there're
    there's they'd they'd've they'll they're they've wasn't we'd've we've weren't what'll what're
    what's what've when's where'd where's where've who'd who'd've who'll who's who've why'll why're
    why's won't would've wouldn't wouldn't've y'all y'all'd've y'all'll you'd you'd've you'll you're
    you've
"""
_CORRECTED = {
    **{
        word[:place] + word[place + 1 :]: word
        for word in _CONTRACTIONS.split()
        for place, letter in enumerate(word)
        if letter == "'"
    },
    "somebody'd": "somebodyd",  # as it is in the official table
    "none": "0",
    **{word: str(number) for number, word in enumerate(_NUMBERS)},
}


def clean(text: str) -> str:
    """An answer as it is compared where people disagree: "The  two!" becomes "2"."""
    has_comma_in_number = re.search(r"\d,\d", text)
    cleaned = text
    for mark in _PUNCTUATION:
        beside_space = f"{mark} " in text or f" {mark}" in text
        cleaned = cleaned.replace(mark, "" if has_comma_in_number or beside_space else " ")
    cleaned = re.sub(r"\.(?!\d)", "", cleaned)
    words = (word for word in cleaned.lower().split() if word not in _ARTICLES)
    return " ".join(_CORRECTED.get(word, word) for word in words)


def accuracy(answer: str, truths: Sequence[str]) -> float:
    """How far people agree with an answer, 0..1: the mean over leaving each of them out in turn.

    It is 0.3, 0.6, 0.9 and 1 if one, two, three or more of ten said the same. Only where people
    disagree is everything cleaned up first, and does case not matter.

    Raises:
        ValueError: fewer than two truths: nothing is left if one is left out.
    """
    if len(truths) < 2:
        raise ValueError(f"answers are compared with those of several people, not of {len(truths)}")
    answer, *truths = (
        text.replace("\n", " ").replace("\t", " ").strip() for text in (answer, *truths)
    )
    if len(set(truths)) > 1:
        answer, *truths = map(clean, (answer, *truths))
    matching = truths.count(answer)
    others = [matching - (truth == answer) for truth in truths]
    return sum(min(ENOUGH, count) for count in others) / (ENOUGH * len(truths))


def score_vqa(
    answers: Sequence[str],
    truths: Sequence[Sequence[str]],
    types: Sequence[str] | None = None,
) -> Scores:
    """The benchmarks' accuracy of the answers to a whole split.

    Args:
        answers: as the model gave them.
        truths: what people answered to each question; ten of them, in these benchmarks.
        types: of the questions' answers, e.g. "yes/no"; without them, all are `UNTYPED`.

    Returns:
        `accuracy` and `accuracy_<type>` in percent; for each answer its own, 0..1.

    Raises:
        ValueError: no answers, not as many truths or types, or a single truth.
    """
    types = [UNTYPED] * len(answers) if types is None else types
    require_as_many(answers, truths=truths, types=types)
    each = [accuracy(*pair) for pair in zip(answers, truths, strict=True)]
    return averaged_by_group("accuracy", each, types)


def score_by_type(answers: Sequence[str], truths: Sequence[str], types: Sequence[str]) -> Scores:
    """How many answers equal the truth, and how many of each type of question.

    Returns:
        In percent `accuracy_average`, the mean of the types' accuracies, `accuracy` and
        `accuracy_<type>`; for each answer `accuracy` and that of its type, 0 or 1.

    Raises:
        ValueError: no answers, or not as many truths or types.
    """
    require_as_many(answers, truths=truths, types=types)
    each = [float(answer == truth) for answer, truth in zip(answers, truths, strict=True)]
    scores = averaged_by_group("accuracy", each, types)
    average = {"accuracy_average": mean_of_groups("accuracy", scores.metrics)}
    return scores._replace(metrics=average | scores.metrics)


FORMULAS: Mapping[str, Formula] = {
    "accuracy_average": lambda means: 100 * mean_of_groups("accuracy", means)
}
"""How this follows from the means of the examples' scores of `score_by_type`."""


class Question(NamedTuple):
    """What people answered to a question, and the type of that."""

    answers: list[str]
    type: str


def read_annotations(path: Path) -> dict[int | str, Question]:
    """The questions of a file of TextVQA or VQAv2, by id.

    Raises:
        ValueError: it is neither, an id comes twice, or a question has fewer than two answers.
    """
    content = read_json(path)
    name = "annotations" if isinstance(content, dict) and "annotations" in content else "data"
    questions: dict[int | str, Question] = {}
    for row in read_list(path, content, name):
        one = field(path, row, "question_id", int, str)
        if one in questions:
            raise ValueError(f"{path}: a second question with the id {one!r}")
        given = field(path, row, "answers", list) if "answers" in row else []
        if len(given) < 2:
            raise ValueError(
                f"{path}: question {one!r} has {len(given)} answers of people; those of test "
                f"splits are kept by the benchmark's server, which alone can score them"
            )
        texts: list[Any] = [
            text.get("answer") if isinstance(text, dict) else text for text in given
        ]
        if not all(isinstance(text, str) for text in texts):
            raise ValueError(f"{path}: question {one!r} has an answer without a text")
        type_ = field(path, row, "answer_type", str) if "answer_type" in row else UNTYPED
        questions[one] = Question(texts, type_)
    return questions


def _score_files(arguments: argparse.Namespace) -> dict[str, float]:
    questions = read_annotations(arguments.annotations)
    results = read_results(arguments.results, key="question_id", value="answer")
    require_match(arguments.results, results, questions, "a split is scored whole or not at all")
    scores = score_vqa(
        [results[one] for one in questions],
        [question.answers for question in questions.values()],
        [question.type for question in questions.values()],
    )
    return scores.metrics


def main(arguments: Sequence[str] | None = None) -> None:
    """Scores files and prints JSON, as told on the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m pg_transfer.metrics.vqa",
        description="Scores answers to questions; prints percentages as JSON.",
    )
    parser.add_argument(
        "--annotations", type=Path, required=True,
        help="TextVQA_0.5.1_val.json or v2_mscoco_val2014_annotations.json",
    )  # fmt: skip
    parser.add_argument(
        "--results", type=Path, required=True, help="a list of {question_id, answer}"
    )
    print_json(_score_files, parser.parse_args(arguments))


if __name__ == "__main__":
    main()
