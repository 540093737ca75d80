"""A model that is asked about images: prompts to answers, and answers to boxes and masks.

model = pg_transfer.load("runs/shapes-84/2026-11-23_12-00-00")
print(model.answer("photo.jpg", "the small red circle"))
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import overload

import numpy as np
import torch
from omegaconf import DictConfig

from pg_transfer.answering.asked import refuse_other_count, refuse_unlearnt_count
from pg_transfer.answering.given_images import Picture, Shown, pixels_of
from pg_transfer.answering.given_videos import Frames
from pg_transfer.answering.manner import Manner
from pg_transfer.answering.reply import Reply, read_reply
from pg_transfer.data.resizing import resize, resize_frames
from pg_transfer.model.decoding import Decoding
from pg_transfer.segmentation.codec import load_codec
from pg_transfer.segmentation.masks import MaskCodec
from pg_transfer.sources import loading
from pg_transfer.text.sequence import prompt_layout
from pg_transfer.training.batches import Item, collate
from pg_transfer.training.gpus import has_bfloat16

Pictures = Picture | list[Shown] | tuple[Shown, ...]
"""Of one prompt or of several."""

BATCH = 8
"""Prompts that are answered at once, unless somebody says otherwise."""
OFFICIAL_CODEC = "vae-oid.npz"
"""What the mask codec is called that PaliGemma was trained with; see docs/mask_codec.md."""


class AnsweringModel:
    """What `pg_transfer.load` gives.

    Attributes:
        loaded: the model itself, its tokenizer, and the settings of its run.
        manner: how it is asked.
        codec: draws masks; None if there is none at hand.
    """

    def __init__(
        self, loaded: loading.Loaded, *, manner: Manner, codec: MaskCodec | None = None
    ) -> None:
        self.loaded, self.manner, self.codec = loaded, manner, codec

    @overload
    def answer(
        self, images: Picture, prompts: str, *,
        batch: int = ..., beams: int | None = ..., max_tokens: int | None = ...,
    ) -> str: ...  # fmt: skip

    @overload
    def answer(
        self, images: Pictures, prompts: str | Sequence[str], *,
        batch: int = ..., beams: int | None = ..., max_tokens: int | None = ...,
    ) -> str | list[str]: ...  # fmt: skip

    def answer(
        self,
        images: Pictures,
        prompts: str | Sequence[str],
        *,
        batch: int = BATCH,
        beams: int | None = None,
        max_tokens: int | None = None,
    ) -> str | list[str]:
        """The answer to one prompt about one image; of several, a list of answers in their order.

        Args:
            images: one, or several. One is asked every prompt. Where a prompt is about several
                images together, they are a list in this list: `[["left.jpg", "right.jpg"]]`.
            prompts: one, or several. One is asked of every image; several of several go in pairs.
            batch: how many are answered at once.
            beams: above 1 for beam search; None as in the run.
            max_tokens: the most that an answer may have; None as in the run.

        Raises:
            FileNotFoundError: an image is not there.
            ValueError: it cannot be read, there are not as many prompts as images, or they are
                about different numbers of images, or others than the model has learnt from.
        """
        manner = self.manner
        if beams is not None:
            manner = replace(manner, decoding=Decoding(beams=beams))
        if max_tokens is not None:
            manner = replace(manner, max_tokens=max_tokens)
        requests = _pairs(images, prompts)
        answers = [reply.text for reply in self.replies(requests, batch=batch, manner=manner)]
        alone = isinstance(prompts, str) and not isinstance(images, list | tuple)
        return answers[0] if alone else answers

    def reply(self, image: Shown, prompt: str) -> Reply:
        """The answer with its boxes and masks in the image's own pixels, or the first image's."""
        return next(self.replies([(image, prompt)]))

    def replies(
        self,
        requests: Iterable[tuple[Shown, str]],
        *,
        batch: int = BATCH,
        manner: Manner | None = None,
    ) -> Iterator[Reply]:
        """Replies to images with prompts, in their order, as they come.

        Args:
            requests: may be more than fit into memory; `batch` of them are taken at once.
            batch: how many are answered at once.
            manner: if not `self.manner`.

        Raises:
            FileNotFoundError: an image is not there.
            ValueError: it cannot be read, a number is out of range, or prompts are about different
                numbers of images, or others than the model has learnt from.
        """
        manner = manner or self.manner
        if batch < 1 or manner.max_tokens < 1:
            raise ValueError(
                f"batch={batch} and max_tokens={manner.max_tokens}: both have to be above 0"
            )
        remaining, done, first = iter(requests), 0, 0
        while part := list(islice(remaining, batch)):
            # An image that is asked several prompts is opened once.
            opened = {id(shown): shown for shown, _ in part}
            opened = {key: pixels_of(shown, manner.seen) for key, shown in opened.items()}
            pixels = [opened[id(shown)] for shown, _ in part]
            first = first or len(pixels[0])
            for number, own in enumerate(pixels, start=done + 1):
                refuse_unlearnt_count(manner.seen, len(own), f"prompt {number}")
                refuse_other_count(first, len(own), f"prompt {number}")
            texts = self._texts(pixels, [prompt for _, prompt in part], manner)
            for (_, prompt), text, own in zip(part, texts, pixels, strict=True):
                yield read_reply(prompt, text, own[0], self.codec)
            done += len(part)

    @torch.inference_mode()
    def _texts(
        self, pixels: Sequence[tuple[np.ndarray, ...]], prompts: Sequence[str], manner: Manner
    ) -> list[str]:
        """The answers to one batch of prompts, all about the same number of images."""
        model, tokenizer = self.loaded.model, self.loaded.tokenizer
        prefixes = [tokenizer.encode(prompt) for prompt in prompts]
        needed = max(map(len, prefixes)) + 1 + len(tokenizer.separator)
        window = max(needed, manner.text_length)
        layouts = [prompt_layout(p, tokenizer=tokenizer, text_length=window) for p in prefixes]
        device = model.lm_head.weight.device
        side, antialias = self.loaded.resolution, manner.antialias
        resized = {id(those): those for those in pixels}  # each once
        resized = {key: _resized(those, side, antialias) for key, those in resized.items()}
        given = [resized[id(those)] for those in pixels]
        batch = collate(list(map(Item, range(len(pixels)), given, layouts))).to(device)
        dtypes = {parameter.dtype for parameter in model.parameters()}
        mixed = manner.mixed and torch.float32 in dtypes and torch.float16 not in dtypes
        mixed = mixed and device.type == "cuda" and has_bfloat16()
        with torch.autocast(device.type, torch.bfloat16, enabled=mixed):
            answers = manner.decoding(
                model,
                batch.images,
                batch.tokens,
                lengths=batch.lengths,
                max_new_tokens=manner.max_tokens,
                end=tokenizer.eos,
                image_rows=batch.image_rows,
            )
        return [tokenizer.decode(answer) for answer in answers.tolist()]


def load(
    source: str | Path,
    *,
    checkpoint: str = "last",
    resolution: int | None = None,
    tokenizer: str | Path | None = None,
    mask_codec: str | Path | None = None,
    weights: str | Path | None = None,
    device: str | torch.device | None = None,
    dtype: torch.dtype | None = None,
) -> AnsweringModel:
    """The model of `source`, to be asked as its run's evaluation asks it.

    Args:
        source: see `pg_transfer.sources.loading.load`, as for what is not described here.
        checkpoint: "last" or "best", of a run.
        resolution: image side in pixels.
        tokenizer: where it does not lie beside the weights.
        mask_codec: "builtin" or a file; None takes the run's, or else the official one, where
            they are at hand. Without one there are no masks.
        weights: what the source was learnt on top of, where it has moved.
        device: None takes a GPU if there is one.
        dtype: of the weights.

    Raises:
        FileNotFoundError: the source, or something that belongs to it, is not there.
        PermissionError: the hub wants a licence accepted first.
        ValueError: it is no PaliGemma, or something else than it is said to be; no such device.
    """
    codec = None if mask_codec is None else load_codec(mask_codec)
    place = _device(device)
    loaded = loading.load(
        source,
        checkpoint=checkpoint,
        resolution=resolution,
        tokenizer=tokenizer,
        weights=weights,
        device=place,
        dtype=dtype,
    )
    manner = Manner() if loaded.settings is None else Manner.of_run(loaded.settings)
    return AnsweringModel(loaded, manner=manner, codec=codec or _usual_codec(loaded.settings))


def _device(name: str | torch.device | None) -> torch.device:
    """A GPU if nothing else is said and there is one.

    Raises:
        ValueError: there is no such device.
    """
    if name is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    count = torch.cuda.device_count()
    try:
        device = torch.device(name)
        if device.type == "cuda" and (device.index or 0) >= count:
            raise ValueError(f"device={name}: this machine has {count} GPUs that torch can use")
        torch.empty(1, device=device).cpu()  # of other kinds torch knows names, and not whether
    except (RuntimeError, NotImplementedError) as error:
        raise ValueError(
            f"device={name} is none of this machine's; say cpu, cuda or cuda:1"
        ) from error
    return device


def _usual_codec(settings: DictConfig | None) -> MaskCodec | None:
    """The run's, or the official one; None if it is not at hand."""
    if settings is not None:
        usual = settings.model.mask_codec
    else:
        usual = Path(os.environ.get("PG_DATA", "data")) / OFFICIAL_CODEC
    if usual is None or not (usual == "builtin" or Path(usual).is_file()):
        return None
    return load_codec(usual)


def _resized(images: Sequence[np.ndarray], side: int, antialias: bool) -> np.ndarray:
    """Uint8 [R, R, 3] of one image, [F, R, R, 3] of several; float32 of a video."""
    if isinstance(images, Frames):
        return np.stack(resize_frames(images, side, antialias=antialias))
    each = [resize(one, side, antialias=antialias) for one in images]
    return np.stack(each) if len(each) > 1 else each[0]


def _pairs(images: Pictures, prompts: str | Sequence[str]) -> list[tuple[Shown, str]]:
    if isinstance(prompts, str):
        several = images if isinstance(images, list | tuple) else [images]
        return [(image, prompts) for image in several]
    if not isinstance(images, list | tuple):
        return [(images, prompt) for prompt in prompts]
    if len(images) != len(prompts):
        raise ValueError(
            f"{len(images)} images and {len(prompts)} prompts are no pairs; give as many of both, "
            f"or one of either"
        )
    return list(zip(images, prompts, strict=True))
