r"""Conversations about an image, as LLaVA and chats have them, to questions with answers.

    {"image": "1.jpg", "conversations": [{"from": "human", "value": "<image>\nWhat is it?"},
                                         {"from": "gpt", "value": "A cat."}]}
    {"images": ["1.jpg"], "messages": [{"role": "user", "content": [
        {"type": "image"}, {"type": "text", "text": "What is it?"}]}, ...]}

PaliGemma answers one question: each, with its answer, is a row of its own, whatever came before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from pg_transfer.data.release import tried
from pg_transfer.own_data.columns import OTHER_NAMES, as_list
from pg_transfer.own_data.rows import Row, Source

ROLE = "conversation"
PREFIX, SUFFIX, IMAGE, IMAGES = "prefix", "suffix", "image", "images"

ASKING = ("human", "user")
ANSWERING = ("gpt", "assistant", "model")
PLACEHOLDER = "<image>"


class Message(NamedTuple):
    """What was said at once.

    Attributes:
        asks: it is a question; otherwise an answer.
        text: of it, without what stands for images.
        images: that it names.
        placeholders: how many stand for an image that is named elsewhere.
    """

    asks: bool
    text: str
    images: list[Any]
    placeholders: int


def conversation_column(source: Source, given: Mapping[str, str], suffix: str | None) -> str | None:
    """The column of conversations; None if there is none, or answers are in another one.

    Args:
        source: the data.
        given: the columns that a user says have some roles.
        suffix: the template of the answer, if a user has written one.
    """
    if ROLE in given:
        return given[ROLE] if given[ROLE] in source.columns else None
    others = (PREFIX, "suffixes", *OTHER_NAMES["suffixes"], SUFFIX, *OTHER_NAMES[SUFFIX])
    objects = ("boxes", *OTHER_NAMES["boxes"], "masks")
    is_elsewhere = {"suffix", "suffixes", "boxes", "masks"} & given.keys()
    if suffix is not None or is_elsewhere or {*others, *objects} & set(source.columns):
        return None
    return next((name for name in (ROLE, *OTHER_NAMES[ROLE]) if name in source.columns), None)


def unrolled(source: Source, column: str, *, id_column: str) -> Source:
    """The rows with a question, `prefix`, and its answer, `suffix`, in place of conversations.

    Args:
        source: the data.
        column: of the conversations.
        id_column: whose values become those of several rows, "7-1" and "7-2".
    """
    dropped = {column, IMAGES, PREFIX, SUFFIX}
    kept = [name for name in source.columns if name not in dropped]

    def rows() -> Iterator[Row]:
        for row in source.rows():
            yield from tried(_questions, row, column, id_column) or ()

    first = next(rows(), None)
    if IMAGE not in kept and first is not None and IMAGE in first.values:
        kept.append(IMAGE)
    columns = (*kept, PREFIX, SUFFIX)
    return replace(source, kind=f"{source.kind} of conversations", columns=columns, rows=rows)


def _questions(row: Row, column: str, id_column: str) -> list[Row]:
    """A row for each question.

    Raises:
        ValueError: it is no conversation about one image.
    """
    try:
        messages = [
            _message(number, one)
            for number, one in enumerate(_listed(column, row.values.get(column)), start=1)
        ]
        _require_turns(messages)
        values = dict(row.values) | _image(row.values, messages)
    except ValueError as error:
        raise ValueError(f"{row.place}: {error}") from error
    for name in (column, IMAGES):
        values.pop(name, None)
    answers = [*messages[1::2], None]
    found = []
    for number, (question, answer) in enumerate(zip(messages[::2], answers, strict=False), start=1):
        own: dict[str, Any] = {PREFIX: question.text, SUFFIX: answer and answer.text}
        place = row.place
        if len(messages) > 2:
            place += f", question {number}"
            if values.get(id_column) not in (None, ""):
                own[id_column] = f"{values[id_column]}-{number}"
        found.append(row._replace(place=place, values=values | own))
    return found


def _listed(column: str, cell: Any) -> list[Any]:
    those = as_list(cell)
    if not isinstance(those, list) or not those:
        raise ValueError(
            f"`{column}` is {those!r:.60}, not a list of messages with `from` and `value`, or with "
            f"`role` and `content`"
        )
    return those


def _message(number: int, said: Any) -> Message:
    for speaker, content in (("from", "value"), ("role", "content")):
        if isinstance(said, Mapping) and {speaker, content} <= said.keys():
            break
    else:
        raise ValueError(
            f"message {number} is {said!r:.60}: it has neither `from` and `value` nor `role` and "
            f"`content`"
        )
    if said[speaker] not in (*ASKING, *ANSWERING):
        raise ValueError(
            f"message {number} is of {said[speaker]!r:.40}: there may be "
            f"{' or '.join(ASKING)}, who ask, and {' or '.join(ANSWERING)}, who answer. PaliGemma "
            f"has no place for others: leave the message out"
        )
    parts = said[content]
    if isinstance(parts, str):
        parts = [{"type": "text", "text": parts}]
    if not isinstance(parts, list):
        raise ValueError(f"message {number} is {parts!r:.60}, neither a text nor a list of parts")
    texts: list[str] = []
    images: list[Any] = []
    placeholders = 0
    for part in parts:
        text, named = _part(number, part)
        placeholders += text.count(PLACEHOLDER)
        texts.append(text.replace(PLACEHOLDER, "").strip())
        images += [] if named is None else [named]
    whole = "\n".join(filter(None, texts))
    return Message(said[speaker] in ASKING, whole, images, placeholders)


def _part(number: int, part: Any) -> tuple[str, Any]:
    """A part's text, and the image that it names; one that stands for an image is `PLACEHOLDER`."""
    kind = part.get("type") if isinstance(part, Mapping) else None
    if kind == "text" and isinstance(part.get("text"), str):
        return part["text"], None
    if kind in (IMAGE, "image_url"):
        named = next(
            (part[name] for name in (IMAGE, "image_url", "path", "url") if part.get(name)), None
        )
        named = named.get("url") if isinstance(named, Mapping) else named
        return (PLACEHOLDER, None) if named is None else ("", named)
    raise ValueError(
        f"message {number} has a part {part!r:.60}, neither "
        '{"type": "text", "text": "..."} nor {"type": "image"}'
    )


def _require_turns(messages: list[Message]) -> None:
    for number, message in enumerate(messages, start=1):
        if message.asks != bool(number % 2):
            what = "a question" if message.asks else "an answer"
            raise ValueError(
                f"message {number} is {what}: questions and answers take turns, a question first"
            )


def _image(values: Mapping[str, Any], messages: list[Message]) -> dict[str, Any]:
    """The image that all of it is about, where it is not simply that of the column `image`."""
    listed = as_list(values.get(IMAGES)) or []
    if not isinstance(listed, list):
        raise ValueError(f"`{IMAGES}` is {listed!r:.60}, not a list")
    own = [] if values.get(IMAGE) in (None, "") else [values[IMAGE]]
    named = [*own, *listed, *(image for message in messages for image in message.images)]
    count = max(len(named), sum(message.placeholders for message in messages))
    if count > 1:
        raise ValueError(
            f"a conversation about {count} images: it may be about one. Make a row of each "
            f"question, with `{IMAGES}`, `{PREFIX}` and `{SUFFIX}`"
        )
    return {IMAGE: named[0]} if named else {}
