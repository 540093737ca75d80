"""The documentation as a site: `sphinx-build -W docs site`.

Pages are Markdown and stand on their own; this adds the menu, in the order of docs/index.md with
whatever is not named there behind it, and a reference of every module from its docstrings.
"""

from __future__ import annotations

import re
from pathlib import Path

project = "pg_transfer"
author = "the authors of pg_transfer"
html_theme = "furo"
html_title = "pg_transfer"
extensions = [
    "myst_parser",
    "sphinx.ext.apidoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
]
exclude_patterns = ["pictures"]
highlight_language = "text"  # of blocks that do not say theirs
myst_heading_anchors = 3
autodoc_default_options = {"ignore-module-all": True, "member-order": "bysource"}
suppress_warnings = ["ref.python"]  # attributes that are called like built-in types
autodoc_typehints = "none"  # they stand in the signature
autodoc_inherit_docstrings = False  # those of libraries link to pages of theirs
napoleon_use_ivar = True
apidoc_modules = [
    {"path": "../src/pg_transfer", "destination": "reference", "separate_modules": True,
     "include_private": False, "automodule_options": {"members"}},
]  # fmt: skip

OUTSIDE = re.compile(r"\[([^]]*)\]\(\.\./[^)\s]+\)")
"""A link to a file of the project that is not one of the pages."""

HERE = Path(__file__).parent


def menu() -> str:
    """The pages in the order in which docs/index.md links them, then all others."""
    named = re.findall(r"\]\((\w+)\.md\)", (HERE / "index.md").read_text(encoding="utf-8"))
    rest = sorted(path.stem for path in HERE.glob("*.md") if path.stem not in (*named, "index"))
    pages = dict.fromkeys([*named, *rest])
    lines = [":hidden:", *pages, "reference/modules"]
    return "\n\n```{toctree}\n" + "\n".join(lines) + "\n```\n"


def adapt(app: object, page: str, source: list[str]) -> None:
    """Called with each page: adds the menu, and leaves the words of links that lead outside."""
    source[0] = OUTSIDE.sub(r"\1", source[0])
    if page == "index":
        source[0] += menu()


def setup(app) -> None:
    """Called by Sphinx."""
    app.connect("source-read", adapt)
