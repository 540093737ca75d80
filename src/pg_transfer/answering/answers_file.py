"""A file of answers as they come, behind which a call that was cut short can be gone on with."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pg_transfer.answering.asked import Request
from pg_transfer.answering.given_images import GivenImages
from pg_transfer.answering.manner import Manner
from pg_transfer.answering.model import AnsweringModel
from pg_transfer.process.locking import has_locked
from pg_transfer.process.whole_files import write_whole
from pg_transfer.training.answers_so_far import digest_of_weights
from pg_transfer.training.digests import short_digest

ANSWERS = "answers.jsonl"
UNFINISHED = f"{ANSWERS}.part"
"""What they are called until the last has come."""
MADE_BY = "made_by.json"
"""All that they depend on: a call of which that differs does not go on with them."""

COLUMNS = {"prompt", "answer", "boxes", "malformed", "picture"}
"""Of a row, what is looked at in going on."""


class AnswersFile:
    """Answers in `folder`, which one process writes.

    Args:
        folder: for them; made if need be.
        made_by: all that they depend on.

    Attributes:
        rows: those that are there, to the last whole one.
    """

    def __init__(self, folder: Path, made_by: Mapping[str, Any]) -> None:
        self.folder, self.made_by = folder, dict(made_by)
        self.rows: list[dict[str, Any]] = []
        self._lengths: list[int] = []

    def __enter__(self) -> AnswersFile:
        """Opens it, at its end.

        Raises:
            ValueError: there are answers that were made by something else, or that are being made.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        self._file = (self.folder / UNFINISHED).open("a+b")
        try:
            if not has_locked(self._file, with_children=True):
                raise ValueError(
                    f"another process is writing answers to {self.folder}; choose another folder "
                    f"with --to, or wait for its end"
                )
            refuse_taken(self.folder)
            self._read()
            if self.rows:
                self._refuse_others()
            else:
                text = json.dumps(self.made_by, indent=1, ensure_ascii=False)
                write_whole(self.folder / MADE_BY, [text, "\n"])
        except BaseException:
            self._file.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def keep(self, count: int) -> None:
        """Goes on behind so many rows; the others are to be answered again."""
        del self.rows[count:]
        self._file.truncate(sum(self._lengths[:count]))

    def add(self, row: Mapping[str, Any]) -> None:
        """Adds an answer.

        Raises:
            OSError: the disk is full, for one; with the file's name.
        """
        try:
            self._file.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")
            self._file.flush()
        except OSError as error:  # of which writing does not say where
            error.filename = str(self.folder / UNFINISHED)
            raise

    def finish(self) -> None:
        """Gives the file its name, once all that was asked is in it."""
        os.fsync(self._file.fileno())
        (self.folder / UNFINISHED).rename(self.folder / ANSWERS)

    def _read(self) -> None:
        self._file.seek(0)
        # Behind the last line end is what a kill has cut short.
        for line in self._file.read().split(b"\n")[:-1]:
            row = _parse(line)
            if row is None:
                break
            self.rows.append(row)
            self._lengths.append(len(line) + 1)

    def _refuse_others(self) -> None:
        try:
            there = json.loads((self.folder / MADE_BY).read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            there = None
        if there == self.made_by:
            return
        there = there if isinstance(there, dict) else {}
        changed = "; ".join(
            f"{key}: {there.get(key)} there, {value} now"
            for key, value in self.made_by.items()
            if there.get(key) != value
        )
        raise ValueError(
            f"{self.folder} holds {len(self.rows):,} answer(s) of a call that was cut short, and "
            f"this one asks otherwise ({changed}): repeat that call to go on with it, or choose "
            f"another folder with --to"
        )


def _parse(line: bytes) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) and row.keys() >= COLUMNS else None


def refuse_taken(folder: Path) -> None:
    """Raises ValueError if there is a whole file of answers in it."""
    if (folder / ANSWERS).exists():
        raise ValueError(f"{folder} holds {ANSWERS} already; choose another folder with --to")


def all_it_depends_on(
    model: AnsweringModel, manner: Manner, requests: Sequence[Request], *, draw: bool
) -> dict[str, Any]:
    """What rows depend on, to be compared and for a person to read.

    Args:
        model: that is asked.
        manner: how.
        requests: what.
        draw: whether answers are drawn.
    """
    asked = (json.dumps([*map(str, one.images), one.prompt]).encode() for one in requests)
    device = model.loaded.model.lm_head.weight.device.type
    return {
        "requests": f"{len(requests):,} ({short_digest(asked)})",
        "weights": digest_of_weights(model.loaded.model),
        "resolution": model.loaded.resolution,
        "device": device,
        "masks": model.codec is not None,
        "pictures": draw,
        **asdict(manner),
    }


def answered_already(
    rows: Sequence[Mapping[str, Any]], requests: Sequence[Request], images: GivenImages, batch: int
) -> tuple[int, int]:
    """How many rows stay, and how many requests they have dealt with: whole batches of them.

    A request without a row was left out; it still is if its image still cannot be read.
    """
    dealt = [0]
    for number, request in enumerate(requests, start=1):
        if len(dealt) > len(rows):
            break
        row = rows[len(dealt) - 1]
        if row.items() >= {**request.named, "prompt": request.prompt}.items():
            dealt.append(number)
        elif images.read(request.images) is not None:
            break
    kept = (len(dealt) - 1) // batch * batch
    return kept, dealt[kept]
