"""What a token is drawn from; big_vision trainers/proj/paligemma/predict_fns.py, its samplers."""

from __future__ import annotations

from torch import Tensor


def probabilities(logits: Tensor, *, temperature: float, nucleus: float) -> Tensor:
    """The distribution [B, W] of the next token, given its `logits` [B, W].

    Args:
        logits: float32.
        temperature: divides them: below 1 likely tokens become likelier still.
        nucleus: all tokens outside the smallest set of at least this probability get none; the
            token that crosses the threshold is inside, and so are those exactly as likely as it.

    Raises:
        ValueError: the temperature is not above 0, or the nucleus not in (0, 1].
    """
    if not temperature > 0:
        raise ValueError(f"temperature={temperature} is not above 0")
    if not 0 < nucleus <= 1:
        raise ValueError(f"nucleus={nucleus} is not in (0, 1]")
    logits = logits / temperature
    if nucleus < 1:
        descending = logits.sort(dim=-1, descending=True).values
        reached = descending.softmax(-1).cumsum(-1)
        # Rounding can keep the last sums below a nucleus that is nearly 1.
        crossing = (reached < nucleus).sum(-1, keepdim=True).clamp(max=logits.shape[-1] - 1)
        logits = logits.masked_fill(logits < descending.gather(-1, crossing), -float("inf"))
    return logits.softmax(-1)
