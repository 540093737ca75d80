"""Arrays of an .npz archive as streams of blocks, read and written; none is ever held whole."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO
from zipfile import ZipFile

import numpy as np
import torch
from torch import Tensor

from pg_transfer.model.checkpoint.blocks import bytes_of, rows_at_once

HEADER_BYTES = 2**16
"""The most that the description of an array takes."""

HARMLESS_BYTES, MOST_COMPRESSED = 2**30, 20
"""An archive that unpacks to more than that, and to so many times its size, holds no weights."""

TORCH_DTYPES = {
    "<f8": torch.float64,
    "<f4": torch.float32,
    "<f2": torch.float16,
    "|V2": torch.bfloat16,  # numpy has no bfloat16 and keeps the two bytes nameless
}


@dataclass(frozen=True, slots=True)
class Header:
    """What an array is, known before its values are read."""

    shape: tuple[int, ...]
    dtype: torch.dtype


class Archive:
    """An open .npz file of float arrays; a context manager.

    Args:
        path: the file.

    Raises:
        ValueError: no zip archive, or an array in it that cannot be streamed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._zip = ZipFile(path)
        except Exception as error:  # on damaged files zipfile raises whatever it stumbles upon
            raise ValueError(
                f"{path} ({path.stat().st_size} bytes) is no .npz archive, or not all of one; "
                f"download it again ({error})"
            ) from error
        unpacked = sum(member.file_size for member in self._zip.infolist())
        if unpacked > max(HARMLESS_BYTES, MOST_COMPRESSED * path.stat().st_size):
            raise ValueError(
                f"{path} would unpack to {unpacked:,} bytes from {path.stat().st_size:,}: weights "
                f"cannot be compressed so much; take it from its publisher"
            )

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()

    def headers(self) -> dict[str, Header]:
        """Shape and dtype of every array by its key; no values are read."""
        headers = {}
        for member in self._zip.infolist():
            key = member.filename.removesuffix(".npy")
            with self._open(member.filename, key) as stream:
                # Not from the stream itself: a header may claim to have gigabytes.
                with self._reading(key):
                    beginning = stream.read(HEADER_BYTES)
                header = self._header(BytesIO(beginning), key)
            if math.prod(header.shape) * header.dtype.itemsize > member.file_size:
                raise ValueError(f"{self.path}: {key} ends early; download the file again")
            headers[key] = header
        return headers

    def blocks(self, key: str, *, leading: int) -> Iterator[tuple[tuple[int, ...], int, Tensor]]:
        """The values of `key` in stored order, as (index, start, block).

        `index` counts through the first `leading` axes, one at a time. `block` holds rows
        `start`, `start + 1`, ... of what lies below, as many as make up about 8 MiB.

        Raises:
            ValueError: the file is damaged.
        """
        with self._open(f"{key}.npy", key) as stream:
            header = self._header(stream, key)
            rows, *below = header.shape[leading:]
            row_bytes = header.dtype.itemsize * math.prod(below)
            step = rows_at_once(row_bytes)
            for index in np.ndindex(*header.shape[:leading]):
                for start in range(0, rows, step):
                    count = min(step, rows - start)
                    values = self._read(stream, key, count * row_bytes)
                    block = torch.frombuffer(values, dtype=header.dtype)
                    yield index, start, block.view(count, *below)

    @contextmanager
    def _reading(self, key: str) -> Iterator[None]:
        """What zipfile raises in it, which may be anything, says which array is damaged."""
        try:
            yield
        except Exception as error:
            raise ValueError(f"{self.path}: {key} is damaged; download it again") from error

    def _open(self, member: str, key: str) -> IO[bytes]:
        with self._reading(key):
            return self._zip.open(member)

    def _read(self, stream: IO[bytes], key: str, size: int) -> bytearray:
        values = bytearray(size)
        with self._reading(key):
            read = stream.readinto(values)  # pyright: ignore[reportAttributeAccessIssue]
        if read != size:
            raise ValueError(f"{self.path}: {key} ends early; download the file again")
        return values

    def _header(self, stream: IO[bytes], key: str) -> Header:
        try:
            version = np.lib.format.read_magic(stream)
            if version == (1, 0):
                header = np.lib.format.read_array_header_1_0(stream)
            else:
                header = np.lib.format.read_array_header_2_0(stream)
        except Exception as error:
            raise ValueError(f"{self.path}: {key} is no array of floats ({error})") from error
        shape, is_fortran, dtype = header
        if dtype.str not in TORCH_DTYPES:
            raise ValueError(
                f"{self.path}: {key} holds {dtype}; weights are float64, float32, float16 or "
                f"bfloat16 (little-endian)"
            )
        if is_fortran and len(shape) > 1:
            raise ValueError(
                f"{self.path}: {key} is stored in Fortran order and cannot be read layer by "
                f"layer; save it again from np.ascontiguousarray"
            )
        return Header(shape, TORCH_DTYPES[dtype.str])


def write_archive(
    path: Path,
    arrays: Iterable[tuple[str, tuple[int, ...], Iterable[Tensor]]],
    dtype: torch.dtype,
) -> None:
    """Writes an .npz file, uncompressed, as numpy's `savez` does.

    Args:
        path: of the file.
        arrays: key, shape, and the values in blocks, outermost axis first.
        dtype: to write them in.
    """
    stored = next(code for code, known in TORCH_DTYPES.items() if known is dtype)
    with ZipFile(path, "w") as archive:
        for key, shape, blocks in arrays:
            with archive.open(f"{key}.npy", "w", force_zip64=True) as stream:
                header = {"descr": stored, "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(stream, header)
                for block in blocks:
                    stream.write(bytes_of(block, dtype))
