"""All that is known to go wrong, and a page about it: `python -m tests.faults.table`."""

from __future__ import annotations

import shlex

from tests.faults.annotations import ANNOTATIONS
from tests.faults.commands import ROOT
from tests.faults.fault import Fault
from tests.faults.images import IMAGES
from tests.faults.own_data import OWN_DATA
from tests.faults.programs import PROGRAMS
from tests.faults.runs import RUNS
from tests.faults.settings import SETTINGS
from tests.faults.trainer import TRAINER
from tests.faults.videos import VIDEOS
from tests.faults.weights import WEIGHTS

FAULTS: dict[str, list[Fault]] = {
    "Annotations": ANNOTATIONS,
    "Images": IMAGES,
    "Videos": VIDEOS,
    "Your own data": OWN_DATA,
    "Settings": [*SETTINGS, *TRAINER],
    "Weights and tokenizers": WEIGHTS,
    "Runs": RUNS,
    "Other programs": PROGRAMS,
}

PAGE = ROOT / "docs" / "faults.md"

BEGINNING = """\
# What can go wrong, and what you then read

Whatever is wrong with data, settings, weights or the machine ends a program with one message and
exit code 1: what was found and where, what would do, and what to do about it. Nothing is skipped
or mended in silence. `PG_TRACEBACK=1` in the environment shows where in the code it was noticed.
What the libraries below add in their own words is left out here (…).

[`python -m pg_transfer.check`](check.md) looks for most of these before a run. Of images, of texts
and of the rows of your own data it lists all that are at fault, and not the first alone.

This page is written by `python -m tests.faults.table`; its tests make every one of these faults
and compare the message word for word.
"""


def command(fault: Fault) -> str:
    """What the user typed."""
    return " ".join(("python", fault.program, *map(shlex.quote, fault.arguments)))


def page() -> str:
    """The page in Markdown."""
    parts = [BEGINNING]
    for group, faults in FAULTS.items():
        parts.append(f"## {group}\n")
        for fault in faults:
            title = fault.about[0].upper() + fault.about[1:]
            lines = (f"$ {command(fault)}", f"error: {fault.message}")
            parts.append("\n".join((f"**{title}**", "", "```", *lines, "```", "")))
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
