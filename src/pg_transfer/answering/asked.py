"""What is asked: files, folders and patterns of images with prompts, or the rows of a file."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from pg_transfer.answering.given_videos import Seen, is_video
from pg_transfer.data.images import IMAGE_ENDINGS
from pg_transfer.data.json_texts import parse_json, read_lines
from pg_transfer.data.video_files import SUFFIXES
from pg_transfer.process.secrecy import secret_among


class Request(NamedTuple):
    """What is to be answered.

    Attributes:
        images: one, or several that are shown together; or a video.
        prompt: about them.
    """

    images: tuple[Path, ...]
    prompt: str

    @property
    def named(self) -> dict[str, str | list[str]]:
        """The images as a row has them: `image`, or `images` if they are several, or `video`."""
        first, *others = map(str, self.images)
        if others:
            return {"images": [first, *others]}
        return {"video" if is_video(self.images[0]) else "image": first}


def find_images(
    places: Sequence[str], *, once: bool = True, are_videos: bool = False
) -> list[Path]:
    """The image files in `places`, or the videos, in the order in which they are met.

    Args:
        places: files; folders, of which the images are taken by their names, but not those in
            sub-folders, nor what is hidden; or patterns, of which all is taken that they match:
            `photos/**/*.jpg`.
        once: a file that is met again is left out, whatever it is called there.
        are_videos: of a folder the videos are taken, and no images.

    Raises:
        FileNotFoundError: no such file or folder, no image in a folder, or nothing matches.
    """
    found: list[Path] = []
    for place in places:
        if not place or "\0" in place:
            raise FileNotFoundError(f"{place!r} is no name of a file, folder or pattern")
        found += _files(place, are_videos)
    if not once:
        return found
    distinct: dict[str, Path] = {}
    for path in found:
        # Unlike `resolve`, no error over a link to itself, which opening it tells better.
        distinct.setdefault(os.path.realpath(path), path)
    return list(distinct.values())


def _files(place: str, are_videos: bool) -> list[Path]:
    path = Path(place).expanduser()
    if path.is_dir():
        kind, endings = ("videos", SUFFIXES) if are_videos else ("images", IMAGE_ENDINGS)
        files = sorted(
            file
            for file in path.iterdir()
            # macOS puts a `._a.jpg`, which is no image, beside `a.jpg` on disks of others.
            if file.suffix.lower() in endings and not file.name.startswith(".")
        )
        if not files:
            raise FileNotFoundError(
                f"no {kind} in the folder {place}, that is no file whose name ends in "
                f"{', '.join(endings)}; sub-folders are not entered, {place}/**/*{endings[0]} "
                f"does that"
            )
        return files
    if path.exists() or glob.escape(place) == place:
        return [path]  # what is not there is an error when it is looked at
    # Path.glob takes no pattern that begins at the root.
    matches = glob.glob(str(path), recursive=True)  # noqa: PTH207
    files = sorted(file for match in matches if (file := Path(match)).is_file())
    if not files:
        raise FileNotFoundError(f"no file matches {place}")
    return files


def read_prompts(path: Path) -> list[Request]:
    """The rows of a JSONL file: `image`, or `video`, or a list of `images`; and `prompt`.

    Images are seen from the file's folder.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a row is no such one, or there are none.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no file of prompts at {path}")
    requests = []
    for number, line in enumerate(read_lines(path), start=1):
        if not line.strip():
            continue
        try:
            row = parse_json(line)
            prompt = row["prompt"]
            given = [name for name in ("images", "video", "image") if name in row] or ["image"]
            shown = row[given[0]]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise ValueError(
                f'{path}, line {number}: not a row such as {{"image": "cat.jpg", "prompt": '
                f'"detect cat"}} ({type(error).__name__}: {error})'
            ) from error
        if len(given) > 1:
            raise ValueError(f"{path}, line {number}: has {' and '.join(given)}; say one of them")
        images = shown if given == ["images"] else [shown]
        if not (isinstance(prompt, str) and isinstance(images, list) and images) or not all(
            isinstance(image, str) for image in images
        ):
            raise ValueError(
                f"{path}, line {number}: `image`, `video` and `prompt` have to be strings, and "
                f"`images` a list of such"
            )
        requests.append(Request(tuple(path.parent / image for image in images), prompt))
        refuse_other_count(len(requests[0].images), len(images), f"{path}, line {number}")
    if not requests:
        raise ValueError(f"{path} has no rows")
    return requests


def refuse_other_count(first: int, count: int, where: str) -> None:
    """Raises ValueError if a prompt is about more or fewer images than the first one."""
    if count != first:
        raise ValueError(
            f"{where}: this prompt is about {count} and the first about {first} images; a model "
            f"has learnt from one number of them, so ask about others in another call"
        )


def refuse_unlearnt_count(learnt: Seen, count: int, where: str) -> None:
    """Raises ValueError if a prompt is about more or fewer images than the model has learnt from.

    Args:
        learnt: what it sees at a time.
        count: how many images, or frames, it is asked about.
        where: what to call the prompt.
    """
    if learnt.at_a_time in (None, count):
        return
    asked = "an image" if count == 1 else f"{count} images together"
    if learnt.frames is not None:
        remedy = f"videos, of which it sees {learnt.frames} frames: ask about a video"
    elif learnt.images == 1:
        remedy = "one at a time: ask about each"
    else:
        remedy = (
            f"{learnt.images} at a time: show it as many (--together of predict, rows with "
            f"`images`, a list in the list from Python)"
        )
    raise ValueError(f"{where}: a prompt about {asked}, and the model has learnt from {remedy}")


def refuse_videos_beside_others(requests: Sequence[Request]) -> None:
    """Raises ValueError if a video is to be shown together with something else."""
    for images, _ in requests:
        if len(images) > 1 and (videos := [path for path in images if is_video(path)]):
            raise ValueError(
                f"{videos[0]} is asked about together with others, and a video is its frames "
                f"together already"
            )


def refuse_secret_requests(requests: Sequence[Request]) -> None:
    """Raises ValueError if a secret would be saved beside an answer; it is not shown."""
    texts: list[str] = []
    names: list[str] = []
    for number, (images, prompt) in enumerate(requests, start=1):
        texts += [prompt, *map(str, images)]
        names += [
            f"prompt about {images[0]}",
            *[f"name of an image of request {number}"] * len(images),
        ]
    if (place := secret_among(texts)) is not None:
        raise ValueError(
            f"the {names[place]} holds what looks like a secret, such as a token or a password, "
            f"and it would be saved with the answer: leave it out"
        )
