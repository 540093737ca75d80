"""Images that lie inside another file: read when they are needed, never unpacked."""

from __future__ import annotations

import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pg_transfer.data.images import StoredImage


@dataclass(frozen=True, slots=True)
class ImageInTar(StoredImage):
    """A stretch of an uncompressed tar file."""

    archive: Path
    member: str
    start: int
    length: int

    @property
    def name(self) -> str:
        """`train.tar, 0001.jpg`: the archive and the file in it."""
        return f"{self.archive}, {self.member}"

    def read(self) -> bytes:
        """The file's content, for which no more of the archive is read."""
        with self.archive.open("rb") as file:
            file.seek(self.start)
            return file.read(self.length)


@dataclass(frozen=True, slots=True)
class ImageInDataset(StoredImage):
    """A cell of a data set of `datasets`, which maps its files into memory."""

    dataset: Any
    column: str
    row: int
    place: str
    """What the row is called, "a.parquet, row 12": they are counted from 1."""
    number: int | None = None
    """Which of several in the cell."""

    @property
    def name(self) -> str:
        """`a.parquet, row 12, image`: the row and the column."""
        return f"{self.place}, {self.column}"

    def read(self) -> bytes:
        """The content that the cell holds, or that of the file which it names."""
        cell = self.dataset[self.row][self.column]
        image = cell if self.number is None else cell[self.number]
        return image["bytes"] if image["bytes"] is not None else Path(image["path"]).read_bytes()


def members_of(archive: Path) -> list[tarfile.TarInfo]:
    """The files in an uncompressed tar file, in its order.

    Raises:
        ValueError: it is compressed, cut short, no tar file, or holds links or devices.
    """
    try:
        with tarfile.open(archive, mode="r:") as file:
            members = [member for member in file if not member.isdir()]
    except (tarfile.TarError, EOFError) as error:
        raise ValueError(
            f"{archive}: not an uncompressed tar file, or cut short ({error}). Images are read "
            f"from the middle of it, which compression forbids: unpack it with gunzip"
        ) from error
    size = archive.stat().st_size
    for member in members:
        if not member.isreg() or member.issparse():
            raise ValueError(f"{archive}, {member.name}: a link or device, not a plain file")
        if member.offset_data + member.size > size:
            raise ValueError(f"{archive}, {member.name}: the archive is cut short in it")
    return members
