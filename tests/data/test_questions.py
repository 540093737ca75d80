"""Records of questions become examples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from pg_transfer.data.questions import Question, QuestionTask, read_questions, text_of, texts_of
from pg_transfer.data.release import all_faults_wanted, field
from pg_transfer.metrics.matching import score_matches
from pg_transfer.task import Answer, Example, Scores

FILE = Path("q.json")
ROWS: list[dict[str, Any]] = [
    {"id": 3, "image": "a", "question": "who?", "answers": ["x", "y"]},
    {"id": 5, "image": "b", "question": "where?", "answers": [{"answer": "z"}]},
    {"id": 4, "image": "a", "question": "why?", "answers": []},
]


def question(record: Mapping[str, Any]) -> Question:
    return Question(
        id=str(field(record, "id", int)),
        image=field(record, "image", str),
        prefix=text_of(record, "question"),
        suffixes=texts_of(record, "answers"),
        reference="kind",
    )


read = partial(read_questions, FILE, make=question, id_field="id")


class Asked(QuestionTask):
    title = "Asked"
    splits = ("train", "val")

    def questions(self, split: str) -> Iterator[Question]:
        return read(ROWS if split == "train" else ROWS[:1])

    def images(self, split: str, names: Sequence[str]) -> Mapping[str, Path]:
        assert list(names) == (["a", "b"] if split == "train" else ["a"])
        return {name: Path(split) / name for name in names}

    def verdict(self, answers: Sequence[Answer]) -> Scores:
        texts, truths = [a.text for a in answers], [a.example.suffixes for a in answers]
        return score_matches(texts, truths).only({"accuracy_any": "accuracy"})


def test_questions_become_examples() -> None:
    task = Asked()
    assert list(task.examples("train")) == [
        Example("3", Path("train/a"), "who?", ("x", "y"), "kind"),
        Example("5", Path("train/b"), "where?", ("z",), "kind"),
        Example("4", Path("train/a"), "why?", (), "kind"),
    ]
    assert len(task.examples("val+val")) == 2
    with pytest.raises(ValueError, match="Asked has no split 'test'; there are train, val"):
        task.examples("test")


def test_one_text_is_not_taken_for_several_answers() -> None:
    class Typed(Asked):
        def questions(self, split: str) -> Iterator[Question]:
            return (one._replace(suffixes="two") for one in super().questions(split))  # type: ignore

    with pytest.raises(ValueError, match=r"Asked, question '3': its suffixes are the text 'two'"):
        Typed().examples("train")


def test_a_split_is_read_once_for_all_its_sums_and_slices() -> None:
    read_splits: list[str] = []

    class Counted(Asked):
        def questions(self, split: str) -> Iterator[Question]:
            read_splits.append(split)
            return super().questions(split)

    task = Counted()
    assert [len(task.examples(one)) for one in ("train+val", "train[:1]", "val", "train")] == [
        4, 1, 1, 3,
    ]  # fmt: skip
    assert read_splits == ["train", "val"]


def test_answers_are_counted_where_a_truth_is_missing() -> None:
    task = Asked()
    said = [Answer(example, "x", ("x",)) for example in task.examples("train")]
    assert task.score(said[:2]) == Scores({"accuracy": 50.0}, [{"accuracy": 1}, {"accuracy": 0}])
    assert task.score(said) == Scores({"answered": 3}, [{}, {}, {}])


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"question": " "}, "q.json, id 5: its question is empty"),
        ({"question": 7}, "q.json, id 5: its question is 7, no str"),
        ({"answers": ["x", None]}, "q.json, id 5: one of its answers is None, no text"),
        ({"answers": [{"text": "x"}]}, "q.json, id 5: one of its answers is None, no text"),
        ({"answers": "x"}, "q.json, id 5: its answers is 'x', no list"),
        ({"id": "5"}, "q.json, id '5': its id is '5', no int"),
        ({"id": 3}, "q.json, id 3: it comes twice"),
    ],
)
def test_a_record_that_cannot_be_is_named(change: dict[str, Any], complaint: str) -> None:
    rows = [ROWS[0], ROWS[1] | change, ROWS[2]]
    with pytest.raises(ValueError, match=f"^{complaint}"):
        list(read(rows))


def test_all_faults_are_told_where_they_are_wanted() -> None:
    rows = [{"image": "a"}, ROWS[1] | {"answers": 1}, ROWS[2]]
    with all_faults_wanted() as faults:
        assert [one.id for one in read(rows)] == ["4"]
    first, second = faults.sentences
    assert first.startswith("q.json, {'image': 'a'}: it has no 'id'.")
    assert second.startswith("q.json, id 5: its answers is 1, no list.")


def test_so_many_texts_as_there_have_to_be() -> None:
    assert texts_of({"a": ["x", "y"]}, "a", count=2) == ("x", "y")
    with pytest.raises(TypeError, match="it has 1 a, not 2"):
        texts_of({"a": ["x"]}, "a", count=2)
