"""VQAv2 and POPE from files in the published formats, written here by hand."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pg_transfer.data.release import all_faults_wanted
from pg_transfer.metrics.vqa import main
from pg_transfer.task import Answer, Draw, Example, Scores, pieces_of
from tasks.vqav2 import VQAv2

# Part: question, image, what is asked, type of question, type of answer, answers.
PARTS = {
    "train2014": [
        (458752000, 458752, "What is this photo taken looking through?", "what is this", "other",
         ["net"] * 9 + ["netting"]),
    ],
    "val2014": [
        (262148000, 262148, "Where is he looking?", "where is", "other",
         ["down"] * 5 + ["at table", "skateboard", "table", "down", "The Table."]),
        (262148001, 262148, "What are the people in the background doing?", "what are", "other",
         ["spectating", "watching", "watching", "watching", "watching him", "watching", "watching",
          "watching", "spectating", "watching"]),
        (393225001, 393225, "How many  bowls?", "how many", "number", ["2"] * 10),
        (393225002, 393225, "Is it soup?", "is it", "yes/no", ["yes"] * 9 + ["no"]),
    ],
    "test2015": [
        (262144000, 262144, "Is the ball flying towards the batter?", "", "", None),
        (262144001, 262144, "What sport is this?", "", "", None),
    ],
    "test-dev2015": [(262144001, 262144, "What sport is this?", "", "", None)],
}  # fmt: skip
HEAD = {
    "info": {"description": "This is v2.0 of the VQA dataset.", "version": "2.0"},
    "license": {"url": "http://creativecommons.org/licenses/by/4.0/", "name": "CC BY 4.0"},
    "data_type": "mscoco",
}
POPE = [
    {"question_id": 1, "image": "COCO_val2014_000000393225.jpg",
     "text": "Is there a bowl in the image?", "label": "yes"},
    {"question_id": 2, "image": "COCO_val2014_000000393225.jpg",
     "text": "Is there an umbrella in the image?", "label": "no"},
]  # fmt: skip


def asked(part: str) -> dict[str, Any]:
    return HEAD | {
        "task_type": "Open-Ended",
        "data_subtype": part,
        "questions": [
            {"image_id": image, "question": question, "question_id": number}
            for number, image, question, *_ in PARTS[part]
        ],
    }


def answered(part: str) -> dict[str, Any]:
    return HEAD | {
        "data_subtype": part,
        "annotations": [
            {
                "question_type": question_type,
                "multiple_choice_answer": answers[0],
                "answers": [
                    {"answer": answer, "answer_confidence": "maybe", "answer_id": place}
                    for place, answer in enumerate(answers, start=1)
                ],
                "image_id": image,
                "answer_type": type_,
                "question_id": number,
            }
            for number, image, _, question_type, type_, answers in reversed(PARTS[part])
        ],
    }


def write(root: Path, name: str, content: Any) -> None:
    (root / name).parent.mkdir(exist_ok=True)
    (root / name).write_text(json.dumps(content))


def write_pope(root: Path, name: str, rows: Sequence[Any]) -> None:
    (root / "pope").mkdir(exist_ok=True)
    (root / "pope" / name).write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for part, rows in PARTS.items():
        write(tmp_path, f"v2_OpenEnded_mscoco_{part}_questions.json", asked(part))
        if not part.startswith("test"):
            write(tmp_path, f"v2_mscoco_{part}_annotations.json", answered(part))
        folder = part.replace("test-dev", "test")
        (tmp_path / folder).mkdir(exist_ok=True)
        for _, image, *_ in rows:
            path = tmp_path / folder / f"COCO_{folder}_{image:012d}.jpg"
            Image.new("RGB", (8, 8)).save(path)
    return tmp_path


def said(examples: Sequence[Example], *texts: str) -> list[Answer]:
    pairs = zip(examples, texts, strict=True)
    return [Answer(example, text, pieces_of(text)) for example, text in pairs]


def test_questions_meet_their_answers_in_whichever_order(root: Path) -> None:
    examples = VQAv2(root).examples("val")
    assert [one.id for one in examples] == ["262148000", "262148001", "393225001", "393225002"]
    assert [one.prefix for one in examples][2:] == [
        "answer en How many  bowls?", "answer en Is it soup?",
    ]  # fmt: skip
    assert [one.suffixes for one in examples] == [tuple(row[-1]) for row in PARTS["val2014"]]
    assert [VQAv2(root).kind(one) for one in examples] == ["other", "other", "number", "yes/no"]
    assert examples[0].image == root / "val2014" / "COCO_val2014_000000262148.jpg"
    joined = VQAv2(root).examples("train+val[:-2]")
    assert len(joined) == 3 and joined[0].prefix.startswith("answer en What is this photo")
    assert not {one.id for one in joined} & {one.id for one in VQAv2(root).examples("val[-2:]")}


def test_ten_epochs_teach_every_answer_once(root: Path) -> None:
    task = VQAv2(root)
    example = task.examples("val")[1]
    targets = [task.target(example, Draw(0, example.id, epoch)) for epoch in range(10)]
    assert sorted(target.suffix for target in targets) == sorted(example.suffixes)


def test_score_by_hand(root: Path) -> None:
    task = VQAv2(root)
    # Cleaned, two of ten say "table": leaving one of these out, one other matches (1/3, twice),
    # else two (2/3, eight times): (2/3 + 16/3) / 10 = 0.6. "spectating" was said twice, as well.
    # All agree on "2", so that nothing is cleaned and "two" is wrong; "Yes" matches nine: 1.
    answers = said(task.examples("val"), "a table", "spectating", "two", "Yes")
    scores = task.score(answers)
    assert scores.metrics == {
        "accuracy": pytest.approx(100 * (0.6 + 0.6 + 0 + 1) / 4),
        "accuracy_number": 0,
        "accuracy_other": pytest.approx(60),
        "accuracy_yes/no": pytest.approx(100),
    }
    assert next(iter(scores.metrics)) == "accuracy"


def test_saved_answers_score_the_same_by_themselves(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    task = VQAv2(root)
    answers = said(task.examples("val"), "a table", "spectating", "two", "Yes")
    write(root, "results.json", task.submission(answers))
    annotations = root / "v2_mscoco_val2014_annotations.json"
    main(["--annotations", str(annotations), "--results", str(root / "results.json")])
    assert json.loads(capsys.readouterr().out) == task.score(answers).metrics


def test_test_splits_are_answered_for_the_server(root: Path) -> None:
    task = VQAv2(root)
    assert [one.id for one in task.examples("test-dev")] == ["262144001"]
    examples = task.examples("test")
    assert examples[0].image == root / "test2015" / "COCO_test2015_000000262144.jpg"
    answers = said(examples, "no", " Baseball.")
    assert task.score(answers) == Scores({"answered": 2}, [{}, {}])
    assert task.submission(answers) == [
        {"question_id": 262144000, "answer": "no"},
        {"question_id": 262144001, "answer": " Baseball."},
    ]


def test_pope_is_scored_by_the_same_task(root: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no coco_pope_popular\.json .*\n.*RUCAIBox/POPE"):
        VQAv2(root).examples("pope/popular")
    write_pope(root, "coco_pope_popular.json", POPE)
    task = VQAv2(root)
    bowl, umbrella = examples = task.examples("pope/popular")
    assert umbrella == Example(
        "2", root / "val2014" / "COCO_val2014_000000393225.jpg",
        "answer en Is there an umbrella in the image?", ("no",), "pope",
    )  # fmt: skip
    assert bowl.suffixes == ("yes",)
    answers = said(examples, "Yes", "not at all")
    scores = task.score(answers)
    assert scores.metrics == {"accuracy": 50, "valid": 50}
    assert task.submission(answers) is None
    assert VQAv2("elsewhere", images=root, pope=root / "pope").examples("pope/popular")


def test_images_may_lie_elsewhere(root: Path) -> None:
    (root / "coco").mkdir()
    (root / "val2014").rename(root / "coco" / "val2014")
    with pytest.raises(
        FileNotFoundError, match=r"2 of 2 .*COCO_val2014_000000262148\.jpg\.\n.*val"
    ):
        VQAv2(root).examples("val")
    image = VQAv2(root, images=root / "coco").examples("val")[0].image
    assert image == root / "coco" / "val2014" / "COCO_val2014_000000262148.jpg"


def test_missing_files_are_named_with_their_source(root: Path) -> None:
    with pytest.raises(ValueError, match="VQAv2 has no split 'dev'; there are train, val, test, t"):
        VQAv2(root).examples("dev")
    (root / "v2_mscoco_val2014_annotations.json").unlink()
    for split, name in (("val", "mscoco_val2014_annot"), ("train", "OpenEnded_mscoco_train2014_q")):
        place = root if split == "val" else root / "elsewhere"
        with pytest.raises(FileNotFoundError, match=rf"v2_{name}.*\n.*visualqa\.org"):
            VQAv2(place).examples(split)


@pytest.mark.parametrize(
    ("edit", "complaint"),
    [
        (lambda rows: rows[0].pop("question"), "question_id 262148000: it has no 'question'"),
        (lambda rows: rows[0].update(question=" "), "question_id 262148000: its question is empty"),
        (lambda rows: rows[0].update(image_id="1"), "262148000: its image_id is '1', no int"),
        (lambda rows: rows[0].update(image_id=7), r"it is about image 7, and its answers in v2_m.*"
         "about 262148"),
        (lambda rows: rows[0].update(question_id=8), r"_id 8: v2_mscoco_val2014_ann.* has no answ"),
        (lambda rows: rows.append(rows[0]), "question_id 262148000: it comes twice"),
    ],
)  # fmt: skip
def test_questions_that_cannot_be_are_named(root: Path, edit: Callable, complaint: str) -> None:
    content = asked("val2014")
    edit(content["questions"])
    write(root, "v2_OpenEnded_mscoco_val2014_questions.json", content)
    with pytest.raises(ValueError, match=rf"v2_OpenEnded_.*_questions\.json, .*{complaint}"):
        VQAv2(root).examples("val")


@pytest.mark.parametrize(
    ("edit", "complaint"),
    [
        (lambda rows: rows[0]["answers"].pop(), "question_id 393225002: it has 9 answers, not 10"),
        (lambda rows: rows[0]["answers"][3].update(answer=2), "393225002: one of its answers is 2"),
        (lambda rows: rows[0].update(answer_type="what"), "393225002: its answer_type is 'what'; "
         "there are yes/no, number, other"),
        (lambda rows: rows[0].pop("answer_type"), "393225002: it has no 'answer_type'"),
        (lambda rows: rows.append(rows[0]), "question_id 393225002: it comes twice"),
        (lambda rows: rows.append({**rows[0], "question_id": 8}), "question_id 8: it is not asked "
         r"in v2_OpenEnded_mscoco_val2014_questions\.json"),
    ],
)  # fmt: skip
def test_answers_that_cannot_be_are_named(root: Path, edit: Callable, complaint: str) -> None:
    content = answered("val2014")
    edit(content["annotations"])
    write(root, "v2_mscoco_val2014_annotations.json", content)
    with pytest.raises(ValueError, match=rf"v2_mscoco_val2014_annotations\.json, .*{complaint}"):
        VQAv2(root).examples("val")


def test_all_that_is_wrong_is_told_where_that_is_asked_for(root: Path) -> None:
    questions, answers = asked("val2014"), answered("val2014")
    questions["questions"][0]["question"] = ""
    answers["annotations"] += [
        {**answers["annotations"][0], "question_id": number} for number in (8, 9)
    ]
    write(root, "v2_OpenEnded_mscoco_val2014_questions.json", questions)
    write(root, "v2_mscoco_val2014_annotations.json", answers)
    with all_faults_wanted() as faults:
        assert len(VQAv2(root).examples("val")) == 3
    first, second = faults.sentences
    assert "question_id 262148000: its question is empty" in first
    assert "question_id 8: it is not asked" in second and "as 2 of 6 are not" in second


@pytest.mark.parametrize(
    ("edit", "complaint"),
    [
        ({"image": "COCO_train2014_000000000009.jpg"}, "question_id 2: its image is 'COCO_train"),
        ({"image": "../COCO_val2014_000000393225.jpg"}, "question_id 2: its image is '../COCO"),
        ({"label": "maybe"}, "question_id 2: its label is 'maybe'; there are yes, no"),
        ({"text": ""}, "question_id 2: its text is empty"),
        ({"question_id": 1}, "question_id 1: it comes twice"),
    ],
)
def test_records_of_pope_that_cannot_be_are_named(
    root: Path, edit: dict[str, Any], complaint: str
) -> None:
    write_pope(root, "coco_pope_random.json", [POPE[0], POPE[1] | edit])
    with pytest.raises(ValueError, match=rf"coco_pope_random\.json, {re.escape(complaint)}"):
        VQAv2(root).examples("pope/random")
