"""What is suggested can be typed: a shell and Hydra make of it what was meant."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from pg_transfer.own_data.typed import typed_column, typed_template
from tests.own_data.conftest import rows
from tests.own_data.test_objects import task


def read(text: str) -> tuple[str, object]:
    """The setting and its value, from what is typed."""
    (word,) = shlex.split(text)
    override = OverridesParser.create().parse_override(word)
    return override.key_or_group, override.value()


def suggested(message: str) -> list[tuple[str, object]]:
    """All settings in a message that stand between single quotes."""
    return [read(found) for found in re.findall(r"'(?:columns|prefix|suffix)=[^']*'", message)]


NAMES = ["reply", "file name", "it's", 'a "b"', "objects.bbox", "null", "7", "a,b", "a\\", '\\"']


@pytest.mark.parametrize("name", NAMES)
def test_every_name_comes_through(name: str) -> None:
    assert read(typed_template("suffix", f"{{{name}}}")) == ("suffix", f"{{{name}}}")
    assert read(typed_template("suffix", name)) == ("suffix", name)
    assert read(typed_column("image", name)) == ("columns", {"image": name})


def test_suggestions_in_messages(folder: Path) -> None:
    asked = {"boxes": [[10, 5, 30, 15]], "labels": ["cat"]}
    made = task(folder, asked, box_format="xyxy", prefix="detect {labels}")
    (note,) = (line for line in made.findings if "each request names" in line)
    assert suggested(note) == [("prefix", "detect {categories}")]

    row = {name: value for name, value in rows()[0].items() if name != "suffix"}
    with pytest.raises(ValueError, match="there is no answer to learn") as error:
        task(folder, row | {"reply": "yes"})
    assert suggested(str(error.value)) == [
        ("columns", {"suffix": "reply"}),
        ("suffix", "{reply}"),
    ]
    with pytest.raises(ValueError, match="there is no request") as error:
        task(folder, {"suffix": "yes", "query": "how?"})
    assert suggested(str(error.value)) == [
        ("prefix", "caption en"),
        ("columns", {"prefix": "query"}),
        ("prefix", "answer en {query}"),
    ]
    with pytest.raises(ValueError, match="the data has no such column") as error:
        task(folder, {"suffix": "yes"}, columns={"prefix": "absent"})
    assert ("columns", {"image": "split"}) in suggested(str(error.value))
