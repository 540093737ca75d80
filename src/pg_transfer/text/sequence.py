"""How prefix and suffix lie in the text window, in training and when asking for an answer.

Source: big_vision configs/proj/paligemma/transfers/common.py, pp/proj/paligemma/ops.py
(masked_concat, tolen); arXiv:2407.07726.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pg_transfer.text.tokenizer import Tokenizer

Cut = Literal["suffix", "separator"]
"""What a window was too short for: the end of the suffix, or the prefix's closing separator."""


@dataclass(frozen=True, slots=True)
class Layout:
    """One example's text window.

    ::

        tokens      bos prefix … separator | suffix … eos | pad …
        attention   both ways              | causal       | causal
        supervised  no                     | yes          | no
                    <--- prefix_length --->
                    <--------------- length ------------->

    Attributes:
        tokens: int64 [T], the pads at the right.
        prefix_length: how many of them are bos, prefix and separator.
        length: how many of them are no pads.
        cut: what is missing at the right for want of room: None, "suffix" (its end, at least
            eos), or "separator" (with it the whole suffix, and perhaps some of the prefix).
    """

    tokens: np.ndarray
    prefix_length: int
    length: int
    cut: Cut | None


def training_layout(
    prefix: Sequence[int], suffix: Sequence[int], *, tokenizer: Tokenizer, text_length: int
) -> Layout:
    """`[bos prefix][separator][suffix eos]` in `text_length + 1` tokens.

    One more than the model is fed, as inputs are `tokens[:-1]` and targets `tokens[1:]`: the
    separator predicts the first token of the suffix, and its last token predicts eos.

    Args:
        prefix: the request's ids.
        suffix: the answer's ids.
        tokenizer: gives the ids of bos, separator, eos and pad.
        text_length: text positions fed to the model.

    Raises:
        ValueError: so short a window that bos and separator alone do not fit.
    """
    return _lay_out(prefix, [*suffix, tokenizer.eos], tokenizer=tokenizer, window=text_length + 1)


def prompt_layout(prefix: Sequence[int], *, tokenizer: Tokenizer, text_length: int) -> Layout:
    """`[bos prefix][separator]` in `text_length` tokens, for the model to continue.

    Arguments and errors are those of `training_layout`.
    """
    return _lay_out(prefix, [], tokenizer=tokenizer, window=text_length)


def _lay_out(
    prefix: Sequence[int], answer: Sequence[int], *, tokenizer: Tokenizer, window: int
) -> Layout:
    request = [tokenizer.bos, *prefix, *tokenizer.separator]
    if window < 1 + len(tokenizer.separator):
        raise ValueError(f"a window of {window} tokens has no room for bos and the separator")
    kept = [*request, *answer][:window]
    tokens = np.full(window, tokenizer.pad, dtype=np.int64)
    tokens[: len(kept)] = kept
    cut: Cut | None = None
    if len(request) > window:
        cut = "separator"
    elif len(request) + len(answer) > window:
        cut = "suffix"
    return Layout(tokens, prefix_length=min(len(request), window), length=len(kept), cut=cut)
