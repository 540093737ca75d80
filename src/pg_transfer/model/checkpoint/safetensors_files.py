"""The tensors of a folder of safetensors: one file, or shards with an index. Read and written.

Nothing is ever held whole. The safetensors library would copy every tensor of a file before it
writes the first; the format is simple enough to write it here, and the library reads it back in
the tests: eight bytes of header length, a header in JSON, then the values of all tensors.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from pg_transfer.model.checkpoint.blocks import blocks_of, bytes_of, rows_at_once
from pg_transfer.model.checkpoint.fit import Shape
from pg_transfer.model.checkpoint.hugging_face_config import read_json

TORCH_DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
}
WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
SHARD_BYTES = 5 * 10**9
"""The most that a file of several holds."""

LONGEST_NAME = 200
"""Characters of a file's name: file systems take 255 bytes."""

UNFINISHED = ("*.incomplete", "*.part", "*.crdownload", "*.aria2", "*.tmp")
"""What downloaders call a file of which the rest is still to come."""


@dataclass(frozen=True, slots=True)
class Stored:
    """Where a tensor lies and what it is."""

    key: str
    file: Path
    shape: Shape
    dtype: torch.dtype

    def blocks(self, first: int = 0) -> Iterator[tuple[int, Tensor]]:
        """Its rows from `first` on, about 8 MiB at a time, each with the number of its first."""
        step = rows_at_once(self.dtype.itemsize * math.prod(self.shape[1:]))
        for start in range(first, self.shape[0], step):
            # Opened anew for every block: the file is mapped into memory, and the pages that have
            # been read count as ours until it is closed.
            with safe_open(self.file, framework="pt") as file:
                yield start, file.get_slice(self.key)[start : start + step]


def tensors_in(folder: Path) -> list[Stored]:
    """All tensors of the folder; no values are read.

    Raises:
        FileNotFoundError: there are no safetensors, or a shard is missing.
        ValueError: a file is damaged or quantised, or the index is of another download.
    """
    if (folder / WEIGHTS).is_file():
        return _headers(folder / WEIGHTS)
    if not (folder / INDEX).is_file():
        raise FileNotFoundError(_no_safetensors(folder))
    places = read_json(folder / INDEX).get("weight_map")
    if not isinstance(places, dict):
        raise ValueError(f"{folder / INDEX} has no weight_map, the list of what lies where")
    for shard in places.values():
        if not isinstance(shard, str) or shard != Path(shard).name or len(shard) > LONGEST_NAME:
            raise ValueError(
                f"{folder / INDEX} names {shard!r:.80} for a file of the folder; download it again"
            )
    shards = sorted(set(places.values()))
    absent = [shard for shard in shards if not (folder / shard).is_file()]
    if absent:
        raise FileNotFoundError(
            f"{folder} lacks {len(absent)} of {len(shards)} shards named by {INDEX}: "
            f"{', '.join(absent)}; download them{_under_way(folder)}"
        )
    tensors = [tensor for shard in shards for tensor in _headers(folder / shard)]
    held = {tensor.key: tensor.file.name for tensor in tensors}
    wrong = [
        f"{key} (index: {places.get(key, 'nowhere')}; shards: {held.get(key, 'nowhere')})"
        for key in sorted(places.keys() | held.keys())
        if places.get(key) != held.get(key)
    ]
    if wrong:
        raise ValueError(
            f"{folder / INDEX} does not match its shards, which may be of different downloads; "
            f"{len(wrong)} tensors lie elsewhere: {'; '.join(wrong[:10])}"
        )
    return tensors


def _headers(path: Path) -> list[Stored]:
    try:
        with safe_open(path, framework="pt") as file:
            slices = {key: file.get_slice(key) for key in file.keys()}  # noqa: SIM118
            found = {
                key: (tuple(part.get_shape()), part.get_dtype()) for key, part in slices.items()
            }
    except SafetensorError as error:
        raise ValueError(
            f"{path} ({path.stat().st_size} bytes) is no whole safetensors file: an interrupted "
            f"download, or the pointer that git leaves without git-lfs; download it again ({error})"
        ) from error
    for key, (_, dtype) in found.items():
        if dtype not in TORCH_DTYPES:
            raise ValueError(
                f"{path}: {key} is stored as {dtype}; quantised weights cannot be "
                f"trained on, take a version in {', '.join(TORCH_DTYPES)}"
            )
    return [Stored(key, path, shape, TORCH_DTYPES[dtype]) for key, (shape, dtype) in found.items()]


def _no_safetensors(folder: Path) -> str:
    names = sorted(path.name for path in folder.iterdir())
    if any(name.endswith(".bin") for name in names):
        return (
            f"{folder} holds weights as .bin files, which are pickles and may run any code when "
            f"opened; save them as safetensors with transformers' save_pretrained"
        )
    if any(name.startswith("model-") and name.endswith(".safetensors") for name in names):
        return f"{folder} holds shards without {INDEX}, which names them all; download it, too"
    archives = [name for name in names if name.endswith(".npz")]
    if archives:
        return f"{folder} is a folder with {', '.join(archives)}; give the .npz file itself"
    listed = ", ".join(names[:10]) or "nothing"
    return f"{folder} holds neither {WEIGHTS} nor {INDEX}; there is {listed}{_under_way(folder)}"


def _under_way(folder: Path) -> str:
    """What to add to an error if a download has not come to its end."""
    places = (folder, folder / ".cache" / "huggingface" / "download")
    files = [file.name for place in places for kind in UNFINISHED for file in place.glob(kind)]
    if not files:
        return ""
    return f"; {', '.join(sorted(files)[:3])} says that a download has stopped or is still running"


def write_tensors(
    folder: Path,
    tensors: Mapping[str, Sequence[Tensor]],
    dtype: torch.dtype,
    *,
    shard_bytes: int = SHARD_BYTES,
) -> None:
    """Writes tensors into `folder`: one file, or shards and an index where one would be too big.

    Args:
        folder: exists.
        tensors: by key; the rows of the parts given are written one below the other.
        dtype: to write them in.
        shard_bytes: the most that a file holds, unless a single tensor is bigger.
    """
    code = next(name for name, known in TORCH_DTYPES.items() if known is dtype)
    shards: list[dict[str, Sequence[Tensor]]] = [{}]
    sizes = [0]
    for key, parts in tensors.items():
        size = sum(part.numel() for part in parts) * dtype.itemsize
        if shards[-1] and sizes[-1] + size > shard_bytes:
            shards.append({})
            sizes.append(0)
        shards[-1][key] = parts
        sizes[-1] += size
    if len(shards) == 1:
        _write(folder / WEIGHTS, shards[0], dtype, code)
        return
    places = {}
    for number, shard in enumerate(shards, start=1):
        name = f"model-{number:05}-of-{len(shards):05}.safetensors"
        _write(folder / name, shard, dtype, code)
        places |= dict.fromkeys(shard, name)
    index = {"metadata": {"total_size": sum(sizes)}, "weight_map": places}
    (folder / INDEX).write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")


def _write(
    path: Path, tensors: Mapping[str, Sequence[Tensor]], dtype: torch.dtype, code: str
) -> None:
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    end = 0
    for key, parts in tensors.items():
        shape = [sum(part.shape[0] for part in parts), *parts[0].shape[1:]]
        start, end = end, end + math.prod(shape) * dtype.itemsize
        header[key] = {"dtype": code, "shape": shape, "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)  # so that the values begin at a multiple of eight
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for parts in tensors.values():
            for part in parts:
                for block in blocks_of(part):
                    file.write(bytes_of(block, dtype))
