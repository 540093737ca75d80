"""A folder in Hugging Face's layout computes in transformers, new and old, what the run does."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file

from pg_transfer.answering.manner import Manner
from pg_transfer.answering.model import AnsweringModel
from pg_transfer.data.resizing import resize
from pg_transfer.export import export
from pg_transfer.model import config as sizes
from pg_transfer.model.checkpoint.hugging_face_settings import write_settings
from pg_transfer.sources.loading import load
from pg_transfer.text.tokenizer import BUILTIN, load_tokenizer
from pg_transfer.text.tokenizer_files import write_tokenizer
from tests.exchange.conftest import SIDE, TUNINGS, logits

CLOSE = {"rtol": 1e-4, "atol": 1e-4}
ROWS = 2048
"""Tokens of the tiny model; a folder has 64 rows more, one of which is for <image>."""


@pytest.mark.parametrize("tuning", TUNINGS)
def test_a_run_loads_in_transformers(
    tuning: str, run, model_of_run, theirs, tmp_path: Path
) -> None:
    export(run(tuning), tmp_path / "out", format="huggingface", checkpoint="best")
    model = model_of_run(run(tuning))
    expected = logits(model)
    found = theirs.logits(tmp_path / "out", model)
    torch.testing.assert_close(found[:, :ROWS], expected, **CLOSE)
    assert expected.std() > 0.5
    assert theirs.facts["rows"] == ROWS + 64


@pytest.fixture(scope="module", params=[1, 2], ids=["gemma1", "gemma2"])
def released(request, new, numbers, tmp_path_factory) -> Path:
    """A folder as transformers writes it, with shards, and a tokenizer beside them."""
    folder = tmp_path_factory.mktemp("released") / "model"
    new("make", config="PaliGemmaConfig", model="PaliGemmaForConditionalGeneration",
        numbers=numbers(request.param), to=folder, seed=5)  # fmt: skip
    shutil.copyfile(BUILTIN, folder / "tokenizer.model")
    return folder


def test_a_folder_of_theirs_comes_back_to_them(released: Path, new, theirs, tmp_path: Path) -> None:
    """In, out in shards, and in again: the same logits in three programs."""
    expected = new.logits(released, load(released).model)
    out = tmp_path / "out"
    export(released, out, format="huggingface", shard_bytes=400_000)
    assert len(list(out.glob("model-*-of-*.safetensors"))) > 3
    torch.testing.assert_close(theirs.logits(out, load(out).model), expected, **CLOSE)
    for folder in (released, out):
        torch.testing.assert_close(logits(load(folder).model), expected[:, :ROWS], **CLOSE)


def test_every_tensor_comes_back_unchanged_from_folder_and_archive(
    released: Path, tmp_path: Path
) -> None:
    export(released, tmp_path / "first", format="huggingface")
    export(tmp_path / "first", tmp_path / "archive", format="big_vision")
    export(tmp_path / "archive" / "weights.npz", tmp_path / "second", format="huggingface")
    export(tmp_path / "second", tmp_path / "third", format="huggingface")
    theirs = load_file(released / "model.safetensors")
    first = load_file(tmp_path / "first" / "model.safetensors")
    hub = {key.replace("vision_tower.", "vision_tower.vision_model."): value
           for key, value in theirs.items()}  # fmt: skip
    assert first.keys() == hub.keys()
    assert all(torch.equal(first[key], hub[key]) for key in hub)  # spare rows included
    # An archive has no spare rows; what takes their place stays.
    second = load_file(tmp_path / "second" / "model.safetensors")
    for key, value in first.items():
        is_table = key.endswith("embed_tokens.weight")
        assert torch.equal(second[key], value) != is_table
        assert torch.equal(second[key][:ROWS], value[:ROWS])
    for file in (tmp_path / "second").iterdir():
        assert file.read_bytes() == (tmp_path / "third" / file.name).read_bytes(), file.name


def test_the_names_are_those_of_the_hub(run, tmp_path: Path) -> None:
    """What transformers before 4.52, vLLM and llama.cpp look for, literally."""
    export(run("lora"), tmp_path / "out", format="huggingface", checkpoint="best")
    vision = "vision_tower.vision_model."
    block = [f"{part}.{end}"
             for part in ("layer_norm1", "layer_norm2", "mlp.fc1", "mlp.fc2", "self_attn.q_proj",
                          "self_attn.k_proj", "self_attn.v_proj", "self_attn.out_proj")
             for end in ("weight", "bias")]  # fmt: skip
    layer = ["input_layernorm", "post_attention_layernorm", "mlp.gate_proj", "mlp.up_proj",
             "mlp.down_proj", "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj",
             "self_attn.o_proj"]  # fmt: skip
    names = {
        "multi_modal_projector.linear.weight", "multi_modal_projector.linear.bias",
        f"{vision}embeddings.patch_embedding.weight", f"{vision}embeddings.patch_embedding.bias",
        f"{vision}embeddings.position_embedding.weight",
        f"{vision}post_layernorm.weight", f"{vision}post_layernorm.bias",
        *(f"{vision}encoder.layers.{number}.{end}" for number in range(2) for end in block),
        "language_model.model.embed_tokens.weight", "language_model.model.norm.weight",
        *(f"language_model.model.layers.{number}.{part}.weight"
          for number in range(3) for part in layer),
    }  # fmt: skip
    with safe_open(tmp_path / "out" / "model.safetensors", framework="pt") as file:
        assert set(file.keys()) == names
        assert file.metadata() == {"format": "pt"}


# What a settings file of the hub says that ours does not repeat, or says otherwise.
OTHERWISE = {
    "_name_or_path": None, "transformers_version": None, "_from_model_config": None,
    "_valid_processor_keys": None,
    "projector_hidden_act": None,  # of no layer that there is
    "do_convert_rgb": True, "resample": 2,
}  # fmt: skip


@pytest.mark.parametrize(
    "file", ["config.json", "preprocessor_config.json", "generation_config.json"]
)
def test_settings_are_those_of_the_hub(file: str, sample_data: Path, tmp_path: Path) -> None:
    config = sizes.released("paligemma_3b", resolution=224)
    write_settings(config, tmp_path, torch.float32, pad=0, eos=1, bos=2)

    def compare(theirs: dict, ours: dict) -> None:
        for key, value in theirs.items():
            if key in OTHERWISE:
                assert ours.get(key) == OTHERWISE[key], key
            elif isinstance(value, dict):
                compare(value, ours[key])
            else:
                assert ours[key] == value, key

    hub = sample_data / "paligemma-3b-pt-224" / file
    compare(json.loads(hub.read_text()), json.loads((tmp_path / file).read_text()))


@pytest.mark.slow
def test_the_real_tokenizer_is_the_same_to_them(sample_data: Path, theirs, tmp_path: Path) -> None:
    own = load_tokenizer(sample_data / "paligemma-3b-pt-224" / "gemma_tokenizer.model")
    write_tokenizer(own, tmp_path)
    texts = [*TEXTS, "answer en what is  this?", "detect cat ; dog", "\n", "[toxicity=0]x"]
    given = theirs("tokens", folder=tmp_path, texts=texts)
    assert given["ids"] == [own.encode(text) for text in texts]
    assert given["image"] == 257152


@pytest.fixture(scope="module")
def picture(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("pictures") / "noise.png"
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    Image.fromarray(pixels).resize((120, 90)).save(path)
    return path


def test_their_processor_and_generation_answer_as_ours(
    run, theirs, picture: Path, tmp_path: Path
) -> None:
    out, prompt, suffix = tmp_path / "out", "detect circle ; square", "<loc0010><loc1023> circle"
    export(run("full"), out, format="huggingface", checkpoint="best")
    model = load(out)
    given = theirs("answer", folder=out, image=picture, prompt=prompt, suffix=suffix, tokens=12,
                   outputs=tmp_path / "pixels.npz")  # fmt: skip
    tokenizer = model.tokenizer
    text = [tokenizer.bos, *tokenizer.encode(prompt), *tokenizer.separator]
    placeholders = [given["image"]] * (SIDE // 14) ** 2
    assert given["image"] == ROWS
    assert given["prompt"] == placeholders + text
    assert given["lesson"] == [*placeholders, *text, *tokenizer.encode(suffix), tokenizer.eos]
    # Pillow rounds to whole numbers after each axis, so that pixels differ by one or two of 255.
    ours = resize(np.asarray(Image.open(picture)), SIDE, antialias=True)
    pixels = torch.from_numpy(np.load(tmp_path / "pixels.npz")["pixels"][0]).permute(1, 2, 0)
    assert ((pixels + 1) * 127.5 - torch.from_numpy(ours.astype(np.float32))).abs().max() < 2
    asked = AnsweringModel(model, manner=Manner(max_tokens=12))
    shrunk = ((pixels + 1) * 127.5).round().to(torch.uint8).numpy()
    assert given["answer"] == asked.answer(shrunk, prompt)
    assert len(given["answer"]) > 10


TEXTS = [
    " cat",
    "a  small\n\n\tred circle, naïve 🙂 字",
    "<loc0000><loc1023> cat ; <seg127>x<seg000>",
]


def test_their_tokenizer_is_ours(run, theirs, tmp_path: Path) -> None:
    export(run("full"), tmp_path / "out", format="huggingface", checkpoint="best")
    own = load(tmp_path / "out").tokenizer
    given = theirs("tokens", folder=tmp_path / "out", texts=TEXTS)
    assert given["ids"] == [own.encode(text) for text in TEXTS]
    assert given["texts"] == TEXTS
    special = {"padding": own.pad, "bos": own.bos, "eos": own.eos, "image": ROWS}
    assert {name: given[name] for name in special} == special


def test_a_folder_is_asked_in_bfloat16_where_that_is_wanted(
    run, theirs, tmp_path: Path, capsys
) -> None:
    out = tmp_path / "out"
    export(run("lora"), out, format="huggingface", checkpoint="best", dtype=torch.bfloat16)
    said = capsys.readouterr().out
    assert "weights as they were and as bfloat16: logits differ by at most" in said
    with safe_open(out / "model.safetensors", framework="pt") as file:
        assert {file.get_slice(key).get_dtype() for key in file.keys()} == {"BF16"}  # noqa: SIM118
    assert json.loads((out / "config.json").read_text())["torch_dtype"] == "bfloat16"
    assert load(out).model.lm_head.weight.dtype == torch.bfloat16
    found = theirs.logits(out, load(out, dtype=torch.float32).model)
    expected = logits(load(out, dtype=torch.float32).model)
    assert (found[:, :ROWS] - expected).abs().max() < 0.05 * expected.abs().max()
