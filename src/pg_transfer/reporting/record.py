"""What an evaluation leaves behind: answers, a server's file, a picture and a page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from pg_transfer.reporting.answers import write_answers, write_submission
from pg_transfer.reporting.page import Side, sampled, write_page
from pg_transfer.reporting.pictures import draw_answers
from pg_transfer.task import Task


class Record(NamedTuple):
    """Where the parts for people to look at lie; None for what was not asked for."""

    picture: Path | None
    page: Path | None


def write_record(
    folder: Path,
    name: str,
    task: Task,
    sides: Sequence[Side],
    *,
    split: str,
    pictured: int,
    page: int,
    page_name: str | None = None,
) -> Record:
    """Fills `answers/`, `pictures/` and `pages/` below the folder of a run.

    Args:
        folder: of the run.
        name: of the files, without their endings.
        task: whose examples were answered.
        sides: the answers with their scores; on the page alone, those to compare them with.
        split: what was answered.
        pictured: answers in the picture; 0 for none.
        page: the most examples on the page; 0 for none.
        page_name: of the page, where it is another one.
    """
    _, answers, scores = sides[0]
    write_answers(folder / "answers" / f"{name}.jsonl", answers, scores)
    submission = task.submission(answers)
    if submission is not None:
        write_submission(folder / "answers" / f"{name}.submission.json", submission)
    picture_path = page_path = None
    if pictured:
        picture_path = folder / "pictures" / f"{name}.png"
        rows = sampled(len(answers), pictured)
        draw_answers(task, [(answers[row], scores.examples[row]) for row in rows], picture_path)
    if page:
        page_path = folder / "pages" / f"{page_name or name}.html"
        write_page(page_path, task, sides, split=split, most=page)
    return Record(picture_path, page_path)
