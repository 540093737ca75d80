"""The drawn task says what it shows."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from pg_transfer.task import Answer, Draw
from tasks.shapes import BACKGROUND, COLOURS, SIZES, Shapes, paint_mask


class Halves:
    """A codec that knows two masks: full and empty."""

    def encode(self, masks: np.ndarray) -> np.ndarray:
        return np.repeat((masks.mean((1, 2)) > 0.9).astype(np.int64)[:, None], 16, axis=1)

    def decode(self, codes: np.ndarray) -> np.ndarray:
        return np.repeat(codes.mean(1) * 2 - 1, 4096).reshape(-1, 64, 64).astype(np.float32)


@pytest.fixture(scope="module")
def task() -> Shapes:
    return Shapes(Halves())


def test_the_expression_is_true_of_the_region_and_of_no_other(task) -> None:
    for example in task.examples("val"):
        _, size, colour, _ = example.prefix.split()
        image, region = example.image(), example.reference
        mask = region.mask()
        assert image.shape == (168, 168, 3) and mask.shape == (168, 168)
        assert (image[mask] == COLOURS[colour]).all()
        # The box is the mask's own, and as many cells of 28 px wide as the size says.
        rows, columns = np.nonzero(mask)
        found = (rows.min(), columns.min(), rows.max() + 1, columns.max() + 1)
        assert found == tuple(round(end * 168) for end in region.box)
        assert found[2] - found[0] == SIZES[size] * 28
        shapes = example.image.args[0]
        assert sum(shape.expression == example.prefix for shape in shapes) == 1


def test_shapes_do_not_overlap(task) -> None:
    for example in task.examples("val"):
        shapes = example.image.args[0]
        painted = (example.image() != BACKGROUND).any(-1).sum()
        assert painted == sum(paint_mask(shape).sum() for shape in shapes)


def test_the_target_is_four_corners_and_sixteen_codes(task) -> None:
    example = next(e for e in task.examples("val") if e.prefix.endswith("square"))
    target = task.target(example, Draw(0, example.id, 0))
    # Corners are multiples of 1/6: 1023 / 6 = 170.5 and so on, rounded half to even.
    bins = [round(1023 * end) for end in example.reference.box]
    assert target.prefix == example.prefix
    assert target.suffix == "".join(f"<loc{b:04}>" for b in bins) + "<seg001>" * 16


def test_right_half_right_and_wrong(task) -> None:
    squares = [e for e in task.examples("val") if e.prefix.endswith("square")][:3]
    pieces = []
    for example in squares:
        bins = [round(1023 * end) for end in example.reference.box]
        pieces.append((*(f"<loc{b:04}>" for b in bins), *["<seg001>"] * 16))
    right = task.score([Answer(e, "", p) for e, p in zip(squares, pieces, strict=True)])
    assert right.metrics["mIoU"] > 97  # tokens round corners by up to 168 / 1023 / 2 px
    assert right.metrics["box_accuracy@0.75"] == 100
    empty = task.score([Answer(example, "", ()) for example in squares])
    assert empty.metrics["mIoU"] == 0 and empty.metrics["invalid"] == 3
    half = task.score([Answer(squares[0], "", pieces[0]), Answer(squares[1], "", ())])
    assert half.metrics["box_accuracy@0.5"] == 50


def test_splits_differ_and_are_named(task) -> None:
    val, test = task.examples("val"), task.examples("test")
    assert len({example.id for example in [*val, *test]}) == 128 + 512
    assert [e.prefix for e in val] != [e.prefix for e in test[:128]]
    with pytest.raises(ValueError, match="train, val, test"):
        task.examples("dev")


def test_examples_travel_to_loading_processes(task) -> None:
    example = pickle.loads(pickle.dumps(task.examples("val")[0]))
    assert example.image().dtype == np.uint8


def test_a_split_may_be_made_of_slices(task) -> None:
    some = task.examples("val[:5]+test[:3]")
    assert [example.id.split("-")[0] for example in some] == ["val"] * 5 + ["test"] * 3
