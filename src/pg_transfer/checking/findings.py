"""What there is to say about a data set: gathered split by split, told in sentences and numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from pg_transfer.checking.files import File, Seen, same_content
from pg_transfer.checking.texts import Lengths
from pg_transfer.data.images import have_one_shape
from pg_transfer.task import Clip, Example, Image, Task

BAR = 30
"""The longest bar of a histogram, in characters."""
BARS = 12


@dataclass(slots=True)
class Findings:
    """What was found, to be printed and saved.

    Attributes:
        broken: sentences about what cannot be trained on or scored.
        odd: sentences about what a person may want to look at.
        recognised: what was found in a user's own data, and chosen for it.
        notes: what was not looked at, and how the data differ from the paper's.
        tables: names and numbers, by title, for the terminal.
        report: the same and more, for programs.
        pages: of labelled examples.
    """

    broken: list[str] = field(default_factory=list)
    odd: list[str] = field(default_factory=list)
    recognised: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    tables: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    report: dict[str, Any] = field(default_factory=dict)
    pages: list[Path] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """All of it."""
        return {
            "broken": self.broken,
            "odd": self.odd,
            "recognised": self.recognised,
            "notes": self.notes,
            **self.report,
            "pages": list(map(str, self.pages)),
        }

    def add_counts(
        self, examples: Mapping[str, Sequence[Example]], sizes: Mapping[str, int]
    ) -> None:
        """How many examples each split has, and in the paper."""
        table, report = [], {}
        for split, those in examples.items():
            published = sizes.get(split)
            images = len({image for one in those for image in one.images})
            what = "videos" if any(isinstance(one.image, Clip) for one in those) else "images"
            beside = "" if published is None else f", in the paper {published:,}"
            table.append((split, f"{len(those):,} examples{beside}; {images:,} {what}"))
            report[split] = {"examples": len(those), "published": published, "images": images}
            if published not in (None, len(those)):
                self.notes.append(f"{split} has {len(those):,} examples, not {published:,}")
        if table:
            self.tables["splits"] = table
        self.report["splits"] = report

    def add_files(self, files: Sequence[Seen]) -> None:
        """Sizes and kinds of images, and what is wrong with which."""
        self.broken += [one.broken for one in files if one.broken]
        self.odd += [f"{one.file}: {oddity}" for one in files for oddity in one.odd]
        sizes = [one.size for one in files if one.size]
        self.report["images"] = {
            "files": len(files),
            "broken": [str(one.file) for one in files if one.broken],
            "modes": dict(Counter(one.mode for one in files if one.size).most_common()),
        }
        rows = []
        if not files:
            return
        for name, sides in zip(("width", "height"), zip(*sizes, strict=True), strict=False):
            least, middle, most = min(sides), int(median(sides)), max(sides)
            rows.append((f"{name} in pixels", f"{least} least, {middle} median, {most} most"))
            self.report["images"][name] = {"least": least, "median": middle, "most": most}
        modes = self.report["images"]["modes"]
        self.tables["images"] = [
            ("files", f"{len(files):,}, of which {len(files) - len(sizes):,} are broken"),
            *rows,
            ("modes", ", ".join(f"{mode} {count:,}" for mode, count in modes.items())),
        ]

    def add_shapes(
        self, examples: Mapping[str, Sequence[Example]], files: Sequence[Seen], task: Task
    ) -> None:
        """Images of another shape than their annotations say, whose boxes would be elsewhere.

        A smaller copy of an image is as good: boxes are learnt as fractions of it.
        """
        sizes = {one.file: one.size for one in files if one.size}
        told = set()
        for split, those in examples.items():
            for one in those:
                image, annotated = one.images[0], task.annotated_size(one)
                if annotated is None or not isinstance(image, File) or image not in sizes:
                    continue
                width, height = sizes[image]
                fault = split, image, annotated
                if not have_one_shape(annotated, (width, height)) and fault not in told:
                    told.add(fault)
                    self.broken.append(
                        f"{split}: {image} has {width}x{height} pixels, and the objects of "
                        f"{one.id!r} are those of an image of {annotated[0]}x{annotated[1]}"
                    )

    def add_repeated(
        self, examples: Mapping[str, Sequence[Example]], files: Sequence[Seen], *, train: str
    ) -> None:
        """Images that are trained on and scored, and files that are the same under other names."""
        groups = same_content(files)
        self.report["same_content"] = [list(map(str, group)) for group in groups]
        if groups:
            first = " and ".join(one.name for one in groups[0][:2])
            self.odd.append(
                f"{len(groups):,} images lie there more than once, the first as {first}"
            )
        first_of = {file: group[0] for group in groups for file in group}
        images = {
            split: {first_of.get(file, file) for one in those for file in files_of(one.image)}
            for split, those in examples.items()
        }
        shared = {
            split: sorted(map(str, images[split] & images[train]))
            for split in images
            if split != train and train in images
        }
        self.report["shared_with_training"] = shared
        learnt = {one.id: one.image for one in examples.get(train, ())}
        for split, paths in shared.items():
            if all(learnt.get(one.id) == one.image for one in examples[split]):
                self.notes.append(f"{split} is a part of {train}")
            elif paths:
                self.odd.append(
                    f"{len(paths):,} of the {len(images[split]):,} images of {split} are trained "
                    f"on as well, e.g. {paths[0]}"
                )

    def add_lengths(
        self, split: str, found: Lengths, *, window: int, is_learnt: bool, is_all: bool
    ) -> None:
        """How long the texts of a split are, against the window they have."""
        what = "prefix and suffix" if is_learnt else "prefix"
        lengths = sorted(found.tokens)
        cut = dict(found.cut)
        quantiles = [lengths[0], found.quantile(0.5), found.quantile(0.99), lengths[-1]]
        if is_learnt:
            title = f"tokens of {what}, {split}{'' if is_all else ' (of a sample)'}"
            self.tables[title] = [
                ("window", f"{window} (recipe.text_length and one)"),
                ("least, median, 99 of 100, most", ", ".join(map(str, quantiles))),
                ("longer than the window", f"{sum(cut.values()):,} of {found.count:,}"),
                *_histogram(found, window),
            ]
        else:
            least, middle, high, most = quantiles
            self.tables.setdefault(f"tokens of the prefix, of {window} there may be", []).append(
                (split, f"{least} least, {middle} median, {high} at 99 of 100, {most} most")
            )
        self.report.setdefault("tokens", {})[split] = {
            "of": what,
            "window": window,
            "is_all": is_all,
            "counts": {str(length): found.tokens[length] for length in lengths},
            "cut": cut,
            "longest": [{"id": example, "tokens": length} for length, example in found.longest],
        }
        if cut:
            length, example = found.longest[0]
            self.odd.append(
                f"{split}: {sum(cut.values()):,} of {found.count:,} texts do not fit into "
                f"{window} tokens and would lose their {' or '.join(sorted(cut))}; the longest has "
                f"{length}, of example {example!r}"
            )
        for oddity, ids in found.odd.items():
            self.odd.append(f"{split}: {oddity} in {len(ids):,} examples, first {ids[0]!r}")
            self.report["tokens"][split].setdefault("odd", {})[oddity] = ids


def files_of(image: Image) -> list[File]:
    """The files that an example's pixels are in; none if they are drawn."""
    if isinstance(image, tuple):
        return [file for one in image for file in files_of(one)]
    file = image if isinstance(image, File) else getattr(image, "path", None)
    return [file] if isinstance(file, File) else []


def _histogram(found: Lengths, window: int) -> list[tuple[str, str]]:
    """Bars of equal ranges, none of which lies on both sides of the window's end."""
    lengths = sorted(found.tokens)
    width = -(-(lengths[-1] - lengths[0] + 1) // BARS)
    bars: Counter[int] = Counter()
    for length, count in found.tokens.items():
        bars[(length - window - 1) // width] += count
    most = max(bars.values())
    rows = []
    for place in range(min(bars), max(bars) + 1):
        first = window + 1 + place * width
        name = str(first) if width == 1 else f"{max(first, 0)} to {first + width - 1}"
        bar = "█" * round(BAR * bars[place] / most)
        rows.append((f"{name}{' (cut)' if place >= 0 else ''}", f"{bar} {bars[place]:,}"))
    return rows
