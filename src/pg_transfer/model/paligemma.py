"""PaliGemma (Beyer et al. 2024, arXiv:2407.07726): SigLIP, one linear layer, Gemma.

The mask and the order of tokens are those of big_vision models/proj/paligemma/paligemma.py.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from pg_transfer.model.config import PaliGemmaConfig
from pg_transfer.model.gemma import Gemma
from pg_transfer.model.siglip import SigLIP


def prefix_lm_visible(prefix_ends: Tensor, ends: Tensor, length: int) -> Tensor:
    """Which tokens see which: bool [B, 1, L, L], query by key.

    For two image tokens, a prefix of two and a suffix of two, padded by one:

        key   i i p p s s .
        i     1 1 1 1 0 0 0     image and prefix see each other, whole
        i     1 1 1 1 0 0 0
        p     1 1 1 1 0 0 0
        p     1 1 1 1 0 0 0
        s     1 1 1 1 1 0 0     a suffix token sees what came before it, and itself
        s     1 1 1 1 1 1 0
        .     1 1 1 1 1 1 0     nobody sees padding; what it computes is never read

    Args:
        prefix_ends: [B], image tokens + prefix tokens (begin-of-sequence and separator included).
        ends: [B], image tokens + all text tokens that are not padding.
        length: L.
    """
    place = torch.arange(length, device=ends.device)
    causal = place[None, :] <= place[:, None]
    in_prefix = place[None, None, :] < prefix_ends[:, None, None]
    is_real = place[None, None, :] < ends[:, None, None]
    return ((causal | in_prefix) & is_real)[:, None]


class Projector(nn.Module):
    """Patch features to the language width, with a bias; the reference's `img/head`."""

    def __init__(self, vision: int, language: int) -> None:
        super().__init__()
        self.linear = nn.Linear(vision, language)

    def forward(self, features: Tensor) -> Tensor:
        """[B, N, V] to [B, N, D]."""
        return self.linear(features)


class Parts(nn.Module):
    """The three parts, under the names that transformers gives them."""

    def __init__(self, config: PaliGemmaConfig, rematerialise: bool) -> None:
        super().__init__()
        self.vision_tower = SigLIP(config.vision, rematerialise=rematerialise)
        self.multi_modal_projector = Projector(config.vision.width, config.language.width)
        self.language_model = Gemma(config.language, rematerialise=rematerialise)


class PaliGemma(nn.Module):
    """Images and text in, features and logits of the text out.

    The sequence is `[image tokens][bos prefix separator][suffix eos][padding]`. Lengths, not
    labels, say where its parts lie.

    Args:
        config: the numbers.
        rematerialise: trade compute for memory, block by block, as the reference does.
    """

    def __init__(self, config: PaliGemmaConfig, *, rematerialise: bool = False) -> None:
        super().__init__()
        self.config = config
        self.model = Parts(config, rematerialise)
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
        before = image_tokens.shape[1]
        features = self.language(
            x,
            positions=torch.arange(x.shape[1], device=x.device)[None],
            visible=prefix_lm_visible(before + prefix_lengths, before + lengths, x.shape[1]),
        )
        return features[:, before:]

    def logits(self, features: Tensor) -> Tensor:
        """Float32 logits [..., W] of `features` [..., D]; the final soft-cap is not applied."""
        return self.lm_head(features).float()

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
