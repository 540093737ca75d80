"""Screens of apps from RICO: Screen2Words (Wang et al. 2021), Widget Captioning (Li et al. 2020).

Sources: big_vision configs/proj/paligemma/transfers/{screen2words,widgetcap}.py,
datasets/{screen2words,widgetcap}/ and pp/proj/paligemma/widgetcap.py; files as in
https://github.com/google-research-datasets/screen2words and .../widget-caption.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from pg_transfer.data.images import MarkedImage, Picture
from pg_transfer.data.json_records import read_records
from pg_transfer.data.questions import Question, read_questions
from pg_transfer.data.release import (
    fault,
    field,
    find_file,
    find_images,
    missing_images,
    refuse_repeated,
    tried,
)
from pg_transfer.data.tables import each_row, number_of, read_numbers
from pg_transfer.metrics.captioning import PREFIX, CaptionTask, captions_of

SCREENS = "combined"
"""RICO's folder."""

CANVAS_HEIGHT = 2560
"""Of every screen, in the pixels that bounds are told in."""

SIZES = {"train": 15_743, "dev": 2_364, "train+dev": 18_107, "test": 4_310}
"""Of Screen2Words, whose lists have so many screens."""

RED = (255, 0, 0)

FETCH_SCREENS = (
    "The screens are RICO's, https://storage.googleapis.com/crowdstf-rico-uiuc-4540/"
    f"rico_dataset_v0.1/unique_uis.tar.gz, 6 GB: a folder {SCREENS}, to be unpacked there or in "
    "rico beside it."
)


class ScreenTask(CaptionTask):
    """Captions of screens, or of what is on them, in splits of screens: `train`, `dev`, `test`.

    Args:
        root: the folder with the repository's files.
        screens: RICO's folder `combined`; by default looked for in `root`, then in `rico` beside
            it.
    """

    splits = ("train", "dev", "test")
    repository: ClassVar[str]
    list_of_screens: ClassVar[str]
    table: ClassVar[str]

    def __init__(self, root: Path | str, *, screens: Path | str | None = None) -> None:
        self.root = Path(root)
        places = [self.root, self.root / SCREENS, self.root.parent / "rico" / SCREENS]
        self._screen_folders = [Path(screens)] if screens else places

    def _screens(self, split: str) -> tuple[Path, list[int]]:
        """The list of a split, and the numbers in it."""
        name = self.list_of_screens.format(split)
        path = find_file(name, [self.root / "split", self.root], fetch=self._fetch)
        numbers = read_numbers(path)
        refuse_repeated(path, "screen", numbers)
        return path, numbers

    def _table(self, *columns: str) -> tuple[Path, Iterator[dict[str, Any]]]:
        """The captions' table, and its rows, in which the screen is a number."""
        path = find_file(self.table, [self.root], fetch=self._fetch)

        def numbered(row: dict[str, str]) -> dict[str, Any]:
            return row | {"screenId": number_of(path, f"{row!r:.80}", row["screenId"])}

        rows = (tried(numbered, row) for row in each_row(path, ("screenId", *columns)))
        return path, (row for row in rows if row is not None)

    def _files(self, screens: Sequence[int]) -> dict[int, Path]:
        names = {number: [f"{number}.jpg"] for number in screens}
        return find_images(names, self._screen_folders, fetch=FETCH_SCREENS)

    @property
    def _fetch(self) -> str:
        return (
            f"{self.table} and the folder split are all of https://github.com/"
            f"google-research-datasets/{self.repository}."
        )


class Screen2Words(ScreenTask):
    """One example per screen, of which five people have said in a few words what it is for."""

    title = "Screen2Words"
    sizes = SIZES
    repository = "screen2words"
    list_of_screens = "{}_screens.txt"
    table = "screen_summaries.csv"

    def questions(self, split: str) -> Iterator[Question]:
        """The screens of `split`, in the order of its list."""
        path, screens = self._screens(split)
        summaries = defaultdict(list)
        for row in self._table("summary")[1]:
            summaries[row["screenId"]].append(row["summary"])

        def question(record: Mapping[str, Any]) -> Question:
            number = record["screen"]
            if number not in summaries:
                raise ValueError(f"{self.table} has no summary of it")
            captions = captions_of(summaries[number])
            return Question(str(number), image=number, prefix=PREFIX, suffixes=captions)

        records = ({"screen": number} for number in screens)
        return read_questions(path, records, question, id_field="screen")

    def images(self, split: str, names: Sequence[int]) -> Mapping[int, Path]:
        """The image of each number of a screen."""
        return self._files(names)


class WidgetCaptions(ScreenTask):
    """One example per widget: a part of a screen, around which a red box is drawn.

    The captions of screens that were never released belong to no split.
    """

    title = "Widget Captioning"
    repository = "widget-caption"
    list_of_screens = "{}.txt"
    table = "widget_captions.csv"

    def questions(self, split: str) -> Iterator[Question]:
        """The widgets on the screens of `split`, in the order of the table."""
        screens = set(self._screens(split)[1])
        path, rows = self._table("nodeId", "captions")
        records = (
            row | {"widget": f"{row['screenId']}_{row['nodeId']}"}
            for row in rows
            if row["screenId"] in screens
        )
        return read_questions(path, records, _widget, id_field="widget")

    def images(
        self, split: str, names: Sequence[tuple[int, str]]
    ) -> Mapping[tuple[int, str], Path | Widget]:
        """The image of each screen and node, with a box around the node."""
        nodes = defaultdict(list)
        for screen, node in names:
            nodes[screen].append(node)
        files = self._files(list(nodes))
        found: dict[tuple[int, str], Path | Widget] = {}
        for screen, its_nodes in nodes.items():
            path = files[screen].with_suffix(".json")
            is_known_missing = missing_images() is not None and not files[screen].is_file()
            if is_known_missing and not path.is_file():
                found |= {(screen, node): files[screen] for node in its_nodes}
                continue
            hierarchy = find_file(path.name, [path.parent], fetch=FETCH_SCREENS)
            root = _root(hierarchy)
            for node in its_nodes:
                bounds = tried(_bounds, hierarchy, root, node)
                image = Widget(files[screen], bounds) if bounds else files[screen]
                found[screen, node] = image
        return found


@dataclass(frozen=True, slots=True)
class Widget(MarkedImage):
    """A screen with a red line around one of its parts."""

    path: Path
    bounds: tuple[float, float, float, float]
    """xmin, ymin, xmax, ymax, where the screen is `CANVAS_HEIGHT` high."""

    def marked(self, picture: Picture) -> np.ndarray:
        """As `tf.image.draw_bounding_boxes` draws it: a line of one pixel, edges included."""
        width, height, _ = picture.head
        sides = width, height, width, height
        box = [bound * height / CANVAS_HEIGHT / side
               for bound, side in zip(self.bounds, sides, strict=True)]  # fmt: skip
        if not all(0 <= edge <= 1 for edge in box):
            raise ValueError(
                f"{self.path}: a widget's bounds {list(self.bounds)} are not within its "
                f"{width} x {height} pixels"
            )
        pixels = picture.pixels.copy()
        rows, columns = pixels.shape[:2]
        last = np.array([columns, rows, columns, rows], np.float32) - 1
        left, top, right, bottom = (np.array(box, np.float32) * last).astype(int)
        pixels[[top, bottom], left : right + 1] = RED
        pixels[top : bottom + 1, [left, right]] = RED
        return pixels


def _widget(record: Mapping[str, Any]) -> Question:
    node = record["nodeId"]
    steps = node.split(".")[1:]
    if not all(step.isdecimal() for step in steps):
        raise ValueError(f"its nodeId is {node!r:.40}, not places from the root like 0.1.2")
    return Question(
        id=record["widget"],
        image=(record["screenId"], node),
        prefix=PREFIX,
        suffixes=captions_of(record["captions"].split("|")),
    )


def _root(path: Path) -> Any:
    """The outermost node of a screen."""
    try:
        return field(field(read_records(path), "activity", dict), "root", dict)
    except TypeError as error:
        raise fault(path, "the whole file", f"no hierarchy of views ({error})") from error


def _bounds(path: Path, root: Any, node: str) -> tuple[float, float, float, float]:
    """Where a node is, of which each number but the first is a place among the children."""
    found = root
    try:
        for step in node.split(".")[1:]:
            found = field(found, "children", list)[int(step)]
        left, top, right, bottom = map(float, field(found, "bounds", list))
    except (IndexError, TypeError, ValueError) as error:
        raise fault(path, f"node {node}", f"no node with four bounds ({error})") from error
    if not (0 <= left <= right and 0 <= top <= bottom <= CANVAS_HEIGHT):
        raise fault(path, f"node {node}", f"its bounds are {[left, top, right, bottom]}")
    return left, top, right, bottom
