"""Average precision is COCO's own; what it is fed is checked by hand and against its files."""

from __future__ import annotations

import json
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from pg_transfer.metrics.bootstrap import intervals
from pg_transfer.metrics.detection import FORMULAS, score_boxes
from pg_transfer.segmentation.scenes import Scene, Thing
from pg_transfer.text.locations import box_to_text

SIDE = 1023  # so that a bin is a pixel


def scene(*things: tuple[list[int], str], crowd: tuple[list[int], str] | None = None) -> Scene:
    """Boxes are xmin, ymin, xmax, ymax in pixels."""
    made = [Thing(fractions(box), label) for box, label in things]
    if crowd is not None:
        made.append(Thing(fractions(crowd[0]), crowd[1], is_crowd=True))
    return Scene(SIDE, SIDE, tuple(made))


def fractions(box: list[int]) -> tuple[float, float, float, float]:
    xmin, ymin, xmax, ymax = (edge / SIDE for edge in box)
    return ymin, xmin, ymax, xmax


def answer(*boxes: tuple[list[int], str]) -> str:
    return " ; ".join(f"{box_to_text(fractions(box))} {label}" for box, label in boxes)


def test_a_case_by_hand() -> None:
    scenes = [scene(([10, 10, 110, 110], "cat")), scene(([0, 0, 800, 100], "cat"))]
    answers = [answer(([10, 10, 110, 110], "cat")), answer(([0, 0, 500, 100], "cat"))]
    scores = score_boxes(answers, scenes)
    # The second box overlaps by 500/800 = 0.625: right at thresholds 0.5, 0.55 and 0.6, where
    # precision is 1 up to recall 1. At the seven others it is 1 up to recall 0.5, which is 51 of
    # the 101 recalls 0, 0.01, ... 1.
    assert scores.metrics["box_AP"] == pytest.approx(100 * (3 + 7 * 51 / 101) / 10)
    assert scores.metrics["box_AP50"] == pytest.approx(100)
    assert scores.metrics["box_AP75"] == pytest.approx(100 * 51 / 101)
    assert scores.metrics["f1@0.5"] == pytest.approx(100)
    assert (scores.metrics["invalid"], scores.metrics["total"]) == (0, 2)


def test_what_is_found_answered_and_meant() -> None:
    box, far, third = [0, 0, 100, 100], [500, 500, 600, 600], [800, 0, 900, 100]
    scenes = [
        scene((box, "cat"), (far, "dog")),
        scene((box, "cat"), crowd=(third, "cat")),
        scene(),
        scene((box, "cat")),
    ]
    answers = [
        answer((box, "cat"), (far, "cat"), (box, "cat")),  # one right, a wrong label, one twice
        answer((box, "cat"), (third, "cat")),  # the second is in a crowd and counts for nothing
        "",
        "<loc0001> cat",
    ]
    scores = score_boxes(answers, scenes)
    counts = [[one[name] for name in ("found", "answered", "meant")] for one in scores.examples]
    assert counts == [[1, 3, 2], [1, 1, 1], [0, 0, 0], [0, 0, 1]]
    assert [one["f1@0.5"] for one in scores.examples] == pytest.approx([0.4, 1, 1, 0])
    assert [one["invalid"] for one in scores.examples] == [0, 0, 0, 1]
    # Two found, of four answered and four meant: 2 * 2 / 8.
    assert scores.metrics["f1@0.5"] == pytest.approx(50)
    assert intervals(scores, FORMULAS)["f1@0.5"].low < 50


def test_of_very_many_boxes_all_are_found() -> None:
    """COCO's precision takes 100 of a label in an image; of 120 that is a recall of 10/12."""
    boxes = [([8 * n, 0, 8 * n + 6, 10], "cell") for n in range(120)]
    others = [(box, "dot") for box, _ in boxes[:50]]
    scores = score_boxes([answer(*boxes, *others)], [scene(*boxes, *others)])
    assert scores.metrics["f1@0.5"] == pytest.approx(100)
    assert (scores.examples[0]["found"], scores.examples[0]["answered"]) == (170, 170)
    # 84 of the 101 recalls 0, 0.01, ... 1 are no more than 10/12.
    assert scores.metrics["box_AP"] == pytest.approx(100 * (84 / 101 + 1) / 2)


def test_it_is_what_pycocotools_says_of_files(tmp_path: Path) -> None:
    chance = np.random.default_rng(0)
    labels = ["cat", "dog", "big dog"]

    def some(count: int) -> list[tuple[list[int], str]]:
        corners = chance.integers(0, 700, (count, 2))
        sides = chance.integers(30, 300, (count, 2))
        return [
            ([*map(int, corner), *map(int, corner + side)], labels[chance.integers(3)])
            for corner, side in zip(corners, sides, strict=True)
        ]

    true = [some(chance.integers(0, 5)) for _ in range(40)]
    said = [
        [
            ([int(edge + chance.integers(-12, 13)) % 1000 for edge in box], label)
            for box, label in boxes
            if chance.random() < 0.8
        ]
        + some(chance.integers(0, 2))
        for boxes in true
    ]
    said = [[(b, label) for b, label in one if b[0] < b[2] and b[1] < b[3]] for one in said]

    def records(those: list) -> list[dict]:
        return [
            {
                "image_id": image, "category_id": labels.index(label) + 1, "iscrowd": 0,
                "bbox": [x0, y0, x1 - x0, y1 - y0], "area": (x1 - x0) * (y1 - y0), "score": 0.7,
                "id": 1 + 100 * image + number,
            }
            for image, boxes in enumerate(those)
            for number, ((x0, y0, x1, y1), label) in enumerate(boxes)
        ]  # fmt: skip

    images = [{"id": image, "width": SIDE, "height": SIDE} for image in range(40)]
    categories = [{"id": n, "name": name} for n, name in enumerate(labels, start=1)]
    truth, results = tmp_path / "truth.json", tmp_path / "results.json"
    truth.write_text(
        json.dumps(
            {"info": {}, "images": images, "categories": categories, "annotations": records(true)}
        )
    )
    results.write_text(json.dumps(records(said)))
    with redirect_stdout(StringIO()):
        official = COCO(str(truth))
        evaluation = COCOeval(official, official.loadRes(str(results)), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    ours = score_boxes([answer(*one) for one in said], [scene(*one) for one in true]).metrics
    assert 10 < ours["box_AP"] < 90
    for name, value in zip(("box_AP", "box_AP50", "box_AP75"), evaluation.stats, strict=False):
        assert ours[name] == pytest.approx(100 * value)


def test_what_cannot_be_scored_is_refused() -> None:
    with pytest.raises(ValueError, match="1 answers cannot be scored against 0 scenes"):
        score_boxes([""], [])
    with pytest.raises(ValueError, match="not one box"):
        score_boxes([""], [scene()])
