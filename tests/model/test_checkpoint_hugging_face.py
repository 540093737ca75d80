from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file

from pg_transfer.model.checkpoint import LoadReport, blocks, describe, load_weights
from pg_transfer.model.checkpoint.hugging_face_config import read_config, require_same_model
from pg_transfer.model.checkpoint.kinds import PALIGEMMA
from pg_transfer.model.config import released
from pg_transfer.model.paligemma import PaliGemma

EMBEDDING = "model.language_model.embed_tokens.weight"
VISION, OLD_VISION = "vision_tower.", "vision_tower.vision_model."
HUB = "language_model.model."
LAYOUTS = {  # before projector and vision; of vision, of language; the output table
    "hub": ("", OLD_VISION, HUB, None),
    "hub with head": ("", OLD_VISION, HUB, "language_model.lm_head.weight"),
    "4.52": ("model.", OLD_VISION, "language_model.", "lm_head.weight"),
    "5": ("model.", VISION, "language_model.", "lm_head.weight"),
    "saved from 5": ("", VISION, HUB, None),
    "saved from 4.52": ("model.", OLD_VISION, HUB, None),
}


@pytest.fixture
def theirs(toy, transformers_model):
    return transformers_model(toy)


@pytest.fixture
def folder(theirs, tmp_path):
    """A folder as transformers saves it, config.json included."""
    theirs.save_pretrained(tmp_path)
    return tmp_path


def tensors_in(folder):
    tensors = load_file(folder / "model.safetensors")
    return {name: value.clone() for name, value in tensors.items()}  # of no file to be rewritten


def rewrite(folder, tensors):
    save_file({key: value.contiguous() for key, value in tensors.items()},
              folder / "model.safetensors", metadata={"format": "pt"})  # fmt: skip


def assert_same_weights(model, theirs):
    ours, expected = model.state_dict(), theirs.state_dict()
    assert ours.keys() == expected.keys()
    for name, value in expected.items():
        rows = len(ours[name])  # their vocabulary is rounded up
        assert rows == (512 if name in ("lm_head.weight", EMBEDDING) else len(value))
        torch.testing.assert_close(ours[name], value[:rows], rtol=0, atol=0, msg=name)


def rename(theirs, layout):
    """The tensors of `theirs` as a checkpoint of another age of transformers names them."""
    root, vision, language, head = LAYOUTS[layout]
    renamed = {}
    for name, value in theirs.state_dict().items():
        if name != "lm_head.weight":
            name = name.removeprefix("model.").replace(VISION, vision)
            renamed[root + name.replace("language_model.", language)] = value.clone()
        elif head is not None:
            renamed[head] = value.clone()
    return renamed


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_is_read(toy, theirs, folder, layout):
    tensors = rename(theirs, layout)
    rewrite(folder, tensors)
    model = PaliGemma(toy)
    report = load_weights(model, folder)
    assert report == LoadReport("Hugging Face", tensors=len(tensors), resized_from=None)
    assert_same_weights(model, theirs)


@pytest.mark.parametrize("original", [True, False])
def test_what_save_pretrained_writes_is_read(toy, theirs, tmp_path, original):
    theirs.save_pretrained(tmp_path, save_original_format=original)
    model = PaliGemma(toy)
    load_weights(model, tmp_path)
    assert_same_weights(model, theirs)


def test_shards_are_read_block_by_block_into_a_model_on_meta(toy, theirs, tmp_path, monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 1000)
    theirs.save_pretrained(tmp_path, max_shard_size="100KB")
    assert len(list(tmp_path.glob("model-*.safetensors"))) > 2
    with torch.device("meta"):
        model = PaliGemma(toy)
    load_weights(model, tmp_path)
    assert model.lm_head.weight is model.language.embed_tokens.weight
    assert_same_weights(model, theirs)


def test_bfloat16_is_read_into_float32(toy, theirs, tmp_path):
    theirs.bfloat16().save_pretrained(tmp_path)
    model = PaliGemma(toy)
    load_weights(model, tmp_path)
    assert_same_weights(model, theirs.float())


def test_an_unpadded_vocabulary_is_read_and_any_other_refused(toy, theirs, folder):
    key = HUB + "embed_tokens.weight"
    whole = tensors_in(folder)
    rewrite(folder, whole | {key: whole[key][:512]})
    model = PaliGemma(toy)
    load_weights(model, folder)
    assert_same_weights(model, theirs)
    rewrite(folder, whole | {key: whole[key][:513]})
    with pytest.raises(ValueError, match=r"expected \(512, 64\) or \(576, 64\), found \(513, 64\)"):
        load_weights(model, folder)


def test_an_output_table_of_its_own_is_refused(toy, theirs, folder):
    tensors = rename(theirs, "hub with head")
    head = tensors["language_model.lm_head.weight"]
    head[512:] += 1  # rows of no token
    rewrite(folder, tensors)
    load_weights(PaliGemma(toy), folder)
    head[511, 63] += 1
    rewrite(folder, tensors)
    with pytest.raises(ValueError, match=r"lm_head\.weight differs from the input embedding"):
        load_weights(PaliGemma(toy), folder)


def test_one_error_names_all_that_is_wrong(toy, folder):
    tensors = tensors_in(folder)
    del tensors[HUB + "norm.weight"]
    tensors["language_model.score.weight"] = torch.zeros(3, 2)
    tensors["multi_modal_projector.linear.bias"] = torch.zeros(65)
    rewrite(folder, tensors)
    with pytest.raises(ValueError, match="not a checkpoint of this model") as raised:
        load_weights(PaliGemma(toy), folder)
    message = str(raised.value)
    assert "1 missing: model.language_model.norm.weight (64,)" in message
    assert "1 not part of the model: language_model.score.weight (3, 2)" in message
    assert "multi_modal_projector.linear.bias: expected (64,), found (65,)" in message


def test_one_tensor_under_two_names_is_refused(toy, folder):
    tensors = tensors_in(folder)
    tensors["model.language_model.norm.weight"] = torch.zeros(64)
    rewrite(folder, tensors)
    with pytest.raises(ValueError, match=r"model\.language_model\.norm\.weight twice"):
        load_weights(PaliGemma(toy), folder)


def test_quantised_weights_are_refused(toy, folder):
    tensors = tensors_in(folder)
    rewrite(folder, tensors | {HUB + "norm.weight": torch.zeros(64, dtype=torch.int8)})
    with pytest.raises(ValueError, match=r"norm\.weight is stored as I8; quantised"):
        load_weights(PaliGemma(toy), folder)


def test_a_language_model_alone_is_refused(toy, folder):
    (folder / "config.json").unlink()
    rewrite(folder, {"model.embed_tokens.weight": torch.zeros(576, 64)})
    with pytest.raises(ValueError, match=r"no vision tower \(its first .*join its two halves"):
        load_weights(PaliGemma(toy), folder)


@pytest.fixture
def shards(theirs, tmp_path):
    theirs.save_pretrained(tmp_path, max_shard_size="200KB")
    return tmp_path


def test_a_missing_shard_is_named(toy, shards):
    first = min(shards.glob("model-*.safetensors"))
    first.unlink()
    with pytest.raises(FileNotFoundError, match=rf"lacks 1 of \d+ shards .*: {first.name}"):
        load_weights(PaliGemma(toy), shards)


def test_half_a_shard_is_named(toy, shards):
    first = min(shards.glob("model-*.safetensors"))
    first.write_bytes(first.read_bytes()[:-100])
    with pytest.raises(ValueError, match=rf"{first.name} \(\d+ bytes\) is no whole safetensors"):
        load_weights(PaliGemma(toy), shards)


def test_an_index_of_another_download_is_refused(toy, shards):
    path = shards / "model.safetensors.index.json"
    index = json.loads(path.read_text())
    index["weight_map"]["language_model.other"] = min(index["weight_map"].values())
    path.write_text(json.dumps(index))
    with pytest.raises(ValueError, match=r"language_model\.other \(index: .*; shards: nowhere\)"):
        load_weights(PaliGemma(toy), shards)


@pytest.mark.parametrize("content", ["", "[]", '{"metadata": {}}'])
def test_a_broken_index_is_refused(toy, shards, content):
    (shards / "model.safetensors.index.json").write_text(content)
    with pytest.raises(ValueError, match=r"model\.safetensors\.index\.json (is not|holds|has no)"):
        load_weights(PaliGemma(toy), shards)


def test_pickles_are_refused(toy, tmp_path):
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(FileNotFoundError, match=r"pickles and may run any code .*save_pretrained"):
        load_weights(PaliGemma(toy), tmp_path)


def test_a_folder_of_something_else_says_what_it_holds(toy, tmp_path):
    (tmp_path / "adapter_model.safetensors").write_bytes(b"")
    with pytest.raises(FileNotFoundError, match=r"there is adapter_model\.safetensors"):
        load_weights(PaliGemma(toy), tmp_path)


def test_another_model_is_refused_before_its_tensors_are_read(toy, folder):
    (folder / "model.safetensors").write_bytes(b"")
    wider = replace(toy, language=replace(toy.language, width=128))
    message = r"config\.json .* text_config\.hidden_size is 64 there and 128 in the model"
    with pytest.raises(ValueError, match=message):
        load_weights(PaliGemma(wider), folder)


@pytest.mark.parametrize("heads", [5, 1000, 2.0, 0, "4", True])
@pytest.mark.parametrize("part", ["text_config", "vision_config"])
def test_a_number_of_heads_that_cannot_be_is_named(folder, part, heads):
    path = folder / "config.json"
    content = json.loads(path.read_text())
    describe(folder)
    content[part]["num_attention_heads"] = heads
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=rf"config\.json: {part}\.num_attention_heads is "):
        describe(folder)


def test_what_shapes_do_not_show_is_compared_too(toys, transformers_model, tmp_path):
    transformers_model(toys[2]).save_pretrained(tmp_path)
    language = replace(
        toys[2].language, heads=2, kv_heads=1, head_width=64, query_scale=0.1, attention_softcap=9.0
    )
    model = PaliGemma(replace(toys[2], language=language))
    with pytest.raises(ValueError, match=r"num_attention_heads is 4 there and 2") as raised:
        load_weights(model, tmp_path)
    for field in ("num_key_value_heads", "head_dim", "query_pre_attn_scalar", "softcapping"):
        assert field in str(raised.value)


def test_the_released_configuration_is_that_of_our_3b_model(sample_data):
    folder = sample_data / "paligemma-3b-pt-224"
    content = read_config(folder, PALIGEMMA)
    require_same_model(content, released("paligemma_3b", resolution=224), folder)
    message = r"it is a paligemma_3b; .*text_config\.model_type is 'gemma' there and 'gemma2'"
    with pytest.raises(ValueError, match=message):
        require_same_model(content, released("paligemma2_3b", resolution=224), folder)


def test_positions_are_stretched_for_another_resolution(toy, theirs, folder):
    zoom = pytest.importorskip("scipy.ndimage").zoom
    model = PaliGemma(replace(toy, vision=replace(toy.vision, resolution=112)))
    with pytest.raises(ValueError, match="is made for images of 56 px and the model for 112 px"):
        load_weights(model, folder)
    assert load_weights(model, folder, resample=True).resized_from == 56
    table = theirs.model.vision_tower.embeddings.position_embedding.weight.detach()
    expected = torch.from_numpy(zoom(table.numpy().reshape(4, 4, 48), (2, 2, 1), order=1))
    ours = model.model.vision_tower.embeddings.position_embedding.weight.detach()
    torch.testing.assert_close(ours, expected.reshape(64, 48), rtol=0, atol=1e-6)
