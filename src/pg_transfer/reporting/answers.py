"""Files of answers: one JSON object a line with id, prompt, answer, pieces and scores."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

from pg_transfer.data.json_texts import parse_json, read_lines
from pg_transfer.process.whole_files import write_whole
from pg_transfer.task import Answer, Example, Scores, Submission, pieces_of


def write_answers(path: Path, answers: Sequence[Answer], scores: Scores) -> None:
    """Saves answers with their scores; a crash leaves the old file or none, never half of one."""
    rows = (
        {
            "id": answer.example.id,
            "prompt": answer.example.prefix,
            "answer": answer.text,
            "pieces": answer.pieces,
            "scores": graded,
        }
        for answer, graded in zip(answers, scores.examples, strict=True)
    )
    write_whole(path, (json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def write_submission(path: Path, submission: Submission) -> None:
    """Saves what `Task.submission` gave as JSON, as safely."""
    write_whole(path, [json.dumps(submission, ensure_ascii=False)])


def file_name(split: str) -> str:
    """How files about a split begin: "refcoco-val", "train-1280" for "train[:1280]"."""
    return re.sub(r"[^\w+%.]+", "-", split).strip("-")


def read_answers(path: Path, examples: Sequence[Example]) -> list[Answer]:
    """The answers to `examples`, in their order.

    A row needs `id` and `answer`; `pieces` are taken from the text where they are missing.

    Raises:
        ValueError: a line that is no such row, an answer given twice or to no example, or an
            example without an answer: a score over a part of a split is no score of the split.
    """
    given: dict[str, Answer] = {}
    known = {example.id: example for example in examples}
    for number, line in enumerate(read_lines(path), start=1):
        example_id, text, pieces = _parse(line, f"{path}, line {number}")
        if example_id not in known:
            raise ValueError(
                f"{path}, line {number}: no example of this split has the id {example_id!r}; "
                f"is it the right split?"
            )
        if example_id in given:
            raise ValueError(f"{path}, line {number}: a second answer for {example_id!r}")
        given[example_id] = Answer(known[example_id], text, pieces)
    missing = [example.id for example in examples if example.id not in given]
    if missing:
        raise ValueError(
            f"{path}: {len(missing)} of {len(examples)} examples have no answer, the first is "
            f"{missing[0]!r}; a split is scored whole or not at all"
        )
    return [given[example.id] for example in examples]


def _parse(line: str, place: str) -> tuple[str, str, tuple[str, ...]]:
    try:
        row = parse_json(line)
        example_id, text = row["id"], row["answer"]
        pieces = row.get("pieces") or pieces_of(text)
        if not all(isinstance(piece, str) for piece in pieces):
            raise TypeError("`pieces` are no texts")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(
            f'{place}: not a row such as {{"id": "7", "answer": "two"}} ({error})'
        ) from error
    if not (isinstance(example_id, str) and isinstance(text, str)):
        raise ValueError(f"{place}: `id` and `answer` have to be strings")
    return example_id, text, tuple(pieces)
