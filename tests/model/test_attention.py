"""Attention by runs is attention under one dense mask, and never makes anything of that size."""

from __future__ import annotations

import math

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from pg_transfer.model import attention
from pg_transfer.model.attention import Sight, attend
from pg_transfer.model.paligemma import PaliGemma, prefix_lm_sights

IMAGE, TEXT = 40, 9


def dense(query, key, value, visible, *, scale, softcap):
    """Attention in one piece, as it is defined; `visible` is bool [B, L, L]."""
    sharing = query.shape[1] // key.shape[1]
    key, value = key.repeat_interleave(sharing, 1), value.repeat_interleave(sharing, 1)
    scores = torch.einsum("bhqk,bhsk->bhqs", query * scale, key)
    if softcap is not None:
        scores = softcap * torch.tanh(scores / softcap)
    chances = scores.masked_fill(~visible[:, None], -math.inf).softmax(-1)
    return torch.einsum("bhqs,bhsk->bqhk", chances, value).flatten(2)


def visible(prefixes, lengths):
    """The mask of every pair of tokens, from its definition alone: bool [B, L, L]."""
    rows = []
    for prefix, length in zip(prefixes, lengths, strict=True):
        rows.append([
            [key < IMAGE + length and (key < IMAGE + prefix or key <= query)
             for key in range(IMAGE + TEXT)]
            for query in range(IMAGE + TEXT)
        ])  # fmt: skip
    return torch.tensor(rows)


@pytest.mark.parametrize("queries", [512, 16], ids=["one piece", "pieces"])
@pytest.mark.parametrize("softcap", [None, 2.0])
@pytest.mark.parametrize("prefixes", [[4, 4], [5, 3]], ids=["even", "uneven"])
@pytest.mark.parametrize("key_heads", [1, 2, 4])
def test_runs_equal_one_dense_mask(monkeypatch, queries, softcap, prefixes, key_heads) -> None:
    monkeypatch.setattr(attention, "QUERIES", queries)
    generator = torch.Generator().manual_seed(0)
    lengths = [8, 6]
    tensors = [
        torch.randn(2, heads, IMAGE + TEXT, 8, generator=generator, dtype=torch.float64)
        for heads in (4, key_heads, key_heads)
    ]
    weight = torch.randn(2, IMAGE + TEXT, 32, generator=generator, dtype=torch.float64)
    sights = prefix_lm_sights(
        torch.tensor(prefixes), torch.tensor(lengths), image_tokens=IMAGE, text_tokens=TEXT
    )
    found = []
    for sees, how in (
        (attend, {"sights": sights}),
        (dense, {"visible": visible(prefixes, lengths)}),
    ):
        inputs = [tensor.clone().requires_grad_() for tensor in tensors]
        read = sees(*inputs, **how, scale=0.5, softcap=softcap)
        (read * weight).sum().backward()
        found.append([read.detach(), *(tensor.grad for tensor in inputs)])
    # Gemma 2's softmax is in float32.
    close = {"atol": 1e-12, "rtol": 1e-12} if softcap is None else {"atol": 1e-5, "rtol": 1e-5}
    for ours, expected in zip(*found, strict=True):
        torch.testing.assert_close(ours, expected, **close)
    with torch.no_grad():  # another way, in which no key is copied
        read = attend(*tensors, sights=sights, scale=0.5, softcap=softcap)
    torch.testing.assert_close(read, found[1][0], **close)


class Largest(TorchDispatchMode):
    """Remembers the most bytes that one tensor was made of, whatever made it."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        made = function(*args, **(kwargs or {}))
        for tensor in made if isinstance(made, (tuple, list)) else [made]:
            if isinstance(tensor, torch.Tensor) and tensor.layout is torch.strided:
                self.bytes = max(self.bytes, tensor.untyped_storage().nbytes())
        return made


@pytest.mark.parametrize("prefixes", [[5, 5], [5, 3]], ids=["even", "uneven"])
def test_nothing_is_as_large_as_the_sequence_squared(toy, monkeypatch, prefixes) -> None:
    """Forward and backward at 1024 image tokens and 12 of text, in blocks computed twice."""
    monkeypatch.setattr(attention, "QUERIES", 16)
    model = PaliGemma(toy, rematerialise=True)
    model.initialise(torch.Generator().manual_seed(0))
    monkeypatch.setattr(model, "encode_images", lambda images: images)
    with Largest() as largest:
        features = model(
            torch.randn(2, 1024, 64), torch.ones(2, 12, dtype=torch.long),
            prefix_lengths=torch.tensor(prefixes), lengths=torch.tensor([9, 9]),
        )  # fmt: skip
        features.square().sum().backward()
    # The MLP's hidden layer: 2 * 1036 * 160 numbers of 4 bytes = 1.3 MB. One byte for every pair of
    # tokens would be 2 * 1036 ** 2 = 2.1 MB, a score of each of four heads 34 MB.
    assert 2 * 1036 * 160 * 4 <= largest.bytes < 2 * 1036**2


def test_heads_share_keys_without_copies_where_nothing_is_learnt() -> None:
    """One token that eight heads read 1000 keys with, as in answering."""
    generator = torch.Generator().manual_seed(0)
    query, keys = (torch.randn(2, *s, 16, generator=generator) for s in ((8, 1), (1, 1000)))
    with Largest() as largest, torch.no_grad():
        attend(query, keys, keys, sights=[Sight(1, 1000)], scale=0.5, softcap=None)
    # Keys of one head are 2 * 1000 * 16 numbers of 4 bytes = 128 kB, and are looked at in place.
    assert largest.bytes <= 2 * 1000 * 16 * 4
