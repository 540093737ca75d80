"""Gemma's decoder, 1 and 2 (arXiv:2403.08295, arXiv:2408.00118); big_vision models/ppp/gemma.py.

Numerics: the residual stream, rotary angles, attention softmax and norms are float32; matrix
products take the dtype of their weights.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from pg_transfer.model.activation import gelu
from pg_transfer.model.attention import Sight, attend
from pg_transfer.model.config import LanguageConfig
from pg_transfer.model.precision import product_dtype
from pg_transfer.model.recomputing import recomputing

ROPE_BASE = 10_000.0


class Cache:
    """Keys and values of the tokens already read, for one batch.

    Args:
        config: of the language model.
        batch: rows.
        slots: image tokens + padded prompt + tokens to generate.
        like: a tensor of the device and dtype to keep keys and values in.
    """

    def __init__(self, config: LanguageConfig, *, batch: int, slots: int, like: Tensor) -> None:
        shape = (config.depth, batch, config.kv_heads, slots, config.head_width)
        self.keys, self.values = like.new_empty(shape), like.new_empty(shape)
        self.filled = 0

    def append(self, layer: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """All keys and values of `layer` so far, [B, H, S, K], after taking in the new ones."""
        end = self.filled + key.shape[2]
        self.keys[layer, :, :, self.filled : end] = key
        self.values[layer, :, :, self.filled : end] = value
        return self.keys[layer, :, :, :end], self.values[layer, :, :, :end]

    def take(self, rows: Tensor) -> None:
        """Holds these rows [R] instead, in this order; a row may come more than once."""
        self.keys, self.values = self.keys[:, rows], self.values[:, rows]


class RMSNorm(nn.Module):
    """x / rms(x) * (1 + weight) in float32, answered in the dtype of the weight."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        """[..., D] to [..., D]."""
        weight = 1 + self.weight.float()
        return F.rms_norm(x.float(), weight.shape, weight, eps=1e-6).to(self.weight.dtype)


def rotation(positions: Tensor, head_width: int) -> tuple[Tensor, Tensor]:
    """Cosine and sine of the rotary angles of `positions` [B, L]: float32 [B, 1, L, K / 2]."""
    pairs = torch.arange(head_width // 2, dtype=torch.float32, device=positions.device)
    angles = positions[:, None, :, None].float() / ROPE_BASE ** (2 * pairs / head_width)
    return angles.cos(), angles.sin()


def rotate(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """`x` [B, H, L, K] with its first half of K turned against the second."""
    first, second = x.float().chunk(2, dim=-1)
    turned = (first * cosine - second * sine, second * cosine + first * sine)
    return torch.cat(turned, dim=-1).to(x.dtype)


def latest(x: Tensor, count: int) -> Tensor:
    """The last `count` tokens of `x` [B, L, D]."""
    return x if x.shape[1] == count else x[:, -count:]


class Attention(nn.Module):
    """Grouped-query attention with rotary positions and no biases."""

    def __init__(self, config: LanguageConfig, layer: int) -> None:
        super().__init__()
        self.layer = layer
        self.head_width = config.head_width
        self.scale = config.query_scale
        self.softcap = config.attention_softcap
        queries, keys = (heads * config.head_width for heads in (config.heads, config.kv_heads))
        self.q_proj = nn.Linear(config.width, queries, bias=False)
        self.k_proj = nn.Linear(config.width, keys, bias=False)
        self.v_proj = nn.Linear(config.width, keys, bias=False)
        self.o_proj = nn.Linear(queries, config.width, bias=False)

    def forward(
        self,
        x: Tensor,
        angles: tuple[Tensor, Tensor],
        sights: Sequence[Sight],
        cache: Cache | None,
    ) -> Tensor:
        """[B, L, D] to [B, L', D], of the last tokens, as many as `sights` speak of."""
        queries = sum(sight.queries for sight in sights)
        x = x.to(product_dtype(x))
        query, key, value = (
            projection(tokens).unflatten(-1, (-1, self.head_width)).transpose(1, 2)
            for projection, tokens in (
                (self.q_proj, latest(x, queries)), (self.k_proj, x), (self.v_proj, x),
            )
        )  # fmt: skip
        if cache is not None and queries == x.shape[1]:
            # At once: for a token of an answer a GPU spends more on launching kernels than in them.
            both = rotate(torch.cat([query, key], dim=1), *angles)
            query, key = both.split([query.shape[1], key.shape[1]], dim=1)
        else:
            query = rotate(query, *(angle[:, :, -queries:] for angle in angles))
            key = rotate(key, *angles)
        if cache is not None:
            key, value = cache.append(self.layer, key, value)
        read = attend(query, key, value, sights=sights, scale=self.scale, softcap=self.softcap)
        return self.o_proj(read)


class MLP(nn.Module):
    """gelu(x gate) * (x up), down.

    Hidden layers are most of what a block would keep for its gradient, 8 times as wide as the
    stream: of four, the two that no product is needed for are made again.
    """

    def __init__(self, width: int, hidden: int, *, recomputes: bool) -> None:
        super().__init__()
        self.recomputes = recomputes
        self.gate_proj = nn.Linear(width, hidden, bias=False)
        self.up_proj = nn.Linear(width, hidden, bias=False)
        self.down_proj = nn.Linear(hidden, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """[B, L, D] to [B, L, D]."""
        x = x.to(product_dtype(x))
        gate, up = self.gate_proj(x), self.up_proj(x)
        with recomputing(self.recomputes) as again:
            opened = again(gelu(gate), gelu, gate)
            hidden = again(opened * up, torch.mul, opened, up)
            return self.down_proj(hidden)


class Block(nn.Module):
    """Attention and MLP, each behind a norm and added to the stream.

    Gemma 2 also norms what each branch returns. Its dropout stands behind that norm in the
    attention branch and before it in the MLP branch; so it does in the reference.

    Args:
        config: the numbers.
        layer: place in the stack.
        rematerialise: its gradient computes it again, and nothing inside it is kept.
    """

    def __init__(self, config: LanguageConfig, layer: int, *, rematerialise: bool) -> None:
        super().__init__()
        self.rematerialise = rematerialise
        self.dropout = config.dropout
        self.post_norms = config.post_norms
        self.self_attn = Attention(config, layer)
        self.mlp = MLP(config.width, config.mlp, recomputes=not rematerialise)
        self.input_layernorm = RMSNorm(config.width)
        self.post_attention_layernorm = RMSNorm(config.width)
        if config.post_norms:
            self.pre_feedforward_layernorm = RMSNorm(config.width)
            self.post_feedforward_layernorm = RMSNorm(config.width)

    def forward(
        self,
        x: Tensor,
        angles: tuple[Tensor, Tensor],
        sights: Sequence[Sight],
        cache: Cache | None,
    ) -> Tensor:
        """Float32 [B, L, D] to float32 [B, L', D], of the last tokens, as of `Attention`."""
        read = self.self_attn(self.input_layernorm(x), angles, sights, cache)
        x = latest(x, read.shape[1])
        if not self.post_norms:
            x = x + self._drop(read)
            return x + self._drop(self.mlp(self.post_attention_layernorm(x)))
        x = x + self._drop(self.post_attention_layernorm(read))
        thought = self._drop(self.mlp(self.pre_feedforward_layernorm(x)))
        return x + self.post_feedforward_layernorm(thought)

    def _drop(self, x: Tensor) -> Tensor:
        return F.dropout(x, self.dropout, self.training)


class Gemma(nn.Module):
    """Embeddings in, final-normed features out; the vocabulary table serves at both ends.

    Args:
        config: the numbers.
        rematerialise: of so many blocks, the first ones, keep no activations; compute them again
            for the gradient.
    """

    def __init__(self, config: LanguageConfig, *, rematerialise: int = 0) -> None:
        super().__init__()
        self.config = config
        self.embed_tokens = nn.Embedding(config.vocabulary, config.width)
        self.layers = nn.ModuleList(
            Block(config, layer, rematerialise=layer < rematerialise)
            for layer in range(config.depth)
        )
        self.norm = RMSNorm(config.width)

    def embed(self, tokens: Tensor) -> Tensor:
        """Float32 [B, T, D]: rows of the table times sqrt(D), the root in the table's dtype.

        Its gradient holds the rows that were used, and not a second whole table to be added to the
        one that the logits leave behind.
        """
        rows = F.embedding(tokens, self.embed_tokens.weight, sparse=True)
        return (rows * torch.tensor(self.config.width**0.5, dtype=rows.dtype)).float()

    def forward(
        self,
        x: Tensor,
        *,
        positions: Tensor,
        sights: Sequence[Sight],
        cache: Cache | None = None,
    ) -> Tensor:
        """Features of the tokens of the last run, [B, L', D].

        Of the others nobody reads what the last block would make of them; there they are but keys.

        Args:
            x: float32 [B, L, D].
            positions: [B, L], from 0, image tokens included.
            sights: of the runs that the L tokens consist of, in order.
            cache: what came before; it takes in the L new tokens.
        """
        angles = rotation(positions, self.config.head_width)
        filled = x.shape[1]
        for block in self.layers:
            seen = sights if block is not self.layers[-1] else sights[-1:]
            if block.rematerialise and torch.is_grad_enabled():
                x = checkpoint(block, x, angles, seen, cache, use_reentrant=False)
            else:
                x = block(x, angles, seen, cache)
        if cache is not None:
            cache.filled += filled
        return self.norm(x)
