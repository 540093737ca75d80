"""transformers' PaliGemma, random and tiny, through its files into ours: equal outputs."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pg_transfer.model.checkpoint import load_weights
from pg_transfer.model.paligemma import PaliGemma

CLOSE = {"rtol": 2e-5, "atol": 2e-5}
IMAGE_TOKENS = 16
PREFIXES, LENGTHS = torch.tensor([5, 2, 7]), torch.tensor([9, 4, 8])
"""Text tokens up to the separator, and up to the padding, of three examples of nine."""


@pytest.fixture
def batch():
    """Images and right-padded text; nothing is known of it but the lengths."""
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(3, 3, 56, 56, generator=generator) * 2 - 1
    tokens = torch.randint(3, 512, (3, 9), generator=generator)
    return images, tokens.masked_fill(torch.arange(9) >= LENGTHS[:, None], 0)


@torch.no_grad()
def their_outputs(model, images, tokens):
    """Image tokens [3, 16, 64] and logits of the text [3, 9, 512] from transformers."""
    place = torch.arange(9)
    is_real = torch.nn.functional.pad(place < LENGTHS[:, None], (IMAGE_TOKENS, 0), value=True)
    is_suffix = torch.nn.functional.pad(place >= PREFIXES[:, None], (IMAGE_TOKENS, 0)) & is_real
    placeholders = torch.full((3, IMAGE_TOKENS), model.config.image_token_id)
    logits = model(
        input_ids=torch.cat([placeholders, tokens], dim=1),
        pixel_values=images,
        attention_mask=is_real.long(),
        token_type_ids=is_suffix.long(),
        use_cache=False,
    ).logits
    features = model.get_image_features(images).pooler_output
    return features, logits[:, IMAGE_TOKENS:, :512]


@torch.no_grad()
def assert_equal_outputs(ours, theirs, batch):
    images, tokens = batch
    image_tokens, logits = their_outputs(theirs, images, tokens)
    torch.testing.assert_close(ours.encode_images(images), image_tokens, **CLOSE)
    features = ours(images, tokens, prefix_lengths=PREFIXES, lengths=LENGTHS)
    is_real = torch.arange(9) < LENGTHS[:, None]
    torch.testing.assert_close(ours.logits(features)[is_real], logits[is_real], **CLOSE)
    assert logits[is_real].std() > 0.5  # so that closeness means something


def test_a_saved_folder_computes_the_same(toy, transformers_model, batch, tmp_path):
    theirs = transformers_model(toy)
    theirs.save_pretrained(tmp_path)
    ours = PaliGemma(toy).eval()
    load_weights(ours, tmp_path)
    assert_equal_outputs(ours, theirs, batch)


def test_a_bfloat16_archive_computes_the_same(
    toy, transformers_model, as_big_vision, batch, tmp_path
):
    """Their weights, rounded, written as big_vision does, and read back into float32."""
    theirs = transformers_model(toy)
    for parameter in theirs.parameters():  # but not the rotary frequencies
        parameter.data = parameter.data.bfloat16().float()
    messenger = PaliGemma(toy)
    rows = {"lm_head.weight": 512, "model.language_model.embed_tokens.weight": 512}
    weights = {name: value[: rows.get(name)] for name, value in theirs.state_dict().items()}
    messenger.load_state_dict(weights)
    arrays = as_big_vision(messenger)
    np.savez(tmp_path / "weights.npz", **{
        key: torch.from_numpy(array).bfloat16().view(torch.int16).numpy().view("V2")
        for key, array in arrays.items()
    })  # fmt: skip
    ours = PaliGemma(toy).eval()
    load_weights(ours, tmp_path / "weights.npz")
    assert_equal_outputs(ours, theirs, batch)
