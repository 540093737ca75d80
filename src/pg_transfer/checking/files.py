"""A look at image files: broken ones, odd ones, and the same one under two names; and at videos.

Those that lie inside another file, a tar shard or Parquet, are looked at like any other.

Headers are read first, which is quick. A file that does not end as its format has it, and one of a
format without an end mark, is decoded; the others only if asked for. Of a video the frames are
counted and one is decoded; all that are seen in an evaluation only if asked for.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from hashlib import sha256
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

from pg_transfer.data.images import ENDINGS, Content, StoredImage, open_image, opened, orientation
from pg_transfer.task import Clip

File = Path | StoredImage
"""An image, by itself or inside another file; as a text, what it is called."""

TAIL_BYTES = 4096
"""From the end of a file: cameras and programs append a few bytes of their own to the image."""

LAST_BYTES = {"JPEG": b"\xff\xd9", "PNG": b"IEND"}
"""What whole files of a format end with."""

LEAST_PX = 16
MOST_STRETCHED = 8.0
"""Longer side to shorter; all images are squashed into a square."""

CHUNK = 64


class Seen(NamedTuple):
    """What was found out about a file.

    Attributes:
        file: the image, or the path of a video.
        size: width and height in pixels; None if it is broken.
        mode: Pillow's name of the kind of pixels, e.g. "RGB", "L"; or "video".
        bytes: its length.
        broken: why it cannot be trained on; empty if it can.
        odd: what a person may want to look at; empty for most.
    """

    file: File
    size: tuple[int, int] | None
    mode: str
    bytes: int
    broken: str
    odd: tuple[str, ...]


def look_at(source: File | Clip, *, decode: bool) -> Seen:
    """What there is to say about one file.

    Args:
        source: it, or what is to be seen of a video.
        decode: read all of it, whatever its end looks like.
    """
    if isinstance(source, Clip):
        return _look_at_video(source, decode=decode)
    length = 0
    try:
        image = source.content if isinstance(source, StoredImage) else source
        length = _length(image)
        with opened(image) as picture:
            size = picture.size
            # The photographs of many telephones: a JPEG file with a second image behind it.
            kind = "JPEG" if picture.format == "MPO" else picture.format or ""
            mode = picture.mode
            turned = kind == "JPEG" and orientation(picture) != 1
        odd = list(_oddities(source, size, mode, kind))
        if turned:
            odd.append("its EXIF says that it is turned, which is not obeyed")
        if decode or not _is_whole(image, kind):
            pixels = open_image(image)
            if (pixels == pixels[0, 0]).all():
                odd.append("all of it is one colour")
        return Seen(source, size, mode, length, "", tuple(odd))
    except (OSError, ValueError) as error:
        return Seen(source, None, "", length, str(error), ())


def _look_at_video(clip: Clip, *, decode: bool) -> Seen:
    length = _length(clip.path)
    try:
        frames = clip.frames()
        height, width = next(frames).shape[:2]
        if decode:
            deque(frames, maxlen=0)
        return Seen(clip.path, (width, height), "video", length, "", ())
    except (OSError, ValueError) as error:
        return Seen(clip.path, None, "", length, str(error), ())


def look_at_all(
    sources: Sequence[File | Clip], *, decode: bool, processes: int, advance: Callable[[int], None]
) -> list[Seen]:
    """What there is to say about each file, in their order.

    Args:
        sources: see `look_at`.
        decode: see `look_at`.
        processes: how many look at once.
        advance: told how many more are done, now and then.
    """
    look = partial(look_at, decode=decode)
    seen: list[Seen] = []
    if processes == 1 or len(sources) < CHUNK * processes:
        for source in sources:
            seen.append(look(source))
            advance(1)
        return seen
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        found = pool.map(partial(_look_elsewhere, decode=decode), sources, chunksize=CHUNK)
        for source, one in zip(sources, found, strict=True):
            seen.append(one._replace(file=source.path if isinstance(source, Clip) else source))
            advance(1)
    return seen


def _look_elsewhere(source: File | Clip, *, decode: bool) -> Seen:
    """What there is to say, but for the file: what it lies in would come back as another one."""
    return look_at(source, decode=decode)._replace(file=Path())


def same_content(files: Iterable[Seen]) -> list[list[File]]:
    """Groups of files that are equal byte for byte."""
    groups = [[one.file for one in files if one.bytes]]
    lengths = {one.file: one.bytes for one in files}
    for key in (lengths.__getitem__, partial(_digest, most=2**16), _digest):
        groups = [same for group in groups for same in _by(group, key)]
    return groups


def _by(files: Sequence[File], key: Callable[[File], object]) -> Iterator[list[File]]:
    found: dict[object, list[File]] = defaultdict(list)
    for one in files:
        found[key(one)].append(one)
    return (group for group in found.values() if len(group) > 1)


def _digest(file: File, *, most: int | None = None) -> bytes:
    if isinstance(file, StoredImage):
        return sha256(file.read()[:most]).digest()
    with file.open("rb") as opened_file:
        return sha256(opened_file.read(most)).digest()


def _length(image: Path | Content) -> int:
    """In bytes; 0 if there is no such file."""
    if isinstance(image, Content):
        return len(image.data)
    return image.stat().st_size if image.is_file() else 0


def _oddities(file: File, size: tuple[int, int], mode: str, kind: str) -> Iterator[str]:
    shorter, longer = sorted(size)
    if shorter < LEAST_PX:
        yield f"only {size[0]}x{size[1]} pixels"
    elif longer > MOST_STRETCHED * shorter:
        yield f"{longer / shorter:.0f} times as long as wide ({size[0]}x{size[1]})"
    if isinstance(file, Path) and file.suffix.lower() not in ENDINGS[kind]:
        yield f"a {kind} file by its content"
    if mode[0] in "IF" or ";" in mode:
        yield f"pixels of mode {mode}, of which the high 8 bits are kept"


def _is_whole(image: Path | Content, kind: str) -> bool:
    if kind not in LAST_BYTES:
        return False
    if isinstance(image, Content):
        return LAST_BYTES[kind] in image.data[-TAIL_BYTES:]
    with image.open("rb") as file:
        file.seek(max(0, image.stat().st_size - TAIL_BYTES))
        return LAST_BYTES[kind] in file.read()
