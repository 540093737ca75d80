"""Who sees whom, what the released sizes weigh, and what must not change an answer."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from pg_transfer.model.config import SIZES, released
from pg_transfer.model.generate import Continuation, greedy
from pg_transfer.model.paligemma import PaliGemma, prefix_lm_sights
from pg_transfer.model.siglip import PatchEmbedding

IMAGE_TOKENS = 16


@pytest.fixture
def model(toy, random_model) -> PaliGemma:
    return random_model(toy).eval()


@pytest.fixture
def inputs() -> dict[str, torch.Tensor]:
    """Three examples of different lengths: 5 + 4, 3 + 6 and 7 + 2 text tokens of 12."""
    generator = torch.Generator().manual_seed(1)
    lengths = torch.tensor([9, 9, 9])
    tokens = torch.randint(2, 512, (3, 12), generator=generator)
    tokens[torch.arange(12) >= lengths[:, None]] = 0
    return {
        "images": torch.rand(3, 3, 56, 56, generator=generator) * 2 - 1,
        "tokens": tokens,
        "prefix_lengths": torch.tensor([5, 3, 7]),
        "lengths": lengths,
    }


def drawn_out(sights, rows: int, length: int) -> list:
    """Who sees whom, [B, L, L], spelled out."""
    lines = []
    for sight in sights:
        mask = torch.ones(1, 1, 1, sight.keys) if sight.mask is None else sight.mask.int()
        mask = mask.expand(rows, 1, sight.queries, sight.keys)[:, 0]
        lines.append(torch.nn.functional.pad(mask, (0, length - sight.keys)))
    return torch.cat(lines, dim=1).int().tolist()


def test_the_product_of_patches_is_the_convolution() -> None:
    """torch's own, in float64, and with an image that is wider than high."""
    embedding = PatchEmbedding(8, 14).double()
    images = torch.randn(2, 3, 28, 42, dtype=torch.float64)
    theirs = torch.nn.functional.conv2d(images, embedding.weight, embedding.bias, stride=14)
    torch.testing.assert_close(embedding(images), theirs.flatten(2).transpose(1, 2))


def test_the_masks_are_those_drawn_by_hand() -> None:
    # Two image tokens, prefix 2, suffix 2, one pad; then the same window with prefix 1, suffix 1.
    first = [
        [1, 1, 1, 1, 0, 0, 0],
        [1, 1, 1, 1, 0, 0, 0],
        [1, 1, 1, 1, 0, 0, 0],
        [1, 1, 1, 1, 0, 0, 0],
        [1, 1, 1, 1, 1, 0, 0],
        [1, 1, 1, 1, 1, 1, 0],
        [1, 1, 1, 1, 1, 1, 0],
    ]
    second = [[1, 1, 1, 0, 0, 0, 0]] * 3 + [[1, 1, 1, 1, 0, 0, 0]] * 4
    prefixes, lengths = torch.tensor([2, 1]), torch.tensor([4, 2])
    sizes = {"image_tokens": 2, "text_tokens": 5}
    image, text = prefix_lm_sights(prefixes, lengths, **sizes)
    assert drawn_out((image, text), 2, 7) == [first, second]
    assert image.mask.shape == (2, 1, 1, 4)
    image, text = prefix_lm_sights(prefixes[:1], lengths[:1], **sizes)
    assert drawn_out((image, text), 1, 7) == [first]
    assert image.mask is None


@pytest.mark.parametrize("place", [5, 6, 7, 8])
def test_nothing_before_a_suffix_token_knows_it(model, inputs, place: int) -> None:
    before = model(**inputs)
    changed = dict(inputs, tokens=inputs["tokens"].clone())
    changed["tokens"][0, place] = 511 - changed["tokens"][0, place]
    after = model(**changed)
    assert torch.equal(before[0, :place], after[0, :place])
    assert not torch.allclose(before[0, place], after[0, place])
    assert torch.equal(before[1:], after[1:])


def test_image_and_prefix_see_each_other_whole(model, inputs) -> None:
    before = model(**inputs)
    changed = dict(inputs, tokens=inputs["tokens"].clone())
    changed["tokens"][0, 4] = 511 - changed["tokens"][0, 4]  # the last token of the prefix
    assert not torch.allclose(before[0, 0], model(**changed)[0, 0])
    changed = dict(inputs, images=inputs["images"].clone())
    changed["images"][0, :, -1, -1] *= -1
    assert not torch.allclose(before[0, 0], model(**changed)[0, 0])


def test_padding_is_inert(model, inputs) -> None:
    before = model(**inputs)
    changed = dict(inputs, tokens=inputs["tokens"].clone())
    changed["tokens"][:, 9:] = 77
    assert torch.equal(before[:, :9], model(**changed)[:, :9])


def test_images_of_one_example_follow_each_other(model, inputs) -> None:
    frames = torch.stack([inputs["images"], -inputs["images"]], dim=1)
    tokens = model.encode_images(frames)
    assert tokens.shape == (3, 2 * IMAGE_TOKENS, 64)
    torch.testing.assert_close(tokens[:, :IMAGE_TOKENS], model.encode_images(frames[:, 0]))
    torch.testing.assert_close(tokens[:, IMAGE_TOKENS:], model.encode_images(frames[:, 1]))
    assert model(**dict(inputs, images=frames)).shape == (3, 12, 64)


def test_an_image_of_another_size_is_refused(model, inputs) -> None:
    with pytest.raises(ValueError, match="3 x 56 x 56"):
        model(**dict(inputs, images=inputs["images"][..., :42, :42]))


@pytest.mark.parametrize("rematerialise", [1, 2, 3, True])
def test_rematerialising_changes_no_gradient(toy, random_model, inputs, rematerialise) -> None:
    """Of two blocks in either tower none, or so many from the first of the image encoder on."""
    gradients = []
    for again in (False, rematerialise):
        model = PaliGemma(toy, rematerialise=again)
        model.load_state_dict(random_model(toy).state_dict())
        model(**inputs)[:, :9].square().sum().backward()
        gradients.append([parameter.grad for parameter in model.parameters()])
    for kept, again in zip(*gradients, strict=True):
        torch.testing.assert_close(kept, again)


def test_dropout_is_drawn_in_the_language_model_alone(toy, random_model, inputs) -> None:
    config = replace(toy, language=replace(toy.language, dropout=0.5))
    model = random_model(config)
    assert torch.equal(model.encode_images(inputs["images"]), model.encode_images(inputs["images"]))
    assert not torch.equal(model(**inputs), model(**inputs))
    model.eval()
    assert torch.equal(model(**inputs), model(**inputs))


def answers(model: PaliGemma, inputs: dict[str, torch.Tensor], *, end: int = 1) -> list[list[int]]:
    prompts = Continuation(
        model, inputs["images"], inputs["tokens"],
        lengths=inputs["prefix_lengths"], max_new_tokens=8,
    )  # fmt: skip
    return greedy(prompts, end=end).tolist()


@pytest.fixture
def prompts(inputs) -> dict[str, torch.Tensor]:
    """The prefixes of `inputs`, padded."""
    is_prefix = torch.arange(12) < inputs["prefix_lengths"][:, None]
    return dict(inputs, tokens=inputs["tokens"] * is_prefix)


def test_decoding_with_the_cache_is_decoding_without(model, prompts) -> None:
    tokens, ends = prompts["tokens"].clone(), prompts["prefix_lengths"].clone()
    tokens = torch.cat([tokens, torch.zeros(3, 8, dtype=torch.long)], dim=1)
    uncached = [[], [], []]
    for _ in range(8):
        features = model(
            prompts["images"], tokens, prefix_lengths=prompts["prefix_lengths"], lengths=ends
        )
        latest = model.logits(features[torch.arange(3), ends - 1]).argmax(-1)
        tokens[torch.arange(3), ends] = latest
        ends += 1
        for row, token in enumerate(latest.tolist()):
            uncached[row].append(token)
    assert answers(model, prompts) == uncached


def test_an_answer_does_not_depend_on_its_batch_mates(model, prompts) -> None:
    together = answers(model, prompts)
    for row in range(3):
        alone = {name: value[row : row + 1] for name, value in prompts.items()}
        shorter = dict(alone, tokens=alone["tokens"][:, : int(alone["prefix_lengths"])])
        assert answers(model, alone) == answers(model, shorter) == [together[row]]


def test_nothing_follows_the_end(model, prompts) -> None:
    first = answers(model, prompts)[0]
    end = first[2]
    stop = first.index(end) + 1
    assert answers(model, prompts, end=end)[0] == first[:stop] + [0] * (8 - stop)


# The totals of model.md section 6, which KerasHub's metadata give, too.
@pytest.mark.parametrize(
    ("size", "resolution", "parameters"),
    [
        ("paligemma_3b", 224, 2_923_335_408),
        ("paligemma_3b", 448, 2_924_220_144),
        ("paligemma_3b", 896, 2_927_759_088),
        ("paligemma2_3b", 224, 3_032_094_960),
        ("paligemma2_3b", 448, 3_032_979_696),
        ("paligemma2_3b", 896, 3_036_518_640),
        ("paligemma2_10b", 224, 9_662_409_456),
        ("paligemma2_10b", 448, 9_663_294_192),
        ("paligemma2_10b", 896, 9_666_833_136),
        ("paligemma2_28b", 224, 27_650_192_112),
        ("paligemma2_28b", 448, 27_651_076_848),
        ("paligemma2_28b", 896, 27_654_615_792),
    ],
)
def test_the_released_sizes(size: str, resolution: int, parameters: int) -> None:
    with torch.device("meta"):
        model = PaliGemma(released(size, resolution=resolution))
    assert sum(parameter.numel() for parameter in model.parameters()) == parameters


def test_an_unknown_size_names_those_there_are() -> None:
    with pytest.raises(ValueError, match=r"paligemma_4b.*paligemma_3b.*tiny"):
        released("paligemma_4b", resolution=224)
    with pytest.raises(ValueError, match="14 px patch"):
        released("tiny", resolution=100)


def test_random_weights_have_the_references_spread() -> None:
    model = PaliGemma(SIZES["tiny"])
    model.initialise(torch.Generator().manual_seed(0))
    weights = dict(model.named_parameters())
    for name, deviation in {
        "model.language_model.embed_tokens.weight": 96**-0.5,  # normal, fan-in D
        "model.language_model.layers.0.mlp.down_proj.weight": 288**-0.5,  # truncated, fan-in F
        "model.vision_tower.embeddings.position_embedding.weight": 64**-0.5,
        # Xavier uniform: variance 2 / (fan_in + fan_out)
        "model.vision_tower.encoder.layers.0.mlp.fc1.weight": (2 / (64 + 192)) ** 0.5,
    }.items():
        assert float(weights[name].detach().std()) == pytest.approx(deviation, rel=0.05), name
    assert not weights["model.language_model.norm.weight"].any()
    assert weights["model.vision_tower.encoder.layers.0.layer_norm1.weight"].eq(1).all()
    assert weights["model.vision_tower.post_layernorm.weight"].eq(1).all()
    assert not weights["model.vision_tower.post_layernorm.bias"].any()
