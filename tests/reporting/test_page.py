"""Pages of answers: whole in themselves, bounded, and nothing in them runs but our own script."""

from __future__ import annotations

import json
import math
import re
import shutil
import subprocess
from base64 import b64decode
from collections.abc import Sequence
from functools import partial
from html import unescape
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pg_transfer.reporting.page import SIDE_PX, Side, write_page
from pg_transfer.reporting.pictures import COLOURS
from pg_transfer.task import Answer, Example, Outline, Scores, Task, pieces_of

NASTY = (
    "</script><img src=x onerror=alert(1)>", "<!--<script>", "@@DATA@@", "]]>&lt;&amp;\u2028\u2029",
    "\ud800 \0 \" ' ` ${1} \\u003c", "<b onmouseover=alert(1)>größer 大</b>",
)  # fmt: skip


class Questions(Task):
    """Right is what is among the suffixes."""

    def __init__(self, examples: Sequence[Example]) -> None:
        self._examples = examples

    def examples(self, split: str) -> Sequence[Example]:
        return self._examples

    def kind(self, example: Example) -> str:
        return example.reference

    def score(self, answers: Sequence[Answer]) -> Scores:
        right = [float(answer.text in answer.example.suffixes) for answer in answers]
        return Scores({"accuracy": 100 * sum(right) / len(right)}, [{"right": r} for r in right])


class Outlined(Questions):
    """A box to the left is meant; what is answered is narrower than a pixel."""

    def outlines(self, answer: Answer) -> list[Outline]:
        mask = np.zeros((40, 80), dtype=bool)
        mask[:, :40] = True
        hair = (0.5, 0.9, 0.5001, 0.9001)
        return [Outline("truth", (0.0, 0.0, 1.0, 0.5), mask), Outline("answer", hair)]


def grey(height: int, width: int) -> np.ndarray:
    return np.full((height, width, 3), 128, dtype=np.uint8)


def questions(count: int, **changes: Any) -> list[Example]:
    picture = partial(grey, 40, 80)
    return [
        Example(
            **{
                "id": str(number),
                "image": picture,
                "prefix": f"question {number}",
                "suffixes": ("yes", "yes", "sure"),
                "reference": "presence" if number % 2 else "count",
                **changes,
            }
        )
        for number in range(count)
    ]


def side(task: Task, texts: Sequence[str], label: str = "run") -> Side:
    pairs = zip(task.examples("val"), texts, strict=True)
    answers = [Answer(example, text, pieces_of(text)) for example, text in pairs]
    return Side(label, answers, task.score(answers))


class Parsed(HTMLParser):
    """What a page consists of, to somebody who reads HTML as a browser does."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.data = ""
        self._is_data = False
        self.feed(page.read_text(encoding="utf-8"))
        values = [json.loads(line) for line in self.data.strip().split("\n")]
        self.heading = values[0]
        self.pictures = [value for value in values[1:] if isinstance(value, str)]
        self.examples = [value for value in values[1:] if isinstance(value, dict)]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._is_data = dict(attrs).get("id") == "data"

    def handle_endtag(self, tag: str) -> None:
        self._is_data = False

    def handle_data(self, data: str) -> None:
        self.data += data if self._is_data else ""

    def picture(self, number: int) -> Image.Image:
        prefix, encoded = self.pictures[number].split(",")
        assert prefix == "data:image/jpeg;base64"
        return Image.open(BytesIO(b64decode(encoded)))


def test_a_page_says_what_was_asked_answered_and_scored(tmp_path: Path) -> None:
    task = Questions(questions(3))
    path = tmp_path / "pages" / "val.html"
    assert write_page(path, task, [side(task, ["yes", "no", "sure"])], split="val", most=9) == path
    page = Parsed(path)
    assert page.heading == {
        "title": "Questions val",
        "total": 3,
        "counts": [],
        "sides": [{"label": "run", "metrics": {"accuracy": pytest.approx(200 / 3)}}],
    }
    assert page.examples[1] == {
        "id": "1", "prompt": "question 1", "kind": "presence",
        "references": [["yes", 2], ["sure", 1]], "outlined": False,
        "sides": [{"answer": "no", "scores": {"right": 0.0}, "picture": 0}],
    }  # fmt: skip
    assert len(page.pictures) == 1  # all three show the same
    assert list(path.parent.iterdir()) == [path]


def test_what_is_written_stays_text(tmp_path: Path) -> None:
    examples = [
        Example(id=f"{number}{text}", image=partial(grey, 4, 4), prefix=text, suffixes=(text,),
                reference=text)
        for number, text in enumerate(NASTY)
    ]  # fmt: skip
    task, clean = Questions(examples), Questions(questions(1))
    nasty = Parsed(
        write_page(
            tmp_path / "nasty.html", task, [side(task, NASTY, NASTY[0])], split=NASTY[0], most=9
        )
    )
    harmless = Parsed(
        write_page(tmp_path / "clean.html", clean, [side(clean, ["no"])], split="val", most=9)
    )
    assert nasty.tags == harmless.tags  # not an element more
    assert not re.search("[<>&\u2028\u2029]", nasty.data)
    for text, example in zip(NASTY, nasty.examples, strict=True):
        assert example["prompt"] == example["kind"] == example["sides"][0]["answer"] == text
        assert example["references"] == [[text, 1]]


def test_a_page_needs_nothing_else_and_makes_no_markup_of_text(tmp_path: Path) -> None:
    task = Questions(questions(2))
    path = write_page(tmp_path / "a.html", task, [side(task, ["no", "no"])], split="val", most=9)
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"https?:|url\(|@import|fetch\(|import\(", text)
    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval|Function", text)
    tags = Parsed(path).tags
    assert not [tag for tag, given in tags if tag == "link" or {"src", "href"} & given.keys()]
    policy = next(given for _, given in tags if "http-equiv" in given)["content"]
    assert policy and policy.startswith("default-src 'none'; img-src data:;")


@pytest.mark.parametrize(("shape", "size"), [((960, 1280), (320, 240)), ((2, 1000), (320, 1))])
def test_pictures_are_bounded(
    tmp_path: Path, shape: tuple[int, int], size: tuple[int, int]
) -> None:
    task = Questions(questions(1, image=partial(grey, *shape)))
    page = write_page(tmp_path / "a.html", task, [side(task, ["no"])], split="val", most=9)
    assert max(size) == SIDE_PX and Parsed(page).picture(0).size == size


def test_boxes_and_masks_are_drawn(tmp_path: Path) -> None:
    task = Outlined(questions(2))
    given = [side(task, ["no", "no"]), side(task, ["yes", "no"])]
    page = Parsed(write_page(tmp_path / "a.html", task, given, split="val", most=9))
    assert all(example["outlined"] for example in page.examples)
    assert len(page.pictures) == 4  # answers are drawn into the images, so that none are shared
    pixels = np.asarray(page.picture(0)).astype(int)
    assert np.abs(pixels[80, 1] - COLOURS["truth"]).max() < 40
    assert np.abs(pixels[80, 60] - 128).max() < 15


def test_of_a_large_split_every_page_shows_the_same_examples(tmp_path: Path) -> None:
    task = Questions(questions(500))
    shown = []
    for name, text in (("a", "yes"), ("b", "no")):
        path = tmp_path / f"{name}.html"
        write_page(path, task, [side(task, [text] * 500)], split="val", most=50)
        page = Parsed(path)
        assert page.heading["total"] == 500
        shown.append([int(example["id"]) for example in page.examples])
    assert shown[0] == shown[1] == sorted(set(shown[0])) and len(shown[0]) == 50
    assert sum(number < 250 for number in shown[0]) in range(10, 41)  # not the first ones


def test_scores_that_json_does_not_know_are_left_empty(tmp_path: Path) -> None:
    task = Questions(questions(1))
    answers = side(task, ["no"]).answers
    odd = Side("run", answers, Scores({"a": math.inf}, [{"b": math.nan, "c": 0.5}]))
    page = Parsed(write_page(tmp_path / "a.html", task, [odd], split="val", most=9))
    assert page.heading["sides"][0]["metrics"] == {"a": None}
    assert page.examples[0]["sides"][0]["scores"] == {"b": None, "c": 0.5}


def test_two_files_are_compared_over_the_same_examples_alone(tmp_path: Path) -> None:
    task, other = Questions(questions(2)), Questions(questions(3))
    sides = [side(task, ["yes", "no"], "old"), side(task, ["no", "no"], "new")]
    page = Parsed(write_page(tmp_path / "a.html", task, sides, split="val", most=9))
    assert [one["label"] for one in page.heading["sides"]] == ["old", "new"]
    assert [one["scores"]["right"] for one in page.examples[0]["sides"]] == [1.0, 0.0]
    assert len(page.pictures) == 1
    with pytest.raises(ValueError, match="old and new do not answer the same examples"):
        write_page(tmp_path / "b.html", task, [sides[0], side(other, ["no"] * 3, "new")],
                   split="val", most=9)  # fmt: skip
    with pytest.raises(ValueError, match="page=-1"):
        write_page(tmp_path / "b.html", task, sides, split="val", most=-1)
    assert not (tmp_path / "b.html").exists()


def browse(page: Path, state: str) -> str:
    """The document that chromium has made of the page."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("no chromium")
    command = [
        chromium, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync",
        "--disable-background-networking", "--disable-component-update", "--disable-quic",
        f"--user-data-dir={page.parent / 'browser'}", "--dump-dom",
    ]  # fmt: skip
    address = f"{page.as_uri()}#{state}"
    done = subprocess.run([*command, address], capture_output=True, timeout=120, check=True)
    return done.stdout.decode()


# What a reader does, and what is then shown, in lines.
CLICKS = """
const seen = [];
const note = (what) => {
  const shown = [...document.querySelectorAll("article")].map((one) => one.dataset.id);
  const line = [what, get("count").value, shown.length, ...shown.slice(0, 3), location.hash];
  seen.push(line.join(" "));
};
const choose = (field, value) => {
  get(field).value = value;
  get(field).dispatchEvent(new Event(field === "text" ? "input" : "change"));
};
note("first");
get("more").click(); note("more");
choose("text", "question 17"); note("typed");
choose("text", ""); choose("kind", "count"); note("kind");
choose("sort", "A:right"); choose("order", "highest"); note("sorted");
while (!get("more").hidden) get("more").click();
note("all");
document.title = seen.join("|");
"""


@pytest.mark.slow
def test_a_thousand_examples_answer_to_what_a_reader_does(tmp_path: Path) -> None:
    task = Questions(questions(1000))
    texts = ["yes" if number % 5 == 0 else "no" for number in range(1000)]
    path = write_page(tmp_path / "a.html", task, [side(task, texts)], split="val", most=1000)
    path.write_text(path.read_text(encoding="utf-8") + f"<script>{CLICKS}</script>")
    shown = re.search(r"<title>(.*?)</title>", browse(path, "text="), re.DOTALL)
    assert shown
    # Wrong are all but every fifth; of "count" are the even ones, so that right are the tenths.
    lowest = "kind=&sort=A%3Aright&order=lowest"
    assert unescape(shown[1]).split("|") == [
        "first 1000 of 1000 60 1 2 3 #text=",
        "more 1000 of 1000 120 1 2 3 #text=",
        f"typed 11 of 1000 11 17 171 172 #text=question+17&{lowest}",
        "kind 500 of 1000 60 2 4 6 #text=&kind=count&sort=A%3Aright&order=lowest",
        "sorted 500 of 1000 60 0 10 20 #text=&kind=count&sort=A%3Aright&order=highest",
        "all 500 of 1000 500 0 10 20 #text=&kind=count&sort=A%3Aright&order=highest",
    ]


@pytest.mark.slow
def test_a_browser_sorts_filters_and_compares(tmp_path: Path) -> None:
    task = Questions(questions(200))
    old = ["yes"] * 100 + ["no"] * 100
    new = [NASTY[0]] * 10 + ["yes"] * 190
    sides = [side(task, old, "old"), side(task, new, "new")]
    path = write_page(tmp_path / "a.html", task, sides, split="val", most=1000)

    def shown(state: str) -> list[int]:
        return [
            int(number)
            for number in re.findall(r'<article[^>]*data-id="(\d+)">', browse(path, state))
        ]

    assert shown("")[:12] == [*range(10), 10, 11]  # worse, then equal
    assert shown("sort=B-A:right&order=highest")[:3] == [100, 101, 102]
    assert shown("sort=A:right")[0] == 100
    assert shown("sort=B:right&order=highest&kind=presence")[:3] == [11, 13, 15]
    assert shown("text=QUESTION+17&sort=") == [17, *range(170, 180)]
    assert shown("text=onerror") == list(range(10))
    drawn = browse(path, "text=onerror")
    assert "&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;" in drawn
    assert not re.search(r"<img[^>]*onerror", drawn)
