"""Accuracies of short answers against the official evaluator, recorded, and by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pg_transfer.metrics.bootstrap import intervals
from pg_transfer.metrics.vqa import (
    FORMULAS,
    accuracy,
    clean,
    main,
    read_annotations,
    score_by_type,
    score_vqa,
)

RECORDING = Path(__file__).parent / "recorded" / "vqa.json"
"""Made-up answers, ten answers of people, and what vqaEval.py of GT-Vision-Lab/VQA says in percent;
big_vision's evaluator says the same."""


def test_equals_the_official_evaluator() -> None:
    rows = json.loads(RECORDING.read_text(encoding="utf-8"))
    assert {row[2] for row in rows} == {0, 30, 60, 90, 100}
    answers, truths, expected = zip(*rows, strict=True)
    scores = score_vqa(answers, truths)
    assert [100 * one["accuracy"] for one in scores.examples] == pytest.approx(expected)
    assert scores.metrics["accuracy"] == pytest.approx(sum(expected) / len(expected))


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("The  Two dogs!", "2 dogs"),  # nothing beside the mark is a space: it becomes one
        ("red/blue", "red blue"),
        ("red/ blue", "red blue"),  # it goes, as it is beside a space
        ("a-b c-d", "b c d"),  # "a" is an article by then
        ("a- b c-d", "b cd"),  # beside a space once: all of them go, and "a" with the articles
        ("1,000-2,000", "10002000"),  # a comma within a number: all marks go
        ("10.5. U.S.", "10.5 us"),  # a period stays before a digit alone
        (".5 5.a", ".5 5a"),
        ("dont we'll oclock", "don't we'll o'clock"),
        ("wouldntve wouldn'tve wouldnt've", "wouldntve wouldn't've wouldn't've"),
        ("Im Ive", "im ive"),  # capitals in the table never match
        ("somebody'd somebodyd", "somebodyd somebodyd"),
        ("None Zero TEN eleven", "0 0 10 eleven"),
        ("it's: 'so'", "it's: 'so'"),  # colon and apostrophe stay
        ("", ""),
    ],
)
def test_clean_up_by_hand(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned


@pytest.mark.parametrize(
    ("same", "expected"),
    [
        (0, 0),
        (1, 0.3),  # one left out: 0; nine times 1 of 3: 9 * 1/3 / 10
        (2, 0.6),  # twice 1/3, eight times 2/3: (2/3 + 16/3) / 10
        (3, 0.9),  # three times 2/3, seven times 1: (2 + 7) / 10
        (4, 1),
        (9, 1),
    ],
)
def test_each_person_is_left_out_once(same: int, expected: float) -> None:
    truths = ["blue"] * same + [f"red {number}" for number in range(10 - same)]
    assert accuracy("blue", truths) == pytest.approx(expected)


def test_nothing_is_cleaned_up_where_all_agree() -> None:
    assert accuracy(" Stop\t", ["Stop\n"] * 10) == 1
    assert accuracy("stop", ["Stop"] * 10) == 0
    assert accuracy("stop", ["Stop"] * 9 + ["halt"]) == 1


def test_any_number_of_people_but_one() -> None:
    # Of three who say the same, two are left over each time: 2/3.
    assert accuracy("blue", ["blue"] * 3) == pytest.approx(2 / 3)
    with pytest.raises(ValueError, match="not of 1"):
        accuracy("blue", ["blue"])


def test_scores_by_type() -> None:
    scores = score_vqa(
        ["yes", "3", "no"], [["yes"] * 10, ["3"] * 2 + ["4"] * 8, ["yes"] * 10],
        ["yes/no", "number", "yes/no"],
    )  # fmt: skip
    assert scores.metrics == pytest.approx(
        {"accuracy": 160 / 3, "accuracy_number": 60, "accuracy_yes/no": 50}
    )
    assert scores.examples[1] == pytest.approx({"accuracy": 0.6, "accuracy_number": 0.6})


def test_exact_answers_by_type() -> None:
    scores = score_by_type(
        ["yes", "no", "rural", "yes"], ["yes", "yes", "rural", "yes"],
        ["presence", "presence", "rural_urban", "presence"],
    )  # fmt: skip
    # 2 of 3 and 1 of 1: on average (2/3 + 1) / 2; of all, 3 of 4.
    assert list(scores.metrics.items()) == [
        ("accuracy_average", pytest.approx(500 / 6)),
        ("accuracy", 75),
        ("accuracy_presence", pytest.approx(200 / 3)),
        ("accuracy_rural_urban", 100),
    ]
    assert scores.examples[1] == {"accuracy": 0, "accuracy_presence": 0}
    assert intervals(scores, FORMULAS, resamples=20).keys() == scores.metrics.keys()


def test_numbers_that_do_not_fit_are_refused() -> None:
    for score in (score_vqa, score_by_type):
        with pytest.raises(ValueError, match="0 answers cannot be scored"):
            score([], [], [])
        with pytest.raises(ValueError, match=r"1 answers .* 1 truths and 2 types"):
            score(["a"], [["a", "b"]], ["x", "y"])


TEXTVQA = {
    "dataset_type": "val",
    "data": [
        {"question_id": 3, "question": "?", "answers": ["nous les gosses"] + ["dakota"] * 9},
        {"question_id": 1, "question": "?", "answers": ["stop"] * 10},
    ],
}
VQAV2 = {
    "annotations": [
        {
            "question_id": number,
            "answer_type": type_,
            "multiple_choice_answer": said[0],
            "answers": [
                {"answer": text, "answer_confidence": "yes", "answer_id": place}
                for place, text in enumerate(said, start=1)
            ],
        }
        for number, type_, said in [
            (1, "yes/no", ["yes"] * 8 + ["no"] * 2), (2, "other", ["red"] * 9 + ["dark red"]),
        ]
    ]
}  # fmt: skip


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., dict[str, float]]:
    """What the command line prints about annotations and results."""

    def run(annotations: Any, results: Any) -> dict[str, float]:
        paths = tmp_path / "annotations.json", tmp_path / "answers.json"
        for path, content in zip(paths, (annotations, results), strict=True):
            path.write_text(content if isinstance(content, str) else json.dumps(content))
        main(["--annotations", str(paths[0]), "--results", str(paths[1])])
        return json.loads(capsys.readouterr().out)

    return run


def rows(**answers: str) -> list[dict[str, Any]]:
    return [{"question_id": int(one[1:]), "answer": text} for one, text in answers.items()]


def test_files_of_textvqa(run: Callable) -> None:
    scores = run(TEXTVQA, rows(q1="Stop", q3="The Dakota!"))
    assert scores == {"accuracy": 50, "accuracy_other": 50}


def test_files_of_vqav2(run: Callable) -> None:
    scores = run(VQAV2, rows(q1="no", q2="red"))
    assert scores == pytest.approx({"accuracy": 80, "accuracy_other": 100, "accuracy_yes/no": 60})


@pytest.mark.parametrize(
    ("annotations", "results", "complaint"),
    [
        (TEXTVQA, rows(q1="a"), r"answers\.json: 1 of 2 have no result, the first is 3"),
        (TEXTVQA, rows(q1="a", q3="b", q4="c"), r"answers\.json: 1 of 3 results .* about 4"),
        (TEXTVQA, rows(q1="a") * 2, r"answers\.json: a second result for question_id 1"),
        (TEXTVQA, [{"question_id": 1}], r"answers\.json: `answer` has to be str, but is missing"),
        (TEXTVQA, {"1": "a"}, r"answers\.json: no list of objects"),
        (TEXTVQA, "[{", r"answers\.json: no JSON"),
        (TEXTVQA, "[" * 100_000, r"answers\.json: no JSON, or cut short \(maximum recursion"),
        ([], [], r"annotations\.json: no list of objects named 'data'"),
        ({"questions": []}, [], r"annotations\.json: no list of objects named 'data'"),
        ({"data": [{"question_id": 1}]}, [], "question 1 has 0 answers .* server"),
        ({"data": TEXTVQA["data"] * 2}, [], "a second question with the id 3"),
        ({"data": [{"question_id": True}]}, [], "`question_id` has to be int or str"),
        ({"data": [{"question_id": 1, "answers": [1, 2]}]}, [], "1 has an answer without a"),
    ],
)  # fmt: skip
def test_files_that_cannot_be(
    run: Callable, annotations: Any, results: Any, complaint: str
) -> None:
    with pytest.raises(SystemExit, match=rf"^error: .*{complaint}"):
        run(annotations, results)


def test_people_on_real_questions(sample_data: Path) -> None:
    path = sample_data / "textvqa" / "TextVQA_0.5.1_val.json"
    if not path.exists():
        pytest.skip("no TextVQA sample")
    truths = [question.answers for question in read_annotations(path).values()]
    assert len(truths) == 100
    # What the first person said, scored by what all said, is never quite wrong: that person, with
    # nine others left out in turn, makes 0.3.
    scores = score_vqa([said[0] for said in truths], truths)
    assert all(one["accuracy"] > 0.29 for one in scores.examples)
    assert 60 < scores.metrics["accuracy"] < 95
