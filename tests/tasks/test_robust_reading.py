"""DocVQA, InfoVQA and ST-VQA from files in the published format, written here by hand."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pg_transfer.task import Answer, Draw, Example, Scores, pieces_of
from tasks.robust_reading import DIVIDED, STVQA, DocVQA, InfoVQA, RobustReading
from tests.data_sets import write_json

Records = dict[str, list[dict[str, Any]]]

DOCVQA: Records = {
    "train": [
        {
            "questionId": 337, "question": "what is the date mentioned in this letter?",
            "question_types": ["handwritten", "form"], "image": "documents/xnbl0037_1.png",
            "docId": 279, "ucsf_document_id": "xnbl0037", "ucsf_document_page_no": "1",
            "answers": ["1/8/93", "Jan. 8, 1993"], "data_split": "train",
        },
        {
            "questionId": 338, "question": "what is the contact person name mentioned in letter?",
            "question_types": ["handwritten", "form"], "image": "documents/xnbl0037_1.png",
            "docId": 279, "ucsf_document_id": "xnbl0037", "ucsf_document_page_no": "1",
            "answers": ["P. Carter", "p. carter"], "data_split": "train",
        },
    ],
    "val": [
        {
            "questionId": 49153, "question": "What is the ‘actual’ value per 1000, during 1975?",
            "question_types": ["figure/diagram"], "image": "documents/pybv0228_81.png",
            "docId": 14465, "ucsf_document_id": "pybv0228", "ucsf_document_page_no": "81",
            "answers": ["0.28"], "data_split": "val",
        },
    ],
    "test": [
        {
            "questionId": 57344, "question": "What is the name of the company?",
            "image": "documents/hslf0227_10.png", "docId": 1, "ucsf_document_id": "hslf0227",
            "ucsf_document_page_no": "10", "data_split": "test",
        },
    ],
}  # fmt: skip


def infographic(number: int, image: str, question: str, **more: Any) -> dict[str, Any]:
    return {
        "questionId": number, "question": question, "image_local_name": f"{image}.jpeg",
        "image_url": "https://example.org/a.jpg", "ocr_output_file": f"{image}.json", **more,
    }  # fmt: skip


INFOVQA: Records = {
    "train": [
        infographic(65718, "20471", "Which type of fonts offer better readability?",
                    answers=["Serif Fonts", "SÉRIF, font"], data_split="train"),
    ],
    "val": [
        infographic(98313, "37313", "Which social platform has heavy female audience?",
                    answers=["Pinterest"], data_split="val", answer_type=["single span"],
                    evidence=["text"], **{"operation/reasoning": []}),
        infographic(98314, "37313", "What are the colours, {in order}?",
                    answers=["Red, green, blue", "RGB"], data_split="val",
                    answer_type=["multi-span", "non-extractive"], evidence=["figure"],
                    **{"operation/reasoning": ["counting"]}),
    ],
    "test": [infographic(98400, "40000", "How many?", data_split="test")],
}  # fmt: skip


def scene(number: int, path: str, split: str, **more: Any) -> dict[str, Any]:
    source, _, name = path.rpartition("/")
    return {
        "question_id": number, "file_path": path, "file_name": name, "dataset": source,
        "question": f"What is word {number}?", "question_tokens": ["what"], "set_name": split,
        **more,
    }  # fmt: skip


COCO = "coco-text/COCO_train2014_000000256873.jpg"
STVQA_TRAIN = [
    scene(1, COCO, "train", answers=["STOP", "Stop"]),
    *(scene(9 + n, f"VizWiz/{n // 2}.jpg", "train", answers=[f"Nº {n}"]) for n in range(200)),
]
STVQA_TEST = [scene(1, COCO, "test"), scene(2, "icdar/a/img_1.jpg", "test")]


def write(path: Path, records: list[dict[str, Any]]) -> None:
    write_json(path, {"dataset_name": "one", "dataset_version": "1.0", "data": records})


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


@pytest.fixture
def docvqa(tmp_path: Path) -> DocVQA:
    for split, records in DOCVQA.items():
        write(tmp_path / DocVQA.files[split], records)
        touch(*(tmp_path / split / record["image"] for record in records))
    return DocVQA(tmp_path)


@pytest.fixture
def infovqa(tmp_path: Path) -> InfoVQA:
    for split, records in INFOVQA.items():
        write(tmp_path / "infographicsvqa_qas" / InfoVQA.files[split], records)
        touch(*(tmp_path / "images" / record["image_local_name"] for record in records))
    return InfoVQA(tmp_path)


@pytest.fixture
def stvqa(tmp_path: Path) -> STVQA:
    root = tmp_path / "stvqa"
    for records, file, folder in (
        (STVQA_TRAIN, "train_task_3.json", "train_images"),
        (STVQA_TEST, "test_task_3.json", "test_task3_images"),
    ):
        write(root / file, records)
        touch(*(root / folder / record["file_path"] for record in records))
    touch(tmp_path / "coco" / "train2014" / Path(COCO).name)
    return STVQA(root)


def said(example: Example, text: str) -> Answer:
    return Answer(example, text, pieces_of(text))


def scored(task: RobustReading, split: str, *texts: str) -> Scores:
    examples = task.examples(split)
    return task.score([said(*pair) for pair in zip(examples, texts, strict=True)])


def test_docvqa_asks_the_question_alone(docvqa: DocVQA) -> None:
    first, second = docvqa.examples("train")
    assert (first.id, first.prefix) == ("337", "what is the date mentioned in this letter?")
    assert first.suffixes == ("1/8/93", "Jan. 8, 1993")  # as they are
    assert first.image == second.image == docvqa.root / "train/documents/xnbl0037_1.png"
    assert docvqa.kind(first) == "handwritten, form"
    assert [one.id for one in docvqa.examples("train+val")] == ["337", "338", "49153"]
    (test,) = docvqa.examples("test")
    assert (test.suffixes, docvqa.kind(test)) == ((), "")


def test_docvqa_draws_answers_with_replacement(docvqa: DocVQA) -> None:
    example = docvqa.examples("train")[0]
    drawn = [docvqa.target(example, Draw(0, "337", epoch)).suffix for epoch in range(400)]
    assert 160 < drawn.count("1/8/93") < 240  # a half, but for 4 standard deviations of 10
    # In turn, no two of a pair of epochs would be the same; as it is, a half of them are.
    assert 65 < sum(drawn[at] == drawn[at + 1] for at in range(0, 400, 2)) < 135


def test_docvqa_of_todays_downloads(docvqa: DocVQA, tmp_path: Path) -> None:
    new = tmp_path / "new"
    for split, records in DOCVQA.items():
        write(new / "spdocvqa_qas" / DocVQA.files[split], records)
        touch(*(new / "spdocvqa_images" / Path(record["image"]).name for record in records))
    image = DocVQA(new).examples("val")[0].image
    assert image == new / "spdocvqa_images" / "pybv0228_81.png"


def test_infovqa_teaches_lower_case(infovqa: InfoVQA) -> None:
    (train,) = infovqa.examples("train")
    assert train.prefix == "answer en Which type of fonts offer better readability?"
    # TensorFlow's strings.lower, which the paper used, leaves letters beyond ASCII as they are.
    assert train.suffixes == ("serif fonts", "sÉrif, font")
    assert train.image == infovqa.root / "images" / "20471.jpeg"
    assert (infovqa.kind(train), infovqa.kind(infovqa.examples("val")[0])) == ("", "single span")
    targets = {infovqa.target(train, Draw(0, train.id, epoch)).suffix for epoch in (0, 1)}
    assert targets == {*train.suffixes}  # in turn


def test_infovqa_takes_the_parts_of_an_answer_in_any_order(infovqa: InfoVQA) -> None:
    _, several = infovqa.examples("val")
    assert several.prefix == "answer en What are the colours, {in order}?"
    assert several.suffixes == (
        "red, green, blue", "red, blue, green", "green, red, blue", "green, blue, red",
        "blue, red, green", "blue, green, red", "rgb",
    )  # fmt: skip
    scores = scored(infovqa, "val", "PINTEREST", "Blue, green, red")
    assert scores.metrics == {"ANLS": 100, "accuracy_any": 100}
    # Of 9 letters one is replaced: 8/9. "green, red, blu" lacks one of 16: 15/16.
    scores = scored(infovqa, "val", "pinterert", "green, red, blu")
    assert scores.metrics["ANLS"] == pytest.approx(50 * (8 / 9 + 15 / 16))
    assert next(iter(scores.metrics)) == "ANLS"
    # Half of the letters or more are other ones: nothing in common.
    assert scored(infovqa, "val", "facebook", "").metrics == {"ANLS": 0, "accuracy_any": 0}


def test_infovqas_answers_of_too_many_parts_are_refused(infovqa: InfoVQA) -> None:
    path = infovqa.root / "infographicsvqa_qas" / InfoVQA.files["val"]
    write(path, [INFOVQA["val"][0] | {"answers": [", ".join("abcdefghijk")]}])
    with pytest.raises(ValueError, match=r"questionId 98313: its answer 'a, b, .* has 11 parts"):
        infovqa.examples("val")


@pytest.mark.parametrize("task", ["docvqa", "infovqa", "stvqa"])
def test_the_server_is_given_answers_in_lower_case(
    task: str, request: pytest.FixtureRequest
) -> None:
    benchmark = request.getfixturevalue(task)
    key, numbers = {
        "docvqa": ("questionId", [57344]),
        "infovqa": ("questionId", [98400]),
        "stvqa": ("question_id", [1, 2]),
    }[task]
    answers = [said(example, " A Word.") for example in benchmark.examples("test")]
    expected = [{key: number, "answer": " a word."} for number in numbers]
    assert benchmark.submission(answers) == expected
    assert benchmark.score(answers) == Scores({"answered": len(numbers)}, [{} for _ in numbers])


def test_stvqa_divides_its_training_file_by_images(stvqa: STVQA) -> None:
    train, val, both = (stvqa.examples(split) for split in ("train", "val", "train+val"))
    assert len(both) == len(train) + len(val) == 201
    assert {one.id for one in both} == {str(record["question_id"]) for record in STVQA_TRAIN}
    assert not {one.image for one in train} & {one.image for one in val}
    assert set(Counter(one.image for one in val).values()) == {2}
    assert 6 <= len({one.image for one in val}) <= 16  # of 101
    assert [one.id for one in val] == [one.id for one in STVQA(stvqa.root).examples("val")]


def test_stvqa_takes_cocos_own_images(stvqa: STVQA) -> None:
    first, *others = sorted(stvqa.examples("train+val"), key=lambda one: int(one.id))
    assert first.prefix == "answer en What is word 1?"
    assert first.suffixes == ("stop", "stop")
    assert first.image == stvqa.root.parent / "coco/train2014/COCO_train2014_000000256873.jpg"
    assert others[0].image == stvqa.root / "train_images/VizWiz/0.jpg"
    assert [stvqa.kind(one) for one in (first, others[0])] == ["coco-text", "VizWiz"]
    coco, icdar = stvqa.examples("test")
    assert coco.image == first.image
    assert icdar.image == stvqa.root / "test_task3_images/icdar/a/img_1.jpg"
    assert stvqa.kind(icdar) == "icdar"
    assert isinstance(first.image, Path)
    first.image.unlink()
    with pytest.raises(FileNotFoundError, match=r"1 of 1 images.*train2014.*\n.*cocodataset\.org"):
        STVQA(stvqa.root).examples("train+val")


def test_stvqas_scores_say_that_its_division_is_another(stvqa: STVQA) -> None:
    examples = stvqa.examples("val")
    scores = stvqa.score([said(one, one.suffixes[0].upper()) for one in examples])
    assert scores.metrics == {"ANLS": 100, "accuracy_any": 100}
    assert scores.remarks == (DIVIDED,)


@pytest.mark.parametrize(
    ("edit", "complaint"),
    [
        (lambda one: one.update(questionId="338"), "questionId '338': its questionId is '338', no"),
        (lambda one: one.pop("questionId"), "it has no 'questionId'"),
        (lambda one: one.update(question=" "), "questionId 338: its question is empty"),
        (lambda one: one.pop("answers"), "questionId 338: it has no 'answers'"),
        (lambda one: one.update(answers=[]), "questionId 338: it has no answer"),
        (lambda one: one.update(answers=[7]), "questionId 338: one of its answers is 7, no text"),
        (lambda one: one.update(question_types=[1]), "338: one of its question_types is 1"),
        (lambda one: one.pop("image"), "questionId 338: it has no 'image'"),
        (lambda one: one.update(image="../../a.png"), "338: its image is '../../a.png', no name"),
        (lambda one: one.update(image="/a.png"), "questionId 338: its image is '/a.png', no name"),
        (lambda one: one.update(image=""), "questionId 338: its image is '.', no name"),
        (lambda one: one.update(questionId=337), "questionId 337: it comes twice"),
    ],
)
def test_records_that_cannot_be_are_named(
    docvqa: DocVQA, edit: Callable[[dict[str, Any]], Any], complaint: str
) -> None:
    records = json.loads(json.dumps(DOCVQA["train"]))
    edit(records[1])
    write(docvqa.root / "train_v1.0_withQT.json", records)
    with pytest.raises(ValueError, match=rf"train_v1\.0_withQT\.json.*{complaint}"):
        docvqa.examples("train")


@pytest.mark.parametrize(
    ("benchmark", "complaint"),
    [
        (DocVQA, r"no val_v1\.0_withQT\.json in .*spdocvqa_qas.*\n.*ch=17"),
        (InfoVQA, r"no infographicsVQA_val_v1\.0_withQT\.json in .*\n.*ch=17"),
        (STVQA, r"no train_task_3\.json in .*\n.*ch=11"),
    ],
)
def test_missing_files_are_named_with_their_source(
    benchmark: type[RobustReading], complaint: str, tmp_path: Path
) -> None:
    with pytest.raises(FileNotFoundError, match=complaint):
        benchmark(tmp_path).examples("val")
    with pytest.raises(ValueError, match="has no split 'dev'; there are train, val, test"):
        benchmark(tmp_path).examples("dev")


def test_missing_images_are_named_with_their_source(docvqa: DocVQA) -> None:
    (docvqa.root / "val/documents/pybv0228_81.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"first is pybv0228_81\.png\.\n.*ch=17"):
        docvqa.examples("val")
