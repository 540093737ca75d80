"""The loss, worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch

from pg_transfer.training.loss import suffix_loss, supervised


def test_the_separator_predicts_the_first_and_nothing_is_asked_of_the_last() -> None:
    # Text of 5: bos p sep s eos pad and bos sep s s s s (cut): inputs are the first five.
    chosen = supervised(torch.tensor([3, 2]), torch.tensor([5, 6]), 5)
    assert chosen.int().tolist() == [[0, 0, 1, 1, 0], [0, 1, 1, 1, 1]]


def test_nothing_is_supervised_where_the_prefix_fills_the_window() -> None:
    assert not supervised(torch.tensor([6]), torch.tensor([6]), 5).any()


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_mean_of_means(smoothing: float) -> None:
    # Four classes; logits (0, 0, 0, ln 3): probabilities 1/6, 1/6, 1/6, 1/2.
    logits = torch.tensor([[0.0, 0.0, 0.0, math.log(3)]]).repeat(3, 1)
    targets = torch.tensor([3, 0, 3])
    # One token in the first example, two in the second, none in the third.
    chosen = torch.tensor([[True, False], [True, True], [False, False]])
    each = smoothing / 3
    right = (1 - smoothing) * math.log(2) + 3 * each * math.log(6)
    wrong = (1 - smoothing) * math.log(6) + 2 * each * math.log(6) + each * math.log(2)
    losses = suffix_loss(logits, targets, is_supervised=chosen, label_smoothing=smoothing)
    torch.testing.assert_close(losses, torch.tensor([right, (wrong + right) / 2, 0.0]))
