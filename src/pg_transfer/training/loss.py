"""The loss: suffix tokens only, a mean per example, then a mean over examples.

Source: big_vision trainers/proj/paligemma/train.py, update_fn. Logits of a quarter of a million
tokens are by far the largest thing in a step, so that there are never more than `CHUNK` of them.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from pg_transfer.model.precision import float32_product

CHUNK = 256
"""Positions that have logits at one time: 0.26 GB in float32."""
ROWS = 32_768
"""Rows of the table whose gradient is computed at one time where it is not summed in place."""


def supervised(prefix_lengths: Tensor, lengths: Tensor, text_length: int) -> Tensor:
    """Which positions predict a suffix token: bool [B, T].

    The separator predicts the first, the last but one token predicts the end of sequence.

    Args:
        prefix_lengths: [B], tokens up to and including the separator.
        lengths: [B], tokens that are not padding.
        text_length: T.
    """
    predicted = torch.arange(1, text_length + 1, device=lengths.device)
    return (predicted >= prefix_lengths[:, None]) & (predicted < lengths[:, None])


def suffix_loss(
    features: Tensor,
    table: Tensor,
    targets: Tensor,
    *,
    is_supervised: Tensor,
    label_smoothing: float,
) -> Tensor:
    """The mean loss over each example's suffix tokens, float32 [B]; 0 where there are none.

    Args:
        features: [S, D], of the supervised positions, example by example.
        table: [W, D], which makes logits of them.
        targets: [S], the tokens that stand there.
        is_supervised: bool [B, T], with S positions set.
        label_smoothing: eps; the right token keeps 1 - eps, each other one gets eps / (W - 1).
    """
    losses = token_losses(features, table, targets, label_smoothing=label_smoothing)
    example = is_supervised.nonzero()[:, 0]
    sums = losses.new_zeros(is_supervised.shape[0]).index_add(0, example, losses)
    return sums / is_supervised.sum(1).clamp(min=1)


def token_losses(
    features: Tensor, table: Tensor, targets: Tensor, *, label_smoothing: float
) -> Tensor:
    """The cross-entropy of every position, float32 [S]; the arguments are those of `suffix_loss`.

    Products are taken in the dtype of the features, or that of autocast; everything else in
    float32, but for the table's gradient, which is summed in the dtype of the table.
    """
    device = features.device.type
    if torch.is_autocast_enabled(device):
        features = features.to(torch.get_autocast_dtype(device))
    return _TokenLosses.apply(features, table, targets, label_smoothing)  # type: ignore[return-value]


class _TokenLosses(torch.autograd.Function):
    """Cross-entropy behind a linear layer, chunk by chunk of its positions.

    With q the smoothed target, z the logits and p = softmax(z), a position's loss is
    logsumexp(z) - q z, as q sums to 1, and the gradient of z is p - q. The logits of the last chunk
    are kept for it, those before are computed again: a short batch pays nothing, a long one a third
    more products, and neither holds more than one chunk.
    """

    @staticmethod
    def forward(
        ctx: Any, features: Tensor, table: Tensor, targets: Tensor, smoothing: float
    ) -> Tensor:
        weights = table.to(features.dtype)
        right, other = _target(smoothing, len(table))
        losses, normalisers, logits = [], [], features.new_empty(0)
        for some, tokens in zip(features.split(CHUNK), targets.split(CHUNK), strict=True):
            del logits  # before there are new ones
            logits = float32_product(some, weights)
            normaliser = logits.logsumexp(-1)
            loss = normaliser - (right - other) * logits.gather(1, tokens[:, None])[:, 0]
            if other:
                loss -= other * logits.sum(-1)
            losses.append(loss)
            normalisers.append(normaliser)
        if any(ctx.needs_input_grad):
            ctx.smoothing, ctx.table_dtype = smoothing, table.dtype
            ctx.save_for_backward(features, weights, targets, torch.cat(normalisers), logits)
        return torch.cat(losses)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        features, weights, targets, normalisers, logits = ctx.saved_tensors
        right, other = _target(ctx.smoothing, len(weights))
        for_features = torch.empty_like(features)
        for_table = (
            torch.empty_like(weights, dtype=ctx.table_dtype) if ctx.needs_input_grad[1] else None
        )
        pieces = (t.split(CHUNK) for t in (features, targets, normalisers, upstream, for_features))
        for number, piece in enumerate(reversed(list(zip(*pieces, strict=True)))):
            some, tokens, normaliser, weight, for_some = piece
            if number:
                del logits
                logits = float32_product(some, weights)
            error = logits.sub_(normaliser[:, None]).exp_()
            if other:
                error -= other
            error.scatter_add_(1, tokens[:, None], error.new_full((len(tokens), 1), other - right))
            error = error.mul_(weight[:, None]).to(weights.dtype)
            torch.mm(error, weights, out=for_some)
            if for_table is not None:
                _add_product(for_table, error, some, is_first=number == 0)
        return for_features, for_table, None, None


def _target(smoothing: float, vocabulary: int) -> tuple[float, float]:
    """The probability of the right token, and that of each other one."""
    return 1 - smoothing, smoothing / (vocabulary - 1)


def _add_product(total: Tensor, error: Tensor, features: Tensor, *, is_first: bool) -> None:
    """Adds errors [C, W] times features [C, D] to `total` [W, D], or starts it with them."""
    if total.dtype == error.dtype:
        total.addmm_(error.T, features, beta=0.0 if is_first else 1.0)
        return
    for rows, columns in zip(total.split(ROWS), error.split(ROWS, dim=1), strict=True):
        product = columns.T @ features
        rows.copy_(product) if is_first else rows.add_(product)


def summed_last(table: Tensor) -> Tensor:
    """The same table, for `suffix_loss`; to be called before tokens are looked up in it.

    The gradient of the table has two parts: a dense one from the logits, and the rows of the tokens
    that were looked up. Autograd goes through what was made last first, so that after this call the
    rows are there before the dense part, to which it then adds them in place. The other way round
    it would make another table, of 2 GB in the 3B model. Gradients are right in either case.
    """
    return _SummedLast.apply(table)  # type: ignore[return-value]


class _SummedLast(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, table: Tensor) -> Tensor:
        return table.view_as(table)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient
