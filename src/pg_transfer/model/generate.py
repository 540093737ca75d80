"""Decoding over a key-value cache; big_vision trainers/proj/paligemma/predict_fns.py."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from pg_transfer.model.attention import Sight
from pg_transfer.model.gemma import Cache
from pg_transfer.model.paligemma import PaliGemma
from pg_transfer.model.precision import product_dtype
from pg_transfer.model.sampling import probabilities


def alone(goes_on: bool) -> bool:
    """Whether decoding goes on where no other process has to keep step."""
    return goes_on


class Continuation:
    """Prompts that the model has read and goes on with, token by token.

    Prompts of different lengths keep their padding on the right; what is generated takes the
    slots behind it, with the positions that follow the prompt's own. No token is forbidden.

    Attributes:
        logits: float32 [B, W], of the next token of every row.

    Args:
        model: any PaliGemma.
        images: see `PaliGemma.encode_images`.
        tokens: prompts [B, T], padded on the right.
        lengths: [B], prompt tokens that are not padding.
        max_new_tokens: M, the most that a row may be answered with.
        image_rows: [B], which of the images each prompt is about; None if each has its own. An
            image is encoded once. It is read once for every prompt, as what the language model
            makes of it depends on the prompt.
        agree: is told at every step whether a row goes on, and says whether there is another step.
            Processes that hold a model together have to take their steps together.
    """

    @torch.no_grad()
    def __init__(
        self,
        model: PaliGemma,
        images: Tensor,
        tokens: Tensor,
        *,
        lengths: Tensor,
        max_new_tokens: int,
        image_rows: Tensor | None = None,
        agree: Callable[[bool], bool] = alone,
    ) -> None:
        tokens = tokens[:, : int(lengths.max())]
        image_tokens = model.encode_images(images)
        if image_rows is not None:
            image_tokens = image_tokens[image_rows]
        x = torch.cat([image_tokens, model.language.embed(tokens)], dim=1)
        rows, self._prompt = x.shape[:2]
        self.max_new_tokens, self.agree = max_new_tokens, agree
        self._model, self._ends = model, image_tokens.shape[1] + lengths
        slots = torch.arange(self._prompt + max_new_tokens, device=x.device)
        is_written = (slots < self._ends[:, None]) | (slots >= self._prompt)
        self._is_written = is_written[:, None, None]
        self._is_even = bool((lengths == tokens.shape[1]).all())
        like = x.new_empty(0, dtype=product_dtype(model.lm_head.weight))
        self._cache = Cache(model.config.language, batch=rows, slots=len(slots), like=like)
        runs = image_tokens.shape[1], tokens.shape[1]
        sights = [self._whole(queries, self._prompt) for queries in runs]
        features = model.language(
            x, positions=slots[None, : self._prompt], sights=sights, cache=self._cache
        )
        last = features[torch.arange(rows, device=x.device), lengths - 1]
        self.logits = model.logits(last)

    def _whole(self, queries: int, keys: int) -> Sight:
        """Of tokens that see whatever is written in the first slots."""
        return Sight(queries, keys, None if self._is_even else self._is_written[..., :keys])

    def blank(self) -> Tensor:
        """Zeros [B, M] for the tokens of the answers."""
        return self._ends.new_zeros(len(self._ends), self.max_new_tokens, dtype=torch.long)

    @torch.no_grad()
    def extend(self, tokens: Tensor) -> None:
        """Adds one token [B] to each row; `logits` are those of the one behind it."""
        filled = self._cache.filled
        features = self._model.language(
            self._model.language.embed(tokens[:, None]),
            positions=(self._ends + filled - self._prompt)[:, None],
            sights=[self._whole(1, filled + 1)],
            cache=self._cache,
        )
        softcap = self._model.config.language.final_softcap
        self.logits = capped(self._model.logits(features[:, 0]), softcap)

    def branch(self, copies: int) -> None:
        """Puts `copies` rows in the place of each, next to each other; `logits` stay behind."""
        rows = torch.arange(len(self._ends), device=self._ends.device)
        self.keep(rows.repeat_interleave(copies))

    def keep(self, rows: Tensor) -> None:
        """Leaves no rows but these, [R], in this order; `logits` stay behind."""
        self._ends, self._is_written = self._ends[rows], self._is_written[rows]
        self._cache.take(rows)

    def follow(self, rows: Tensor) -> None:
        """Makes each row go on from what was generated in another, [B], of the same prompt."""
        generated = slice(self._prompt, self._cache.filled)
        for kept in (self._cache.keys, self._cache.values):
            kept[:, :, :, generated] = kept[:, :, :, generated].index_select(1, rows)


def greedy(prompts: Continuation, *, end: int) -> Tensor:
    """The likeliest next token, again and again: [B, M], zeros behind the end of sequence.

    Args:
        prompts: of which none has been extended.
        end: the token that ends an answer; it is part of it.
    """
    return _token_by_token(prompts, lambda logits: logits.argmax(-1), end=end)


def sample(
    prompts: Continuation,
    *,
    end: int,
    temperature: float,
    nucleus: float,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Tokens drawn from `probabilities`, one after the other; [B, M] as of `greedy`.

    Args:
        prompts: of which none has been extended.
        end: the token that ends an answer; it is part of it.
        temperature: see `probabilities`.
        nucleus: see there.
        generator: on the model's device; torch's own if None.
    """

    def draw(logits: Tensor) -> Tensor:
        chances = probabilities(logits, temperature=temperature, nucleus=nucleus)
        return torch.multinomial(chances, 1, generator=generator)[:, 0]

    return _token_by_token(prompts, draw, end=end)


def _token_by_token(
    prompts: Continuation, choose: Callable[[Tensor], Tensor], *, end: int
) -> Tensor:
    """Extends every row by what `choose` makes of its logits, until all rows have ended."""
    answers = prompts.blank()
    rows = torch.arange(len(answers), device=answers.device)  # those that are still extended
    latest, goes_on = answers[:, 0], torch.ones_like(rows, dtype=torch.bool)
    for step in range(prompts.max_new_tokens):
        if step:
            prompts.extend(latest)
        latest = choose(prompts.logits).masked_fill(~goes_on, 0)
        answers[rows, step] = latest
        goes_on &= latest != end
        left = goes_on.nonzero()[:, 0]  # where a GPU is waited for, once a token
        if not prompts.agree(len(left) > 0):
            break
        kept = worth_keeping(left, of=len(goes_on))
        if kept is not None:
            prompts.keep(kept)
            rows, latest, goes_on = rows[kept], latest[kept], goes_on[kept]
    return answers


def worth_keeping(left: Tensor, *, of: int) -> Tensor | None:
    """The places [R] of rows that go on; None if too few of them all have ended to move the others.

    Where none does and yet there is another step, one row takes it.
    """
    if not len(left):
        left = left.new_zeros(1)
    return left if 4 * len(left) <= 3 * of else None


def capped(logits: Tensor, softcap: float | None) -> Tensor:
    """`logits` squashed into -softcap..softcap, or as they are."""
    return logits if softcap is None else softcap * torch.tanh(logits / softcap)
