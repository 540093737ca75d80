"""Conversations become questions with their answers, one by one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tasks.custom import Custom


def llava(*texts: str) -> list[dict[str, str]]:
    return [{"from": ("human", "gpt")[n % 2], "value": text} for n, text in enumerate(texts)]


def chat(*texts: Any) -> list[dict[str, Any]]:
    return [{"role": ("user", "assistant")[n % 2], "content": text} for n, text in enumerate(texts)]


def text(words: str) -> dict[str, str]:
    return {"type": "text", "text": words}


def task(folder: Path, *rows: dict[str, Any], **settings: Any) -> Custom:
    rows = ({"image": "images/0.png", "split": "val"} | rows[0], *rows)
    lines = [json.dumps({"split": "train"} | row) for row in rows]
    (folder / "my.jsonl").write_text("\n".join(lines))
    return Custom(folder / "my.jsonl", **settings)


def learnt(task: Custom) -> list[tuple[str, str, str, str]]:
    return [
        (one.id, one.image.name, one.prefix, *one.suffixes)  # type: ignore[union-attr]
        for one in task.examples("train")
    ]


def test_each_question_of_a_conversation_is_an_example(folder: Path) -> None:
    made = task(
        folder,
        {"image": "images/1.png", "id": "a", "conversations": llava("<image>\nWhat?", "A cat.")},
        {
            "image": "images/2.png", "id": "b",
            "conversations": llava("Where?\n<image>", "There.", "Why?", "Who knows."),
        },
    )  # fmt: skip
    assert learnt(made) == [
        ("a", "1.png", "What?", "A cat."),
        ("b-1", "2.png", "Where?", "There."),
        ("b-2", "2.png", "Why?", "Who knows."),
    ]
    assert made.findings[0].startswith(
        "data: 4 rows of JSON lines of conversations, columns split, image, id, prefix, suffix; "
    )
    assert made.findings[1] == (
        "request: {prefix}; answer: column suffix; metric: exact (chosen: answers are short)"
    )
    asked = task(
        folder, {"image": "images/1.png", "chat": llava("What?", "A cat.")},
        columns={"conversation": "chat"}, prefix="answer en {prefix}",
    )  # fmt: skip
    assert learnt(asked)[0][2:] == ("answer en What?", "A cat.")


@pytest.mark.parametrize(
    "row",
    [
        {"image": "images/1.png", "messages": chat("What?", "A cat.")},
        {"images": ["images/1.png"], "messages": chat([{"type": "image"}, text("What?")],
                                                     [text("A cat.")])},
        {"messages": chat([{"type": "image", "image": "images/1.png"}, text("What?")], "A cat.")},
        {"messages": chat([text("What?"), {"type": "image_url",
                                           "image_url": {"url": "images/1.png"}}], "A cat.")},
        # As a data set of the library has parts of several kinds.
        {"images": ["images/1.png"],
         "messages": chat([{"type": "image", "text": None}, {"type": "text", "text": "What?"}],
                          "A cat.")},
    ],
    ids=["text", "parts", "image in a part", "address in a part", "empty fields"],
)  # fmt: skip
def test_messages_of_every_form(folder: Path, row: dict[str, Any]) -> None:
    (folder / "my.jsonl").write_text(
        "\n".join(json.dumps(row | {"split": split}) for split in ("train", "val"))
    )
    made = Custom(folder / "my.jsonl")
    assert learnt(made) == [("0", "1.png", "What?", "A cat.")]


def test_images_inside_the_data(folder: Path) -> None:
    datasets = pytest.importorskip("datasets")
    content = (folder / "images/1.png").read_bytes()
    messages = chat([{"type": "image", "text": None}, text("What?")], [text("A cat.")])
    kind = datasets.List(datasets.Image())
    for split in ("train", "validation"):
        found = datasets.Dataset.from_list([{"messages": messages}] * 2)
        images = [[{"bytes": content, "path": None}]] * 2
        found = found.add_column("images", images).cast_column("images", kind)
        found.to_parquet(folder / f"{split}-0.parquet")
    (first, second) = Custom(str(folder / "*.parquet")).examples("train")
    assert (first.prefix, second.suffixes) == ("What?", ("A cat.",))
    assert callable(first.image) and first.image().shape == (20, 40, 3)


def test_answers_in_another_column_go_before_conversations(folder: Path) -> None:
    row = {"image": "images/1.png", "conversations": llava("What?", "A cat."), "caption": "A dog."}
    assert learnt(task(folder, row)) == [("1", "1.png", "caption en", "A dog.")]
    made = task(folder, row, columns={"conversation": "conversations"})
    assert learnt(made) == [("1", "1.png", "What?", "A cat.")]


def test_a_last_question_of_a_test_split_needs_no_answer(folder: Path) -> None:
    row = {"image": "images/1.png", "conversations": llava("What?", "A cat.", "Why?")}
    whole = {"image": "images/1.png", "conversations": llava("What?", "A cat.")}
    made = task(folder, whole, row | {"split": "test"})
    assert [one.suffixes for one in made.examples("test")] == [("A cat.",), ()]
    with pytest.raises(ValueError, match="line 3, question 2: `suffix` is missing"):
        task(folder, whole, row)


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        (None, "`conversations` is None, not a list of messages"),
        ([], r"`conversations` is \[\], not a list of messages"),
        ("[" * 100_000, r"`conversations` is '\[\[\[.*, not a list of messages"),
        (["What?"], "message 1 is 'What[?]': it has neither `from` and `value` nor `role` and"),
        ([{"role": "system", "content": "Be brief."}], "message 1 is of 'system': there may be hu"),
        (llava("What?", "A cat.")[1:], "message 1 is an answer: questions and answers take turns"),
        ([*llava("What?"), *llava("Why?", "So.")], "message 2 is a question: questions and answ"),
        (llava("<image>", "A cat."), "`prefix` is empty"),
        (llava("What?", " "), "`suffix` is empty: give this row one"),
        (llava("<image><image>What differs?", "All."), "a conversation about 2 images: it may be"),
        (chat([{"type": "image", "image": "x"}, text("a")], "b"), "a conversation about 2 images"),
        (chat([{"type": "audio"}], "b"), "message 1 has a part .*audio.*, neither"),
        (chat([{"type": "text"}], "b"), "message 1 has a part .*text.*, neither"),
        (chat(7, "b"), "message 1 is 7, neither a text nor a list of parts"),
    ],
)  # fmt: skip
def test_what_is_no_conversation_about_an_image_is_named(
    folder: Path, said: Any, complaint: str
) -> None:
    row = {"image": "images/1.png", "conversations": llava("What?", "A cat.")}
    with pytest.raises(ValueError, match=rf"my\.jsonl, line 3: {complaint}"):
        task(folder, row, row | {"conversations": said})


@pytest.mark.parametrize(
    ("image", "complaint"),
    [
        (None, "the image is missing"),
        ("https://example.org/1.png", "is an address; download"),
        ("data:image/png;base64,AAAA", r"the image data:image/png;base64,.*\.\.\. is written out"),
    ],
)  # fmt: skip
def test_an_image_that_is_no_file_is_named(folder: Path, image: Any, complaint: str) -> None:
    row = {"image": "images/1.png", "conversations": llava("What?", "A cat.")}
    with pytest.raises(ValueError, match=rf"my\.jsonl, line 3: .*{complaint}"):
        task(folder, row, row | {"image": image})
