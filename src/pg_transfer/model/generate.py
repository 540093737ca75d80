"""Greedy decoding over a key-value cache; big_vision trainers/proj/paligemma/predict_fns.py."""

from __future__ import annotations

import torch
from torch import Tensor

from pg_transfer.model.gemma import Cache
from pg_transfer.model.paligemma import PaliGemma, prefix_lm_visible


@torch.no_grad()
def greedy(
    model: PaliGemma,
    images: Tensor,
    tokens: Tensor,
    *,
    lengths: Tensor,
    max_new_tokens: int,
    end: int,
) -> Tensor:
    """The likeliest next token, again and again: [B, M], zeros behind the end of sequence.

    Prompts of different lengths keep their padding on the right; what is generated takes the
    slots behind it, with the positions that follow the prompt's own. No token is forbidden.

    Args:
        model: any PaliGemma.
        images: see `PaliGemma.encode_images`.
        tokens: prompts [B, T], padded on the right.
        lengths: [B], prompt tokens that are not padding.
        max_new_tokens: M.
        end: the token that ends an answer; it is part of it.
    """
    image_tokens = model.encode_images(images)
    x = torch.cat([image_tokens, model.language.embed(tokens)], dim=1)
    rows, prompt = x.shape[:2]
    ends = image_tokens.shape[1] + lengths
    cache = Cache(
        model.config.language, batch=rows, slots=prompt + max_new_tokens, like=_key_like(model, x)
    )
    features = model.language(
        x,
        positions=torch.arange(prompt, device=x.device)[None],
        visible=prefix_lm_visible(ends, ends, prompt),
        cache=cache,
    )
    logits = model.logits(features[torch.arange(rows, device=x.device), ends - 1])

    slot = torch.arange(prompt + max_new_tokens, device=x.device)
    answers = tokens.new_zeros(rows, max_new_tokens)
    finished = torch.zeros(rows, dtype=torch.bool, device=x.device)
    for step in range(max_new_tokens):
        latest = logits.argmax(-1).masked_fill(finished, 0)
        answers[:, step] = latest
        finished |= latest == end
        if step + 1 == max_new_tokens or bool(finished.all()):
            break
        visible = (slot < ends[:, None]) | (slot >= prompt)
        features = model.language(
            model.language.embed(latest[:, None]),
            positions=(ends + step)[:, None],
            visible=visible[:, None, None, : prompt + step + 1],
            cache=cache,
        )
        logits = capped(model.logits(features[:, 0]), model.config.language.final_softcap)
    return answers


def capped(logits: Tensor, softcap: float | None) -> Tensor:
    """`logits` squashed into -softcap..softcap, or as they are."""
    return logits if softcap is None else softcap * torch.tanh(logits / softcap)


def _key_like(model: PaliGemma, x: Tensor) -> Tensor:
    """A tensor in the dtype that keys come out of their projection with."""
    if torch.is_autocast_enabled(x.device.type):
        return x.new_empty(0, dtype=torch.get_autocast_dtype(x.device.type))
    return x.new_empty(0, dtype=model.lm_head.weight.dtype)
