"""What the model is given of a batch."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pg_transfer.text.sequence import Layout
from pg_transfer.training.batches import Batch, Item, collate, value_range
from pg_transfer.training.module import TransferModule
from tests.training.test_tuning import RECIPE, tiny


def loaded(*pixels: np.ndarray) -> Batch:
    layout = Layout(np.array([2, 5, 9, 1]), prefix_length=2, length=4, cut=None)
    return collate([Item(row, image, layout) for row, image in enumerate(pixels)])


@pytest.mark.golden
def test_the_value_range_is_the_references(golden) -> None:
    recorded = golden("resize_golden")
    pixels = value_range(torch.from_numpy(recorded["resize0_56_aa0"]))
    assert pixels.dtype == torch.float32
    expected = recorded["value_range0_56_aa0"]
    np.testing.assert_allclose(pixels, expected, rtol=0, atol=1e-6)


def test_value_range_by_hand() -> None:
    pixels = value_range(torch.tensor([[0, 51, 255]], dtype=torch.uint8))
    np.testing.assert_allclose(pixels, [[-1, -0.6, 1]], rtol=0, atol=1e-7)


@pytest.mark.parametrize(
    "device", ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(
        not torch.cuda.is_available(), reason="no GPU"))]
)  # fmt: skip
def test_the_value_range_is_the_same_to_the_last_bit_everywhere(device: str) -> None:
    levels = np.arange(256, dtype=np.uint8)
    expected = levels.astype(np.float32) / np.float32(255) * np.float32(2) - np.float32(1)
    ours = value_range(torch.from_numpy(levels).to(device)).cpu().numpy()
    assert ours.tobytes() == expected.tobytes()


def test_images_are_bytes_until_they_are_where_they_are_used() -> None:
    first, second = np.random.default_rng(0).integers(0, 256, (2, 6, 6, 3), np.uint8)
    batch = loaded(first, second)
    assert (batch.images.dtype, batch.images.shape) == (torch.uint8, (2, 6, 6, 3))
    moved = batch.to(torch.device("cpu"))
    assert (moved.images.dtype, moved.images.shape) == (torch.float32, (2, 3, 6, 6))
    assert moved.images.is_contiguous()
    # Row 1, column 2, green of the second image.
    assert float(moved.images[1, 1, 1, 2]) == pytest.approx(second[1, 2, 1] / 127.5 - 1, abs=1e-6)
    assert torch.equal(moved.to(torch.device("cpu")).images, moved.images)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="memory is pinned for a GPU")
def test_a_pinned_batch_is_the_same_batch() -> None:
    batch = loaded(np.random.default_rng(0).integers(0, 256, (6, 6, 3), np.uint8))
    pinned = batch.pin_memory()
    assert pinned.images.is_pinned() and pinned.tokens.is_pinned()
    there = pinned.to(torch.device("cuda"), non_blocking=True)
    assert torch.equal(there.images.cpu(), batch.to(torch.device("cpu")).images)
    assert pinned.rows == batch.rows


def test_lessons_about_one_array_are_learnt_as_if_each_had_its_own() -> None:
    """A task's function may give the same pixels again, of the model's size already."""
    one, other = np.random.default_rng(0).integers(0, 256, (2, 28, 28, 3), np.uint8)
    module = TransferModule(tiny(), RECIPE, steps=1, end=1, seed=0)
    losses = [
        module.losses(loaded(*pixels).to(torch.device("cpu")))
        for pixels in ((one, other, one), (one, other, one.copy()))
    ]
    assert losses[0][0] == losses[0][2] != losses[0][1]
    assert torch.equal(*losses)
