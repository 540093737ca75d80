"""Masks of several objects: for one object the number of the paper's evaluator."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from pg_transfer.metrics.labelled_masks import score_labelled_masks
from pg_transfer.metrics.segmentation import Truth, score_masks
from pg_transfer.segmentation.scenes import Scene, Thing
from pg_transfer.task import pieces_of
from pg_transfer.text.locations import box_to_text, codes_to_text, read_box_and_codes


class Filled:
    """A codec whose masks fill their boxes."""

    def encode(self, masks: np.ndarray) -> np.ndarray:
        return np.zeros((len(masks), 16), np.int64)

    def decode(self, codes: np.ndarray) -> np.ndarray:
        assert codes.shape[1:] == (16,)
        return np.ones((len(codes), 64, 64), np.float32)


def area(top: int, left: int, bottom: int, right: int) -> np.ndarray:
    mask = np.zeros((100, 200), bool)
    mask[top:bottom, left:right] = True
    return mask


def thing(mask: np.ndarray, label: str, *, is_crowd: bool = False) -> Thing:
    return Thing((0, 0, 1, 1), label, partial(np.copy, mask), is_crowd)


def said(top: float, left: float, bottom: float, right: float, label: str = "") -> str:
    box = box_to_text((top / 100, left / 200, bottom / 100, right / 200))
    return f"{box}{codes_to_text([0] * 16)} {label}".rstrip()


def test_one_object_is_scored_as_the_paper_does() -> None:
    chance = np.random.default_rng(0)
    answers, truths, scenes = [], [], []
    for _ in range(30):
        top, left = chance.integers(0, 50, 2)
        mask = area(top, left, top + 30, left + 60)
        answers.append(said(*(np.array([top, left, top + 30, left + 60]) + chance.integers(0, 20))))
        truths.append(Truth((0, 0, 1, 1), mask))
        scenes.append(Scene(100, 200, (thing(mask, ""),)))
    answers[0] = "<loc0001>"
    paper = score_masks([read_box_and_codes(pieces_of(one)) for one in answers], truths, Filled())
    ours = score_labelled_masks(answers, scenes, Filled())
    assert 0 < ours.metrics["mIoU"] < 100
    for name in ("mIoU", "oIoU", "invalid", "total"):
        assert ours.metrics[name] == pytest.approx(paper.metrics[name])
    for one, other in zip(ours.examples, paper.examples, strict=True):
        assert one["mask_iou"] == pytest.approx(other["mask_iou"])


def test_labels_by_hand() -> None:
    scene = Scene(
        100, 200,
        (
            thing(area(0, 0, 40, 40), "cat"), thing(area(0, 100, 40, 140), "cat"),
            thing(area(60, 0, 100, 40), "dog"),
            thing(area(60, 160, 100, 200), "cat", is_crowd=True),
        ),
    )  # fmt: skip
    # Of the cats, one is found: 1600 of 3200 pixels. The dog is called a fox: 0 for dog and for
    # fox. What is said inside the crowd counts for nothing. So the mean is (0.5 + 0 + 0) / 3.
    # 40.1 of 100 rows is bin 410, whose 410 / 1023 * 100 = 40.08 is truncated to 40; 40 would be
    # bin 409 and row 39.
    answer = " ; ".join(
        [said(0, 0, 40.1, 40.2, "cat"), said(60.1, 0, 100, 40.2, "fox"),
         said(60.1, 160.2, 100, 200, "cat")]
    )  # fmt: skip
    scores = score_labelled_masks([answer], [scene], Filled())
    assert scores.examples[0]["mask_iou"] == pytest.approx(0.5 / 3)
    assert scores.metrics["oIoU"] == pytest.approx(100 * 1600 / (3200 + 1600 + 1600))
    assert scores.metrics["invalid"] == 0


def test_an_answer_in_a_crowd_counts_for_nothing_though_its_label_has_no_other_object() -> None:
    crowd = thing(area(60, 100, 100, 200), "person", is_crowd=True)
    scene = Scene(100, 200, (thing(area(0, 0, 40, 40), "cat"), crowd))
    cat = said(0, 0, 40.1, 40.2, "cat")
    inside, outside = said(60.1, 160.2, 100, 200, "person"), said(0, 100.2, 40.1, 140.2, "person")
    answers = [f"{cat} ; {inside}", f"{cat} ; {outside}"]
    scores = score_labelled_masks(answers, [scene, scene], Filled())
    # The cat is right; a person where there is no crowd is wrong: (1 + 0) / 2.
    assert [example["mask_iou"] for example in scores.examples] == [1.0, 0.5]


def test_nothing_meant_and_boxes_without_masks() -> None:
    nothing = Scene(100, 200, ())
    one = Scene(100, 200, (thing(area(0, 0, 40, 40), "cat"),))
    scores = score_labelled_masks(
        ["", "cat", "<loc0000><loc0000><loc0400><loc0400> cat"], [nothing, one, one], Filled()
    )
    assert [example["mask_iou"] for example in scores.examples] == [1, 0, 0]
    assert [example["invalid"] for example in scores.examples] == [0, 1, 1]
    with pytest.raises(ValueError, match="0 answers cannot be scored"):
        score_labelled_masks([], [], Filled())
