"""The segmentation scores against the JAX reference's evaluator, and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as coco

from pg_transfer.metrics.segmentation import Truth, box_iou, score_masks
from pg_transfer.segmentation.codec import load_codec
from pg_transfer.text.locations import BoxAndCodes, read_box_and_codes

FIRST_LOCATION, FIRST_SEGMENT, END = 256000, 257024, 1


class FillsTheBox:
    """Draws everything as foreground from the column on that the first code names."""

    def encode(self, masks):
        raise NotImplementedError

    def decode(self, codes):
        maps = np.ones((len(codes), 64, 64), np.float32)
        for drawn, row in zip(maps, codes, strict=True):
            drawn[:, : row[0]] = -1
        return maps


def answer(ymin, xmin, ymax, xmax, code=0):
    return BoxAndCodes(np.array([ymin, xmin, ymax, xmax]), np.full(16, code))


def spelled(number):
    if 0 <= number - FIRST_LOCATION < 1024:
        return f"<loc{number - FIRST_LOCATION:04d}>"
    if 0 <= number - FIRST_SEGMENT < 128:
        return f"<seg{number - FIRST_SEGMENT:03d}>"
    return "other"


@pytest.fixture
def recorded(golden):
    """What the reference scored: recorded arrays, answers and truths."""
    arrays = golden("segmetric_golden")
    answers, truths = [], []
    for number, tokens in enumerate(arrays["tokens"].tolist()):
        answers.append(read_box_and_codes([spelled(n) for n in tokens[: tokens.index(END)]]))
        height, width = arrays["shapes"][number]
        bits = np.unpackbits(arrays[f"mask{number}"])[: height * width]
        truths.append(Truth(arrays["boxes"][number], bits.reshape(height, width)))
    return arrays, answers, truths


@pytest.mark.golden
def test_equals_the_reference_evaluator(recorded, golden, tmp_path):
    arrays, answers, truths = recorded
    np.savez(tmp_path / "codec.npz", **golden("maskcodec_weights"))
    metrics, *_ = score_masks(answers, truths, load_codec(tmp_path / "codec.npz"))
    assert metrics["mIoU"] == pytest.approx(100 * float(arrays["result/miou"]), abs=1e-6)


@pytest.mark.golden
def test_equals_the_reference_evaluator_in_all_but_the_drawing(recorded):
    arrays, answers, truths = recorded
    metrics, examples, *_ = score_masks(answers, truths, FillsTheBox())
    for threshold in ("0.5", "0.75"):
        expected = 100 * float(arrays[f"result/boxacc_{threshold}"])
        assert metrics[f"box_accuracy@{threshold}"] == pytest.approx(expected, abs=1e-6)
    assert metrics["invalid"] == arrays["result/invalid"] == sum(e["invalid"] for e in examples)
    assert metrics["total"] == arrays["result/total"] == len(examples)


def test_scores_by_hand():
    left_half = np.zeros((10, 20), dtype=bool)
    left_half[:, :10] = True
    answers = [
        answer(0, 0, 1023, 1023),  # everything: 100 of 200 pixels right
        answer(0, 0, 1023, 512),  # 512 / 1023 * 20 = 10.01: exactly the left half
        answer(0, 512, 1023, 1023),  # the other half: nothing right, 200 in the union
        None,
    ]
    metrics, examples, *_ = score_masks(
        answers, [Truth((0, 0, 1, 0.5), left_half)] * 4, FillsTheBox()
    )
    assert [e["mask_iou"] for e in examples] == [0.5, 1, 0, 0]
    assert [e["intersection"] for e in examples] == [100, 100, 0, 0]
    assert [e["union"] for e in examples] == [200, 100, 200, 100]
    assert [e["invalid"] for e in examples] == [0, 0, 0, 1]
    # Boxes: half; 0.5 / (512 / 1023); nothing in common; invalid.
    assert [e["box_iou"] for e in examples] == pytest.approx([0.5, 1023 / 1024, 0, 0])
    assert metrics == pytest.approx(
        {
            "mIoU": 37.5,  # (0.5 + 1 + 0 + 0) / 4
            "box_accuracy@0.5": 50,  # reaching the threshold is enough
            "box_accuracy@0.75": 25,
            "oIoU": 100 * 200 / 600,
            "invalid": 1,
            "total": 4,
        }
    )
    assert next(iter(metrics)) == "mIoU"


def test_box_without_a_pixel_is_invalid_though_its_box_counts():
    # 300..310 of 1023 is 2.93..3.03 of 10 rows but 0.293..0.303 of 1 row: no whole pixel there.
    thin = answer(300, 0, 310, 1023)
    truth = Truth((300 / 1023, 0, 310 / 1023, 1), np.ones((1, 40), dtype=bool))
    metrics, examples, *_ = score_masks([thin], [truth], FillsTheBox())
    assert examples[0] == {
        "mask_iou": 0,
        "box_iou": pytest.approx(1),
        "box_accuracy@0.5": 1,
        "box_accuracy@0.75": 1,
        "invalid": 1,
        "intersection": 0,
        "union": 40,
    }
    assert metrics["invalid"] == 1
    assert metrics["box_accuracy@0.75"] == 100


def test_each_answer_gets_its_own_codes():
    # More than are decoded at once, every third invalid; code n leaves 64 - n of 64 columns.
    answers = [None if n % 3 == 0 else answer(0, 0, 1023, 1023, n % 60) for n in range(600)]
    truths = [Truth((0, 0, 1, 1), np.ones((64, 64), dtype=np.uint8))] * 600
    _, examples, *_ = score_masks(answers, truths, FillsTheBox())
    expected = [0 if n % 3 == 0 else (64 - n % 60) / 64 for n in range(600)]
    assert [e["mask_iou"] for e in examples] == pytest.approx(expected)


def test_true_masks_may_be_made_when_needed():
    alive = []

    def make():
        alive.append(1)
        return np.ones((8, 8), dtype=np.uint8) * 255

    metrics, *_ = score_masks(
        [answer(0, 0, 1023, 1023), None], [Truth((0, 0, 1, 1), make)] * 2, FillsTheBox()
    )
    assert metrics["mIoU"] == 50
    assert len(alive) == 2


def test_nothing_to_score_is_refused():
    with pytest.raises(ValueError, match="0 answers"):
        score_masks([], [], FillsTheBox())
    with pytest.raises(ValueError, match="1 answers cannot be scored against 0 truths"):
        score_masks([None], [], FillsTheBox())


corners = st.tuples(*[st.integers(0, 1000)] * 2, *[st.integers(1, 1000)] * 2)


@given(corners, corners)
def test_box_iou_equals_that_of_coco(first, second):
    (y, x, h, w), (v, u, b, a) = first, second
    expected = coco.iou([[x, y, w, h]], [[u, v, a, b]], [0])[0, 0]
    assert box_iou((y, x, y + h, x + w), (v, u, v + b, u + a)) == pytest.approx(expected)


def test_boxes_without_area_have_nothing_in_common():
    assert box_iou((0.5, 0.5, 0.5, 0.5), (0.5, 0.5, 0.5, 0.5)) == 0
