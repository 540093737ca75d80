"""Tables and lists of numbers as they are published, and broken ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from pg_transfer.data.tables import each_row, read_numbers


def test_rows_are_read_as_spreadsheets_write_them(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(b'\xef\xbb\xbfid,name,text\r\n1,x,"one, ""two""\r\nthree"\r\n\r\n2,y,\r\n')
    rows = [{"text": 'one, "two"\r\nthree', "id": "1"}, {"text": "", "id": "2"}]
    assert list(each_row(path, ("text", "id"))) == rows


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", r"line 1: no columns id and text, but \[\]"),
        (b"id,name\n1,x\n", r"line 1: no columns text, but \['id', 'name'\]"),
        (b"id,text\n1,a\n2\n", "line 3: 1 cells under 2 names"),
        (b"id,text\n1,a,b\n", "line 2: 3 cells under 2 names"),
        (b"id,text\n1,\xff\n", "the whole file: no table"),
    ],
)
def test_tables_that_cannot_be_are_named(tmp_path: Path, content: bytes, complaint: str) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"table\.csv, {complaint}.*download it again"):
        list(each_row(path, ("id", "text")))


def test_numbers_are_read_one_a_line(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_bytes(b"50083\r\n7 \n12")
    assert read_numbers(path) == [50083, 7, 12]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "the whole file: it is empty"),
        (b"1\n\n2\n", "line 2: '' is no number"),
        (b"1\n2.jpg\n", r"line 2: '2\.jpg' is no number"),
        (b"-1\n", "line 1: '-1' is no number"),
        (b"9" * 5000, "line 1: '9{30,40}.* is no number"),
        (b"\xff", "the whole file: no text"),
    ],
)
def test_lists_that_cannot_be_are_named(tmp_path: Path, content: bytes, complaint: str) -> None:
    path = tmp_path / "list.txt"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"list\.txt, {complaint}"):
        read_numbers(path)
