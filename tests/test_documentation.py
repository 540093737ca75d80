"""Links of the documentation lead somewhere, what it names exists, and its site builds."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests import ready
from tests.documented.blocks import ROOT, pages

LINK = re.compile(r"!?\[[^]]*\]\((?P<target>[^)\s]+)\)")
FILE = re.compile(r"`(?P<path>[\w./-]+/[\w.-]+\.(?:py|yaml|md|json|html|sh))`")
OF_USERS = (
    "runs/", "photos/", "shards/", "tasks/mine", "conf/task/mine", "tests/tasks/test_mine",
    "answers/", "pages/", "checkpoints/", "checks/",
    "refcoco", "textvqa/", "rsvqa", "coco/", "nocaps/", "annotations/", "science_qa/", "ocrvqa/",
)  # fmt: skip
"""What paths begin with that are a user's, or of a data set."""


def anchors(path: Path) -> set[str]:
    """Of the headings of a page, as GitHub and MyST make them."""
    text = re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.M | re.S)
    titles = re.findall(r"^#+ (.+)$", text, flags=re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", pages(), ids=lambda path: path.name)
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    for match in LINK.finditer(text):
        target, _, anchor = match["target"].partition("#")
        if target.startswith(("http://", "https://", "mailto:")):
            continue
        path = (page.parent / target).resolve() if target else page
        assert path.exists(), f"{page.name} links {match['target']}, which is not there"
        if anchor and path.suffix == ".md":
            assert anchor in anchors(path), f"{page.name}: {target} has no heading #{anchor}"


@pytest.mark.parametrize("page", pages(), ids=lambda path: path.name)
def test_files_that_are_named_exist(page: Path) -> None:
    places = (ROOT, ROOT / "src/pg_transfer", ROOT / "docs")
    for match in FILE.finditer(page.read_text(encoding="utf-8")):
        path = match["path"]
        if not path.startswith(("/", *OF_USERS)):
            there = any((place / path).exists() for place in places)
            assert there, f"{page.name} names {path}, which is not there"


def test_the_readme_is_short_and_leads_to_the_list_of_pages() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 160 and "(docs/index.md)" in text


def test_the_task_of_the_page_names_the_record_that_is_wrong(tmp_path: Path) -> None:
    page = (ROOT / "docs/adding_a_task.md").read_text(encoding="utf-8")
    code = re.search(r"```python\n(.*?)```", page, flags=re.S)
    assert code is not None
    names: dict[str, Any] = {}
    exec(code[1], names)
    record = {"id": 7, "image": "a.jpg", "question": "what?", "answer": 3}
    (tmp_path / "val.json").write_text(json.dumps({"questions": [record]}), encoding="utf-8")
    with pytest.raises(ValueError, match=r"val\.json, id 7: its answer is 3, no str"):
        names["Mine"](tmp_path).examples("val")


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("furo") is None, reason="pip install -e '.[docs]'")
def test_the_site_builds_without_warnings(tmp_path: Path) -> None:
    # In a copy, as the reference of all modules is written among the pages.
    for name in ("docs", "src"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("reference"))
    done = subprocess.run(
        [ready.python(), "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "dummy",
         str(tmp_path / "docs"), str(tmp_path / "site")],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
