"""Beam search; big_vision trainers/proj/paligemma/predict_fns.py, `beam_decode`."""

from __future__ import annotations

import torch
from torch import Tensor

from pg_transfer.model.generate import Continuation, worth_keeping


def beam_search(prompts: Continuation, *, end: int, beams: int) -> Tensor:
    """The likeliest whole answer that was found: [B, M], zeros behind the end of sequence.

    An answer's score is the plain sum of the log-probabilities of its tokens, the end of sequence
    included; length is neither rewarded nor punished. At every step each live hypothesis is also
    looked at as if it ended here, and the best ended one so far is kept. Every answer ends, the
    latest with its M-th token.

    A single beam is not `greedy`: it may end an answer where another token is likelier, if that
    makes the whole answer likelier.

    Args:
        prompts: of which none has been extended.
        end: the token that ends an answer; it is part of it.
        beams: live hypotheses of each answer.

    Raises:
        ValueError: `beams` is not at least 1, or not below the number of tokens there are.
    """
    tokens = prompts.logits.shape[-1]
    if not 1 <= beams < tokens:
        raise ValueError(f"beams={beams} is not between 1 and {tokens - 1}")
    found = prompts.blank()
    device = found.device
    rows = torch.arange(len(found), device=device)  # of the examples that are still searched
    best, best_score = found.clone(), torch.full((len(rows),), -torch.inf, device=device)
    live = best[:, None]  # [B, one hypothesis at first, then `beams`, M]
    score = torch.zeros(len(rows), 1, device=device)
    for step in range(prompts.max_new_tokens):
        log_probabilities = prompts.logits.log_softmax(-1).unflatten(0, (len(rows), -1))
        ended, ended_score = _ended(live, score + log_probabilities[..., end], step, end)
        is_better = ended_score > best_score
        best = torch.where(is_better[:, None], ended, best)
        best_score = torch.where(is_better, ended_score, best_score)

        score, parents, latest = _expanded(score, log_probabilities, beams, end)
        # A score can only fall: what is behind now will never be ahead.
        left = (~(best_score > score.amax(1))).nonzero()[:, 0]
        if step + 1 == prompts.max_new_tokens or not prompts.agree(len(left) > 0):
            break
        if step == 0:
            prompts.branch(beams)
        else:
            prompts.follow(_places(parents))
        live = live.gather(1, parents[..., None].expand(-1, -1, prompts.max_new_tokens))
        live[:, :, step] = latest
        kept = worth_keeping(left, of=len(rows))
        if kept is not None:
            found[rows] = best
            prompts.keep(_places(torch.arange(beams, device=device).expand(len(rows), -1), kept))
            rows, best, best_score = rows[kept], best[kept], best_score[kept]
            live, score, latest = live[kept], score[kept], latest[kept]
        prompts.extend(latest.flatten())
    found[rows] = best
    return found


def _places(hypotheses: Tensor, examples: Tensor | None = None) -> Tensor:
    """The rows of hypotheses [B, beams], numbered by example; of `examples` [R], or of all."""
    first = hypotheses.shape[1] * torch.arange(len(hypotheses), device=hypotheses.device)[:, None]
    places = first + hypotheses
    return (places if examples is None else places[examples]).flatten()


def _ended(live: Tensor, score: Tensor, step: int, end: int) -> tuple[Tensor, Tensor]:
    """For each example the best of its hypotheses [B, K, M] ended at `step`, and its score."""
    top, place = score.max(1)
    ended = live[torch.arange(len(live), device=live.device), place]
    ended[:, step] = end
    return ended, top


def _expanded(
    score: Tensor, log_probabilities: Tensor, beams: int, end: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Score, parent and latest token of the best hypotheses one token longer, [B, beams] each.

    Of the `beams + 1` likeliest tokens behind a hypothesis at most one is the end of sequence, so
    that there are always enough left.
    """
    likely, tokens = log_probabilities.topk(beams + 1)
    scores = (score[..., None] + likely).masked_fill(tokens == end, -torch.inf).flatten(1)
    score, place = scores.topk(beams)
    return score, place // (beams + 1), tokens.flatten(1).gather(1, place)
