"""No text of others becomes markup in a page of ours, wherever it comes from."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from pg_transfer.checking.labels import write_labels
from pg_transfer.display.preview import Lesson, Token, write_preview
from pg_transfer.reporting.page import Side, write_page
from pg_transfer.reporting.scores_file import Score, add_score
from pg_transfer.sweeping.summary import write_summary
from pg_transfer.sweeping.trials import Trial
from pg_transfer.task import Answer, Example, Scores, Task, pieces_of
from pg_transfer.text.tokenizer import load_tokenizer

HOSTILE = (
    "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "' onmouseover='alert(1)",
    "javascript:alert(1)", "</title></style></pre></textarea><svg onload=alert(1)>",
    "<!--", "]]><![CDATA[", "<base href=//evil>", "<meta http-equiv=refresh content=0>",
    "@@DATA@@ @@ROWS@@ @@LESSONS@@ @@NAME@@", "&lt;b&gt; &#60;i&#62;", "\x00\x1b]0;t\x07\x7f\x9b1m",
    "\u202e\u2066\u2028\u2029", "$\\frac{ $^$", "a\nb\tc\rd", "x" * 5000,
)  # fmt: skip
HARMLESS = "plain"


class Elements(HTMLParser):
    """Every element of a page with its attributes; the data of pictures aside."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.found: list[tuple[str, list[tuple[str, str | None]]]] = []
        self.text: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, [(name, _kind(value)) for name, value in attrs]))

    def handle_comment(self, data: str) -> None:
        self.found.append(("comment", [("text", data)]))

    def unknown_decl(self, data: str) -> None:
        self.found.append(("declaration", [("text", data)]))

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def _kind(value: str | None) -> str | None:
    return re.sub(r"(data:image/\w+;base64,)[\w+/=]*$", r"\1", value or "")


class Asked(Task):
    """One example, whose every text is the same."""

    def __init__(self, text: str) -> None:
        self.text = text

    def examples(self, split: str) -> Sequence[Example]:
        pixels = partial(np.zeros, (8, 8, 3), np.uint8)
        return [Example(id=self.text, image=pixels, prefix=self.text, suffixes=(self.text,))]

    def kind(self, example: Example) -> str:
        return self.text

    def score(self, answers: Sequence[Answer]) -> Scores:
        return Scores({self.text: 1.0}, [{self.text: 1.0}])


def answered(folder: Path, text: str) -> Path:
    """The page of answers of a run or an evaluation."""
    task = Asked(text)
    answers = [Answer(task.examples(text)[0], text, pieces_of(text))]
    sides = [Side(text, answers, task.score(answers))] * 2
    return write_page(folder / "page.html", task, sides, split=text, most=9)


def checked(folder: Path, text: str) -> Path:
    """The page of `pg_transfer.check`."""
    task, tokenizer = Asked(text), load_tokenizer("builtin")
    return write_labels(folder / "check.html", task, task.examples(text), tokenizer, split=text)


def previewed(folder: Path, text: str) -> Path:
    """The page of `preview=true`."""
    images = np.zeros((1, 8, 8, 3), np.uint8)
    tokens = [Token(text, "prefix", False), Token(text, "suffix", True)]
    lesson = Lesson(text, images, 4, tokens, prefix=text, suffix=text, drawn=None, cut=text)
    write_preview(folder / "preview.html", [lesson], [(text, text)])
    return folder / "preview.html"


def swept(folder: Path, text: str) -> Path:
    """The page of a sweep: its name, its settings, its tasks and what failed trials have said."""
    name = re.sub(r"[/\0]", "-", text)[:200]
    sweep = folder / name
    for number in range(2):
        settings = {text: f"{text}{number}", "task": text, "all": text}
        trial = Trial(number, sweep / f"{name[:100]}{number}", settings)
        trial.ended("failed" if number else "finished", text).save()
    add_score(sweep / f"{name[:100]}0", Score(1, 1, text, text, 1.0))
    write_summary(sweep)
    return sweep / "sweep.html"


PAGES = (answered, checked, previewed, swept)


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sweeps without their picture, which takes longer than all else."""
    draw = "pg_transfer.sweeping.summary.draw_sweep"
    monkeypatch.setattr(draw, lambda results, path: path.write_bytes(b"picture"))


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("make", PAGES, ids=lambda make: make.__name__)
def test_texts_add_neither_elements_nor_attributes(
    make: Callable[[Path, str], Path], tmp_path: Path
) -> None:
    expected = Elements(make(tmp_path / "harmless", HARMLESS)).found
    for number, text in enumerate(HOSTILE):
        found = Elements(make(tmp_path / str(number), text)).found
        without_links = [(tag, [a for a in given if a[0] != "href"]) for tag, given in found]
        assert without_links == [(t, [a for a in g if a[0] != "href"]) for t, g in expected], text
        for _, given in found:
            for link in (value or "" for name, value in given if name == "href"):
                assert re.fullmatch(r"[\w.~%-]+/", link), text


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(
    ("make", "module"), [(previewed, "display.preview"), (swept, "sweeping.summary")]
)
def test_unescaped_they_would(
    make: Callable[[Path, str], Path], module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the test above could not fail."""
    expected = Elements(make(tmp_path / "harmless", HARMLESS)).found
    monkeypatch.setattr(f"pg_transfer.{module}.escape", lambda text, quote=True: text)
    for number, text in enumerate(HOSTILE[:2]):
        assert len(Elements(make(tmp_path / str(number), text)).found) > len(expected)


def test_a_setting_with_dollars_is_drawn_as_it_is(tmp_path: Path) -> None:
    assert (swept(tmp_path, "$\\frac{ $^$").parent / "sweep.png").is_file()
