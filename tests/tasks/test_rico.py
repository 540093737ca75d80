"""Screen2Words and Widget Captioning from files in the published formats, written here by hand."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pg_transfer.data.images import Head, Picture, read_image
from pg_transfer.data.release import missing_images_allowed
from pg_transfer.data.resizing import resize
from pg_transfer.task import Answer, Draw, Example, pieces_of
from pg_transfer.text.tokenizer import load_tokenizer
from pg_transfer.training.reader import Antialias, Reader
from tasks.rico import Screen2Words, Widget, WidgetCaptions

SPLITS = {"train": [10533, 100], "dev": [50083], "test": [2765, 44654]}
SUMMARIES = [
    (2765, "login page of a bank"), (44654, "list of songs, with covers"),
    (2765, 'page to "sign in"'), (44654, "screen showing music"), (10533, "a map"),
    (100, "settings"), (50083, "home screen"), (10533, "screen shows a map\nof a city"),
]  # fmt: skip
WIDGETS = [
    ("r", 100, "0.0", "go back|back||return"), ("r", 10533, "0.1.0", "search"),
    ("r", 2765, "0.0", "enter password|password field"), ("nr", 999, "0.3", "close"),
    ("r", 100, "0.1.0", "open menu"), ("r", 50083, "0", "whole screen"),
    ("r", 44654, "0.1.0", "play song|play"),
]  # fmt: skip
# In the canvas of 1440 x 2560.
HIERARCHY = {
    "activity_name": "com.example/.Main",
    "activity": {
        "root": {
            "bounds": [0, 0, 1440, 2560],
            "class": "com.android.internal.policy.PhoneWindow$DecorView",
            "children": [
                {"bounds": [0, 84, 196, 280], "class": "android.widget.ImageButton"},
                {
                    "bounds": [0, 280, 1440, 2560],
                    "children": [
                        {"bounds": [720, 1280, 1440, 1920], "visible-to-user": True},
                        None,
                    ],
                },
            ],
        },
        "added_fragments": [],
    },
    "request_id": "1",
}


@pytest.fixture(autouse=True)
def without_java(monkeypatch: pytest.MonkeyPatch) -> None:
    """Java needs ten seconds to start METEOR, which has tests of its own."""
    monkeypatch.setenv("PATH", "")


def quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The folders of both repositories, and of RICO beside them."""
    for folder, name in (("screen2words", "{}_screens.txt"), ("widgetcap", "{}.txt")):
        (tmp_path / folder / "split").mkdir(parents=True)
        for split, screens in SPLITS.items():
            lines = "".join(f"{number}\n" for number in screens)
            (tmp_path / folder / "split" / name.format(split)).write_text(lines)
    rows = "".join(f"{number},{quoted(text)}\n" for number, text in SUMMARIES)
    (tmp_path / "screen2words" / "screen_summaries.csv").write_text("screenId,summary\n" + rows)
    rows = "".join(",".join(map(str, row)) + "\n" for row in WIDGETS)
    table = tmp_path / "widgetcap" / "widget_captions.csv"
    table.write_text("datasetId,screenId,nodeId,captions\n" + rows)
    screens = tmp_path / "rico" / "combined"
    screens.mkdir(parents=True)
    for number in (one for split in SPLITS.values() for one in split):
        Image.new("RGB", (108, 192), "white").save(screens / f"{number}.jpg", quality=100)
        (screens / f"{number}.json").write_text(json.dumps(HIERARCHY))
    return tmp_path


def said(example: Example, text: str) -> Answer:
    return Answer(example, text, pieces_of(text))


def test_a_screen_has_all_its_summaries(data: Path) -> None:
    task = Screen2Words(data / "screen2words")
    login, songs = task.examples("test")
    assert (login.id, login.prefix) == ("2765", "caption en")
    assert login.suffixes == ("login page of a bank", 'page to "sign in"')
    assert songs.image == data / "rico" / "combined" / "44654.jpg"
    assert [one.id for one in task.examples("train+dev")] == ["10533", "100", "50083"]
    learnt = {task.target(login, Draw(0, login.id, epoch)) for epoch in range(2)}
    assert learnt == {("caption en", text) for text in login.suffixes}


def test_right_summaries_score_more_than_wrong_ones(data: Path) -> None:
    task = Screen2Words(data / "screen2words")
    examples = task.examples("test")
    texts = ["Login page", "zebras"]
    scores = task.score([said(*pair) for pair in zip(examples, texts, strict=True)])
    assert next(iter(scores.metrics)) == "CIDEr"
    right, wrong = (graded["CIDEr"] for graded in scores.examples)
    assert right > wrong == 0
    assert scores.metrics["CIDEr"] == pytest.approx(100 * right / 2)


def test_a_widget_is_an_example_with_a_box_of_its_own(data: Path) -> None:
    task = WidgetCaptions(data / "widgetcap")
    back, search, menu = task.examples("train")
    assert [one.id for one in (back, search, menu)] == ["100_0.0", "10533_0.1.0", "100_0.1.0"]
    # An empty caption is one of those that are learnt and scored against, as for the paper.
    assert (back.prefix, back.suffixes) == ("caption en", ("go back", "back", "", "return"))
    image = data / "rico" / "combined" / "100.jpg"
    assert back.image == Widget(image, (0, 84, 196, 280))
    assert menu.image == Widget(image, (720, 1280, 1440, 1920))
    # Nobody has the screens of which the table says nr.
    assert sum(len(task.examples(split)) for split in SPLITS) == len(WIDGETS) - 1


# tf.image.draw_bounding_boxes truncates y * (H - 1) and x * (W - 1), and draws both ends. Of the
# lower right part: x from 0.5 to 1, y from 0.5 to 0.75.
@pytest.mark.parametrize(
    ("size", "top", "bottom", "left", "right"),
    [((224, 224), 111, 167, 111, 223), ((192, 108), 95, 143, 53, 107), ((8, 8), 3, 5, 3, 7)],
)
def test_the_box_is_drawn_as_tensorflow_draws_it(
    size: tuple[int, int], top: int, bottom: int, left: int, right: int
) -> None:
    grey = np.full((*size, 3), 200, np.uint8)
    widget = Widget(Path("100.jpg"), (720, 1280, 1440, 1920))
    marked = widget.marked(Picture(grey, Head(1080, 1920, False)))
    assert (grey == 200).all()
    expected = grey.copy()
    for row in range(top, bottom + 1):
        for column in range(left, right + 1):
            if row in (top, bottom) or column in (left, right):
                expected[row, column] = 255, 0, 0
    assert (marked == expected).all()


def test_the_model_sees_the_box_drawn_after_the_resize(data: Path) -> None:
    task = WidgetCaptions(data / "widgetcap")
    menu = task.examples("train")[2]
    reader = Reader(
        task=task, tokenizer=load_tokenizer("builtin"), resolution=28, text_length=32,
        antialias=Antialias(train=True, evaluate=True),
    )  # fmt: skip
    shrunk = resize(read_image(data / "rico/combined/100.jpg").pixels, 28, antialias=True)
    assert isinstance(menu.image, Widget)
    expected = menu.image.marked(Picture(shrunk, Head(108, 192, False)))
    lesson, _ = reader.lesson(menu, Draw(0, menu.id, 0))
    asked, _ = reader.prompt(menu)
    assert (lesson == expected).all() and (asked == expected).all()
    assert (expected == (255, 0, 0)).all(axis=2).sum() == 2 * (27 - 13) + 2 * (20 - 13)
    # Whoever looks at it sees the box in the whole screen, as a loading process does.
    assert pickle.loads(pickle.dumps(menu.image))().shape == (192, 108, 3)


def test_a_box_outside_its_image_is_named(data: Path) -> None:
    Image.new("RGB", (50, 192)).save(data / "rico" / "combined" / "100.jpg")
    menu = WidgetCaptions(data / "widgetcap").examples("train")[2]
    assert callable(menu.image)
    with pytest.raises(ValueError, match=r"100\.jpg: a widget's bounds .*1440.* 50 x 192 pixels"):
        menu.image()


def test_screens_can_be_elsewhere(data: Path) -> None:
    (data / "rico" / "combined").rename(data / "screens")
    for task in (Screen2Words, WidgetCaptions):
        root = data / ("screen2words" if task is Screen2Words else "widgetcap")
        with pytest.raises(FileNotFoundError, match=r"1 of 1 images .*50083\.jpg\.\n.*unique_uis"):
            task(root).examples("dev")
        assert len(task(root, screens=data / "screens").examples("dev")) == 1
        with pytest.raises(ValueError, match=r"no split 'val'; there are train, dev, test"):
            task(root).examples("val")
        with pytest.raises(FileNotFoundError, match=r"train.*\.txt in .*\n.* of https://github"):
            task(data).examples("train")


def test_a_look_over_the_data_needs_no_screens(data: Path) -> None:
    (data / "rico" / "combined" / "100.json").unlink()
    task = WidgetCaptions(data / "widgetcap")
    with pytest.raises(FileNotFoundError, match=r"no 100\.json in .*combined\.\n.*unique_uis"):
        task.examples("train")
    # Of an image that is there, what is wrong is told at once.
    with missing_images_allowed(), pytest.raises(FileNotFoundError, match=r"no 100\.json"):
        task.examples("train")
    (data / "rico" / "combined" / "100.jpg").unlink()
    with missing_images_allowed():
        assert len(task.examples("train")) == 3


@pytest.mark.parametrize(
    ("file", "old", "new", "complaint"),
    [
        ("screen2words/screen_summaries.csv", "screenId", "screen", "line 1: no columns screenId"),
        ("screen2words/screen_summaries.csv", "100,", "x,", "'x', .*: 'x' is no number"),
        ("screen2words/split/dev_screens.txt", "50083", "50083\n7", "screen 7: screen_summ.* no s"),
        ("screen2words/split/dev_screens.txt", "50083", "50083\n50083", "screen 50083: it comes t"),
        ("widgetcap/widget_captions.csv", "whole screen", "|", "50083_0': it has no caption that"),
        ("widgetcap/widget_captions.csv", "50083,0,", "50083,a.b,", "its nodeId is 'a.b', not"),
        ("rico/combined/50083.json", "bounds", "box", "node 0: .* no 'bounds'"),
        ("rico/combined/50083.json", "[0, 0, 1440, 2560]", "[0, 2, 0, 1]", "its bounds are .*1.0"),
        ("rico/combined/50083.json", "[0, 0, 1440, 2560]", "[0, 2]", "node 0: no node with four"),
        ("rico/combined/50083.json", '"root"', '"stem"', "no hierarchy of views .it has no 'root'"),
        ("rico/combined/50083.json", "}", "", "the whole file: cut short or no JSON"),
    ],
)
def test_records_that_cannot_be_are_named(
    data: Path, file: str, old: str, new: str, complaint: str
) -> None:
    path = data / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    tasks: dict[str, Callable[[Any], Any]] = {"screen2words": Screen2Words}
    name = file.partition("/")[0]
    task = tasks.get(name, WidgetCaptions)
    with pytest.raises(ValueError, match=rf"{path.name}, .*{complaint}"):
        task(data / ("widgetcap" if name == "rico" else name)).examples("dev")


@pytest.mark.parametrize("node", ["0.5", "0.1.1", "0.1.0.0"])
def test_a_node_that_is_not_there_is_named(data: Path, node: str) -> None:
    path = data / "widgetcap" / "widget_captions.csv"
    path.write_text(path.read_text().replace("50083,0,", f"50083,{node},"))
    with pytest.raises(ValueError, match=rf"50083\.json, node {node}: no node with four bounds"):
        WidgetCaptions(data / "widgetcap").examples("dev")
