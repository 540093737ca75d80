"""A row to an example: which columns make the request and the answer.

Prompts are the paper's where it has one: `answer en {question}`, `caption en`, `detect cat ; dog`
and `segment cat` (big_vision's README, and ai.google.dev's page of PaliGemma prompts).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from pg_transfer.data.images import StoredImage
from pg_transfer.metrics.detection import read_things
from pg_transfer.own_data import columns as roles
from pg_transfer.own_data import written_boxes
from pg_transfer.own_data.clips import Clips
from pg_transfer.own_data.held_out import TRAIN, Shown
from pg_transfer.own_data.image_files import is_on_its_side, read_images, size_of, turned
from pg_transfer.own_data.objects import Tally, read_scene, size_in
from pg_transfer.own_data.rows import Row, Source
from pg_transfer.own_data.scoring import OF_OBJECTS
from pg_transfer.own_data.typed import typed_column, typed_template
from pg_transfer.segmentation.scenes import SEPARATOR, Scene
from pg_transfer.task import Example, Image, OneImage

CATEGORIES, LABELS = "categories", "labels"
FEW = 10
"""So many categories at most are all asked for in every image."""

OBJECTS = ("detect ", "segment ")
"""Requests begin so to which an empty answer says that there is none."""

Kind = Literal["text", "boxes", "masks"]


def asks_for_objects(prefix: str) -> bool:
    """Whether a request is for all objects of some kinds."""
    return prefix.lower().startswith(OBJECTS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What a user says about data, where looking is not enough.

    Attributes:
        columns: the data's name of a column for each role.
        edges: the four columns that a box is in, where a row is one; none where it has a list.
        prefix: template of the request over all columns, "answer en {question}".
        suffix: likewise of the answer.
        images: the folder that the names of images are relative to.
        metric: a name of `scoring.NAMES`.
        box_format: what the four numbers of a box mean.
        frames: of a video that are seen.
        stride: from one of them to the next; None spreads them over the video.
        holdout: percent of the training images to validate on, if the data has no such split.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    edges: Sequence[str] = ()
    prefix: str | None = None
    suffix: str | None = None
    images: Path | None = None
    metric: str | None = None
    box_format: str | None = None
    frames: int | None = None
    stride: int | None = None
    holdout: float = 10


class Maker:
    """Makes an example of each row; knows what all rows have in common."""

    def __init__(self, source: Source, wishes: Wishes) -> None:
        self.wishes = wishes
        self.names = roles.choose_columns(source.columns, wishes.columns)
        self.kind: Kind = self._kind()
        self.extra = () if self.kind == "text" else (CATEGORIES, LABELS)
        self.request = self._request(source.columns)
        self.remarks: list[str] = []
        self.tally = Tally()
        self.frames: tuple[int, str] | None = None
        self.clips = Clips(wishes.frames, wishes.stride)
        self.clips.require_fit(self.names.get("video"), self.kind)
        if wishes.suffix is not None:
            roles.require_fields("suffix", wishes.suffix, source.columns, ())
        elif self.kind == "text" and not {"suffix", "suffixes"} & self.names.keys():
            raise ValueError(
                f"there is no answer to learn: the data has {', '.join(source.columns)}. Name the "
                f"column ({typed_column('suffix', source.columns[-1])}), or write a template "
                f"({typed_template('suffix', f'{{{source.columns[-1]}}}')})"
            )

    @property
    def answer(self) -> str:
        """Where answers come from, in words."""
        if self.kind != "text":
            return f"{self.kind} with labels" if "labels" in self.names else self.kind
        if self.wishes.suffix is not None:
            return self.wishes.suffix
        return f"column {self.names.get('suffixes') or self.names['suffix']}"

    def example(self, row: Row, number: int) -> tuple[str, Example, Shown]:
        """The split, the example, and the images that it must not share with another split."""
        values = row.values
        folder = self.wishes.images or row.folder
        (role,) = (role for role in roles.SHOWN if role in self.names)
        cell = self._shown_in(values, role)
        images = read_images(cell, folder, several=role == "images")
        self._require_frames(len(images), row.place)
        split = self._split(row)
        one = self._get(values, "id")
        id = str(number) if one in (None, "") else roles.as_text(one, self.names["id"])
        stored = tuple(one for one in images if isinstance(one, StoredImage))
        extra = {}
        suffixes: tuple[str, ...] = ()
        if self.kind == "text":
            suffixes = self._suffixes(values, split)
            scene = self._written(values, images[0], suffixes)
        else:
            scene = self._scene(row, images[0])
            extra = {LABELS: SEPARATOR.join(scene.labels), CATEGORIES: "{" + CATEGORIES + "}"}
        example = Example(
            id=id,
            image=self._shown(role, images),
            prefix=roles.fill(self.request, values, extra) if self.request else "",
            suffixes=suffixes,
            reference=scene,
        )
        return split, example, stored or str(cell)

    def _shown(self, role: str, images: tuple[OneImage, ...]) -> Image:
        if role == "video":
            return self.clips.of(images[0])
        return images if role == "images" else images[0]

    def with_requests(self, splits: Mapping[str, Sequence[Example]]) -> dict[str, list[Example]]:
        """The examples with the names of all categories in requests that want them.

        Raises:
            ValueError: they are wanted, and not one object has a label.
        """
        every = dict.fromkeys(
            label for examples in splits.values() for one in examples for label in _labels(one)
        )
        if not self.request:
            verb = "segment" if self.kind == "masks" else "detect"
            wanted = CATEGORIES if len(every) <= FEW else LABELS
            self.request = f"{verb} {{{wanted}}}"
        asks_for = roles.fields(self.request)
        if not every and {CATEGORIES, LABELS} & set(asks_for):
            raise ValueError(
                f"there is nothing to ask for: not one object has a label. Name their column "
                f"(columns={{labels: ...}}), or write the request "
                f"({typed_template('prefix', f'{self.request.split()[0]} cat')})"
            )
        if LABELS in asks_for:
            general = typed_template("prefix", f"{self.request.split()[0]} {{{CATEGORIES}}}")
            self.remarks.append(
                "note: each request names what is in its image; the score says nothing about "
                f"answers to requests for what is not there. {general} asks for all {len(every)} "
                f"categories in every image"
            )
        filled: dict[str, list[Example]] = {split: [] for split in splits}
        left_out = 0
        for split, examples in splits.items():
            for one in examples:
                labels = _labels(one)
                if LABELS in asks_for and not labels:
                    left_out += 1
                    continue
                prefix = one.prefix or self.request.replace(f"{{{LABELS}}}", SEPARATOR.join(labels))
                prefix = prefix.replace(f"{{{CATEGORIES}}}", SEPARATOR.join(every))
                filled[split].append(replace(one, prefix=prefix))
        if left_out:
            self.remarks.append(f"note: {left_out:,} images without an object are left out")
        return {split: examples for split, examples in filled.items() if examples}

    def _kind(self) -> Kind:
        have = self.names.keys()
        metric, prefix = self.wishes.metric, self.wishes.prefix or ""
        has_objects = bool({"boxes", "masks"} & have)
        has_text = self.wishes.suffix is not None or bool({"suffix", "suffixes"} & have)
        is_written = metric == written_boxes.METRIC and has_text
        if metric in OF_OBJECTS and not has_objects and not is_written:
            raise ValueError(f"metric={metric} needs a column `boxes` or `masks`")
        if not has_objects or (has_text and metric not in OF_OBJECTS):
            return "text"
        wants_masks = metric == "miou" or (metric is None and prefix.startswith("segment"))
        if wants_masks and "masks" not in have:
            raise ValueError("masks are to be learnt, and the data has no column `masks`")
        return "masks" if wants_masks or "boxes" not in have else "boxes"

    def _request(self, found: Sequence[str]) -> str:
        """The template; empty where it depends on the objects of all rows."""
        if self.wishes.prefix is not None:
            roles.require_fields("prefix", self.wishes.prefix, found, self.extra)
            return self.wishes.prefix
        if "prefix" in self.names:
            return f"{{{self.names['prefix']}}}"
        if self.kind != "text":
            return ""
        if roles.QUESTION in found:
            return f"answer en {{{roles.QUESTION}}}"
        if {"caption", "captions"} & set(self.names.values()):
            return "caption en"
        raise ValueError(roles.no_request(found, self.names.values()))

    def _get(self, values: Mapping[str, Any], role: str) -> Any:
        return roles.value(values, self.names[role]) if role in self.names else None

    def _shown_in(self, values: Mapping[str, Any], role: str) -> Any:
        name = self.names[role]
        return (roles.image_named if role == roles.IMAGE else roles.value)(values, name)

    def says_split(self, row: Row) -> bool:
        """Whether anything does: the user, the name of the file, or a column."""
        return row.split is not None or "split" in self.names

    def _split(self, row: Row) -> str:
        if row.is_named or "split" not in self.names:
            return row.split or TRAIN[0]
        return roles.as_text(self._get(row.values, "split"), self.names["split"]).strip()

    def _suffixes(self, values: Mapping[str, Any], split: str) -> tuple[str, ...]:
        if self.wishes.suffix is not None:
            return (roles.fill(self.wishes.suffix, values, {}),)
        many = roles.as_list(self._get(values, "suffixes"))
        one = self._get(values, "suffix")
        if many is None and one is None and split.startswith("test"):
            return ()
        if many is None:
            is_empty = isinstance(one, str) and not one.strip()
            if is_empty and asks_for_objects(roles.fill(self.request, values, {})):
                self.tally.nothing += 1
                return ("",)
            return (roles.as_text(one, self.names.get("suffix") or self.names["suffixes"]),)
        name = self.names["suffixes"]
        if not isinstance(many, list) or not many:
            raise ValueError(f"`{name}` is {many!r:.60}, not a list with one answer or more")
        return tuple(roles.as_text(text, name) for text in many)

    def _scene(self, row: Row, image: OneImage) -> Scene:
        wanted = ("boxes", "masks", "labels", "crowd", "width", "height", "box_format")
        given = {role: roles.as_list(self._get(row.values, role)) for role in wanted}
        given["box_format"] = self.wishes.box_format or given["box_format"]
        if self.kind == "boxes":
            given["masks"] = None
        read = partial(read_scene, folder=row.folder, drops_thin=row.drops_thin, places=row.objects)
        try:
            scene = read(given, size=lambda: size_of(image), tally=self.tally)
        except ValueError as error:
            if not is_on_its_side(image):
                raise
            width, height = stored = size_of(image)
            given |= {"width": height, "height": width}
            try:
                read(given, size=lambda: stored, tally=Tally())
            except ValueError:
                raise error from None
            raise turned(image, stored) from error
        if self.kind == "masks" and any(thing.mask is None for thing in scene.asked):
            raise ValueError("an object has no mask")
        return scene

    def _written(
        self, values: Mapping[str, Any], image: OneImage, suffixes: Sequence[str]
    ) -> Scene | None:
        """The objects that the only answer of a row names, if it is boxes and nothing else."""
        if self.wishes.metric not in (None, written_boxes.METRIC) or len(suffixes) != 1:
            return None
        things = read_things(suffixes[0])
        if suffixes[0] and not things:
            return None
        sides = {side: self._get(values, side) for side in ("width", "height")}
        width, height = size_in(sides, lambda: size_of(image))
        return Scene(height, width, things)

    def _require_frames(self, count: int, place: str) -> None:
        if self.frames is None:
            self.frames = count, place
        elif self.frames[0] != count:
            raise ValueError(
                f"it has {count} images, and {self.frames[1]} has {self.frames[0]}; all rows need "
                f"the same number"
            )


def _labels(example: Example) -> list[str]:
    return [label for label in example.reference.labels if label]
