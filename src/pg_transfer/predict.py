"""Answers prompts about images: `python -m pg_transfer.predict SOURCE --images photos --prompt …`.

Every answer is printed, and written to a file as it comes, which is called `answers.jsonl` once it
is whole; boxes and masks in it are drawn into a picture. docs/predict.md has its columns.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from itertools import chain, count, product, tee
from pathlib import Path
from typing import Any

from pg_transfer.answering.answers_file import (
    AnswersFile,
    all_it_depends_on,
    refuse_taken,
)
from pg_transfer.answering.asked import (
    Request,
    find_images,
    read_prompts,
    refuse_secret_requests,
    refuse_videos_beside_others,
)
from pg_transfer.answering.given_images import GivenImages, none_readable
from pg_transfer.answering.given_videos import Seen
from pg_transfer.answering.manner import Manner
from pg_transfer.answering.model import BATCH, load
from pg_transfer.answering.writing import taken_up, tell_what_came, write_replies
from pg_transfer.model.decoding import Decoding
from pg_transfer.process.console import end_stopped, quiet_libraries, reports_errors, say
from pg_transfer.process.stopping import Requests
from pg_transfer.sources.models import run_folder
from pg_transfer.sources.run_settings import read_run_settings

MOST_DIGITS = 10


@reports_errors
def predict(options: argparse.Namespace, arguments: Sequence[str]) -> None:
    """Answers what the command line asks for; asked to stop, it exits with the signal's code.

    Args:
        options: that were read.
        arguments: that they were read from, to say how to go on.

    Raises:
        FileNotFoundError: an image, the source or a part of it is not there.
        ValueError: options that do not fit each other, a prompt that holds a secret, or a file that
            is not what it should be.
    """
    folder = options.to or untaken(Path("predictions") / f"{datetime.now():%Y-%m-%d_%H-%M-%S}")
    to = () if options.to else ("--to", str(folder))
    command = ["python", "-m", "pg_transfer.predict", *arguments, *to]
    with Requests(lambda stopped: end_stopped(stopped, command)):
        answer(options, folder, command)


def untaken(folder: Path) -> Path:
    """The folder itself, or one with a number behind its name where there is such a one."""
    others = (folder.with_name(f"{folder.name}-{number}") for number in count(2))
    return next(one for one in chain([folder], others) if not one.exists())


def answer(options: argparse.Namespace, folder: Path, command: Sequence[str]) -> None:
    """See `predict`; `command` goes on where it is cut short."""
    seen = chosen_frames(options)
    requests = read_requests(options, seen)
    refuse_secret_requests(requests)
    refuse_taken(folder)
    images = GivenImages(skips=options.on_error == "skip", tell=say, seen=seen)
    images.check(requests)
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
    manner = replace(chosen_manner(model.manner, options), frames=seen.frames, stride=seen.stride)
    made_by = all_it_depends_on(model, manner, requests, draw=options.pictures)
    with AnswersFile(folder, made_by) as file:
        written, remaining = taken_up(file, requests, images, model.codec, batch=options.batch)
        asked, given = tee(images.opened(remaining))
        replies = model.replies(
            ((pixels, request.prompt) for request, pixels in given),
            batch=options.batch,
            manner=manner,
        )
        pairs = zip((request for request, _ in asked), replies, strict=True)
        try:
            write_replies(file, pairs, written, draw=options.pictures)
        except Exception:
            if written.answers:
                say(f"to go on behind {written.answers:,} answers: {shlex.join(command)}")
            raise
        if not written.answers:
            raise none_readable(images.faults)
        file.finish()
    tell_what_came(folder, written, images)


def read_requests(options: argparse.Namespace, seen: Seen) -> list[Request]:
    """Every prompt about every image, image by image, or about all together; or a file's rows.

    Args:
        options: of the command line.
        seen: at a time; where it is videos, they are taken of folders.

    Raises:
        FileNotFoundError: an image or the file is not there.
        ValueError: there is nothing to ask, or a row is not what it should be.
    """
    if options.prompts is not None:
        if options.images or options.prompt or options.together:
            raise ValueError("--prompts has the images with their prompts; leave out the others")
        requests = read_prompts(options.prompts)
        refuse_videos_beside_others(requests)
        return requests
    if not options.images:
        raise ValueError("give --images: files, folders or patterns; or --prompts, a file of both")
    prompts = options.prompt or [usual_prompt(options.source)]
    are_videos = seen.frames is not None
    found = find_images(options.images, once=not options.together, are_videos=are_videos)
    shown = [tuple(found)] if options.together else [(path,) for path in found]
    requests = [Request(*pair) for pair in product(shown, prompts)]
    refuse_videos_beside_others(requests)
    return requests


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


def chosen_frames(options: argparse.Namespace) -> Seen:
    """What is seen at a time: what the options say, or else what the run has learnt from."""
    folder = run_folder(Path(options.source))
    learnt = Seen() if folder is None else Seen.of_run(read_run_settings(folder, builds=False))
    return learnt._replace(
        frames=options.frames or learnt.frames, stride=options.stride or learnt.stride
    )


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
    option("--together", action="store_true", help="each prompt is about all images at once")
    option("--prompts", type=Path, metavar="FILE", help="JSONL with `image` and `prompt` instead")
    option("--to", type=Path, metavar="FOLDER", help="default: predictions/<date and time>")
    option(
        "--batch", type=_count, default=BATCH, metavar="N", help="answered at once (%(default)s)"
    )
    option("--beams", type=_count, metavar="N", help="above 1: beam search; default: the run's")
    option(
        "--max-tokens", type=_count, metavar="N", help="in an answer; default: the run's, or 256"
    )
    option(
        "--on-error", choices=("stop", "skip"), default="stop",
        help="images that cannot be read: stop, or leave them out and say which (%(default)s)",
    )  # fmt: skip
    option("--no-pictures", dest="pictures", action="store_false", help="draw nothing")
    option("--checkpoint", default="last", metavar="WHICH", help="last or best, of a run")
    option("--device", help="cpu, cuda, cuda:1; default: a GPU if there is one")
    option("--frames", type=_count, metavar="N", help="seen of a video; default: the run's")
    option("--stride", type=_count, metavar="N", help="from one frame that is seen to the next")
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
    typed = sys.argv[1:] if arguments is None else arguments
    predict(parser().parse_args(typed), typed)


if __name__ == "__main__":
    main()
