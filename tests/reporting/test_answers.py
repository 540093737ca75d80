"""Files of answers survive a round trip, and a bad one is refused with its line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pg_transfer.reporting.answers import file_name, read_answers, write_answers, write_submission
from pg_transfer.task import Answer, Example, Scores, Submission, pieces_of

EXAMPLES = [Example(id=str(number), image=Path("none"), prefix=f"q{number}") for number in range(3)]
ANSWERS = [
    Answer(EXAMPLES[0], "<loc0001> a\nb", ("<loc0001>", " a", "\n", "b")),
    Answer(EXAMPLES[1], "", ()),
    Answer(EXAMPLES[2], "ünï\u2028", ("ünï", "\u2028")),
]


def test_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "answers.jsonl"
    write_answers(path, ANSWERS, Scores({"m": 1.0}, [{"s": 0.5}] * 3))
    assert read_answers(path, EXAMPLES) == ANSWERS
    row = json.loads(path.read_text(encoding="utf-8").split("\n")[0])
    assert row["prompt"] == "q0" and row["scores"] == {"s": 0.5}
    assert [file.name for file in path.parent.iterdir()] == ["answers.jsonl"]


def test_pieces_are_taken_from_a_text_alone(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    texts = ["<loc0001><seg007>!", "<loc1>", ""]
    rows = [{"id": str(number), "answer": text} for number, text in enumerate(texts)]
    path.write_text("\n".join(map(json.dumps, rows)))
    pieces = [answer.pieces for answer in read_answers(path, EXAMPLES)]
    assert pieces == [("<loc0001>", "<seg007>", "!"), ("<", "l", "o", "c", "1", ">"), ()]
    assert pieces_of("a\nb") == ("a", "\n", "b")


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        (['{"id": "0", "answer": "a"}', "{"], "line 2: not a row"),
        (['{"id": "0"}'], "line 1: not a row"),
        (["[]"], "line 1: not a row"),
        (['{"id": 0, "answer": "a"}'], "line 1: .*strings"),
        (['{"id": "9", "answer": "a"}'], "line 1: no example .* '9'"),
        (['{"id": "0", "answer": "a"}'] * 2, "line 2: a second answer for '0'"),
        (['{"id": "0", "answer": "a"}'], "2 of 3 examples have no answer, the first is '1'"),
    ],
)
def test_a_bad_file_is_refused(tmp_path: Path, lines: list[str], complaint: str) -> None:
    path = tmp_path / "answers.jsonl"
    path.write_text("\n".join(lines))
    with pytest.raises(ValueError, match=complaint):
        read_answers(path, EXAMPLES)


@pytest.mark.parametrize(
    "submission",
    [
        [{"question_id": 7, "answer": "ünï\u2028\n"}, {"question_id": 8, "answer": ""}],
        {"7": {"direct_answer": "ünï\u2028\n"}, "8": {"direct_answer": ""}},
    ],
)
def test_a_submission_is_one_list_or_object(tmp_path: Path, submission: Submission) -> None:
    path = tmp_path / "answers" / "test.submission.json"
    write_submission(path, submission)
    assert json.loads(path.read_text(encoding="utf-8")) == submission
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_files_are_named_after_their_split() -> None:
    names = {"refcoco+/val": "refcoco+-val", "train[:1280]": "train-1280", "val": "val",
             "train[-2%:]": "train-2%", "train+val": "train+val"}  # fmt: skip
    assert {split: file_name(split) for split in names} == names
