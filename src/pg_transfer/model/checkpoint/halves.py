"""Stage 0: a trained SigLIP and a trained Gemma, joined by a projector that is new.

big_vision models/ppp/gemma.py, load; models/vit.py (head_zeroinit).
"""

from __future__ import annotations

from pathlib import Path

import torch

from pg_transfer.model.checkpoint.fit import LoadReport
from pg_transfer.model.checkpoint.kinds import GEMMA, SIGLIP
from pg_transfer.model.checkpoint.load import fill_kind, give_memory
from pg_transfer.model.checkpoint.names import EMBEDDING, PROJECTOR
from pg_transfer.model.paligemma import PaliGemma

DEVIATION = 0.02
"""Of the rows that are drawn for tokens that Gemma does not have."""


@torch.no_grad()
def join_halves(
    model: PaliGemma,
    vision: Path,
    language: Path,
    generator: torch.Generator,
    *,
    resample: bool = False,
) -> tuple[LoadReport, LoadReport]:
    """Fill every parameter of `model` from its two halves, as the reference begins its stage 1.

    The projector is zero, weights and bias: the images are silent at first, and the projector's own
    gradient, which is not zero, gives them a voice. `<loc>` and `<seg>` tokens, which Gemma does
    not have, get rows drawn from N(0, 0.02²).

    Args:
        model: of the size of both; on the meta device, it is given memory on the CPU first.
        vision: a SigLIP, big_vision's `.npz` file or a folder in Hugging Face's format. Its text
            tower and its pooling head are left out.
        language: a Gemma or Gemma 2, likewise.
        generator: for the rows that are drawn.
        resample: stretch the position embeddings where they are for another resolution.

    Returns:
        What was read of the one and the other.

    Raises:
        FileNotFoundError: there is nothing, or a file is missing.
        ValueError: a half is damaged, or not that of such a model.
    """
    give_memory(model)
    seen = fill_kind(model, vision, SIGLIP, resample=resample)
    read = fill_kind(model, language, GEMMA)
    parameters = dict(model.named_parameters())
    for name in ("weight", "bias"):
        parameters[PROJECTOR + name].zero_()
    parameters[EMBEDDING][read.rows :].normal_(std=DEVIATION, generator=generator)
    return seen, read
