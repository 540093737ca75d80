"""The network that writes a mask as sixteen `<seg>` tokens, and reads it back.

Sources: big_vision pp/proj/paligemma/segmentation.py (to tokens),
evaluators/proj/paligemma/transfers/segmentation.py (back); architecture of "All in Tokens",
arXiv 2301.02229. Attribute names are the official file's keys.
"""

from __future__ import annotations

import io
import zipfile
from hashlib import sha256
from importlib import resources
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

CODES = 128
"""How many different `<seg>` tokens there are."""

OFFICIAL_BYTES = 8_479_556
OFFICIAL_SHA256 = "5586010257b8536dddefab65e7755077f21d5672d5674dacf911f73ae95a4447"

MOST_BYTES = 4 * OFFICIAL_BYTES
"""Of a codec, packed and unpacked; the others are no codecs."""

_BUILTIN = "drawn_shapes.npz"  # made by scripts/train_mask_codec.py
_CODE_WIDTH = 512
_TRAINING_STATE = {"_vq_vae._ema_cluster_size": (CODES,), "_vq_vae._ema_w": (CODES, _CODE_WIDTH)}
_BATCH = 256


class ResidualBlock(nn.Module):
    """Adds a small convolutional network to its input; nothing follows the sum."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(width, width, 1),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Features of the same shape, [B, width, H, W]."""
        return features + self.net(features)


class Codebook(nn.Module):
    """The 128 vectors that a mask may be made of."""

    def __init__(self) -> None:
        super().__init__()
        self._embedding = nn.Parameter(torch.zeros(CODES, _CODE_WIDTH), requires_grad=False)

    @property
    def vectors(self) -> Tensor:
        """One row per code: [128, 512]."""
        return self._embedding

    def nearest(self, latents: Tensor) -> Tensor:
        """The closest row, by squared Euclidean distance, to each of `latents` [..., 512]."""
        squared_lengths = self._embedding.square().sum(-1)
        return (squared_lengths - 2 * latents @ self._embedding.T).argmin(-1)


class MaskNetwork(nn.Module):
    """The VQ-VAE between masks of 64x64 and 4x4 codes."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            *_halve(1, 16),
            *_halve(16, 32),
            *_halve(32, 64),
            *_halve(64, 128),
            ResidualBlock(128),
            ResidualBlock(128),
            nn.Conv2d(128, _CODE_WIDTH, 1),
        )
        self._vq_vae = Codebook()
        self.decoder = nn.Sequential(
            nn.Conv2d(_CODE_WIDTH, 128, 1),
            nn.ReLU(),
            ResidualBlock(128),
            ResidualBlock(128),
            *_double(128, 128),
            *_double(128, 64),
            *_double(64, 32),
            *_double(32, 16),
            nn.Conv2d(16, 1, 1),
        )

    @property
    def codebook(self) -> Codebook:
        """The code vectors; the attribute's own name is the one in the official file."""
        return self._vq_vae

    def latents(self, masks: Tensor) -> Tensor:
        """What the encoder sees in masks [B, 64, 64] of 0..1: [B, 16, 512], row by row."""
        return self.encoder(2 * (masks[:, None] - 0.5)).flatten(2).transpose(1, 2)

    def draw(self, vectors: Tensor) -> Tensor:
        """The maps [B, 64, 64] that code vectors [B, 16, 512] stand for; foreground > 0."""
        return self.decoder(vectors.transpose(1, 2).unflatten(2, (4, 4)))[:, 0]


class VqVaeCodec:
    """A `MaskCodec` with the weights of one file.

    Attributes:
        official: the file is, byte for byte, the one PaliGemma was trained with.
    """

    def __init__(self, network: MaskNetwork, *, official: bool) -> None:
        self.official = official
        self._network = network.eval().requires_grad_(False)

    @torch.no_grad()
    def encode(self, masks: np.ndarray) -> np.ndarray:
        """The codes int64 [n, 16] of masks float32 [n, 64, 64] in 0..1."""
        if masks.ndim != 3 or masks.shape[1:] != (64, 64):
            raise ValueError(f"masks to encode are [n, 64, 64], these are {list(masks.shape)}")
        if masks.size and not (masks.min() > -0.01 and masks.max() < 1.01):
            raise ValueError(
                f"masks to encode go from 0 to 1, these from {masks.min()} to {masks.max()}"
            )
        pixels = torch.from_numpy(np.ascontiguousarray(masks, dtype=np.float32))
        nearest = self._network.codebook.nearest
        codes = [nearest(self._network.latents(part)) for part in pixels.split(_BATCH)]
        return torch.cat(codes).numpy()

    @torch.no_grad()
    def decode(self, codes: np.ndarray) -> np.ndarray:
        """The maps float32 [n, 64, 64], about -1..1, of codes [n, 16]; foreground > 0."""
        if codes.ndim != 2 or codes.shape[1] != 16:
            raise ValueError(f"codes to decode are [n, 16], these are {list(codes.shape)}")
        if codes.size and not (codes.min() >= 0 and codes.max() < CODES):
            raise ValueError(
                f"codes to decode are 0..{CODES - 1}, these {codes.min()}..{codes.max()}"
            )
        numbers = torch.from_numpy(np.ascontiguousarray(codes, dtype=np.int64))
        vectors = self._network.codebook.vectors
        maps = [self._network.draw(vectors[part]) for part in numbers.split(_BATCH)]
        return torch.cat(maps).numpy()


def _halve(width_in: int, width_out: int) -> tuple[nn.Module, nn.Module]:
    return nn.Conv2d(width_in, width_out, 4, stride=2, padding=1), nn.ReLU()


def _double(width_in: int, width_out: int) -> tuple[nn.Module, nn.Module]:
    return nn.ConvTranspose2d(width_in, width_out, 4, stride=2, padding=1), nn.ReLU()


def load_codec(source: str | Path) -> VqVaeCodec:
    """The codec of an `.npz` file, or with "builtin" the one shipped for drawn shapes.

    Raises:
        FileNotFoundError: no such file; the message says where the official one is published.
        ValueError: the file is not a codec; the message names the first wrong array.
    """
    if source == "builtin":
        content = (resources.files("pg_transfer.segmentation") / _BUILTIN).read_bytes()
    else:
        content = _read_file(Path(source))
    network = MaskNetwork()
    network.load_state_dict(_weights(content, network, source=str(source)))
    return VqVaeCodec(network, official=sha256(content).hexdigest() == OFFICIAL_SHA256)


def _read_file(path: Path) -> bytes:
    if not path.is_file():
        raise FileNotFoundError(
            f"no mask codec at {path.absolute()}. The official one is vae-oid.npz "
            f"({OFFICIAL_BYTES:,} bytes, sha256 {OFFICIAL_SHA256}), published at "
            "gs://big_vision/paligemma/vae-oid.npz and in the Hugging Face Space "
            'big-vision/paligemma-hf. "builtin" is a codec for drawn shapes that PaliGemma '
            "was not trained with."
        )
    if path.stat().st_size > MOST_BYTES:
        raise ValueError(
            f"{path} is no mask codec: it has {path.stat().st_size:,} bytes, and the official one "
            f"{OFFICIAL_BYTES:,}"
        )
    return path.read_bytes()


def _weights(content: bytes, network: MaskNetwork, *, source: str) -> dict[str, Tensor]:
    """The arrays of an npz file as float32, names and shapes checked against `network`."""
    wanted = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    allowed = wanted | _TRAINING_STATE
    found = _arrays(content, source=source)
    for name, shape in wanted.items():
        if name not in found:
            raise ValueError(f"mask codec {source} lacks the array {name} {list(shape)}")
    for name, array in found.items():
        if name not in allowed:
            raise ValueError(f"mask codec {source} has an unknown array {name} {list(array.shape)}")
        if array.shape != allowed[name] or array.dtype.kind != "f":
            raise ValueError(
                f"mask codec {source}: {name} is {array.dtype} {list(array.shape)}, should be "
                f"float {list(allowed[name])}"
            )
    return {name: torch.from_numpy(found[name].astype(np.float32)) for name in wanted}


def _arrays(content: bytes, *, source: str) -> dict[str, np.ndarray]:
    arrays = {}
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if sum(member.file_size for member in archive.infolist()) > MOST_BYTES:
                raise ValueError("it would unpack to far more")
            for member in archive.infolist():
                with archive.open(member) as stream:
                    content_of = io.BytesIO(stream.read(MOST_BYTES))
                array = np.lib.format.read_array(content_of, allow_pickle=False)
                if array.nbytes > member.file_size:
                    raise ValueError(f"{member.filename} is not all there")
                arrays[member.filename.removesuffix(".npy")] = array
    except Exception as error:  # on damaged files zipfile and numpy raise what they stumble upon
        raise ValueError(
            f"mask codec {source} is no .npz file, or a damaged one: {len(content):,} bytes "
            f"({error}). The official one has {OFFICIAL_BYTES:,}."
        ) from error
    return arrays
