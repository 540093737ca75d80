"""Answers prompts about images: `python -m pg_transfer.predict SOURCE --images photos --prompt …`.

Every answer is printed, and written to a file as it comes, which is called `answers.jsonl` once it
is whole; boxes and masks in it are drawn into a picture. docs/predict.md has its columns.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from pg_transfer.answering.given_images import (
    Request,
    check_images,
    find_images,
    read_prompts,
    refuse_secret_requests,
)
from pg_transfer.answering.manner import Manner
from pg_transfer.answering.model import BATCH, load
from pg_transfer.answering.reply import Reply
from pg_transfer.model.decoding import Decoding
from pg_transfer.process.console import quiet_libraries, reports_errors, say
from pg_transfer.process.whole_files import whole
from pg_transfer.segmentation.instances import Found
from pg_transfer.sources.models import run_folder
from pg_transfer.sources.run_settings import read_run_settings

ANSWERS = "answers.jsonl"
UNFINISHED = f"{ANSWERS}.part"
"""What they are called until the last has come."""

JPEG_QUALITY = 90
MOST_DIGITS = 10


@dataclass(slots=True)
class Written:
    """How much has come of it."""

    answers: int = 0
    objects: int = 0
    undrawn: int = 0
    pictures: int = 0
    malformed: int = 0


@reports_errors
def predict(options: argparse.Namespace) -> None:
    """Answers what the command line asks for.

    Raises:
        FileNotFoundError: an image, the source or a part of it is not there.
        ValueError: options that do not fit each other, a prompt that holds a secret, or a file that
            is not what it should be.
    """
    requests = read_requests(options)
    refuse_secret_requests(requests)
    check_images(dict.fromkeys(request.image for request in requests))
    folder = options.to or Path("predictions") / f"{datetime.now():%Y-%m-%d_%H-%M-%S}"
    for taken in (ANSWERS, UNFINISHED):
        if (folder / taken).exists():
            raise ValueError(f"{folder} holds {taken} already; choose another folder with --to")
    quiet_libraries()
    model = load(
        options.source,
        checkpoint=options.checkpoint,
        resolution=options.resolution,
        tokenizer=options.tokenizer,
        mask_codec=options.mask_codec,
        weights=options.weights,
        device=options.device,
    )
    manner = chosen_manner(model.manner, options)
    replies = model.replies(requests, batch=options.batch, manner=manner)
    written = write_replies(folder, requests, replies, draw=options.pictures)
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


def read_requests(options: argparse.Namespace) -> list[Request]:
    """Every prompt about every image, image by image; or the rows of a file.

    Raises:
        FileNotFoundError: an image or the file is not there.
        ValueError: there is nothing to ask, or a row is not what it should be.
    """
    if options.prompts is not None:
        if options.images or options.prompt:
            raise ValueError("--prompts has the images with their prompts; leave out the others")
        return read_prompts(options.prompts)
    if not options.images:
        raise ValueError("give --images: files, folders or patterns; or --prompts, a file of both")
    prompts = options.prompt or [usual_prompt(options.source)]
    return [Request(*pair) for pair in product(find_images(options.images), prompts)]


def usual_prompt(source: str) -> str:
    """What the run at `source` asks of every image.

    Raises:
        ValueError: it is no run, or asks each image something else.
    """
    folder = run_folder(Path(source))
    if folder is None:
        raise ValueError(f'{source} is no run with a prompt of its own; give --prompt "…"')
    prompt = read_run_settings(folder, builds=False).get("prompt")
    if not prompt or "{" in prompt:
        like = f' (its prompts are "{prompt}")' if prompt else ""
        raise ValueError(f'{source} asks each image something else{like}; give --prompt "…"')
    return prompt


def chosen_manner(usual: Manner, options: argparse.Namespace) -> Manner:
    """The model's manner of being asked, but for what the options say.

    Raises:
        ValueError: a number is out of range.
    """
    changes: dict[str, Any] = {}
    if options.beams is not None:
        changes["decoding"] = Decoding(beams=options.beams)
    if options.max_tokens is not None:
        changes["max_tokens"] = options.max_tokens
    if options.antialias is not None:
        changes["antialias"] = options.antialias
    return replace(usual, **changes)


def write_replies(
    folder: Path, requests: Sequence[Request], replies: Iterable[Reply], *, draw: bool
) -> Written:
    """Writes, draws and prints replies as they come; a crash loses none that was printed.

    It leaves them in `UNFINISHED`. What an earlier call has left is not written over.

    Raises:
        FileExistsError: there is such a file.
    """
    written = Written()
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / UNFINISHED).open("x", encoding="utf-8") as file:
        for request, reply in zip(requests, replies, strict=True):
            written.answers += 1
            written.objects += len(reply.objects)
            written.undrawn += reply.undrawn
            written.malformed += bool(reply.malformed)
            picture = None
            if reply.objects and draw:
                # The number keeps images of one name in several folders apart.
                picture = Path("pictures") / f"{written.answers:05d}-{request.image.stem}.jpg"
                with whole(folder / picture) as unfinished:
                    reply.draw().save(unfinished, "JPEG", quality=JPEG_QUALITY)
                written.pictures += 1
            row = as_row(request, reply) | {"picture": picture and picture.as_posix()}
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
            file.flush()
            say(f"{request.image}: {_in_a_line(request.prompt)} → {said(reply)}")
        os.fsync(file.fileno())
    (folder / UNFINISHED).rename(folder / ANSWERS)
    return written


def as_row(request: Request, reply: Reply) -> dict[str, Any]:
    """A line of the file of answers."""
    height, width = reply.pixels.shape[:2]
    return {
        "image": str(request.image),
        "width": width,
        "height": height,
        "prompt": request.prompt,
        "answer": reply.text,
        "boxes": [[round(edge, 2) for edge in one.box] for one in reply.objects],
        "labels": [one.label for one in reply.objects],
        "masks": [_run_lengths(one.mask) for one in reply.objects],
        "malformed": reply.malformed,
    }


def _run_lengths(mask: np.ndarray | None) -> dict[str, Any] | None:
    """A mask as COCO writes it."""
    if mask is None:
        return None
    encoded: Any = coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8))
    return {"size": list(mask.shape), "counts": encoded["counts"].decode("ascii")}


def said(reply: Reply) -> str:
    """The answer for a person: objects with their boxes in pixels, or the words."""
    if not reply.objects:
        return _in_a_line(reply.text) or "(nothing)"
    unread = [f"cannot be read: {_in_a_line(part)}" for part in reply.malformed]
    return "; ".join([_described(one) for one in reply.objects] + unread)


def _described(one: Found) -> str:
    x0, y0, x1, y1 = (round(edge) for edge in one.box)
    mask = "" if one.mask is None else f", mask of {one.mask.sum():,} pixels"
    return f"{_in_a_line(one.label) or 'object'} at x {x0}-{x1}, y {y0}-{y1}{mask}"


def _in_a_line(text: str) -> str:
    return " ".join(text.split())


def parser() -> argparse.ArgumentParser:
    """What the command line takes."""
    made = argparse.ArgumentParser(
        prog="python -m pg_transfer.predict",
        description="Answers prompts about images, and draws the boxes and masks in the answers.",
    )
    option = made.add_argument
    option("source", help="a run, a checkpoint in one, a folder or name on the hub, an .npz")
    option("--images", nargs="+", metavar="PLACE", help="files, folders, patterns ('p/**/*.png')")
    option("--prompt", action="append", metavar="TEXT", help="asked of each image; repeatable")
    option("--prompts", type=Path, metavar="FILE", help="JSONL with `image` and `prompt` instead")
    option("--to", type=Path, metavar="FOLDER", help="default: predictions/<date and time>")
    option(
        "--batch", type=_count, default=BATCH, metavar="N", help="answered at once (%(default)s)"
    )
    option("--beams", type=_count, metavar="N", help="above 1: beam search; default: the run's")
    option(
        "--max-tokens", type=_count, metavar="N", help="in an answer; default: the run's, or 256"
    )
    option("--no-pictures", dest="pictures", action="store_false", help="draw nothing")
    option("--checkpoint", default="last", metavar="WHICH", help="last or best, of a run")
    option("--device", help="cpu, cuda, cuda:1; default: a GPU if there is one")
    option("--resolution", type=_count, metavar="PX", help="default: the model's")
    option("--tokenizer", metavar="PATH", help="where it does not lie beside the weights")
    option("--weights", metavar="PLACE", help="what the source was learnt on, if it has moved")
    option("--mask-codec", metavar="PATH", help="default: the run's, or $PG_DATA/vae-oid.npz")
    option(
        "--antialias", action=argparse.BooleanOptionalAction,
        help="take all pixels into account in shrinking; default: the run's, or yes",
    )  # fmt: skip
    return made


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < MOST_DIGITS and int(text)):
        raise argparse.ArgumentTypeError(
            f"{text} is no whole number above 0 of fewer than {MOST_DIGITS} digits"
        )
    return int(text)


def main(arguments: Sequence[str] | None = None) -> None:
    """Answers, as told on the command line."""
    predict(parser().parse_args(arguments))


if __name__ == "__main__":
    main()
