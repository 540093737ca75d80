"""Answers as they come: an evaluation that was cut short goes on behind its last whole batch."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import starmap
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from pg_transfer.process.whole_files import write_whole
from pg_transfer.task import Clip, Example
from pg_transfer.text.sequence import Cut
from pg_transfer.training.digests import short_digest
from pg_transfer.training.shards import piece


class Given(NamedTuple):
    """An answer, as it was given.

    Attributes:
        row: the example's place in its split.
        text: of the answer.
        pieces: the tokens that it is made of.
        cut: what the text window was too short for.
        fault: why the image could not be read; the answer is then empty.
    """

    row: int
    text: str
    pieces: tuple[str, ...]
    cut: Cut | None = None
    fault: str | None = None


class AnswersSoFar:
    """A file of one process's answers to a split, in the order in which they are asked for.

    The first line says what they were made by; a file that was made by anything else is not gone
    on with. Every batch is written and flushed as soon as it is answered.

    Args:
        path: of the file.
        made_by: all that answers depend on: weights, settings, examples.
    """

    def __init__(self, path: Path, made_by: Mapping[str, Any]) -> None:
        self.path = path
        self.made_by = json.loads(json.dumps(made_by))

    def read(self, examples: Sequence[Example], rows: Sequence[int], *, batch: int) -> list[Given]:
        """The answers to the batches that were answered to the last example.

        Args:
            examples: of the split.
            rows: which of them this process asks for, in order.
            batch: examples in one; the last may be smaller.
        """
        given: list[Given] = []
        for line, row in zip(self._lines(), rows, strict=False):
            answer = _parse(line, row, examples[row].id)
            if answer is None:
                break
            given.append(answer)
        whole = len(given) if len(given) == len(rows) else len(given) // batch * batch
        return given[:whole]

    def _lines(self) -> list[str]:
        if not self.path.is_file():
            return []
        try:
            # A kill may have cut the last line within a letter.
            text = self.path.read_text(encoding="utf-8", errors="replace")
            header, *lines = text.split("\n")
            return lines if json.loads(header) == {"made_by": self.made_by} else []
        except (ValueError, RecursionError):
            return []

    def start(self, examples: Sequence[Example], known: Sequence[Given]) -> None:
        """Begins the file anew, with the answers that are known already."""
        header = json.dumps({"made_by": self.made_by}) + "\n"
        write_whole(self.path, [header, *(_line(examples[one.row], one) for one in known)])

    def add(self, examples: Sequence[Example], given: Sequence[Given]) -> None:
        """Adds a batch.

        Raises:
            OSError: the disk is full, for one; with the file's name.
        """
        lines = "".join(_line(examples[one.row], one) for one in given)
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(lines)
        except OSError as error:  # of which writing does not say where
            error.filename = str(self.path)
            raise

    def remove(self) -> None:
        """Removes the file, when what it holds is safe elsewhere."""
        self.path.unlink(missing_ok=True)


def _line(example: Example, given: Given) -> str:
    row = {
        "id": example.id,
        "prompt": example.prefix,
        "answer": given.text,
        "pieces": given.pieces,
        "cut": given.cut,
        "fault": given.fault,
    }
    return json.dumps(row, ensure_ascii=False) + "\n"


def _parse(line: str, row: int, example_id: str) -> Given | None:
    """The answer; None if the line is cut short, no answer, or about another example."""
    try:
        found = json.loads(line)
        text, pieces = found["answer"], tuple(found["pieces"])
        cut, fault = found["cut"], found["fault"]
        "".join((text, *pieces, cut or "", fault or "")).encode()
        return Given(row, text, pieces, cut, fault) if found["id"] == example_id else None
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def digest_of_weights(model: nn.Module) -> str:
    """Sixteen hexadecimal digits that change with every update.

    A thousand values of each parameter are taken, to the last bit; of a sharded one, of the part
    that this process holds.
    """
    return short_digest(starmap(_thousand_of, model.named_parameters()))


def _thousand_of(name: str, parameter: nn.Parameter) -> bytes:
    values = piece(parameter.detach()).reshape(-1)
    some = values[:: max(1, len(values) // 1000)].contiguous().cpu()
    return name.encode() + some.view(torch.uint8).numpy().tobytes()


def digest_of_prompts(examples: Sequence[Example], rows: Sequence[int]) -> str:
    """Sixteen hexadecimal digits of what is asked about which images, in order."""
    return short_digest(_asked(examples[row]) for row in rows)


def _asked(example: Example) -> bytes:
    files = [str(image) for image in example.images if isinstance(image, Path)]
    if isinstance(example.image, Clip):
        files = [repr(example.image)]  # which says how its frames are chosen
    return json.dumps([example.id, example.prefix, files]).encode()
