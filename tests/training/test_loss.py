"""The loss, worked out by hand; and in pieces equal to torch's in one."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F
from torch.profiler import ProfilerActivity, profile

from pg_transfer.training import loss
from pg_transfer.training.loss import suffix_loss, summed_last, supervised, token_losses


def test_the_separator_predicts_the_first_and_nothing_is_asked_of_the_last() -> None:
    # Text of 5: bos p sep s eos pad and bos sep s s s s (cut): inputs are the first five.
    chosen = supervised(torch.tensor([3, 2]), torch.tensor([5, 6]), 5)
    assert chosen.int().tolist() == [[0, 0, 1, 1, 0], [0, 1, 1, 1, 1]]


def test_nothing_is_supervised_where_the_prefix_fills_the_window() -> None:
    assert not supervised(torch.tensor([6]), torch.tensor([6]), 5).any()


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_mean_of_means(smoothing: float) -> None:
    # Four classes; logits (0, 0, 0, ln 3): probabilities 1/6, 1/6, 1/6, 1/2.
    features, table = torch.ones(3, 1), torch.tensor([[0.0], [0.0], [0.0], [math.log(3)]])
    targets = torch.tensor([3, 0, 3])
    # One token in the first example, two in the second, none in the third.
    chosen = torch.tensor([[True, False], [True, True], [False, False]])
    each = smoothing / 3
    right = (1 - smoothing) * math.log(2) + 3 * each * math.log(6)
    wrong = (1 - smoothing) * math.log(6) + 2 * each * math.log(6) + each * math.log(2)
    losses = suffix_loss(features, table, targets, is_supervised=chosen, label_smoothing=smoothing)
    torch.testing.assert_close(losses, torch.tensor([right, (wrong + right) / 2, 0.0]))


def plain(features, table, targets, smoothing):
    """torch's own, which spreads its smoothing over all W classes, the right one included."""
    spread = smoothing * len(table) / (len(table) - 1)
    return F.cross_entropy(features @ table.T, targets, reduction="none", label_smoothing=spread)


def example(dtype, *, positions: int = 11, vocabulary: int = 50):
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(positions, 6, generator=generator, dtype=dtype, requires_grad=True)
    table = torch.randn(vocabulary, 6, generator=generator, dtype=dtype, requires_grad=True)
    targets = torch.randint(0, vocabulary, (positions,), generator=generator)
    return features, table, targets, torch.rand(positions, generator=generator, dtype=dtype)


@pytest.mark.parametrize("chunk", [256, 11, 4, 1])
@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_pieces_equal_the_whole(monkeypatch, chunk: int, smoothing: float) -> None:
    monkeypatch.setattr(loss, "CHUNK", chunk)
    features, table, targets, weights = example(torch.float64)
    expected = plain(features, table, targets, smoothing)
    (expected * weights).sum().backward()
    gradients = features.grad, table.grad
    features.grad = table.grad = None
    found = token_losses(features, table, targets, label_smoothing=smoothing)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    (found * weights).sum().backward()
    torch.testing.assert_close((features.grad, table.grad), gradients, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("frozen", ["features", "table"])
def test_what_is_frozen_gets_no_gradient(frozen: str) -> None:
    features, table, targets, weights = example(torch.float64)
    expected = torch.autograd.grad((plain(features, table, targets, 0.1) * weights).sum(),
                                   table if frozen == "features" else features)  # fmt: skip
    kept, learning = (features, table) if frozen == "features" else (table, features)
    kept.requires_grad_(False)
    (token_losses(features, table, targets, label_smoothing=0.1) * weights).sum().backward()
    assert kept.grad is None
    torch.testing.assert_close(learning.grad, expected[0])


def test_no_positions_at_all() -> None:
    features, table, targets, _ = example(torch.float32, positions=0)
    token_losses(features, table, targets, label_smoothing=0.0).sum().backward()
    assert torch.equal(table.grad, torch.zeros_like(table))


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_under_autocast_only_products_are_rounded(monkeypatch, smoothing: float) -> None:
    """Against the same products of rounded numbers in float64."""
    monkeypatch.setattr(loss, "CHUNK", 4)
    monkeypatch.setattr(loss, "ROWS", 16)
    features, table, targets, weights = example(torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = token_losses(features, table, targets, label_smoothing=smoothing)
    assert found.dtype == torch.float32
    (found * weights).sum().backward()
    assert table.grad.dtype == torch.float32
    exact = [t.detach().bfloat16().double().requires_grad_() for t in (features, table)]
    expected = plain(*exact, targets, smoothing)
    (expected * weights).sum().backward()
    torch.testing.assert_close(found.double(), expected, rtol=2e-2, atol=2e-2)
    for ours, theirs in zip((features, table), exact, strict=True):
        torch.testing.assert_close(ours.grad.double(), theirs.grad, rtol=3e-2, atol=3e-2)


def test_one_gradient_of_the_tied_table_and_a_chunk_of_logits(monkeypatch) -> None:
    monkeypatch.setattr(loss, "CHUNK", 8)
    table = torch.nn.Parameter(torch.randn(1000, 16, dtype=torch.float64))
    tokens = torch.arange(40) % 7
    with profile(
        activities=[ProfilerActivity.CPU], profile_memory=True, acc_events=True
    ) as profiled:
        last = summed_last(table)
        features = F.embedding(tokens, table, sparse=True).tanh()
        token_losses(features, last, tokens, label_smoothing=0.1).sum().backward()
    in_place, table.grad = table.grad, None
    plain(F.embedding(tokens, table).tanh(), table, tokens, 0.1).sum().backward()
    torch.testing.assert_close(in_place, table.grad)
    taken = [event.self_cpu_memory_usage for event in profiled.events()]
    assert taken.count(1000 * 16 * 8) == 1
    # No logits of all 40 positions, nor of more than 8.
    assert sorted(set(taken))[-2:] == [8 * 1000 * 8, 1000 * 16 * 8]
