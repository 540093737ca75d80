"""Attention without a mask of all tokens by all tokens.

Image tokens are 90 to 99 % of a sequence, and all of them see the same. So a sequence is cut into
runs of tokens: the image's, which need no mask or one that serves them all, and the text's, which
are few. Memory grows with the sequence and not with its square.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

QUERIES = 512
"""Tokens whose scores are held at one time, where scores have to be squashed."""


class Sight(NamedTuple):
    """What a run of consecutive tokens sees.

    Attributes:
        queries: how many tokens are in the run.
        keys: how many tokens, from the first of the sequence on, any of them sees.
        mask: bool [B, 1, queries or 1, keys], which of those; None for all.
    """

    queries: int
    keys: int
    mask: Tensor | None = None


def attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    *,
    sights: Sequence[Sight],
    scale: float,
    softcap: float | None,
) -> Tensor:
    """What each query reads, [B, L, H * K].

    Args:
        query: [B, H, L, K].
        key: [B, h, S, K]; consecutive groups of H / h query heads share a key head.
        value: as `key`.
        sights: of the runs that the L queries consist of, in order; everyone sees something.
        scale: multiplies the query.
        softcap: Gemma 2 squashes the scores by `cap * tanh(score / cap)` before masking.
    """
    sharing = query.shape[1] // key.shape[1]
    if torch.is_grad_enabled():
        key, value = (
            x.unsqueeze(2).expand(-1, -1, sharing, -1, -1).flatten(1, 2) for x in (key, value)
        )
        sharing = 1
    read = []
    for run, sight in zip(query.split([s.queries for s in sights], dim=2), sights, strict=True):
        seen, values, mask = key[:, :, : sight.keys], value[:, :, : sight.keys], sight.mask
        # Where nothing is learnt, heads that share keys are more queries of one head, so that no
        # key is copied. A gradient of keys is summed over queries, and many heads are then more
        # work that a GPU can do at once.
        run = run.unflatten(1, (-1, sharing)).flatten(2, 3)
        if mask is not None and mask.shape[2] > 1:
            mask = mask.repeat(1, 1, sharing, 1)
        if softcap is None:
            mixed = F.scaled_dot_product_attention(run, seen, values, attn_mask=mask, scale=scale)
        else:
            mixed = _squashed(run * scale, seen, values, mask, softcap)
        mixed = mixed.unflatten(2, (sharing, -1)).flatten(1, 2)
        read.append(mixed.transpose(1, 2))
    return (read[0] if len(read) == 1 else torch.cat(read, dim=1)).flatten(-2)


def _squashed(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, softcap: float
) -> Tensor:
    """As `attend`, of one run; its scores are computed again for the gradient, unless they are few.

    No kernel of torch squashes scores, so that they have to be spelled out.
    """
    runs = query.split(QUERIES, dim=2)
    masks: Sequence[Tensor | None] = [mask] * len(runs)
    if mask is not None and mask.shape[2] > 1:
        masks = mask.split(QUERIES, dim=2)
    if len(runs) == 1 or not torch.is_grad_enabled():
        read = [_spelled_out(q, key, value, m, softcap) for q, m in zip(runs, masks, strict=True)]
    else:
        read = [
            checkpoint(
                _spelled_out, q, key, value, m, softcap,
                use_reentrant=False, preserve_rng_state=False,
            )
            for q, m in zip(runs, masks, strict=True)
        ]  # fmt: skip
    return torch.cat(read, dim=2)


def _spelled_out(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, softcap: float
) -> Tensor:
    scores = softcap * torch.tanh((query @ key.mT).float() / softcap)
    if mask is not None:
        scores = scores.masked_fill(~mask, torch.finfo(torch.float32).min)
    return scores.softmax(-1).to(value.dtype) @ value
