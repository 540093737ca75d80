"""A user's own data: images, requests and answers in any of the usual forms, without code."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from pg_transfer.data.splits import select
from pg_transfer.own_data.examples import OwnData, read_examples
from pg_transfer.own_data.held_out import TRAIN, VALIDATION, find_split
from pg_transfer.own_data.image_files import require_as_stored
from pg_transfer.own_data.maker import Wishes
from pg_transfer.own_data.recognise import recognise
from pg_transfer.own_data.rows_of_boxes import told_apart
from pg_transfer.own_data.scoring import formulas_of, score, why_unscorable
from pg_transfer.segmentation.instances import answered_outlines
from pg_transfer.segmentation.masks import MaskCodec
from pg_transfer.segmentation.scenes import Scene, describe
from pg_transfer.task import Answer, Draw, Example, Formula, Outline, Scores, Target, Task

RECIPE = (
    "recipe: where a line is not set, big_vision's starting point for own data "
    "(configs/proj/paligemma/transfers/forkme.py), tuned for none in particular"
)


class Custom(Task):
    """What `pg_transfer.own_data` recognises, in its own splits, sums and slices of them.

    `validation` is the data's under any of its usual names; where there is none, a tenth of the
    training images are held out, the same ones each time.

    Args:
        root: a file, folder, pattern or name of a data set, or one for each split.
        columns: the data's name of a column for each role (`own_data.columns.ROLES`); of boxes
            perhaps those of four.
        prefix: template of the request.
        suffix: template of the answer.
        images: the folder that names of images are relative to; by default that of the data.
        metric: a name of `own_data.scoring.NAMES`; chosen by looking if there is none.
        box_format: what the four numbers of a box mean.
        frames: of a video that the model sees.
        stride: from one of them to the next; None spreads them over the video.
        holdout: percent of the training images to validate on.
        mask_codec: loads the codec; called only if masks are to be learnt.

    Raises:
        FileNotFoundError: there is nothing of that name, or images are missing.
        ValueError: it is not recognised, or a record cannot be right.
    """

    seen = None

    def __init__(
        self,
        root: str | Path | Sequence[Any] | Mapping[str, Any] | None,
        *,
        columns: Mapping[str, str | Sequence[str]] | None = None,
        prefix: str | None = None,
        suffix: str | None = None,
        images: str | Path | None = None,
        metric: str | None = None,
        box_format: str | None = None,
        frames: int | None = None,
        stride: int | None = None,
        holdout: float = 10,
        mask_codec: Callable[[], MaskCodec] | None = None,
    ) -> None:
        names, edges = told_apart(columns or {})
        self.data: OwnData = read_examples(
            recognise(root, metric=metric),
            Wishes(
                columns=names, edges=edges, prefix=prefix, suffix=suffix,
                images=Path(images) if images else None,
                metric=metric, box_format=box_format, frames=frames, stride=stride, holdout=holdout,
            ),
        )  # fmt: skip
        self._load_codec = mask_codec
        self._described: dict[Scene, str] = {}

    @property
    def findings(self) -> Sequence[str]:
        """What was recognised and chosen, and whose recipe it is."""
        return (*self.data.findings, RECIPE)

    @property
    def request(self) -> str:  # type: ignore[override]
        """What every image is asked, or the template."""
        return self.data.request

    @property
    def formulas(self) -> Mapping[str, Formula]:  # type: ignore[override]
        """Those of the metric that was asked for or chosen."""
        return formulas_of(self.data.metric)

    @cached_property
    def unscored(self) -> Mapping[str, str]:  # type: ignore[override]
        """The splits that the metric does not fit, under any of their names, and why."""
        found = {
            split: why
            for split, examples in self.data.splits.items()
            if (why := why_unscorable(self.data.metric, examples))
        }
        named = {name: self._called(name) for name in (*TRAIN, *VALIDATION)}
        return found | {name: found[split] for name, split in named.items() if split in found}

    @cached_property
    def mask_codec(self) -> MaskCodec | None:
        """The codec, if answers are masks."""
        if self.data.kind != "masks" or self._load_codec is None:
            return None
        return self._load_codec()

    def examples(self, split: str) -> Sequence[Example]:
        """The examples of `split`.

        Raises:
            FileNotFoundError: the data has no training split.
            ValueError: no other split of that name; the message names those there are.
        """
        return select(split, self._read)

    def target(self, example: Example, draw: Draw) -> Target:
        """The suffixes in turn; of objects, all of them in the order of the data.

        Raises:
            ValueError: a file of a mask is none, or has no pixel in its box.
        """
        scene = example.reference
        if not self.makes_target(example):
            return super().target(example, draw)
        if scene not in self._described:
            try:
                self._described[scene] = describe(scene, self.mask_codec)
            except ValueError as error:
                raise ValueError(f"example {example.id!r}: {error}") from error
        return Target(example.prefix, self._described[scene])

    def makes_target(self, example: Example) -> bool:
        """Of objects, but for boxes in the user's own hand."""
        return example.reference is not None and not example.suffixes

    def annotated_size(self, example: Example) -> tuple[int, int] | None:
        """That of the image which the row's boxes and masks are in."""
        scene = example.reference
        return None if scene is None else (scene.width, scene.height)

    def require_image(
        self, example: Example, size: tuple[int, int], *, is_on_its_side: bool
    ) -> None:
        """Raises ValueError if boxes are those of the image as its EXIF asks to show it."""
        annotated = self.annotated_size(example)
        if annotated is not None and is_on_its_side:
            require_as_stored(example.images[0], size, annotated)

    def score(self, answers: Sequence[Answer]) -> Scores:
        """The verdict by the metric that was asked for or chosen."""
        return score(self.data.metric, answers, self.mask_codec)

    def score_in_full(self, answers: Sequence[Answer]) -> Scores:
        """Of captions also the metrics that take long."""
        return score(self.data.metric, answers, self.mask_codec, in_full=True)

    def outlines(self, answer: Answer) -> list[Outline]:
        """The objects that are meant, and those that were answered."""
        scene = answer.example.reference
        if scene is None:
            return []
        truths = [
            Outline("truth", thing.box, thing.mask() if thing.mask else None, thing.label)
            for thing in scene.asked
        ]
        said = answered_outlines(
            answer.text, self.mask_codec, height=scene.height, width=scene.width
        )
        return truths + said

    def _read(self, name: str) -> list[Example]:
        splits, name = self.data.splits, self._called(name)
        if name not in splits:
            # To score other data than one has learnt from, no training split is needed.
            kind = FileNotFoundError if name in TRAIN else ValueError
            raise kind(
                f"the data has no split {name!r}; it has {', '.join(splits)}: set splits.train, "
                f"splits.validate and splits.report to those you mean"
            )
        return splits[name]

    def _called(self, name: str) -> str:
        """What the data call the split of that name."""
        splits = self.data.splits
        for synonyms in (TRAIN, VALIDATION):
            if name in synonyms and name not in splits:
                return find_split(splits, synonyms) or name
        return name
