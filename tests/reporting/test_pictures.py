"""Pictures of answers: what is drawn, and what is written below."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFont

from pg_transfer.data.videos import Video
from pg_transfer.reporting.pictures import (
    CELL_PX,
    COLOURS,
    MARGIN_PX,
    _wrapped,
    draw_answers,
    draw_outlines,
)
from pg_transfer.task import Answer, Example, Outline, Scores, Task
from tests.data_sets.videos import STEP, numbers, write_video

WIDTH_PX = CELL_PX - 2 * MARGIN_PX
FONT = ImageFont.load_default(size=13)


class Said(Task):
    """Answers are texts."""

    def examples(self, split: str) -> Sequence[Example]:
        raise NotImplementedError

    def score(self, answers: Sequence[Answer]) -> Scores:
        raise NotImplementedError


class Drawn(Said):
    """Truths and answers are boxes."""

    def outlines(self, answer: Answer) -> list[Outline]:
        corner = (0.0, 0.0, 0.5, 0.5)
        return [Outline("truth", corner), Outline("answer", (0.5, 0.5, 1.0, 1.0))]


def below(task: Task, path: Path, **texts: str) -> dict[str, bool]:
    """In which colours something is written below the picture."""
    example = Example(
        "1", partial(np.full, (20, 30, 3), 255, np.uint8), "what is it?", (texts["reference"],)
    )
    draw_answers(task, [(Answer(example, texts["answer"], ()), {"accuracy": 0.5})], path)
    with Image.open(path) as picture:
        words = np.asarray(picture)[CELL_PX:].astype(int)
    assert words.shape[1] == CELL_PX
    return {
        kind: bool((np.abs(words - colour).max(-1) < 40).any()) for kind, colour in COLOURS.items()
    }


def test_answers_and_references_are_told_apart_by_colour(tmp_path: Path) -> None:
    path = tmp_path / "pictures" / "a.png"
    assert below(Said(), path, answer="a tree", reference="") == {"truth": False, "answer": True}
    assert below(Said(), path, answer="", reference="a tree") == {"truth": True, "answer": True}
    texts = {"answer": "<loc0512>", "reference": "<loc0000>"}
    assert below(Drawn(), path, **texts) == {"truth": False, "answer": False}


def test_labels_stand_in_their_boxes_and_in_the_picture() -> None:
    """What is meant above, what was answered below; one at the right edge is moved to the left."""
    grey = np.full((100, 200, 3), 200, np.uint8)
    boxes = {"truth": (0.1, 0.9, 0.9, 1.0), "answer": (0.1, 0.1, 0.9, 0.5)}

    def drawn(label: str) -> np.ndarray:
        outlines = [Outline(kind, box, None, label) for kind, box in boxes.items()]  # type: ignore[arg-type]
        return np.asarray(draw_outlines(lambda: grey, outlines, side_px=400))

    changed = (drawn("a red bus\n") != drawn("")).any(axis=-1)
    rows, columns = np.nonzero(changed[:, 220:])
    assert len(rows) > 0 and rows.min() >= 20 and rows.max() < 40  # of 20 to 180
    assert columns.min() + 220 < 360
    rows, columns = np.nonzero(changed[:, :220])
    assert len(rows) > 0 and rows.min() >= 160 and rows.max() <= 180
    assert columns.min() >= 40


@pytest.mark.parametrize("size", [(50, 100), (224, 224), (200, 400)])
def test_masks_of_another_size_are_drawn_where_they_are_in_the_picture(
    size: tuple[int, int],
) -> None:
    """A smaller copy of the annotated image, the picture that stands for none, a larger one."""
    mask = np.zeros((100, 200), bool)
    mask[50:, 100:] = True
    outlines = [Outline("answer", (0.5, 0.5, 1.0, 1.0), mask), Outline("truth", (0, 0, 1, 1), mask)]
    white = np.full((*size, 3), 255, np.uint8)
    drawn = np.asarray(draw_outlines(lambda: white, outlines, side_px=max(size)))
    tinted = drawn[:, :, 2] < 240
    height, width = size
    assert tinted[height // 2 + 6 : -6, width // 2 + 6 : -6].all()
    assert not tinted[6 : height // 2 - 6, 6:-6].any()
    assert not tinted[6:-6, 6 : width // 2 - 6].any()


def test_of_several_images_the_first_has_the_boxes_and_masks() -> None:
    """White ones of 100 x 50 and 100 x 100 stand side by side, as 100 x 50 and 50 x 50."""
    mask = np.zeros((50, 100), bool)
    mask[25:, 50:] = True
    outlines = [Outline("answer", (0.5, 0.5, 1.0, 1.0), mask)]
    images = tuple((lambda high=high: np.full((high, 100, 3), 255, np.uint8)) for high in (50, 100))
    drawn = np.asarray(draw_outlines(images, outlines, side_px=150))
    assert drawn.shape == (50, 150, 3)
    rows, columns = np.nonzero(drawn[:, :, 2] < 240)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (25, 49, 50, 99)
    assert (drawn[25:50, 50:100, 2] < 240).all()


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", []),
        ("two\n dogs", ["two dogs"]),
        (
            "Is the number of water areas equal to that?",
            ["Is the number of water areas equal to", "that?"],
        ),
    ],
)
def test_lines_break_between_words(text: str, lines: list[str]) -> None:
    assert _wrapped(text, FONT, WIDTH_PX) == lines


def test_what_does_not_fit_is_cut_off_with_dots() -> None:
    for text in ("triangle " * 40, "x" * 400, "<loc0001>" * 20):
        first, last = _wrapped(text, FONT, WIDTH_PX)
        assert last.endswith("…") and text.replace(" ", "").startswith(first.replace(" ", ""))
        assert max(FONT.getlength(first), FONT.getlength(last)) <= WIDTH_PX


@pytest.mark.parametrize(
    ("frames", "shown"),
    [(16, [[0, 5], [10, 15]]), (4, [[0, 1], [2, 3]]), (3, [[0, 1], [2, None]]), (2, [[0, 1]]),
     (1, [[0]])],
)  # fmt: skip
def test_of_a_video_some_frames_are_shown_two_a_row(
    frames: int, shown: list[list[int | None]], tmp_path: Path
) -> None:
    path = write_video(tmp_path / "a.mp4", frames=frames)
    pixels = np.asarray(draw_outlines(Video(path, 16, 1), [], side_px=32 * len(shown[0])))
    assert pixels.shape == (24 * len(shown), 32 * len(shown[0]), 3)
    seen = [
        [numbers([pixels[24 * row :, 32 * column :][:24, :32]])[0] for column in range(len(line))]
        for row, line in enumerate(shown)
    ]
    white = round(255 / STEP)
    assert seen == [[white if one is None else one for one in line] for line in shown]
