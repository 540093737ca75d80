"""The sizes of every PaliGemma: big_vision models/vit.py and models/ppp/gemma.py, in one table."""

from __future__ import annotations

from dataclasses import dataclass, replace

VOCABULARY = 257152
"""256000 Gemma pieces, 1024 `<loc>` and 128 `<seg>` tokens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VisionConfig:
    """SigLIP's numbers. `resolution` is the image side in pixels."""

    width: int
    depth: int
    heads: int
    mlp: int
    patch: int = 14
    resolution: int = 224
    dropout: float = 0.0

    def __post_init__(self) -> None:
        if type(self.resolution) is not int or self.resolution < 1:
            raise ValueError(f"a resolution of {self.resolution} px is no whole number above 0")
        if self.resolution % self.patch:
            raise ValueError(
                f"a resolution of {self.resolution} px is no multiple of the {self.patch} px patch"
            )

    @property
    def image_tokens(self) -> int:
        """Patches per image: 256, 1024 and 4096 at 224, 448 and 896 px."""
        return (self.resolution // self.patch) ** 2


@dataclass(frozen=True, slots=True, kw_only=True)
class LanguageConfig:
    """Gemma's numbers.

    `attention_softcap` and `post_norms` are Gemma 2's. `final_softcap` caps the logits of every
    generated token but the first and never those of the loss, as the reference does; the paper's
    PaliGemma 2 transfers leave it off.
    """

    width: int
    depth: int
    mlp: int
    heads: int
    kv_heads: int
    head_width: int
    query_scale: float
    vocabulary: int = VOCABULARY
    attention_softcap: float | None = None
    final_softcap: float | None = None
    post_norms: bool = False
    dropout: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PaliGemmaConfig:
    """One vision tower, one language model."""

    vision: VisionConfig
    language: LanguageConfig

    @property
    def blocks(self) -> int:
        """Of both."""
        return self.vision.depth + self.language.depth

    def twice(self, rematerialise: bool | int) -> int:
        """How many blocks a gradient computes again; True stands for all.

        Raises:
            ValueError: there are not as many.
        """
        if rematerialise > self.blocks:
            raise ValueError(f"rematerialise={rematerialise}: the model has {self.blocks} blocks")
        return self.blocks if rematerialise is True else int(rematerialise)


SO400M = VisionConfig(width=1152, depth=27, heads=16, mlp=4304)

SIZES: dict[str, PaliGemmaConfig] = {
    "paligemma_3b": PaliGemmaConfig(
        vision=SO400M,
        language=LanguageConfig(
            width=2048, depth=18, mlp=16384, heads=8, kv_heads=1, head_width=256,
            query_scale=256**-0.5,
        ),
    ),
    "paligemma2_3b": PaliGemmaConfig(
        vision=SO400M,
        language=LanguageConfig(
            width=2304, depth=26, mlp=9216, heads=8, kv_heads=4, head_width=256,
            query_scale=256**-0.5, attention_softcap=50.0, post_norms=True,
        ),
    ),
    "paligemma2_10b": PaliGemmaConfig(
        vision=SO400M,
        language=LanguageConfig(
            width=3584, depth=42, mlp=14336, heads=16, kv_heads=8, head_width=256,
            query_scale=256**-0.5, attention_softcap=50.0, post_norms=True,
        ),
    ),
    "paligemma2_28b": PaliGemmaConfig(
        vision=SO400M,
        language=LanguageConfig(
            width=4608, depth=46, mlp=36864, heads=32, kv_heads=16, head_width=128,
            query_scale=144**-0.5, attention_softcap=50.0, post_norms=True,
        ),
    ),
    # For laptops and tests, from random weights; its vocabulary is that of the built-in tokenizer.
    "tiny": PaliGemmaConfig(
        vision=VisionConfig(width=64, depth=2, heads=4, mlp=192),
        language=LanguageConfig(
            width=96, depth=3, mlp=288, heads=4, kv_heads=4, head_width=32,
            query_scale=32**-0.5, vocabulary=2048,
        ),
    ),
}  # fmt: skip


def released(size: str, *, resolution: int, dropout: float = 0.0) -> PaliGemmaConfig:
    """The numbers of `size` at an image side of `resolution` pixels.

    Args:
        size: a key of `SIZES`.
        resolution: image side in pixels.
        dropout: rate in the language model, a part of some transfers' recipes.

    Raises:
        ValueError: no such size; the message names those there are.
    """
    if size not in SIZES:
        raise ValueError(f"no model size {size!r}; there are {', '.join(SIZES)}")
    config = SIZES[size]
    return PaliGemmaConfig(
        vision=replace(config.vision, resolution=resolution),
        language=replace(config.language, dropout=dropout),
    )
