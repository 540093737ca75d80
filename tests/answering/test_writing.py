"""Replies are rows, pictures and lines, as they come."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pg_transfer import predict
from pg_transfer.answering.answers_file import ANSWERS, UNFINISHED, AnswersFile
from pg_transfer.answering.asked import Request, refuse_secret_requests
from pg_transfer.answering.reply import Reply
from pg_transfer.answering.writing import Written, write_replies
from pg_transfer.segmentation.instances import Found
from pg_transfer.segmentation.run_lengths import drawn
from tests import data_sets
from tests.answering.answers import rows


def replies() -> list[Reply]:
    pixels = np.zeros((60, 90, 3), np.uint8)
    mask = np.zeros((60, 90), bool)
    mask[10:20, 30:50] = True
    objects = [Found("cat", (30.004, 10.0, 50.0, 20.0), mask), Found("", (0, 0, 9, 9), None)]
    return [
        Reply("detect cat", "<loc…", pixels, objects, ["<loc0001>"], undrawn=0),
        Reply("caption", "two\ncats", pixels, [], [], undrawn=0),
        Reply("segment", "<loc…", pixels, objects, [], undrawn=1),
        Reply("what", "", pixels, [], [], undrawn=0),
    ]


REQUESTS = [
    Request((Path("a/cat.png"),), "detect cat"), Request((Path("a/cat.png"),), "caption"),
    Request((Path("b/cat.png"),), "segment"), Request((Path("b/cat.png"),), "what"),
]  # fmt: skip


@pytest.mark.parametrize("stem", ["x" * 250, "猫" * 83], ids=["x", "cat"])
def test_images_of_the_longest_names_are_drawn(stem: str, tmp_path: Path) -> None:
    request = Request((Path(f"{stem}.jpg"),), "detect cat")
    with AnswersFile(tmp_path, {}) as file:
        write_replies(file, [(request, replies()[0])], Written(), draw=True)
    (picture,) = (tmp_path / "pictures").iterdir()
    assert picture.name.startswith(f"00001-{stem[:60]}")


def test_a_secret_in_a_prompt_is_refused_before_the_model_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setenv("HF_TOKEN", "planted-in-a-prompt")
    data_sets.write_image(tmp_path / "cat.png")
    (tmp_path / "rows.jsonl").write_text(
        "".join(
            json.dumps({"image": "cat.png", "prompt": prompt}) + "\n"
            for prompt in ("detect cat", "say planted-in-a-prompt")
        )
    )
    for asked in (
        ["--images", f"{tmp_path}/cat.png", "--prompt", "a", "--prompt", "planted-in-a-prompt"],
        ["--prompts", f"{tmp_path}/rows.jsonl"],
    ):
        with pytest.raises(SystemExit):
            predict.main(["no/such/model", *asked, "--to", f"{tmp_path}/to"])
        error = capsys.readouterr().err
        assert "cat.png holds what looks like a secret" in error and "planted" not in error
    assert not (tmp_path / "to").exists()
    with pytest.raises(ValueError, match="the name of an image of request 2 holds"):
        refuse_secret_requests(
            [Request((Path("a.png"),), "a"), Request((Path("planted-in-a-prompt.png"),), "a")]
        )


def write(folder: Path, given, *, draw: bool = True) -> Written:
    """Writes replies to `REQUESTS` into `folder`."""
    written = Written()
    with AnswersFile(folder, {"by": "hand"}) as file:
        write_replies(file, zip(REQUESTS, given, strict=True), written, draw=draw)
        file.finish()
    return written


def test_rows_and_pictures(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    written = write(tmp_path / "to", replies())
    counts = written.answers, written.objects, written.undrawn, written.pictures, written.malformed
    assert counts == (4, 4, 1, 2, 1)
    first, second, third, _ = rows(tmp_path / "to" / "answers.jsonl")
    mask = first["masks"].pop(0)
    assert first == {
        "image": "a/cat.png", "width": 90, "height": 60, "prompt": "detect cat",
        "answer": "<loc…", "boxes": [[30.0, 10.0, 50.0, 20.0], [0, 0, 9, 9]],
        "labels": ["cat", ""], "masks": [None], "malformed": ["<loc0001>"],
        "picture": "pictures/00001-cat.jpg",
    }  # fmt: skip
    assert mask["size"] == [60, 90]
    np.testing.assert_array_equal(drawn(mask), replies()[0].objects[0].mask)
    assert (second["boxes"], second["picture"]) == ([], None)
    # Images of one name from two folders do not overwrite each other.
    assert third["picture"] == "pictures/00003-cat.jpg"
    for row in (first, third):
        with Image.open(tmp_path / "to" / row["picture"]) as picture:
            assert picture.size == (512, 341)
    assert capsys.readouterr().out.splitlines() == [
        "a/cat.png: detect cat → cat at x 30-50, y 10-20, mask of 200 pixels; object at x 0-9, "
        "y 0-9; cannot be read: <loc0001>",
        "a/cat.png: caption → two cats",
        "b/cat.png: segment → cat at x 30-50, y 10-20, mask of 200 pixels; object at x 0-9, y 0-9",
        "b/cat.png: what → (nothing)",
    ]


def test_nothing_is_drawn_if_so_asked(tmp_path: Path) -> None:
    written = write(tmp_path, replies(), draw=False)
    assert written.pictures == 0
    assert not (tmp_path / "pictures").exists()


def test_what_was_answered_before_a_crash_is_kept(tmp_path: Path) -> None:
    def until_the_power_cut():
        yield from replies()[:2]
        assert len(rows(tmp_path / "answers.jsonl.part")) == 2  # already on the disk
        raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        write(tmp_path, until_the_power_cut())
    left = tmp_path / UNFINISHED
    assert [row["prompt"] for row in rows(left)] == ["detect cat", "caption"]
    assert not (tmp_path / ANSWERS).exists()


def test_a_picture_has_its_name_when_it_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def half(self: Image.Image, file: Path, *_: object, **__: object) -> None:
        file.write_bytes(b"half")
        raise RuntimeError("power cut")

    monkeypatch.setattr(Image.Image, "save", half)
    with pytest.raises(RuntimeError, match="power cut"):
        write(tmp_path, replies())
    assert list((tmp_path / "pictures").iterdir()) == []
    assert rows(tmp_path / "answers.jsonl.part") == []
