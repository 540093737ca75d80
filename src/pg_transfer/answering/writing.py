"""Replies as they come: into a file, into pictures, onto the terminal."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pg_transfer.answering.answers_file import ANSWERS, AnswersFile, answered_already
from pg_transfer.answering.asked import Request
from pg_transfer.answering.given_images import GivenImages
from pg_transfer.answering.reply import Reply, undrawn_in
from pg_transfer.answering.rows import as_row, said
from pg_transfer.process.console import say
from pg_transfer.process.whole_files import whole, write_whole
from pg_transfer.segmentation.masks import MaskCodec

LEFT_OUT = "left_out.json"
NAMED = 5
"""Images that are named where some were left out; the list has all."""

JPEG_QUALITY = 90

MOST_BYTES = 200
"""Of an image's name that its picture has in its own, which may be no longer than 255."""


@dataclass(slots=True)
class Written:
    """How much has come of it."""

    answers: int = 0
    objects: int = 0
    undrawn: int = 0
    pictures: int = 0
    malformed: int = 0

    def count(self, row: Mapping[str, Any], *, undrawn: int) -> None:
        """Adds what is in a row, and the masks that could not be drawn."""
        self.answers += 1
        self.objects += len(row["boxes"])
        self.undrawn += undrawn
        self.pictures += row["picture"] is not None
        self.malformed += bool(row["malformed"])


def taken_up(
    file: AnswersFile,
    requests: Sequence[Request],
    images: GivenImages,
    codec: MaskCodec | None,
    *,
    batch: int,
) -> tuple[Written, Sequence[Request]]:
    """What an earlier call has written of it already, and the requests that remain."""
    kept, dealt = answered_already(file.rows, requests, images, batch)
    file.keep(kept)
    written = Written()
    for row in file.rows:
        written.count(row, undrawn=undrawn_in(row["answer"], codec))
    if kept:
        say(f"going on behind {kept:,} answers")
    return written, requests[dealt:]


def tell_what_came(folder: Path, written: Written, images: GivenImages) -> None:
    """Says where the answers are and what is to be known of them; lists what was left out."""
    say(f"answers ({written.answers}, objects {written.objects}): {folder / ANSWERS}")
    if written.pictures:
        say(f"pictures ({written.pictures}): {folder / 'pictures'}")
    if written.malformed:
        say(f"note: boxes or masks that cannot be read in answers: {written.malformed}")
    if written.undrawn:
        say(
            f"note: masks that are not drawn, as no mask codec is at hand: {written.undrawn}; "
            f"--mask-codec takes the official vae-oid.npz"
        )
    if faults := images.faults:
        reasons = {str(path): {"reason": reason} for path, reason in faults.items()}
        text = json.dumps(reasons, indent=1, ensure_ascii=False)
        write_whole(folder / LEFT_OUT, [text, "\n"])
        named = ", ".join(list(reasons)[:NAMED]) + (", ..." * (len(reasons) > NAMED))
        say(
            f"note: images that could not be read, and were left out: {len(faults):,} ({named}); "
            f"the list: {folder / LEFT_OUT}"
        )


def write_replies(
    file: AnswersFile,
    pairs: Iterable[tuple[Request, Reply]],
    written: Written,
    *,
    draw: bool,
) -> None:
    """Writes, draws and prints replies as they come; a crash loses none that was printed.

    Args:
        file: for them.
        pairs: what is asked with what is answered.
        written: counts them.
        draw: whether objects are drawn into their images.
    """
    for request, reply in pairs:
        picture = None
        if reply.objects and draw:
            # The number keeps images of one name in several folders apart.
            stem = request.images[0].stem.encode()[:MOST_BYTES].decode(errors="ignore")
            picture = Path("pictures") / f"{written.answers + 1:05d}-{stem}.jpg"
            with whole(file.folder / picture) as unfinished:
                reply.draw().save(unfinished, "JPEG", quality=JPEG_QUALITY)
        row = as_row(request, reply, picture and picture.as_posix())
        file.add(row)
        written.count(row, undrawn=reply.undrawn)
        say(said(request, reply))
