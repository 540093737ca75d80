"""A model that is asked: its answers are those of transformers, whatever they are asked beside."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import pg_transfer
from pg_transfer.answering.manner import Manner
from pg_transfer.answering.model import AnsweringModel
from pg_transfer.model.config import SIZES
from pg_transfer.model.decoding import Decoding
from pg_transfer.model.paligemma import PaliGemma
from pg_transfer.segmentation.codec import load_codec
from pg_transfer.sources.loading import Loaded
from pg_transfer.text.tokenizer import load_tokenizer

SIDE = 28
IMAGE_TOKENS = (SIDE // 14) ** 2
CONFIG = replace(SIZES["tiny"], vision=replace(SIZES["tiny"].vision, resolution=SIDE))
MANNER = Manner(text_length=6, max_tokens=9)
PROMPTS = ["cat", "detect cat ; dog", "", "what is this a picture of, and why is it so small?"]


def random_model() -> PaliGemma:
    generator = torch.Generator().manual_seed(0)
    model = PaliGemma(CONFIG).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            # With large rows in the tied table it would say its last token again and again.
            parameter.normal_(std=0.02 if "embed_tokens" in name else 0.2, generator=generator)
    return model


@pytest.fixture(scope="module")
def model() -> AnsweringModel:
    loaded = Loaded(random_model(), load_tokenizer("builtin"), SIDE)
    return AnsweringModel(loaded, manner=MANNER, codec=load_codec("builtin"))


@pytest.fixture(scope="module")
def pictures() -> list[np.ndarray]:
    chance = np.random.default_rng(0)
    return [chance.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8) for _ in PROMPTS]


def test_answers_are_those_of_transformers(model, pictures, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    theirs = their_model(transformers, model.loaded.model)
    expected = [
        their_answer(theirs, model, [pixels], prompt)
        for pixels, prompt in zip(pictures, PROMPTS, strict=True)
    ]
    assert len(set(expected)) == len(PROMPTS)
    # All at once, prompts of different lengths padded; in twos; one by one.
    for batch in (4, 2, 1):
        assert model.answer(pictures, PROMPTS, batch=batch) == expected
    assert [model.answer(*pair) for pair in zip(pictures, PROMPTS, strict=True)] == expected
    # And through the folder that transformers writes.
    theirs.save_pretrained(tmp_path)
    loaded = pg_transfer.load(tmp_path, tokenizer="builtin", device="cpu")
    assert loaded.manner == Manner()  # of no run
    assert loaded.answer(pictures, PROMPTS, max_tokens=9) == expected


def test_several_images_of_one_prompt_are_shown_as_transformers_shows_them(model, pictures) -> None:
    theirs = their_model(pytest.importorskip("transformers"), model.loaded.model)
    one, other, third, _ = pictures
    shown = [[one, other], [other, one], [one, other], [third, one]]
    expected = [their_answer(theirs, model, *pair) for pair in zip(shown, PROMPTS, strict=True)]
    for batch in (4, 1):
        assert model.answer(shown, PROMPTS, batch=batch) == expected
    assert model.answer([tuple(shown[0])], PROMPTS[0]) == expected[:1]
    reply = model.reply(shown[3], PROMPTS[3])
    assert reply.text == expected[3] and reply.pixels is third
    # The order counts: both are really shown.
    assert model.answer([[one, other], [other, one]], "cat")[0] != expected[1]


def test_prompts_about_unlike_numbers_of_images_are_refused(model, pictures) -> None:
    one, other, *_ = pictures
    told = "prompt 3: this prompt is about 1 and the first about 2 images"
    for batch in (8, 2):
        with pytest.raises(ValueError, match=told):
            model.answer([[one, other], [one, other], one], "cat", batch=batch)
    with pytest.raises(ValueError, match="a prompt about no image"):
        model.answer([[]], "cat")


def test_other_numbers_of_images_than_were_learnt_are_refused(model, pictures) -> None:
    one, other, *_ = pictures
    several, alone = (
        AnsweringModel(model.loaded, manner=Manner(images=count, max_tokens=2)) for count in (2, 1)
    )
    with pytest.raises(
        ValueError, match=r"prompt 2: a prompt about an image, .* 2 at a time: show"
    ):
        several.answer([[one, other], one], "cat")
    with pytest.raises(
        ValueError, match=r"prompt 1: a prompt about 2 images together, .* one at a"
    ):
        alone.answer([[one, other]], "cat")
    assert several.answer([[one, other]], "cat") and alone.answer([one, other], "cat")


def their_answer(theirs, model: AnsweringModel, shown: list[np.ndarray], prompt: str) -> str:
    # The sequence by hand: image tokens, bos (2), prompt, newline.
    tokenizer = model.loaded.tokenizer
    text = [2, *tokenizer.encode(prompt), *tokenizer.encode("\n")]
    ids = torch.tensor([[CONFIG.language.vocabulary] * IMAGE_TOKENS * len(shown) + text])
    given = theirs.generate(
        input_ids=ids,
        pixel_values=torch.from_numpy(np.stack(shown)).permute(0, 3, 1, 2) / 127.5 - 1,
        attention_mask=torch.ones_like(ids),
        token_type_ids=torch.zeros_like(ids),
        max_new_tokens=9, do_sample=False, eos_token_id=1, pad_token_id=0,
    )  # fmt: skip
    return tokenizer.decode(given[0, ids.shape[1] :].tolist())


def their_model(transformers, ours: PaliGemma):
    vision, language = CONFIG.vision, CONFIG.language
    rows = language.vocabulary + 64
    theirs = transformers.PaliGemmaForConditionalGeneration(
        transformers.PaliGemmaConfig(
            text_config={
                "model_type": "gemma", "hidden_size": language.width,
                "intermediate_size": language.mlp, "num_hidden_layers": language.depth,
                "num_attention_heads": language.heads, "num_key_value_heads": language.kv_heads,
                "head_dim": language.head_width, "vocab_size": rows,
            },
            vision_config={
                "model_type": "siglip_vision_model", "hidden_size": vision.width,
                "intermediate_size": vision.mlp, "num_hidden_layers": vision.depth,
                "num_attention_heads": vision.heads, "patch_size": vision.patch,
                "image_size": vision.resolution, "vision_use_head": False,
            },
            projection_dim=language.width, image_token_index=language.vocabulary,
            attn_implementation="eager",
        )
    ).eval()  # fmt: skip
    weights = dict(ours.state_dict())
    for name in ("lm_head.weight", "model.language_model.embed_tokens.weight"):
        weights[name] = torch.nn.functional.pad(weights[name], (0, 0, 0, 64))
    theirs.load_state_dict(weights)
    return theirs


def test_an_image_may_come_in_any_form(model, tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (40, 30, 3), dtype=np.uint8)
    path = tmp_path / "photo.png"
    Image.fromarray(pixels).save(path)
    expected = model.answer(pixels, "cat")
    assert model.answer(path, "cat") == expected
    assert model.answer(str(path), "cat") == expected
    # Alpha is dropped, not composited.
    alpha = np.dstack([pixels, np.full((40, 30), 9, np.uint8)])
    assert model.answer(Image.fromarray(alpha), "cat") == expected
    assert model.answer(np.zeros((40, 30, 3), np.uint8), "cat") != expected


def test_one_image_and_many_prompts_and_the_other_way_round(model, pictures) -> None:
    image = pictures[0]
    assert model.answer(image, PROMPTS) == [model.answer(image, prompt) for prompt in PROMPTS]
    assert model.answer(pictures, "cat") == [model.answer(one, "cat") for one in pictures]
    assert model.answer([image], "cat") == [model.answer(image, "cat")]
    assert model.answer([], "cat") == model.answer(image, []) == model.answer([], []) == []
    with pytest.raises(ValueError, match="4 images and 3 prompts are no pairs"):
        model.answer(pictures, PROMPTS[:3])


def test_an_image_is_encoded_once_for_all_its_prompts(model, pictures) -> None:
    seen = []
    tower = model.loaded.model.model.vision_tower
    hook = tower.register_forward_pre_hook(lambda _, given: seen.append(len(given[0])))
    large = np.repeat(pictures[0], 2, axis=0)  # which has to be resized
    model.answer(large, PROMPTS)
    hook.remove()
    assert seen == [1]


def test_a_long_prompt_is_not_cut(model, pictures) -> None:
    # Both are longer than the 6 tokens of the manner, and differ in their last words alone.
    first, second = ("one two three four five six seven eight " + word for word in ("cat", "dog"))
    assert model.answer(pictures[0], first) != model.answer(pictures[0], second)


def test_how_it_is_asked(model, pictures) -> None:
    greedy = model.answer(pictures[0], "cat")
    assert model.answer(pictures[0], "cat", beams=1) == greedy
    short = model.answer(pictures[0], "cat", max_tokens=2)
    assert greedy.startswith(short) and len(short) < len(greedy)
    large = np.random.default_rng(0).integers(0, 256, (90, 90, 3), dtype=np.uint8)
    answers = {
        next(model.replies([(large, "cat")], manner=replace(MANNER, antialias=flag))).text
        for flag in (True, False)
    }
    assert len(answers) == 2


def test_beam_search_is_that_of_the_model(model, pictures) -> None:
    searched = [
        reply.text
        for reply in model.replies(
            [(one, "cat") for one in pictures], manner=replace(MANNER, decoding=Decoding(beams=3))
        )
    ]
    assert model.answer(pictures, "cat", beams=3) == searched
    assert searched != model.answer(pictures, "cat")


def test_requests_are_taken_as_they_are_needed(model, pictures) -> None:
    taken = []

    def endless():
        while True:
            taken.append(len(taken))
            yield pictures[0], "cat"

    replies = model.replies(endless(), batch=2)
    next(replies), next(replies), next(replies)
    assert len(taken) == 4


@pytest.mark.parametrize(
    ("image", "error", "message"),
    [
        ("nowhere.jpg", FileNotFoundError, "no image file nowhere.jpg"),
        (np.zeros((8, 8, 3)), ValueError, r"uint8 \[H, W, 3\].*float64 \[8, 8, 3\]"),
        (np.zeros((8, 8), np.uint8), ValueError, r"uint8 \[8, 8\]"),
    ],
)
def test_what_is_no_image(model, image, error, message) -> None:
    with pytest.raises(error, match=message):
        model.answer(image, "cat")


def test_numbers_out_of_range(model, pictures) -> None:
    with pytest.raises(ValueError, match="batch=0"):
        model.answer(pictures[0], "cat", batch=0)
    with pytest.raises(ValueError, match="max_tokens=0"):
        model.answer(pictures[0], "cat", max_tokens=0)
    with pytest.raises(ValueError, match="beams=0"):
        model.answer(pictures[0], "cat", beams=0)


class Says(AnsweringModel):
    """Has one answer to everything."""

    def _texts(self, pixels, prompts, manner) -> list[str]:
        return ["<loc0000><loc0000><loc0341><loc0682>" + "<seg000>" * 16 + " cat ; <loc0001>"]


def test_a_reply_has_boxes_and_masks_in_the_pixels_of_the_image(model) -> None:
    says = Says(model.loaded, manner=MANNER, codec=model.codec)
    pixels = np.zeros((60, 90, 3), np.uint8)
    reply = says.reply(pixels, "segment cat")
    (cat,) = reply.objects
    # 341 / 1023 = 1/3 of 60 rows and 682 / 1023 = 2/3 of 90 columns
    assert (cat.label, cat.box) == ("cat", (0, 0, 60, 20))
    assert cat.mask is not None and cat.mask.shape == (60, 90) and not cat.mask[20:].any()
    assert (reply.prompt, reply.malformed, reply.undrawn) == ("segment cat", ["<loc0001>"], 0)
    assert reply.draw().size == (512, 341)
    blind = Says(model.loaded, manner=MANNER, codec=None).reply(pixels, "segment cat")
    assert (blind.objects[0].mask, blind.undrawn) == (None, 1)


def test_half_precision_weights_answer(pictures) -> None:
    loaded = Loaded(random_model().bfloat16(), load_tokenizer("builtin"), SIDE)
    assert AnsweringModel(loaded, manner=MANNER).answer(pictures[0], "cat")
