"""Image files as they are after decoding and resizing, kept in one file that is mapped into memory.

Each path has a row of it, by a list of hashes beside it. A row says itself of which state of which
file it holds head and pixels, and has a checksum; whatever else is found there is made anew. So no
lock is needed to read or write rows, and one that a crash left half-written, or whose image file
has changed since, is never taken.
"""

from __future__ import annotations

import errno
import fcntl
import math
import os
import shutil
import struct
import time
from collections.abc import Iterable
from functools import cached_property, lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import PIL
from PIL import features

from pg_transfer.data import images, resizing
from pg_transfer.data.images import Head, Picture

SETTLED_SECONDS = 2.0
"""A file that has changed less than this ago could change again without a trace, as some file
systems tell the time no finer; its pixels are not kept yet."""

STATE_BYTES = 16
HEADER_BYTES = STATE_BYTES + 8
"""Of a row: the state of the image file, and the checksum of its content, which follows."""

HEAD = struct.Struct("<II?7x")
"""Of an image file, before its pixels in a row's content: boxes are held against it."""


class Room(NamedTuple):
    """What prepared images take on the disk.

    Attributes:
        path: of the file that holds them.
        images: for which it has room.
        bytes: that they take.
        new_bytes: of these, what was free before.
    """

    path: Path
    images: int
    bytes: int
    new_bytes: int

    def __str__(self) -> str:
        return (
            f"{self.images:,} prepared images take {self.bytes / 1e9:.2f} GB in {self.path}, "
            f"of which {self.new_bytes / 1e9:.2f} GB are new"
        )


class PreparedImages:
    """Images of one resolution, resized in one way; several processes may share the folder.

    Args:
        folder: for the file and the list; best on a local disk.
        resolution: image side in pixels.
        antialias: of the resize.
    """

    def __init__(self, folder: Path, *, resolution: int, antialias: bool) -> None:
        self.resolution, self.antialias = resolution, antialias
        name = f"{resolution}px-{'antialiased' if antialias else 'plain'}"
        self.file, self.list = folder / f"{name}.pixels", folder / f"{name}.paths"
        pixels = resolution * resolution * 3
        self.row_bytes = HEADER_BYTES + HEAD.size + -(-pixels // 8) * 8
        rows = self.file.stat().st_size // self.row_bytes if self.file.exists() else 0
        self._know(_hashes_in(self.list.read_bytes() if rows else b"")[:rows])

    def _know(self, hashes: np.ndarray) -> None:
        """Rows belong to these paths. In arrays, which forked processes go on sharing."""
        self._order = hashes.argsort()
        self._hashes = hashes[self._order]

    def make_room(self, paths: Iterable[Path]) -> Room:
        """Has a row for each of these files, besides those that had one before.

        To be called before the object goes to other processes. The images of files without a row
        are decoded each time.

        Raises:
            ValueError: the disk has not so much room, or the folder is a file.
        """
        wanted = np.unique(np.fromiter(map(_path_hash, paths), np.uint64))
        try:
            self.list.parent.mkdir(parents=True, exist_ok=True)
        except FileExistsError as error:
            raise ValueError(f"image_cache={self.list.parent} is a file, not a folder") from error
        with self.list.open("a+b") as listed:
            fcntl.flock(listed, fcntl.LOCK_EX)
            listed.seek(0)
            known = _hashes_in(listed.read())
            every = np.concatenate([known, np.setdiff1d(wanted, known)])
            new_bytes = self._take(len(every) * self.row_bytes)
            listed.truncate(known.nbytes)  # a crash may have cut the last hash short
            listed.write(every[len(known) :].tobytes())
        self._know(every)
        self.__dict__.pop("_rows", None)
        return Room(self.file, len(every), len(every) * self.row_bytes, new_bytes)

    def _take(self, size: int) -> int:
        """Makes the file that long, and says by how much; rather now than when the disk is full."""
        with self.file.open("ab") as file:
            missing = max(0, size - file.tell())
            free = shutil.disk_usage(self.file.parent).free
            try:
                if missing > free:
                    raise OSError(errno.ENOSPC, f"{free / 1e9:.2f} GB are free")
                if missing and hasattr(os, "posix_fallocate"):
                    os.posix_fallocate(file.fileno(), size - missing, missing)
                elif missing:
                    file.truncate(size)
            except OSError as error:
                raise ValueError(
                    f"image_cache={self.file.parent}: prepared images need another "
                    f"{missing / 1e9:.2f} GB there ({error.strerror}); name a folder on another "
                    f"disk, or set image_cache=null to decode the files every time"
                ) from error
        return missing

    def __call__(self, path: Path) -> Picture:
        """Pixels of an image file, uint8 [R, R, 3], and its head: as kept, or read and now kept.

        Raises:
            FileNotFoundError: there is no such file, even if there was one before.
            ValueError: it cannot be read as an image.
        """
        row, state = self._row_of(path), _state(path)
        if row is not None and state is not None:
            kept = self._kept(row, state)
            if kept is not None:
                return kept
        whole, head = images.read_image(path)
        pixels = resizing.resize(whole, self.resolution, antialias=self.antialias)
        if row is not None and state is not None and _state(path) == state and _is_settled(path):
            content = np.zeros(self.row_bytes - HEADER_BYTES, np.uint8)
            content[: HEAD.size] = np.frombuffer(HEAD.pack(*head), np.uint8)
            content[HEAD.size :][: pixels.size] = pixels.ravel()
            written = state + _checksum(content) + content.tobytes()
            with self.file.open("r+b", buffering=0) as file:
                os.pwrite(file.fileno(), written, row * self.row_bytes)
        return Picture(pixels, head)

    def _kept(self, row: int, state: bytes) -> Picture | None:
        """What is in a row, if it is whole and of a file in that state."""
        whole = self._rows[row]
        header = whole[:HEADER_BYTES].tobytes()
        if header[:STATE_BYTES] != state:
            return None
        content = whole[HEADER_BYTES:].copy()  # another process may be writing
        if header[STATE_BYTES:] != _checksum(content):
            return None
        shape = self.resolution, self.resolution, 3
        pixels = content[HEAD.size :][: math.prod(shape)].reshape(shape)
        return Picture(pixels, Head(*HEAD.unpack(content[: HEAD.size])))

    def _row_of(self, path: Path) -> int | None:
        wanted = np.uint64(_path_hash(path))
        place = int(self._hashes.searchsorted(wanted))
        is_known = place < len(self._hashes) and self._hashes[place] == wanted
        return int(self._order[place]) if is_known else None

    @cached_property
    def _rows(self) -> np.ndarray:
        shape = len(self._hashes), self.row_bytes
        return np.memmap(self.file, np.uint8, mode="r", shape=shape)

    def __getstate__(self) -> dict[str, Any]:
        """All but the mapped file, for a process that does not inherit it."""
        return {name: value for name, value in self.__dict__.items() if name != "_rows"}


def _hashes_in(content: bytes) -> np.ndarray:
    return np.frombuffer(content[: len(content) // 8 * 8], np.uint64)


def _path_hash(path: Path) -> int:
    return int.from_bytes(blake2b(_absolute(path), digest_size=8).digest(), "big")


def _absolute(path: Path) -> bytes:
    return os.fsencode(path.absolute())


def _state(path: Path) -> bytes | None:
    """A fingerprint of the file, and of all that makes pixels of it; None if there is no file.

    The time of the last change of its entry counts, as tools that copy files set the other one.
    """
    try:
        found = path.stat()
    except OSError:
        return None
    numbers = f"{found.st_size} {found.st_mtime_ns} {found.st_ctime_ns} ".encode()
    return blake2b(_method() + numbers + _absolute(path), digest_size=STATE_BYTES).digest()


@lru_cache(maxsize=1)
def _method() -> bytes:
    """A fingerprint of the decoders, of the code that resizes what they give, and of a row."""
    versions = PIL.__version__, *map(features.version, ("libjpeg_turbo", "libtiff", "webp"))
    code = b"".join(Path(str(one.__file__)).read_bytes() for one in (images, resizing))
    return blake2b(f"{versions} {np.__version__} {HEAD.format}".encode() + code).digest()


def _is_settled(path: Path) -> bool:
    return time.time() - path.stat().st_ctime > SETTLED_SECONDS


def _checksum(content: np.ndarray) -> bytes:
    """The sum of the values, eight bytes at a time: shows what is missing, and takes no time."""
    return content.view(np.uint64).sum(dtype=np.uint64).tobytes()
