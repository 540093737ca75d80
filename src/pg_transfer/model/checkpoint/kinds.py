"""What a checkpoint holds: a PaliGemma, or one of the two towers that are joined into one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from pg_transfer.model.checkpoint.names import (
    HEAD,
    HUGGING_FACE_PREFIXES,
    LANGUAGE,
    PROJECTOR,
    VISION,
    Prefixes,
    from_hugging_face,
)

NOTHING = re.compile(r"(?!)")


@dataclass(frozen=True, slots=True)
class Kind:
    """How to read one kind of checkpoint.

    Attributes:
        title: for messages.
        prefixes: of Hugging Face's keys, with ours.
        left_out: Hugging Face's and big_vision's keys of what PaliGemma has no place for.
        parts: what it consists of, by how the names of the parameters begin that it fills.
        needed: what to give, for messages.
        config: the object of a PaliGemma's config.json that it has as a whole; "" is all of it.
        model_types: what a config.json may call it.
    """

    title: str
    needed: str
    prefixes: Prefixes
    parts: Mapping[str, str]
    config: str
    model_types: tuple[str, ...]
    left_out: re.Pattern[str] = NOTHING

    def fills(self, name: str) -> bool:
        """Whether the parameter `name` is in such a checkpoint."""
        return name.startswith(tuple(self.parts))

    def our_name(self, key: str) -> str | None:
        """Our name of Hugging Face's tensor `key`; None if it is left out, `key` if unknown."""
        return None if self.left_out.match(key) else from_hugging_face(key, self.prefixes)


PALIGEMMA = Kind(
    "PaliGemma",
    "give a whole PaliGemma such as google/paligemma-3b-pt-224, or join its two halves: "
    "model.weights={vision: <a SigLIP>, language: <a Gemma>}",
    prefixes=HUGGING_FACE_PREFIXES,
    parts={VISION: "vision tower", PROJECTOR: "projector", LANGUAGE: "language model"},
    config="",
    model_types=("paligemma",),
)
"""In any of the four layouts that transformers 4.41 to 5.x and the hub use."""

SIGLIP = Kind(
    "SigLIP",
    "give a SigLIP such as google/siglip-so400m-patch14-224",
    prefixes=(
        (re.compile(r"^(vision_model\.)?(?=embeddings\.|encoder\.|post_layernorm\.)"), VISION),
    ),
    parts={VISION: "vision tower"},
    config="vision_config",
    model_types=("siglip", "siglip_vision_model"),
    # Its text tower, its temperature, and what pools patches into one vector; PaliGemma has all
    # patches. A `head` on the pooled vector is not PaliGemma's projector either.
    left_out=re.compile(
        r"text_model\.|logit_(scale|bias)$|(vision_model\.)?head\."
        r"|(params/)?(txt/|t$|b$|(img/)?(MAPHead_0|head)/)"
    ),
)

GEMMA = Kind(
    "Gemma",
    "give a Gemma such as google/gemma-2b or google/gemma-2-2b",
    prefixes=(
        (re.compile(r"^(model\.)?(?=embed_tokens\.|layers\.|norm\.)"), LANGUAGE),
        (re.compile(r"^lm_head\.weight$"), HEAD),
    ),
    parts={LANGUAGE: "language model"},
    config="text_config",
    model_types=("gemma", "gemma2"),
)
