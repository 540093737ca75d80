"""The loss: suffix tokens only, a mean per example, then a mean over examples.

Source: big_vision trainers/proj/paligemma/train.py, update_fn.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


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
    logits: Tensor, targets: Tensor, *, is_supervised: Tensor, label_smoothing: float
) -> Tensor:
    """The mean loss over each example's suffix tokens, float32 [B]; 0 where there are none.

    Args:
        logits: [S, W], for the supervised positions, example by example.
        targets: [S], the tokens that stand there.
        is_supervised: bool [B, T], with S positions set.
        label_smoothing: eps; the right token keeps 1 - eps, each other one gets eps / (W - 1).
    """
    vocabulary = logits.shape[-1]
    # torch spreads its smoothing over all W classes, the right one included.
    spread = label_smoothing * vocabulary / (vocabulary - 1)
    losses = F.cross_entropy(logits, targets, reduction="none", label_smoothing=spread)
    example = is_supervised.nonzero()[:, 0]
    sums = losses.new_zeros(is_supervised.shape[0]).index_add(0, example, losses)
    return sums / is_supervised.sum(1).clamp(min=1)
