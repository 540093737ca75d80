"""How answers are found: token by token, by beam search, or drawn."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from pg_transfer.model.beam import beam_search
from pg_transfer.model.generate import Continuation, alone, greedy, sample
from pg_transfer.model.paligemma import PaliGemma
from pg_transfer.model.precision import casts_kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoding:
    """The choice between `greedy`, `beam_search` and `sample`.

    Attributes:
        beams: above 1 for beam search.
        temperature: above 0 to draw tokens.
        nucleus: probability of the smallest set of tokens to draw from; 1 for all.
    """

    beams: int = 1
    temperature: float = 0.0
    nucleus: float = 1.0

    def __post_init__(self) -> None:
        if not (type(self.beams) is int and self.beams >= 1):
            raise ValueError(f"beams={self.beams} is not a whole number above 0")
        if not (_is_number(self.temperature) and 0 <= self.temperature < math.inf):
            raise ValueError(f"temperature={self.temperature} is no number from 0 up")
        if not (_is_number(self.nucleus) and 0 < self.nucleus <= 1):
            raise ValueError(f"nucleus={self.nucleus} is not in (0, 1]")
        if self.temperature and self.beams > 1:
            raise ValueError(
                f"beams={self.beams} searches for the likeliest answer and temperature="
                f"{self.temperature} draws any; set beams=1 or temperature=0"
            )
        if self.nucleus < 1 and not self.temperature:
            raise ValueError(
                f"nucleus={self.nucleus} says what tokens are drawn from, and temperature=0 draws "
                f"none; set temperature=1 as well"
            )

    @property
    def label(self) -> str:
        """A word for the names of files; nothing for greedy answers."""
        if self.temperature:
            nucleus = f"-nucleus{self.nucleus:g}" if self.nucleus < 1 else ""
            return f"temperature{self.temperature:g}{nucleus}"
        return f"beams{self.beams}" if self.beams > 1 else ""

    def __call__(
        self,
        model: PaliGemma,
        images: Tensor,
        tokens: Tensor,
        *,
        lengths: Tensor,
        max_new_tokens: int,
        end: int,
        image_rows: Tensor | None = None,
        agree: Callable[[bool], bool] = alone,
    ) -> Tensor:
        """Answers [B, M], zeros behind the end of sequence; draws hang on torch's seed.

        Args:
            model: any PaliGemma.
            images: see `PaliGemma.encode_images`.
            tokens: prompts [B, T], padded on the right.
            lengths: [B], prompt tokens that are not padding.
            max_new_tokens: M.
            end: the token that ends an answer; it is part of it.
            image_rows: see `Continuation`.
            agree: see there.
        """
        with casts_kept(model.language, model.lm_head):
            prompts = Continuation(
                model, images, tokens,
                lengths=lengths, max_new_tokens=max_new_tokens, image_rows=image_rows, agree=agree,
            )  # fmt: skip
            if self.temperature:
                return sample(prompts, end=end, temperature=self.temperature, nucleus=self.nucleus)
            if self.beams > 1:
                return beam_search(prompts, end=end, beams=self.beams)
            return greedy(prompts, end=end)


def _is_number(value: object) -> bool:
    return type(value) in (int, float)


GREEDY = Decoding()
"""The likeliest token each time, as most of the paper's transfers are decoded."""
