"""SciCap: describe a figure of a paper (Hsu et al. 2021).

Sources: big_vision configs/proj/paligemma/transfers/scicap.py and datasets/scicap/scicap.py; files
as in https://github.com/tingyaohsu/SciCap.

The figures are those that the release lists for its experiments on first sentences, without
subfigures. What is learnt and scored against is, in the paper's code and here, the whole caption
of such a figure, in lower case, tokenised and without its "Figure 1:".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pg_transfer.data.json_records import read_json, read_records
from pg_transfer.data.questions import Question
from pg_transfer.data.release import fault, field, find_file, find_images, refuse_repeated, tried
from pg_transfer.metrics.captioning import PREFIX, CaptionTask

FOLDERS = ("", "scicap_data")
LIST = Path("List-of-Files-for-Each-Experiments", "First-Sentence", "No-Subfig")
CAPTIONS = "SciCap-Caption-All"
IMAGES = "SciCap-No-Subfig-Img"
CAPTION = "1-lowercase-and-token-and-remove-figure-index"
# The table in the release's README.
SIZES = {"train": 106_834, "val": 13_354, "train+val": 120_188, "test": 13_355}

_FIGURE = re.compile(r"[^/\\\0]{1,200}\.png")

FETCH = (
    "SciCap is scicap_data.zip, 18 GB, to which https://github.com/tingyaohsu/SciCap has the link; "
    f"unzip it there. {LIST}, {CAPTIONS} and {IMAGES} are needed of it."
)


class SciCap(CaptionTask):
    """One example per figure; the splits are `train`, `val` and `test`, sums and slices of them.

    Args:
        root: the folder with the release's folders, or with its `scicap_data`.
    """

    title = "SciCap"
    splits = ("train", "val", "test")
    sizes = SIZES

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)

    def questions(self, split: str) -> Iterator[Question]:
        """The figures of `split`, in the order of the list of files."""
        path = find_file("file_idx.json", self._folders(LIST / split), fetch=FETCH)
        names = _read_names(path)
        refuse_repeated(path, "figure", names)
        folders = self._folders(Path(CAPTIONS, split))
        for name in names:
            captions = find_file(f"{name.removesuffix('.png')}.json", folders, fetch=FETCH)
            question = tried(_read_question, captions, name)
            if question is not None:
                yield question

    def images(self, split: str, names: Sequence[str]) -> Mapping[str, Path]:
        """The image of each name of a file."""
        folders = self._folders(Path(IMAGES, split))
        return find_images({name: (name,) for name in names}, folders, fetch=FETCH)

    def _folders(self, inner: Path) -> list[Path]:
        return [self.root / folder / inner for folder in FOLDERS]


def _read_names(path: Path) -> list[str]:
    names = read_json(path)
    if not isinstance(names, list):
        raise fault(path, "the whole file", "no list of figures")
    for name in names:
        if not (isinstance(name, str) and _FIGURE.fullmatch(name)):
            raise fault(path, f"{name!r:.80}", "no name of a .png file")
    return names


def _read_question(path: Path, image: str) -> Question:
    content = read_records(path)
    try:
        # A caption that is nothing but "Figure 1." is empty here, and was for the paper.
        caption = field(field(content, CAPTION, dict), "caption", str)
    except TypeError as error:
        raise fault(path, "the whole file", str(error)) from error
    return Question(id=path.stem, image=image, prefix=PREFIX, suffixes=(caption,))
