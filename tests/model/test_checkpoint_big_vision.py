from __future__ import annotations

import io
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pg_transfer.model.checkpoint import LoadReport, blocks, load_weights
from pg_transfer.model.paligemma import PaliGemma

BLOCK = "params/img/Transformer/encoderblock/"
GATING = "params/llm/layers/mlp/gating_einsum"
POSITIONS = "params/img/pos_embedding"


def save(folder: Path, arrays: dict[str, np.ndarray]) -> Path:
    np.savez(folder / "weights.npz", **arrays)
    return folder / "weights.npz"


def bfloat16_as_numpy_keeps_it(array: np.ndarray) -> np.ndarray:
    return torch.from_numpy(array).bfloat16().view(torch.int16).numpy().view("V2")


def assert_same_weights(model, expected):
    ours, theirs = model.state_dict(), expected.state_dict()
    assert ours.keys() == theirs.keys()
    for name, value in theirs.items():
        torch.testing.assert_close(ours[name].float(), value.float(), rtol=0, atol=0, msg=name)


@pytest.fixture
def source(toy, random_model):
    return random_model(toy, seed=1)


@pytest.fixture
def arrays(source, as_big_vision):
    return as_big_vision(source)


def test_every_value_arrives(toy, source, arrays, tmp_path):
    model = PaliGemma(toy)
    report = load_weights(model, save(tmp_path, arrays))
    assert report == LoadReport("big_vision", tensors=len(arrays), resized_from=None)
    assert_same_weights(model, source)


@pytest.fixture(params=[1, 2])
def recorded(request, golden, toys):
    """The reference's arrays without their root, and a model loaded from the same file."""
    theirs = golden(f"gemma{request.param}_ckpt")
    model = PaliGemma(toys[request.param])
    load_weights(model, Path(theirs.fid.name))
    return {key.removeprefix("params/"): torch.from_numpy(theirs[key]) for key in theirs}, model


def drawn(*shapes: tuple[int, ...]) -> list[torch.Tensor]:
    """Normal numbers, the same every time."""
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(shape, generator=generator) for shape in shapes]


@pytest.mark.golden
@torch.no_grad()
def test_language_layers_compute_what_the_reference_einsums_do(recorded):
    arrays, model = recorded
    theirs = {
        key.removeprefix("llm/layers/"): array for key, array in arrays.items() if "layers" in key
    }
    x, read, hidden = drawn((5, 64), (5, 4, 32), (5, 160))
    for layer, block in enumerate(model.language.layers):
        keys, values = torch.einsum("sd,ckdh->cskh", x, theirs["attn/kv_einsum/w"][layer])
        gate, up = x @ theirs["mlp/gating_einsum"][layer]
        query = torch.einsum("td,ndh->tnh", x, theirs["attn/q_einsum/w"][layer])
        output = torch.einsum("tnh,nhd->td", read, theirs["attn/attn_vec_einsum/w"][layer])
        for ours, expected in (
            (block.self_attn.q_proj(x), query.flatten(1)),
            (block.self_attn.k_proj(x), keys.flatten(1)),
            (block.self_attn.v_proj(x), values.flatten(1)),
            (block.self_attn.o_proj(read.flatten(1)), output),
            (block.mlp.gate_proj(x), gate),
            (block.mlp.up_proj(x), up),
            (block.mlp.down_proj(hidden), hidden @ theirs["mlp/linear"][layer]),
        ):
            torch.testing.assert_close(ours, expected, rtol=0, atol=1e-5)


@pytest.mark.golden
@torch.no_grad()
def test_vision_layers_compute_what_the_reference_products_do(recorded):
    theirs, model = recorded
    patches, x, read = drawn((5, 14, 14, 3), (5, 48), (5, 4, 12))
    tower = model.model.vision_tower
    embedded = torch.einsum("tyxc,yxcv->tv", patches, theirs["img/embedding/kernel"])
    ours = tower.embeddings.patch_embedding(patches.permute(0, 3, 1, 2)).flatten(1)
    torch.testing.assert_close(ours, embedded + theirs["img/embedding/bias"], rtol=0, atol=1e-5)
    attention = "img/Transformer/encoderblock/MultiHeadDotProductAttention_0"
    for layer, block in enumerate(tower.encoder.layers):
        for name in ("query", "key", "value", "out"):
            kernel = theirs[f"{attention}/{name}/kernel"][layer]
            bias = theirs[f"{attention}/{name}/bias"][layer]
            if name == "out":
                given, expected = read.flatten(1), torch.einsum("tnh,nhv->tv", read, kernel) + bias
            else:
                given, expected = x, (torch.einsum("tv,vnh->tnh", x, kernel) + bias).flatten(1)
            projection = getattr(block.self_attn, f"{name if name == 'out' else name[0]}_proj")
            torch.testing.assert_close(projection(given), expected, rtol=0, atol=1e-5)


def test_a_big_array_is_put_together_from_blocks(toy, source, arrays, tmp_path, monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 1000)  # a few rows of each matrix
    model = PaliGemma(toy)
    load_weights(model, save(tmp_path, arrays))
    assert_same_weights(model, source)


def test_compressed_and_rootless_archives_are_read(toy, source, arrays, tmp_path):
    rootless = {key.removeprefix("params/"): value for key, value in arrays.items()}
    np.savez_compressed(tmp_path / "weights.npz", **rootless)
    model = PaliGemma(toy)
    load_weights(model, tmp_path / "weights.npz")
    assert_same_weights(model, source)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_read_into_float32(toy, source, arrays, tmp_path, dtype):
    for key, value in arrays.items():
        is_bfloat16 = dtype is torch.bfloat16
        arrays[key] = bfloat16_as_numpy_keeps_it(value) if is_bfloat16 else value.astype("<f2")
    model = PaliGemma(toy)
    load_weights(model, save(tmp_path, arrays))
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert_same_weights(model, source.to(dtype))


def test_a_bfloat16_model_stays_one(toy, source, arrays, tmp_path):
    model = PaliGemma(toy).bfloat16()
    load_weights(model, save(tmp_path, arrays))
    assert {parameter.dtype for parameter in model.parameters()} == {torch.bfloat16}
    assert_same_weights(model, source.bfloat16())


def test_a_model_on_meta_gets_memory_and_stays_tied(toy, source, arrays, tmp_path):
    with torch.device("meta"):
        model = PaliGemma(toy)
    load_weights(model, save(tmp_path, arrays))
    assert model.lm_head.weight is model.language.embed_tokens.weight
    assert_same_weights(model, source)


def test_vision_blocks_may_lie_one_by_one(toy, source, arrays, tmp_path):
    for key in [key for key in arrays if key.startswith(BLOCK)]:
        for layer, value in enumerate(arrays.pop(key)):
            arrays[key.replace("encoderblock", f"encoderblock_{layer}")] = value
    model = PaliGemma(toy)
    load_weights(model, save(tmp_path, arrays))
    assert_same_weights(model, source)


def test_gating_may_have_its_last_axes_swapped(toy, source, arrays, tmp_path):
    arrays[GATING] = np.ascontiguousarray(arrays[GATING].swapaxes(-1, -2))
    model = PaliGemma(toy)
    load_weights(model, save(tmp_path, arrays))
    assert_same_weights(model, source)


def test_one_error_names_all_that_is_wrong_and_nothing_is_read(toy, arrays, tmp_path):
    del arrays[f"{BLOCK}LayerNorm_0/scale"]
    arrays["opt/count"] = np.zeros(1, np.float32)
    arrays["params/img/head/kernel"] = np.zeros((48, 65), np.float32)
    model = PaliGemma(toy)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(ValueError, match="not a checkpoint of this model") as raised:
        load_weights(model, save(tmp_path, arrays))
    message = str(raised.value)
    assert f"1 missing: {BLOCK}LayerNorm_0/scale (2, 48)" in message
    assert "1 not part of the model: opt/count (1,)" in message
    expected = "params/img/head/kernel: expected (48, 64), found (48, 65)"
    assert f"1 of another shape: {expected}" in message
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_an_error_lists_ten_and_counts_the_rest(toy, arrays, tmp_path):
    half = {key: value for key, value in arrays.items() if "/llm/" in key}
    with pytest.raises(ValueError, match=f"{len(arrays) - len(half)} missing") as raised:
        load_weights(PaliGemma(toy), save(tmp_path, half))
    assert str(raised.value).count("params/img/") == 10


def test_another_depth_is_another_model(toy, arrays, tmp_path):
    deeper = replace(toy, language=replace(toy.language, depth=4))
    with pytest.raises(ValueError, match=r"q_einsum/w: expected \(4, 4, 64, 32\), found \(3, 4"):
        load_weights(PaliGemma(deeper), save(tmp_path, arrays))


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (np.asfortranarray(np.ones((3, 2, 64, 160), np.float32)), "Fortran order"),
        (np.ones((3, 2, 64, 160), np.int64), "holds int64"),
        (np.ones((3, 2, 64, 160), ">f4"), "holds >f4"),
        (np.array([{}]), "holds object"),
    ],
    ids=["fortran", "integers", "big-endian", "pickle"],
)
def test_what_cannot_be_streamed_is_refused(toy, arrays, tmp_path, bad, message):
    with pytest.raises(ValueError, match=rf"weights.npz: {GATING}.*{message}"):
        load_weights(PaliGemma(toy), save(tmp_path, arrays | {GATING: bad}))


def test_half_a_download_is_refused(toy, arrays, tmp_path):
    path = save(tmp_path, arrays)
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(ValueError, match=r"weights.npz \(5000 bytes\) is no .npz archive"):
        load_weights(PaliGemma(toy), path)


def test_a_flipped_byte_is_found(toy, arrays, tmp_path):
    path = save(tmp_path, arrays)
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        content[archive.getinfo(f"{GATING}.npy").header_offset + 5000] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"{GATING} is damaged"):
        load_weights(PaliGemma(toy), path)


def test_a_missing_file_and_another_kind_of_file_are_told_apart(toy, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no weights at .*absent\.npz"):
        load_weights(PaliGemma(toy), tmp_path / "absent.npz")
    (tmp_path / "weights.pt").write_bytes(b"")
    with pytest.raises(ValueError, match=r"weights\.pt is no checkpoint: give a big_vision"):
        load_weights(PaliGemma(toy), tmp_path / "weights.pt")


@pytest.mark.parametrize("resolution", [28, 84])
def test_positions_are_stretched_as_scipy_does(toy, arrays, tmp_path, resolution):
    zoom = pytest.importorskip("scipy.ndimage").zoom
    model = PaliGemma(replace(toy, vision=replace(toy.vision, resolution=resolution)))
    source = save(tmp_path, arrays)
    with pytest.raises(
        ValueError, match=f"is made for images of 56 px and the model for {resolution}"
    ):
        load_weights(model, source)
    assert load_weights(model, source, resample=True).resized_from == 56
    new = resolution // 14
    expected = zoom(arrays[POSITIONS].reshape(4, 4, 48), (new / 4, new / 4, 1), order=1)
    ours = model.model.vision_tower.embeddings.position_embedding.weight
    torch.testing.assert_close(ours.detach(), torch.from_numpy(expected.reshape(-1, 48)),
                               rtol=0, atol=1e-6)  # fmt: skip


def test_positions_that_form_no_square_are_refused(toy, arrays, tmp_path):
    arrays[POSITIONS] = np.zeros((1, 12, 48), np.float32)
    with pytest.raises(ValueError, match=r"expected \(1, 16, 48\), found \(1, 12, 48\)"):
        load_weights(PaliGemma(toy), save(tmp_path, arrays))
