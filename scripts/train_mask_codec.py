"""Train a mask codec on drawn shapes, for work without the official `vae-oid.npz`.

The method is a VQ-VAE whose codes follow moving averages (arXiv 1711.00937, appendix A.1), as in
"All in Tokens" (arXiv 2301.02229). A run is as long as its budget: the learning rate falls to zero
as the time runs out.

    python scripts/train_mask_codec.py weights.npz --minutes 45 [--coco-instances FILE]
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from drawn_masks import HELD_OUT, TRAINING, scene
from torch import Tensor
from torch.nn import functional

from pg_transfer.segmentation.codec import CODES, MaskNetwork, VqVaeCodec, load_codec
from pg_transfer.segmentation.masks import mask_crop, paste

WHOLE = (0.0, 0.0, 1.0, 1.0)
LARGE = (128, 256)
SMALL = (16, 120)
SHAPES_PER_STEP = 24
ECHOES_PER_STEP = 8
PEAK_LR = 1e-3
WARMUP_STEPS = 100
COMMITMENT = 0.25
AGREEMENT = 0.25
AVERAGING = 0.98
REVIVED_BELOW = 0.3
CODED_FROM = 0.15
SAVE_EVERY_SECONDS = 300
MEASURED_SHAPES = 100

Drawing = Callable[[int], np.ndarray]


class MovingCodebook:
    """Moves every code to the running mean of the latents nearest to it; revives unused ones.

    Args:
        vectors: the codes [128, 512], changed in place.
        latents: [n, 512], some of which the codes start from.
    """

    def __init__(self, vectors: Tensor, latents: Tensor) -> None:
        self.vectors = vectors
        self.counts = torch.ones(CODES)
        self.sums = latents[torch.randperm(len(latents))[:CODES]].clone()
        vectors.copy_(self.sums)

    @torch.no_grad()
    def follow(self, latents: Tensor, codes: Tensor) -> None:
        """Update with latents [n, 512] and the codes [n] nearest to them."""
        chosen = functional.one_hot(codes, CODES).float()
        self.counts.lerp_(chosen.sum(0), 1 - AVERAGING)
        self.sums.lerp_(chosen.T @ latents, 1 - AVERAGING)
        unused = self.counts < REVIVED_BELOW
        self.sums[unused] = latents[torch.randint(len(latents), (int(unused.sum()),))]
        self.counts[unused] = 1.0
        self.vectors.copy_(self.sums / self.counts[:, None])


def crops(drawings: Sequence[Drawing], sizes: tuple[int, int], rng: np.random.Generator) -> Tensor:
    """Each drawn at a random size, small ones as likely as large ones: [n, 64, 64] in 0..1."""
    low, high = np.log(sizes)
    sides = np.exp(rng.uniform(low, high, len(drawings))).astype(int)
    pairs = zip(drawings, sides, strict=True)
    return torch.from_numpy(np.stack([mask_crop(draw(int(side)), WHOLE) for draw, side in pairs]))


def loss_of(
    network: MaskNetwork, codebook: MovingCodebook, large: Tensor, small: Tensor, *, coded: float
) -> Tensor:
    """Squared error of the redrawn masks plus the distance of the latents from their codes.

    `small` shows the first shapes of `large` again; they must say what the large ones say, so that
    a shape keeps its codes whatever its size. Only a share `coded` of the places passes through
    the codebook, the rest straight on: codes found before the encoder has learnt anything are
    all alike.
    """
    latents = network.latents(torch.cat([large, small]))
    codes = network.codebook.nearest(latents.detach())
    vectors = network.codebook.vectors[codes]
    codebook.follow(latents.detach().flatten(0, 1), codes.flatten())
    passes = torch.rand(codes.shape)[..., None] < coded
    redrawn = network.draw(latents + (vectors - latents).detach() * passes)
    shown, echoed = len(large), len(small)
    error = functional.mse_loss(redrawn, 2 * torch.cat([large, large[:echoed]]) - 1)
    commitment = functional.mse_loss(latents[:shown], vectors[:shown])
    agreement = functional.mse_loss(latents[shown:], vectors[:echoed])
    return error + COMMITMENT * commitment + AGREEMENT * agreement


def start(rng: np.random.Generator) -> tuple[MaskNetwork, MovingCodebook]:
    """A network that passes signals on undiminished, and codes that it produces."""
    network = MaskNetwork()
    for layer in network.modules():
        if isinstance(layer, torch.nn.Conv2d | torch.nn.ConvTranspose2d):
            torch.nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            torch.nn.init.zeros_(layer.bias)  # pyright: ignore[reportArgumentType]
    network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    masks = crops([scene(TRAINING, rng) for _ in range(64)], LARGE, rng)
    with torch.no_grad():
        latents = network.latents(masks).flatten(0, 1)
        return network, MovingCodebook(network.codebook.vectors, latents)


def train(weights: Path, *, minutes: float, seed: int) -> None:
    """Write a codec trained for `minutes` to `weights`; every few minutes the one so far."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    network, codebook = start(rng)
    trained = [p for p in network.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, PEAK_LR, weight_decay=1e-4)
    began = saved = time.monotonic()
    step = 0
    while (done := (time.monotonic() - began) / (60 * minutes)) < 1:
        lr = PEAK_LR * min(1, (step + 1) / WARMUP_STEPS) * (1 + math.cos(math.pi * done)) / 2
        optimizer.param_groups[0]["lr"] = lr
        drawings = [scene(TRAINING, rng) for _ in range(SHAPES_PER_STEP)]
        large, small = crops(drawings, LARGE, rng), crops(drawings[:ECHOES_PER_STEP], SMALL, rng)
        loss = loss_of(network, codebook, large, small, coded=min(1, done / CODED_FROM))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        step += 1
        if step % 100 == 0:
            print(f"step {step}, {done:.0%} done, loss {loss.item():.4f}", flush=True)
        if time.monotonic() - saved > SAVE_EVERY_SECONDS:
            save(network, weights)
            saved = time.monotonic()
    save(network, weights)


def save(network: MaskNetwork, weights: Path) -> None:
    """Write the weights as float16 under the official names, whole or not at all."""
    arrays = {name: tensor.half().numpy() for name, tensor in network.state_dict().items()}
    unfinished = weights.with_suffix(".part.npz")
    np.savez_compressed(unfinished, **arrays)  # pyright: ignore[reportArgumentType]
    unfinished.replace(weights)


def mean_iou(codec: VqVaeCodec, masks: Sequence[np.ndarray]) -> float:
    """How well masks bool [H, W] survive being written as codes and pasted back."""
    maps = codec.decode(codec.encode(np.stack([mask_crop(mask, WHOLE) for mask in masks])))
    ious = []
    for mask, decoded in zip(masks, maps, strict=True):
        redrawn = paste(decoded, WHOLE, height=mask.shape[0], width=mask.shape[1])
        ious.append((redrawn & mask).sum() / (redrawn | mask).sum())
    return float(np.mean(ious))


def report(codec: VqVaeCodec, coco_instances: Path | None) -> None:
    """Print how well each family survives, those never trained on first, and real outlines."""
    for family in (*HELD_OUT, *dict.fromkeys(TRAINING)):
        rng = np.random.default_rng(2**32)
        drawings = [scene((family,), rng) for _ in range(MEASURED_SHAPES)]
        large = codec.encode(crops(drawings, LARGE, rng).numpy())
        small = codec.encode(crops(drawings, SMALL, rng).numpy())
        score = mean_iou(codec, [draw(200) for draw in drawings])
        print(
            f"{family.__name__:>10} ({'held out' if family in HELD_OUT else 'trained on'}): "
            f"mIoU {score:.3f}, codes kept when smaller {(large == small).mean():.0%}"
        )
    if coco_instances:
        masks = coco_masks(coco_instances)
        print(f"{len(masks)} outlines of {coco_instances.name}: mIoU {mean_iou(codec, masks):.3f}")


def coco_masks(instances: Path) -> list[np.ndarray]:
    """The objects of a COCO annotation file, bool [H, W] each, crowds left out."""
    from pycocotools import mask as coco  # only needed here

    content = json.loads(instances.read_text())
    sizes = {image["id"]: (image["height"], image["width"]) for image in content["images"]}
    masks = []
    for annotation in content["annotations"]:
        if annotation["iscrowd"]:
            continue
        parts = coco.frPyObjects(annotation["segmentation"], *sizes[annotation["image_id"]])
        mask = coco.decode(coco.merge(parts)) > 0
        rows, columns = np.nonzero(mask.any(1))[0], np.nonzero(mask.any(0))[0]
        masks.append(mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])
    return masks


def main() -> None:
    """Train unless told to measure only, then measure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("weights", type=Path, help="the .npz to write")
    parser.add_argument("--minutes", type=float, default=45, help="0: measure an existing file")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--coco-instances", type=Path, help="outlines to measure on as well")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.minutes:
        train(options.weights, minutes=options.minutes, seed=options.seed)
    report(load_codec(options.weights), options.coco_instances)


if __name__ == "__main__":
    main()
