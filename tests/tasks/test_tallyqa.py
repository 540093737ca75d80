"""TallyQA from files in the published format, written here by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pg_transfer.data.images import StoredImage
from pg_transfer.data.splits import Splits, choose_reported, remarks_on
from pg_transfer.task import Answer, Draw, Example, pieces_of
from tasks.tallyqa import COUNTBENCH, TallyQA
from tests.data_sets import write_image, write_json

TRAIN = [
    {"answer": 2, "data_source": "imported_vqa", "image_id": 9, "question_id": 90,
     "image": "train2014/COCO_train2014_000000000009.jpg", "question": "How many cats?"},
    {"answer": 0, "data_source": "amt", "image_id": 42, "question_id": 7,
     "image": "val2014/COCO_val2014_000000000042.jpg", "question": "How many red cats sit?"},
    {"answer": 4, "data_source": "amt", "image_id": 92410401, "question_id": 7,
     "image": "VG_100K/2410401.jpg", "question": "How many dogs lie?"},
]  # fmt: skip
TEST = [
    {"answer": 4, "data_source": "imported_genome", "image": "VG_100K_2/2410408.jpg",
     "image_id": 92410408, "issimple": False, "question_id": 30095774,
     "question": "How many headlights does the black bus have?"},
    {"answer": 12, "data_source": "imported_genome", "image": "VG_100K_2/2410408.jpg",
     "image_id": 92410408, "issimple": True, "question": "How many wheels?",
     "question_id": 30095775},
]  # fmt: skip


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for split, records in (("train", TRAIN), ("test", TEST)):
        write_json(tmp_path / f"{split}.json", records)
        for record in records:
            write_image(tmp_path / str(record["image"]))
    return tmp_path


def said(example: Example, text: str) -> Answer:
    return Answer(example, text, pieces_of(text))


def test_examples(root: Path) -> None:
    task = TallyQA(root)
    examples = task.examples("train")
    # The same number of a question for two images: both together are the id.
    assert [one.id for one in examples] == ["9/90", "42/7", "92410401/7"]
    assert examples[0].prefix == "answer en How many cats?"
    assert examples[0].image == root / "train2014" / "COCO_train2014_000000000009.jpg"
    assert examples[2].image == root / "VG_100K" / "2410401.jpg"
    targets = [task.target(one, Draw(0, one.id, 0)).suffix for one in examples]
    assert targets == ["2", "0", "4"]
    assert [task.kind(one) for one in examples] == ["", "", ""]
    assert [task.kind(one) for one in task.examples("test")] == ["complex", "simple"]


def test_score_by_hand(root: Path) -> None:
    task = TallyQA(root)
    headlights, wheels = task.examples("test")
    scores = task.score([said(headlights, "Four"), said(wheels, "11")])
    assert scores.metrics == {"accuracy_simple": 0, "accuracy_complex": 100, "accuracy": 50}
    trained = [said(one, "two") for one in task.examples("train")]
    assert task.score(trained).metrics == {"accuracy": pytest.approx(100 / 3)}


def test_the_images_of_coco_may_lie_elsewhere(root: Path) -> None:
    (root / "coco").mkdir()
    for folder in ("train2014", "val2014"):
        (root / folder).rename(root / "coco" / folder)
    missing = r"2 of 3 images .*is train2014/.*\n.*train2014\.zip"
    with pytest.raises(FileNotFoundError, match=missing):
        TallyQA(root).examples("train")
    examples = TallyQA(root, coco=root / "coco").examples("train")
    assert examples[1].image == root / "coco/val2014/COCO_val2014_000000000042.jpg"


def test_counts_may_be_texts(root: Path) -> None:
    write_json(root / "train.json", [TRAIN[0] | {"answer": "3"}])
    assert TallyQA(root).examples("train")[0].suffixes == ("3",)


def removed(name: str) -> Callable[[dict[str, Any]], Any]:
    return lambda record: record.pop(name)


@pytest.mark.parametrize(
    ("edit", "complaint"),
    [
        (removed("answer"), "its answer is None, no count"),
        (lambda one: one.update(answer=-1), "its answer is -1, no count"),
        (lambda one: one.update(answer="two"), "its answer is 'two', no count"),
        (lambda one: one.update(answer=True), "its answer is True, no count"),
        (removed("issimple"), "its issimple is None, neither true nor false"),
        (lambda one: one.update(issimple=-1), "its issimple is -1, neither"),
        (lambda one: one.update(question=""), "its question is empty"),
        (lambda one: one.update(image="flickr/1.jpg"), "its image is 'flickr/1.jpg', in none of"),
    ],
)
def test_records_that_cannot_be_are_named(root: Path, edit: Callable, complaint: str) -> None:
    records = json.loads(json.dumps(TEST))
    edit(records[1])
    write_json(root / "test.json", records)
    where = r"test\.json, image_id/question_id '92410408/30095775'"
    with pytest.raises(ValueError, match=f"{where}: {complaint}"):
        TallyQA(root).examples("test")


def test_files_of_another_form_are_named(root: Path) -> None:
    write_json(root / "test.json", [*TEST, TEST[0]])
    with pytest.raises(ValueError, match=r"'92410408/30095774': it comes twice"):
        TallyQA(root).examples("test")
    write_json(root / "test.json", [TEST[0] | {"question_id": None}])
    with pytest.raises(ValueError, match="its question_id is None, no int"):
        TallyQA(root).examples("test")
    write_json(root / "test.json", {"questions": TEST})
    with pytest.raises(ValueError, match="no list of records"):
        TallyQA(root).examples("test")
    write_json(root / "test.json", [TEST[0] | {"image": "VG_100K/../test.json"}])
    with pytest.raises(ValueError, match="is no name of an image"):
        TallyQA(root).examples("test")


def test_missing_files_and_images_are_named_with_their_source(root: Path) -> None:
    with pytest.raises(ValueError, match="TallyQA has no split 'val'; there are train, test, c"):
        TallyQA(root).examples("val")
    with pytest.raises(FileNotFoundError, match=r"no train\.json in .*\n.*TallyQA_dataset"):
        TallyQA(root / "elsewhere").examples("train")
    (root / "VG_100K_2" / "2410408.jpg").unlink()
    with pytest.raises(FileNotFoundError, match=r"1 of 1 images .*2410408\.jpg\.\n.*images2\.zip"):
        TallyQA(root).examples("test")


def written(folder: Path, modes: list[str], **changed: list[Any]) -> Path:
    """CountBenchQA's Parquet file, of images of these modes."""
    datasets = pytest.importorskip("datasets")
    images = []
    for number, mode in enumerate(modes):
        file = BytesIO()
        Image.new("RGB", (30, 20), (10 * number, 0, 200)).convert(mode).save(file, "PNG")
        images.append({"bytes": file.getvalue(), "path": None})
    columns: dict[str, list[Any]] = {
        "image": images,
        "text": ["two dogs"] * len(modes),
        "question": [f"How many dogs are there on picture {n}?" for n in range(len(modes))],
        "number": [n + 2 for n in range(len(modes))],
    }
    found = datasets.Dataset.from_dict(columns | changed)
    if isinstance(found[0]["image"], dict):
        found = found.cast_column("image", datasets.Image())
    folder.mkdir(parents=True, exist_ok=True)
    found.to_parquet(str(folder / "test-00000-of-00001.parquet"))
    return folder


@pytest.fixture
def no_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What `datasets` keeps goes with the test."""
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))


@pytest.mark.usefixtures("no_cache")
def test_countbenchqa_is_read_from_its_parquet_file(root: Path) -> None:
    written(root / "countbenchqa" / "data", ["RGB", "L", "RGBA", "P"])
    task = TallyQA(root)
    first, second = task.examples(COUNTBENCH)
    # The paper's data are without what is an array of two dimensions: grey, and palettes.
    assert [one.id for one in (first, second)] == ["1", "3"]
    assert second.prefix == "answer en How many dogs are there on picture 2?"
    assert isinstance(second.image, StoredImage)
    assert (second.suffixes, second.image()[0, 0].tolist()) == (("4",), [20, 0, 200])
    scores = task.score([said(first, "Two"), said(second, "5")])
    assert scores.metrics == {"accuracy": 50}
    assert scores.remarks == [
        "2 grey image(s) of CountBenchQA are left out, as in the paper's data"
    ]
    # The published split has 490.
    splits = Splits(task)
    assert f"{COUNTBENCH} has 2 examples, and in the paper 490" in remarks_on(
        splits, [COUNTBENCH], train="train"
    )


def test_countbenchqa_may_be_missing(root: Path) -> None:
    chosen, remarks = choose_reported(Splits(TallyQA(root)), ["test"], optional=[COUNTBENCH])
    assert chosen == ["test"]
    (remark,) = remarks
    assert remark.startswith(f"{COUNTBENCH} is not scored: there is no .parquet in ")
    assert "https://huggingface.co/datasets/vikhyatk/CountBenchQA" in remark


@pytest.mark.usefixtures("no_cache")
@pytest.mark.parametrize(
    ("column", "values", "complaint"),
    [
        ("number", [2, -1], "its number is -1, no count"),
        ("number", [2, None], "its number is None, no count"),
        ("question", ["How many?", " "], "its question is empty"),
        ("image", ["a.jpg", "b.jpg"], "its image is 'a.jpg', none that is stored there"),
        (
            "image",
            [{"bytes": b"no image", "path": None}] * 2,
            "image: cannot be read as an image",
        ),
    ],
)
def test_rows_of_countbenchqa_that_cannot_be_are_named(
    root: Path, column: str, values: list[Any], complaint: str
) -> None:
    written(root / "countbenchqa", ["RGB", "RGB"], **{column: values})
    with pytest.raises(ValueError, match=rf"00001\.parquet, row [12](:|,) {complaint}"):
        TallyQA(root).examples(COUNTBENCH)


def test_a_parquet_file_that_is_none_or_not_alone_is_named(root: Path) -> None:
    pytest.importorskip("datasets")
    (root / "other").mkdir()
    (root / "other/a.parquet").write_bytes(b"PAR1")
    task = TallyQA(root, countbenchqa=root / "other")
    with pytest.raises(ValueError, match=r"a\.parquet: cannot be read as a Parquet file"):
        task.examples(COUNTBENCH)
    (root / "other/b.parquet").write_bytes(b"PAR1")
    with pytest.raises(ValueError, match=r"CountBenchQA is one file, and here are .*b\.parquet"):
        task.examples(COUNTBENCH)
