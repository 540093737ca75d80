"""Letters of right choices, by hand."""

from __future__ import annotations

import pytest

from pg_transfer.metrics.letters import letter_of, score_letters


# What the reference's own `postproc` (evaluators/proj/paligemma/transfers/science_qa.py at commit
# 0127fb6) gave for each, run on them; its "failed" is None here.
@pytest.mark.parametrize(
    ("answer", "letter"),
    [
        ("The answer is B.", "b"),
        ("the ANSWER is b.", "b"),
        ("The answer is B. BECAUSE: of the map", "b"),
        ("The answer is B.C.", "b"),
        ("The answer is Z.", "z"),
        ("The answer is \u212a.", "k"),  # the sign of kelvins, whose small letter is a k
        ("The answer is B", None),
        ("The answer is B .", None),
        ("The answer is  B.", None),
        ("The answer is (B).", None),
        ("The answer is BC.", None),
        ("The answer is \u00c4.", None),
        ("The answer is 2.", None),
        (" The answer is B.", None),
        ("So the answer is B.", None),
        ("The answer\nis B.", None),
        ("B", None),
        ("", None),
    ],
)
def test_a_letter_is_read_at_the_beginning(answer: str, letter: str | None) -> None:
    assert letter_of(answer) == letter


def test_what_cannot_be_read_is_wrong() -> None:
    truths = [f"The answer is {letter}." for letter in "ABBC"]
    answers = ["the answer is a. It is.", "The answer is C.", "B.", "The answer is C."]
    scores = score_letters(answers, truths)
    # The first and the last are right: 2 / 4. The third has no letter: 1 / 4.
    assert scores.metrics == {"accuracy": 50, "parsefail": 25}
    assert next(iter(scores.metrics)) == "accuracy"
    assert scores.examples[2] == {"accuracy": 0, "parsefail": 1}


def test_truths_that_say_no_letter_are_refused() -> None:
    with pytest.raises(ValueError, match="the truth 'B' does not say a letter"):
        score_letters(["The answer is B."], ["B"])
    with pytest.raises(ValueError, match="0 answers cannot be scored against 0 truths"):
        score_letters([], [])
    with pytest.raises(ValueError, match="1 answers cannot be scored against 2 truths"):
        score_letters(["B"], ["The answer is B."] * 2)
