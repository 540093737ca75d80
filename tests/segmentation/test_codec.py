"""The mask codec against the JAX reference, and against convolutions written out in numpy."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from pg_transfer.segmentation import codec as codec_module
from pg_transfer.segmentation.codec import OFFICIAL_BYTES, load_codec

RESIDUAL = {
    "net.0.weight": (128, 128, 3, 3),
    "net.0.bias": (128,),
    "net.2.weight": (128, 128, 3, 3),
    "net.2.bias": (128,),
    "net.4.weight": (128, 128, 1, 1),
    "net.4.bias": (128,),
}

OFFICIAL_LAYOUT = {
    "encoder.0.weight": (16, 1, 4, 4),
    "encoder.0.bias": (16,),
    "encoder.2.weight": (32, 16, 4, 4),
    "encoder.2.bias": (32,),
    "encoder.4.weight": (64, 32, 4, 4),
    "encoder.4.bias": (64,),
    "encoder.6.weight": (128, 64, 4, 4),
    "encoder.6.bias": (128,),
    **{f"encoder.8.{name}": shape for name, shape in RESIDUAL.items()},
    **{f"encoder.9.{name}": shape for name, shape in RESIDUAL.items()},
    "encoder.10.weight": (512, 128, 1, 1),
    "encoder.10.bias": (512,),
    "_vq_vae._embedding": (128, 512),
    "_vq_vae._ema_cluster_size": (128,),
    "_vq_vae._ema_w": (128, 512),
    "decoder.0.weight": (128, 512, 1, 1),
    "decoder.0.bias": (128,),
    **{f"decoder.2.{name}": shape for name, shape in RESIDUAL.items()},
    **{f"decoder.3.{name}": shape for name, shape in RESIDUAL.items()},
    "decoder.4.weight": (128, 128, 4, 4),
    "decoder.4.bias": (128,),
    "decoder.6.weight": (128, 64, 4, 4),
    "decoder.6.bias": (64,),
    "decoder.8.weight": (64, 32, 4, 4),
    "decoder.8.bias": (32,),
    "decoder.10.weight": (32, 16, 4, 4),
    "decoder.10.bias": (16,),
    "decoder.12.weight": (1, 16, 1, 1),
    "decoder.12.bias": (1,),
}


@pytest.fixture(scope="module")
def weights() -> dict[str, np.ndarray]:
    """Random weights that neither die out nor explode on their way through the layers."""
    rng = np.random.default_rng(0)
    arrays = {}
    for name, shape in OFFICIAL_LAYOUT.items():
        scale = 0.1 if len(shape) < 4 else 1.3 / np.sqrt(np.prod(shape[1:]))
        arrays[name] = rng.normal(0, scale, shape).astype(np.float32)
    return arrays


@pytest.fixture(scope="module")
def weights_file(weights: dict[str, np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("codec") / "random.npz"
    np.savez(path, **weights)
    return path


def convolve(pixels, weights, layer, *, stride=1, padding=0):
    """`pixels` [H, W, in] to [H / stride, W / stride, out], tap by tap."""
    kernel = weights[f"{layer}.weight"]
    padded = np.pad(pixels, ((padding, padding), (padding, padding), (0, 0)))
    height, width = np.array(pixels.shape[:2]) // stride
    result = np.zeros((height, width, len(kernel))) + weights[f"{layer}.bias"]
    for row, column in np.ndindex(*kernel.shape[2:]):
        seen = padded[row::stride, column::stride][:height, :width]
        result += seen @ kernel[:, :, row, column].T
    return result


def spread(pixels, weights, layer):
    """Every pixel paints a 4x4 patch, two apart, the outermost ring cut off."""
    kernel = weights[f"{layer}.weight"]
    height, width = pixels.shape[:2]
    canvas = np.zeros((2 * height + 2, 2 * width + 2, kernel.shape[1]))
    for row, column in np.ndindex(4, 4):
        canvas[row : row + 2 * height : 2, column : column + 2 * width : 2] += (
            pixels @ kernel[:, :, row, column]
        )
    return canvas[1:-1, 1:-1] + weights[f"{layer}.bias"]


def relu(pixels):
    return np.maximum(pixels, 0)


def add_residual(pixels, weights, layer):
    inner = relu(convolve(pixels, weights, f"{layer}.net.0", padding=1))
    inner = relu(convolve(inner, weights, f"{layer}.net.2", padding=1))
    return pixels + convolve(inner, weights, f"{layer}.net.4")


def numpy_latents(mask, weights):
    pixels = 2 * (mask[:, :, None] - 0.5)
    for layer in (0, 2, 4, 6):
        pixels = relu(convolve(pixels, weights, f"encoder.{layer}", stride=2, padding=1))
    for layer in (8, 9):
        pixels = add_residual(pixels, weights, f"encoder.{layer}")
    return convolve(pixels, weights, "encoder.10").reshape(16, 512)


def numpy_decode(codes, weights):
    pixels = weights["_vq_vae._embedding"][codes].reshape(4, 4, 512)
    pixels = relu(convolve(pixels, weights, "decoder.0"))
    for layer in (2, 3):
        pixels = add_residual(pixels, weights, f"decoder.{layer}")
    for layer in (4, 6, 8, 10):
        pixels = relu(spread(pixels, weights, f"decoder.{layer}"))
    return convolve(pixels, weights, "decoder.12")[:, :, 0]


def blobs(count):
    rows, columns = np.mgrid[:64, :64] / 63
    centres = np.random.default_rng(1).uniform(0.2, 0.8, (count, 2, 1, 1))
    distance = np.hypot(rows - centres[:, 0], columns - centres[:, 1])
    return np.clip(8 * (0.4 - distance), 0, 1).astype(np.float32)


def test_encodes_like_convolutions_in_numpy(weights, tmp_path):
    masks = blobs(6)
    latents = np.stack([numpy_latents(mask, weights) for mask in masks])
    # Half the codebook lies near what is seen, so that many codes are in use; half far off.
    near = latents.reshape(-1, 512)[:64] * 0.9
    codebook = np.concatenate([near + 1, near]).astype(np.float32)
    np.savez(tmp_path / "own.npz", **(weights | {"_vq_vae._embedding": codebook}))
    distances = ((latents[:, :, None] - codebook) ** 2).sum(-1)
    expected = distances.argmin(-1)
    assert len(np.unique(expected)) > 30
    np.testing.assert_array_equal(load_codec(tmp_path / "own.npz").encode(masks), expected)


def test_decodes_like_convolutions_in_numpy(weights, weights_file):
    codes = np.random.default_rng(2).integers(0, 128, (3, 16))
    expected = np.stack([numpy_decode(row, weights) for row in codes])
    assert expected.std() > 0.05
    decoded = load_codec(weights_file).decode(codes)
    assert decoded.dtype == np.float32
    np.testing.assert_allclose(decoded, expected, atol=1e-5)


@pytest.mark.golden
def test_encodes_and_decodes_like_the_reference(golden, tmp_path):
    recorded = golden("maskcodec_golden")
    np.savez(tmp_path / "recorded.npz", **golden("maskcodec_weights"))
    codec = load_codec(tmp_path / "recorded.npz")
    codes = codec.encode(recorded["masks"])
    assert codes.dtype == np.int64
    np.testing.assert_array_equal(codes, recorded["encoded"])
    np.testing.assert_allclose(codec.decode(recorded["codes"]), recorded["decoded"], atol=1e-4)


def test_official_layout_fills_the_official_size(weights_file):
    # The published file has 8,479,556 bytes; only these names, shapes and float32 give that.
    assert weights_file.stat().st_size == OFFICIAL_BYTES == 8_479_556
    load_codec(weights_file)


def test_only_the_published_bytes_are_official(weights_file, monkeypatch):
    assert not load_codec(weights_file).official
    assert not load_codec("builtin").official
    digest = sha256(weights_file.read_bytes()).hexdigest()
    monkeypatch.setattr(codec_module, "OFFICIAL_SHA256", digest)
    assert load_codec(weights_file).official


def test_large_batches_are_split_without_a_trace(weights_file):
    codec = load_codec(weights_file)
    codes = np.random.default_rng(3).integers(0, 128, (300, 16))
    np.testing.assert_allclose(codec.decode(codes)[-2:], codec.decode(codes[-2:]), atol=1e-5)


def test_nothing_in_nothing_out(weights_file):
    codec = load_codec(weights_file)
    assert codec.decode(np.zeros((0, 16), int)).shape == (0, 64, 64)
    assert codec.encode(np.zeros((0, 64, 64), np.float32)).shape == (0, 16)


def test_missing_file_says_what_to_fetch(tmp_path):
    with pytest.raises(FileNotFoundError) as error:
        load_codec(tmp_path / "vae-oid.npz")
    message = str(error.value)
    assert str(tmp_path) in message
    for fact in (
        "gs://big_vision/paligemma/vae-oid.npz",
        "big-vision/paligemma-hf",
        "8,479,556",
        "5586010257b8536dddefab65e7755077f21d5672d5674dacf911f73ae95a4447",
    ):
        assert fact in message


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"decoder.12.bias": None}, r"lacks the array decoder\.12\.bias \[1\]"),
        ({"decoder.13.bias": np.zeros(1)}, r"unknown array decoder\.13\.bias \[1\]"),
        ({"encoder.0.bias": np.zeros(17)}, r"encoder\.0\.bias is .* \[17\], should be .* \[16\]"),
        ({"encoder.0.bias": np.zeros(16, int)}, r"encoder\.0\.bias is int64"),
        ({"_vq_vae._ema_w": np.zeros((2, 2))}, r"_ema_w is .* \[2, 2\]"),
        ({"encoder.0.bias": np.array([None] * 16)}, "Object arrays"),
    ],
)
def test_wrong_array_is_named(weights, tmp_path, change, complaint):
    arrays = {k: v for k, v in (weights | change).items() if v is not None}
    np.savez(tmp_path / "other.npz", **arrays)
    with pytest.raises(ValueError, match=complaint) as error:
        load_codec(tmp_path / "other.npz")
    assert "other.npz" in str(error.value)


@pytest.mark.parametrize("kept", [0, 1000, 5_000_000])
def test_cut_off_download_is_reported(weights_file, tmp_path, kept):
    (tmp_path / "cut.npz").write_bytes(weights_file.read_bytes()[:kept])
    with pytest.raises(ValueError, match=rf"cut\.npz .* {kept:,} bytes .* 8,479,556"):
        load_codec(tmp_path / "cut.npz")


def test_wrong_masks_and_codes_are_refused(weights_file):
    codec = load_codec(weights_file)
    with pytest.raises(ValueError, match=r"\[64, 64\]"):
        codec.encode(np.zeros((64, 64), np.float32))
    with pytest.raises(ValueError, match=r"from 0\.0 to 255\.0"):
        codec.encode(255 * blobs(1))
    with pytest.raises(ValueError, match=r"\[1, 15\]"):
        codec.decode(np.zeros((1, 15), int))
    with pytest.raises(ValueError, match=r"these 0\.\.128"):
        codec.decode(np.array([[0] * 15 + [128]]))
