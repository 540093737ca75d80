"""The records of JSON files, whole and one at a time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pg_transfer.data import json_records
from pg_transfer.data.json_records import (
    each_line,
    each_named_record,
    each_record,
    progress_told,
    read_records,
)

ROWS: list[dict[str, Any]] = [
    {"id": n, "text": 'a "b" ],}', "more": [n, {"x": None}]} for n in range(30)
]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ('{"questions": [{"id": 1}, {"i', "cut short or no JSON"),
        ("", "cut short or no JSON"),
        ("<html>404</html>", "cut short or no JSON"),
        ("[]", "no list of records named 'questions'"),
        ('{"answers": []}', "no list of records named 'questions'"),
        ('{"questions": [7]}', "no list of records named 'questions'"),
        ('{"questions": {"7": {}}}', "no list of records named 'questions'"),
    ],
)
def test_files_that_are_no_lists_of_records_are_named(
    tmp_path: Path, content: str, complaint: str
) -> None:
    path = tmp_path / "some.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=f"some.json, the whole file: {complaint}"):
        read_records(path, "questions")
    if not content.startswith("<"):  # which is seen to be no object before it is seen to be no JSON
        with pytest.raises(ValueError, match=f"some.json, the whole file: {complaint}"):
            list(each_record(path, "questions"))


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("piece", [1, 7, 200, 1 << 22])
def test_records_one_by_one_are_those_of_the_whole_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, indent: int | None, piece: int
) -> None:
    monkeypatch.setattr(json_records, "PIECE", piece)
    path = tmp_path / "q.json"
    for content in (
        {"questions": ROWS},
        {"questions": ROWS[:1]},
        {"questions": []},
        {"info": "x", "year": 2014, "questions": ROWS},
        {"license": {"name": [1, 2]}, "questions": ROWS, "info": "x"},
    ):
        path.write_text(json.dumps(content, indent=indent))
        assert list(each_record(path, "questions")) == content["questions"]
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps({"questions": ROWS}).encode())
    assert list(each_record(path, "questions")) == ROWS
    for rows in (ROWS, ROWS[:1], []):
        path.write_text(json.dumps(rows, indent=indent) + "\n")
        assert list(each_record(path)) == rows
    for named in ({row["id"]: row for row in ROWS}, {}):
        path.write_text(json.dumps(named, indent=indent))
        assert dict(each_named_record(path)) == {str(key): row for key, row in named.items()}


@pytest.mark.parametrize("piece", [1, 40])
def test_a_file_cut_anywhere_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, piece: int
) -> None:
    monkeypatch.setattr(json_records, "PIECE", piece)
    path = tmp_path / "q.json"
    rows = [{"id": 10 + n, "t": "ä"} for n in range(4)]
    whole = json.dumps({"questions": rows}).encode()
    for content, read in (
        (whole, lambda: list(each_record(path, "questions"))),
        (json.dumps(rows).encode(), lambda: list(each_record(path))),
        (json.dumps({"a": rows[0], "b": rows[1]}).encode(), lambda: list(each_named_record(path))),
    ):
        for end in range(len(content)):
            path.write_bytes(content[:end])
            with pytest.raises(ValueError, match=r"q\.json, the whole file: cut short or no JSON"):
                read()
    for wrong in (
        whole + b"x", whole[:-2] + b",1]}", whole.replace(b", {", b" {"), b"[]", b"{}",
        whole[:-1] + b', "b": [1}', b'{"questions" []}', b'{1: 2, "questions": []}',
    ):  # fmt: skip
        path.write_bytes(wrong)
        with pytest.raises(ValueError, match=r"q\.json, the whole file: "):
            list(each_record(path, "questions"))


@pytest.mark.parametrize("content", ["[1]", '[{"a": 1}, 2]', "{}", '{"a": 1}', "7"])
def test_other_json_is_no_list_of_records(tmp_path: Path, content: str) -> None:
    path = tmp_path / "q.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=r"q\.json, the whole file: no list of records\."):
        list(each_record(path))
    if content != "{}":
        with pytest.raises(ValueError, match=r"q\.json, the whole file: no object of records\."):
            list(each_named_record(path))


def test_records_of_lines(tmp_path: Path) -> None:
    path = tmp_path / "some.json"
    lines = "\n".join(json.dumps(row) for row in ROWS)
    path.write_text("\ufeff" + lines.replace("\n", "\r\n\n") + "\n", encoding="utf-8")
    assert list(each_line(path)) == ROWS


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ('{"id": 1', "cut short or no JSON"),
        ("<html>", "cut short or no JSON"),
        ("[7]", r"\[7\], no record"),
        ("[" * 100_000, "cut short or no JSON"),
    ],
)
def test_lines_that_are_no_records_are_named(tmp_path: Path, line: str, complaint: str) -> None:
    path = tmp_path / "some.json"
    path.write_text(json.dumps(ROWS[0]) + "\n\n" + line)
    with pytest.raises(ValueError, match=f"some.json, line 3: {complaint}"):
        list(each_line(path))


def test_how_far_a_file_of_lines_is_read_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_records, "TOLD_LINES", 2)
    path = tmp_path / "some.json"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS * 2))
    told: list[tuple[Path, int, int]] = []
    with progress_told(lambda *what: told.append(what)):
        assert len(list(each_line(path))) == 2 * len(ROWS)
    assert len(told) == len(ROWS)
    assert {(what[0], what[2]) for what in told} == {(path, path.stat().st_size)}
    list(each_line(path))
    assert len(told) == len(ROWS)
