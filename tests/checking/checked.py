"""The check as it is called from the command line, and data to call it on."""

from __future__ import annotations

import io
import json
import sys
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any
from unittest.mock import patch

from pg_transfer import check
from tests import data_sets

TEXTVQA = ("task=textvqa", "task.root=data", "model=tiny", "final_split=false")


def checked(folder: Path, *settings: str) -> tuple[int, str, dict[str, Any]]:
    """Exit code, what was printed, and the report."""
    out = io.StringIO()
    code: Any = 0
    with (
        chdir(folder),
        patch.object(sys, "argv", ["check", *settings, "--processes", "1"]),
        patch.object(check, "CONSOLE", check.CONSOLE.__class__(file=out, markup=False, width=200)),
        patch.object(check, "say", lambda line: print(line, file=out)),
        redirect_stdout(out),
        redirect_stderr(out),
    ):
        try:
            check.main()
        except SystemExit as ended:
            code = ended.code
    report = folder / "checks" / check.REPORT
    return code, out.getvalue(), json.loads(report.read_text()) if report.exists() else {}


def boxes_of(folder: Path, *, size: tuple[int, int]) -> None:
    """A box in each of twelve images of 60 x 40 pixels, the fourth of which is said to have others.

    The file is called my.json.
    """
    images = []
    for number in range(12):
        data_sets.write_image(folder / f"{number}.png", seed=number)
        images.append({"id": number, "file_name": f"{number}.png", "width": 60, "height": 40})
    images[3] |= {"width": size[0], "height": size[1]}
    boxes = [
        {"id": number, "image_id": number, "category_id": 1, "bbox": [1, 1, 9, 9]}
        for number in range(12)
    ]
    content = {"images": images, "categories": [{"id": 1, "name": "cat"}], "annotations": boxes}
    data_sets.write_json(folder / "my.json", content)
