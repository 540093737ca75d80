"""PaliGemma (Beyer et al. 2024, arXiv:2407.07726): SigLIP, one linear layer, Gemma.

The mask and the order of tokens are those of big_vision models/proj/paligemma/paligemma.py.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from pg_transfer.model.attention import Sight
from pg_transfer.model.config import PaliGemmaConfig
from pg_transfer.model.gemma import Gemma
from pg_transfer.model.precision import float32_product, product_dtype
from pg_transfer.model.siglip import SigLIP


def prefix_lm_sights(
    prefix_lengths: Tensor, lengths: Tensor, *, image_tokens: int, text_tokens: int
) -> tuple[Sight, Sight]:
    """What the image tokens see, and what the text tokens do.

    For two image tokens, a prefix of two and a suffix of two, padded by one:

        key   i i p p s s .
        i     1 1 1 1           image and prefix see each other, whole: no mask, unless prefixes
        i     1 1 1 1           of the batch differ in length, and then [B, 1, 1, N + longest]
        p     1 1 1 1 0 0 0     the text's mask is [B, 1, T, N + T]
        p     1 1 1 1 0 0 0
        s     1 1 1 1 1 0 0     a suffix token sees what came before it, and itself
        s     1 1 1 1 1 1 0
        .     1 1 1 1 1 1 0     nobody sees padding; what it computes is never read

    Args:
        prefix_lengths: [B], text tokens up to and including the separator.
        lengths: [B], text tokens that are not padding.
        image_tokens: N.
        text_tokens: T.
    """
    place = torch.arange(image_tokens + text_tokens, device=lengths.device)
    in_prefix = place < image_tokens + prefix_lengths[:, None, None, None]
    is_real = place < image_tokens + lengths[:, None, None, None]
    is_past = place <= place[image_tokens:, None]
    text = Sight(text_tokens, len(place), (is_past | in_prefix) & is_real)
    return whole_sight(image_tokens, in_prefix, image_tokens + prefix_lengths), text


def whole_sight(queries: int, is_seen: Tensor, ends: Tensor) -> Sight:
    """Of tokens that see every key before an end, which may differ from example to example.

    Args:
        queries: how many they are.
        is_seen: bool [B, 1, 1, L].
        ends: [B], how many keys of each example that is.
    """
    shortest, longest = torch.stack(ends.aminmax()).tolist()
    return Sight(queries, longest, None if shortest == longest else is_seen[..., :longest])


class Projector(nn.Module):
    """Patch features to the language width, with a bias; the reference's `img/head`."""

    def __init__(self, vision: int, language: int) -> None:
        super().__init__()
        self.linear = nn.Linear(vision, language)

    def forward(self, features: Tensor) -> Tensor:
        """[B, N, V] to [B, N, D], whatever the tower before it is kept in."""
        return self.linear(features.to(product_dtype(self.linear.weight)))


class Parts(nn.Module):
    """The three parts, under the names that transformers gives them."""

    def __init__(self, config: PaliGemmaConfig, rematerialise: int) -> None:
        super().__init__()
        self.vision_tower = SigLIP(config.vision, rematerialise=rematerialise)
        self.multi_modal_projector = Projector(config.vision.width, config.language.width)
        remaining = rematerialise - config.vision.depth
        self.language_model = Gemma(config.language, rematerialise=remaining)


class PaliGemma(nn.Module):
    """Images and text in, features and logits of the text out.

    The sequence is `[image tokens][bos prefix separator][suffix eos][padding]`. Lengths, not
    labels, say where its parts lie.

    Args:
        config: the numbers.
        rematerialise: trade compute for memory, block by block: of so many, the image encoder's
            first, the gradient computes again what is inside; True for all, as the reference does.

    Raises:
        ValueError: to be computed again are more blocks than there are.
    """

    def __init__(self, config: PaliGemmaConfig, *, rematerialise: bool | int = False) -> None:
        super().__init__()
        self.config = config
        self.model = Parts(config, config.twice(rematerialise))
        self.lm_head = nn.Linear(config.language.width, config.language.vocabulary, bias=False)
        self.tie()

    def tie(self) -> None:
        """Make the output table the input table; to be called after parameters were replaced."""
        self.lm_head.weight = self.model.language_model.embed_tokens.weight

    @property
    def language(self) -> Gemma:
        """The decoder."""
        return self.model.language_model

    def encode_images(self, images: Tensor) -> Tensor:
        """Float32 image tokens [B, N, D], unscaled.

        Args:
            images: pixels in -1..1, [B, 3, R, R]; or several per example, [B, F, 3, R, R], whose
                tokens follow each other in order, N = F * image tokens.
        """
        features = self.model.vision_tower(images.flatten(0, -4))
        tokens = self.model.multi_modal_projector(features).float()
        return tokens.reshape(images.shape[0], -1, tokens.shape[-1])

    def forward(
        self, images: Tensor, tokens: Tensor, *, prefix_lengths: Tensor, lengths: Tensor
    ) -> Tensor:
        """Features of the text tokens, [B, T, D], for `logits`.

        Args:
            images: see `encode_images`.
            tokens: [B, T], padded on the right.
            prefix_lengths: [B], text tokens up to and including the separator.
            lengths: [B], text tokens that are not padding.
        """
        image_tokens = self.encode_images(images)
        x = torch.cat([image_tokens, self.language.embed(tokens)], dim=1)
        sights = prefix_lm_sights(
            prefix_lengths, lengths,
            image_tokens=image_tokens.shape[1], text_tokens=tokens.shape[1],
        )  # fmt: skip
        positions = torch.arange(x.shape[1], device=x.device)[None]
        return self.language(x, positions=positions, sights=sights)

    def logits(self, features: Tensor) -> Tensor:
        """Float32 logits [..., W] of `features` [..., D]; the final soft-cap is not applied."""
        return float32_product(features, self.lm_head.weight)

    @torch.no_grad()
    def initialise(self, generator: torch.Generator | None = None) -> None:
        """Random weights from the reference's distributions, for training from nothing.

        The projector, zero in the reference because stage 1 starts from two trained towers, is
        drawn like the other vision kernels: from zeros on both sides nothing would be learnt.
        """
        for name, parameter in self.named_parameters():
            if name.endswith("norm.weight") or "layernorm.weight" in name:
                is_rms = "language_model" in name
                parameter.fill_(0.0 if is_rms else 1.0)
            elif "layer_norm" in name and name.endswith("weight"):
                parameter.fill_(1.0)
            elif parameter.ndim == 1:
                parameter.zero_()
            elif "embed" in name and "patch" not in name:
                parameter.normal_(std=parameter.shape[-1] ** -0.5, generator=generator)
            elif "language_model" in name:
                deviation = parameter.shape[-1] ** -0.5 / 0.87962566  # of the truncated normal
                nn.init.trunc_normal_(
                    parameter, std=deviation, a=-2 * deviation, b=2 * deviation,
                    generator=generator,
                )  # fmt: skip
            else:
                fan_in = math.prod(parameter.shape[1:])
                bound = math.sqrt(6 / (fan_in + parameter.shape[0]))
                parameter.uniform_(-bound, bound, generator=generator)
