"""The module answers as it was told to, and the same after a resume."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from pg_transfer.model.beam import beam_search
from pg_transfer.model.config import SIZES
from pg_transfer.model.decoding import Decoding
from pg_transfer.model.generate import Continuation
from pg_transfer.model.paligemma import PaliGemma
from pg_transfer.training.batches import Batch
from pg_transfer.training.module import TransferModule
from pg_transfer.training.recipe import Recipe

RECIPE = Recipe(
    lr=1e-3, weight_decay=0.0, epochs=1, batch_size=2, label_smoothing=0.0, dropout=0.0,
    text_length=6, warmup=0.0, clip_norm=1.0,
)  # fmt: skip


@pytest.fixture
def model() -> PaliGemma:
    config = SIZES["tiny"]
    model = PaliGemma(replace(config, vision=replace(config.vision, resolution=28)))
    model.initialise(torch.Generator().manual_seed(0))
    return model


@pytest.fixture
def batch() -> Batch:
    generator = torch.Generator().manual_seed(0)
    return Batch(
        images=torch.rand(2, 3, 28, 28, generator=generator),
        tokens=torch.tensor([[2, 5, 9, 0], [2, 7, 8, 9]]),
        prefix_lengths=torch.tensor([3, 4]),
        lengths=torch.tensor([3, 4]),
        rows=[0, 1],
        cuts=[None, None],
    )


def module(model: PaliGemma, decoding: Decoding) -> TransferModule:
    return TransferModule(model, RECIPE, steps=1, end=1, seed=3, decoding=decoding)


def test_beam_search(model, batch) -> None:
    prompts = Continuation(
        model, batch.images, batch.tokens, lengths=batch.lengths, max_new_tokens=6
    )
    expected = beam_search(prompts, end=1, beams=3).tolist()
    assert module(model, Decoding(beams=3)).validation_step(batch, 0) == expected
    assert module(model, Decoding()).validation_step(batch, 0) != expected


def test_what_is_drawn_depends_on_seed_and_place_alone(model, batch) -> None:
    drawing = module(model, Decoding(temperature=1.0))
    first = drawing.validation_step(batch, 4)
    torch.manual_seed(99)
    assert drawing.validation_step(batch, 4) == first
    assert drawing.validation_step(batch, 5) != first


@pytest.mark.parametrize("beams", [1, 2])
def test_steps_that_are_taken_for_others_change_nothing(beams, model, batch) -> None:
    def answers(end: int, **more) -> list[list[int]]:
        decoding, found = Decoding(beams=beams), []
        for row in range(2):
            one = slice(row, row + 1)
            found += decoding(
                model, batch.images[one], batch.tokens[one],
                lengths=batch.lengths[one], max_new_tokens=6, end=end, **more,
            ).tolist()  # fmt: skip
        return found

    asked = []
    end = answers(1)[0][0]
    expected = answers(end)
    assert answers(end, agree=lambda goes_on: not asked.append(goes_on)) == expected
    assert not all(asked)
