"""SigLIP's image encoder (Zhai et al. 2023, arXiv:2303.15343); big_vision models/vit.py.

Numerics: the residual stream is float32; matrix products take the dtype of their weights.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from pg_transfer.model.activation import gelu
from pg_transfer.model.config import VisionConfig
from pg_transfer.model.precision import product_dtype
from pg_transfer.model.recomputing import recomputing


class LayerNorm(nn.LayerNorm):
    """Layer norm with float32 statistics, answering in the dtype of its weights."""

    def forward(self, input: Tensor) -> Tensor:
        """Normalised `input`, [..., V]."""
        weight, bias = self.weight.float(), self.bias.float()
        normed = F.layer_norm(input.float(), self.normalized_shape, weight, bias, self.eps)
        return normed.to(self.weight.dtype)


class Attention(nn.Module):
    """Every patch attends to every patch; all four projections have biases."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q_proj = nn.Linear(width, width)
        self.k_proj = nn.Linear(width, width)
        self.v_proj = nn.Linear(width, width)
        self.out_proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """[B, N, V] to [B, N, V]."""
        x = x.to(product_dtype(x))
        query, key, value = (
            projection(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for projection in (self.q_proj, self.k_proj, self.v_proj)
        )
        mixed = F.scaled_dot_product_attention(query, key, value)
        return self.out_proj(mixed.transpose(1, 2).flatten(-2))


class MLP(nn.Module):
    """Two layers around a tanh-approximated GELU, whose result is made again for the gradient."""

    def __init__(self, width: int, hidden: int, dropout: float, *, recomputes: bool) -> None:
        super().__init__()
        self.recomputes = recomputes
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)
        self.dropout = dropout

    def forward(self, x: Tensor) -> Tensor:
        """[B, N, V] to [B, N, V]."""
        hidden = self.fc1(x)
        with recomputing(self.recomputes) as again:
            opened = again(gelu(hidden), gelu, hidden)
            return self.fc2(F.dropout(opened, self.dropout, self.training))


class Block(nn.Module):
    """x += attention(norm(x)); x += mlp(norm(x)).

    Args:
        config: the numbers.
        rematerialise: its gradient computes it again, and nothing inside it is kept.
    """

    def __init__(self, config: VisionConfig, *, rematerialise: bool) -> None:
        super().__init__()
        self.rematerialise = rematerialise
        self.layer_norm1 = LayerNorm(config.width, eps=1e-6)
        self.self_attn = Attention(config.width, config.heads)
        self.layer_norm2 = LayerNorm(config.width, eps=1e-6)
        self.mlp = MLP(config.width, config.mlp, config.dropout, recomputes=not rematerialise)
        self.dropout = config.dropout

    def forward(self, x: Tensor) -> Tensor:
        """[B, N, V] to [B, N, V]."""
        x = x + F.dropout(self.self_attn(self.layer_norm1(x)), self.dropout, self.training)
        return x + F.dropout(self.mlp(self.layer_norm2(x)), self.dropout, self.training)


class PatchEmbedding(nn.Conv2d):
    """A convolution whose windows do not overlap, made as what it is: one product.

    As a convolution in bfloat16 a CPU takes 20 times the images of scratch space for it, and in
    float32 a GPU rounds its factors to 10 bits, which torch allows to convolutions alone.
    """

    def __init__(self, width: int, side: int) -> None:
        super().__init__(3, width, side, stride=side)

    def forward(self, input: Tensor) -> Tensor:
        """Images [B, 3, R, R] to [B, N, V], patches row by row."""
        images, (height, width) = input.to(product_dtype(self.weight)), self.kernel_size
        cut = images.unflatten(3, (-1, width)).unflatten(2, (-1, height))
        patches = cut.permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)
        return F.linear(patches, self.weight.flatten(1), self.bias)


class Embeddings(nn.Module):
    """Patches to vectors, row by row, plus a learned position; there is no class token."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.resolution = config.resolution
        self.dropout = config.dropout
        self.patch_embedding = PatchEmbedding(config.width, config.patch)
        self.position_embedding = nn.Embedding(config.image_tokens, config.width)

    def forward(self, images: Tensor) -> Tensor:
        """[B, 3, R, R] to float32 [B, N, V]."""
        if images.shape[-3:] != (3, self.resolution, self.resolution):
            raise ValueError(
                f"images of shape {tuple(images.shape)} do not fit this model: it takes "
                f"3 x {self.resolution} x {self.resolution}; resize them, or build the model for "
                f"their resolution"
            )
        x = self.patch_embedding(images).float() + self.position_embedding.weight.float()
        return F.dropout(x, self.dropout, self.training)


class Encoder(nn.Module):
    """The stack of blocks."""

    def __init__(self, config: VisionConfig, *, rematerialise: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            Block(config, rematerialise=layer < rematerialise) for layer in range(config.depth)
        )


class SigLIP(nn.Module):
    """Pixels in, one feature per patch out: no pooling, the final norm is applied.

    Args:
        config: the numbers.
        rematerialise: of so many blocks, the first ones, keep no activations; compute them again
            for the gradient.
    """

    def __init__(self, config: VisionConfig, *, rematerialise: int = 0) -> None:
        super().__init__()
        self.embeddings = Embeddings(config)
        self.encoder = Encoder(config, rematerialise=rematerialise)
        self.post_layernorm = LayerNorm(config.width, eps=1e-6)

    def forward(self, images: Tensor) -> Tensor:
        """Pixels in -1..1, [B, 3, R, R], to features [B, N, V].

        Raises:
            ValueError: the images have another size than the position embeddings are for.
        """
        x = self.embeddings(images)
        for block in self.encoder.layers:
            if block.rematerialise and torch.is_grad_enabled():
                x = checkpoint(block, x, use_reentrant=False)
            else:
                x = block(x)
        return self.post_layernorm(x)
