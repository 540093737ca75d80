"""COCO-35L and XM3600 from files in the published formats, written here by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pg_transfer.data.json_records import each_line, progress_told
from pg_transfer.data.release import all_faults_wanted
from pg_transfer.data.splits import Splits
from pg_transfer.metrics.bootstrap import intervals
from pg_transfer.task import Answer, Draw, Example, Share, pieces_of
from tasks import coco35l
from tasks.coco35l import COCO35L, LANGUAGES, SIZES
from tests import data_sets
from tests.data_sets.writing import write_lines

Record = dict[str, Any]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return data_sets.coco35l(tmp_path)


def said(example: Example, text: str) -> Answer:
    return Answer(example, text, pieces_of(text))


def edited(path: Path, edit: Callable[[list[Record]], Any]) -> Path:
    records = list(each_line(path))
    edit(records)
    write_lines(path, records)
    return path


def of(records: list[Record], image: str, language: str) -> Record:
    return next(one for one in records if (one["image_id"], one["trg_lang"]) == (image, language))


def test_examples(root: Path) -> None:
    task = COCO35L(root)
    first, second = task.examples("train/te")
    assert (first.id, first.prefix, task.kind(first)) == ("0_te", "caption te", "te")
    assert first.suffixes == ("te dog 0 1 .", "te dog 0 2 .")
    assert second.image == root / "train2014" / "COCO_train2014_000000000001.jpg"
    # English is what the German captions were translated from.
    english = task.examples("dev/en")
    assert [one.suffixes for one in english] == [("a dog 1 .", "a dog 2 .")] * 2
    assert [one.prefix for one in english] == ["caption en"] * 2
    assert english[1].image == root / "val2014" / "COCO_val2014_000000000011.jpg"
    targets = {task.target(first, Draw(0, first.id, visit)).suffix for visit in (0, 1)}
    assert targets == {*first.suffixes}


def test_xm3600_has_another_language_and_captions_as_they_were_typed(root: Path) -> None:
    task = COCO35L(root)
    quechua = task.examples("xm3600/quz")
    assert [one.id for one in quechua] == ["000411001ff7dd40_quz", "000411001ff7dd41_quz"]
    assert quechua[1].prefix == "caption quz"
    assert quechua[1].suffixes == ("A quz cat 1.",)
    assert quechua[1].image == root / "xm3600" / "images" / "000411001ff7dd41.jpg"
    every = task.examples("xm3600/test")
    assert [task.kind(one) for one in every] == [one for one in LANGUAGES["xm3600"] for _ in "12"]
    # Each image is read once for all languages.
    assert len({one.image for one in every}) == 2


def test_all_languages_come_alike(root: Path) -> None:
    task = COCO35L(root)
    every = Splits(task).examples("train")
    assert len(every) == 70
    assert [one.id for one in every] == [every[row].id for row in range(70)]
    shares = task.shares_of("train")
    assert shares == [Share(language, 2, 1.0) for language in LANGUAGES["train"]]
    assert len(shares) == 35
    two = task.examples("train/zh+train/ar")
    assert [one.id for one in two] == ["0_zh", "1_zh", "0_ar", "1_ar"]
    assert task.shares_of("train/zh+train/ar") == [Share("zh", 2, 1.0), Share("ar", 2, 1.0)]
    assert task.shares_of("train[:50%]") == ()
    assert len(task.examples("train[:50%]")) == 35


def test_captions_may_come_in_any_order(root: Path) -> None:
    before = [(one.id, one.image, {*one.suffixes}) for one in COCO35L(root).examples("train/fi")]
    edited(root / "coco_mt_train.jsonl", lambda records: records.reverse())
    after = [(one.id, one.image, {*one.suffixes}) for one in COCO35L(root).examples("train/fi")]
    assert sorted(before) == sorted(after)


def test_a_file_is_read_once(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = []

    def noted(path: Path) -> Any:
        read.append(path.name)
        return each_line(path)

    monkeypatch.setattr(coco35l, "each_line", noted)
    task = COCO35L(root)
    for split in ("train", "train/te", "train[:10]", "dev", "dev/ar+dev/bn", "xm3600/test"):
        task.examples(split)
        task.shares_of(split)
    assert read == ["coco_mt_train.jsonl", "coco_mt_dev.jsonl", "captions.jsonl"]


def test_how_far_reading_has_come_is_told(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pg_transfer.data.json_records.TOLD_LINES", 50)
    told: list[tuple[str, int, int]] = []
    with progress_told(lambda path, done, size: told.append((path.name, done, size))):
        COCO35L(root).examples("train")
    size = (root / "coco_mt_train.jsonl").stat().st_size
    assert [(name, of) for name, _, of in told] == [("coco_mt_train.jsonl", size)] * 2
    assert 0 < told[0][1] <= told[1][1] <= size


def test_score_is_of_each_language(root: Path) -> None:
    pytest.importorskip("pycocoevalcap")
    task = COCO35L(root)
    examples = task.examples("dev/ar+dev/en+dev/zh")
    scores = task.score([said(one, one.suffixes[0]) for one in examples])
    assert list(scores.metrics) == [
        "CIDEr_average", "CIDEr_en", "CIDEr_average_2", "CIDEr_ar", "CIDEr_zh",
    ]  # fmt: skip
    assert [[*one] for one in scores.examples] == [
        [f"CIDEr_{language}"] for language in ("ar", "ar", "en", "en", "zh", "zh")
    ]
    assert "CIDEr_average_2" in intervals(scores, task.formulas_of("dev"))
    assert list(task.score([said(examples[0], "ar dog")]).metrics) == ["CIDEr"]


def test_published_sizes_add_up() -> None:
    # 3,965,045 times 5/7, the epochs, are the 2,832,175 examples of the paper's configuration.
    assert SIZES["train"] == 35 * SIZES["train/en"] == 2_832_175 * 7 / 5
    assert SIZES["dev"] == 35 * SIZES["dev/en"]
    assert SIZES["xm3600/test"] == 36 * SIZES["xm3600/quz"]
    assert [*COCO35L.splits].count("train/quz") == 0


@pytest.mark.parametrize(
    ("edit", "complaint"),
    [
        (lambda one: one.pop("trg_lang"), "it has no 'trg_lang'"),
        (lambda one: one.update(trg_lang="tlh"), "its trg_lang is 'tlh', none of ar, bn, cs,"),
        (lambda one: one.update(translation_tokenized=7), "its translation_tokenized is 7, no str"),
        (lambda one: one.pop("caption_tokenized"), "it has no 'caption_tokenized'"),
    ],
)
def test_records_that_cannot_be_are_named(root: Path, edit: Callable, complaint: str) -> None:
    path = edited(root / "coco_mt_dev.jsonl", lambda those: edit(of(those, "11_2", "de")))
    with pytest.raises(ValueError, match=rf"{path.name}, image_id '11_2': {complaint}"):
        COCO35L(root).examples("dev")


def test_names_of_captions_that_cannot_be_are_told(root: Path) -> None:
    path = root / "coco_mt_dev.jsonl"
    for name, complaint in (
        ("11", "image_id '11': it is no number of an"),
        (11, "its image_id is"),
    ):
        edited(path, lambda those, name=name: those[70].update(image_id=name))
        with pytest.raises(ValueError, match=complaint):
            COCO35L(root).examples("dev")


def test_captions_that_come_twice_or_lack_are_named(root: Path) -> None:
    path = root / "coco_mt_train.jsonl"
    kept = path.read_bytes()
    edited(path, lambda those: those.append(of(those, "1_2", "te")))
    with pytest.raises(ValueError, match="image_id '1_2' in te: it comes twice"):
        COCO35L(root).examples("train")
    path.write_bytes(kept)
    edited(path, lambda those: those.remove(of(those, "1_1", "te")))
    assert COCO35L(root).examples("train/te")[1].suffixes == ("te dog 1 2 .",)
    edited(path, lambda those: those.remove(of(those, "1_2", "te")))
    with pytest.raises(ValueError, match=r"train\.jsonl, image_id 1_\.\.\.: no caption in te"):
        COCO35L(root).examples("train/te")
    # As is a file that ends early at the end of a line.
    path.write_bytes(kept[: kept.index(b'"0_1"') - 13] + kept[:2000].split(b"\n")[0])
    with pytest.raises(ValueError, match=r"image_id 0_\.\.\.: no caption in bn"):
        COCO35L(root).examples("train")


def test_empty_captions_count_as_in_the_papers_data(root: Path) -> None:
    path = root / "coco_mt_train.jsonl"
    edited(path, lambda those: of(those, "1_1", "te").update(translation_tokenized=""))
    assert COCO35L(root).examples("train/te")[1].suffixes == ("", "te dog 1 2 .")
    path = root / "xm3600" / "captions.jsonl"
    edited(path, lambda those: those[1].update(th={"caption": ["", "a"]}))
    assert COCO35L(root).examples("xm3600/th")[1].suffixes == ("", "a")


def test_the_check_tells_of_all_records_at_fault(root: Path) -> None:
    path = root / "coco_mt_train.jsonl"

    def spoil(records: list[Record]) -> None:
        of(records, "0_1", "sw")["trg_lang"] = of(records, "1_1", "sw")["trg_lang"] = "xx"

    edited(path, spoil)
    with all_faults_wanted() as faults:
        assert len(COCO35L(root).examples("train")) == 70
    assert len(faults.sentences) == 2


@pytest.mark.parametrize(
    ("edit", "complaint"),
    [
        (lambda one: one.pop("quz"), "it has no 'quz'"),
        (lambda one: one.update(th=["a"]), r"its th is \['a'\], no dict"),
        (lambda one: one.update(th={"caption": ["", " "]}), "it has no caption in th"),
        (lambda one: one.update(th={"caption": [None]}), "one of its caption is None, no text"),
    ],
)
def test_images_of_xm3600_that_cannot_be_are_named(
    root: Path, edit: Callable, complaint: str
) -> None:
    edited(root / "xm3600/captions.jsonl", lambda those: edit(those[1]))
    where = r"captions\.jsonl, image/key '000411001ff7dd41'"
    with pytest.raises(ValueError, match=f"{where}: {complaint}"):
        COCO35L(root).examples("xm3600/te")


def test_files_of_another_form_are_named(root: Path) -> None:
    path = root / "xm3600/captions.jsonl"
    edited(path, lambda those: those.append(those[0]))
    with pytest.raises(ValueError, match=r"image/key '000411001ff7dd40': it comes twice"):
        COCO35L(root).examples("xm3600/te")
    edited(path, lambda those: [those.pop(), those[0].update({"image/key": "../../captions"})])
    with pytest.raises(ValueError, match="is no name of an image"):
        COCO35L(root).examples("xm3600/te")
    (root / "coco_mt_dev.jsonl").write_bytes(b"BZh91AY&SY\xff\xfe")
    with pytest.raises(ValueError, match=r"dev\.jsonl, line 1: cut short or no JSON"):
        COCO35L(root).examples("dev")
    (root / "coco_mt_dev.jsonl").write_text("")
    with pytest.raises(ValueError, match="the split 'dev' has no examples"):
        Splits(COCO35L(root)).examples("dev")
    (root / "coco_mt_dev.jsonl").write_text(json.dumps(["a"]))
    with pytest.raises(ValueError, match="no record"):
        COCO35L(root).examples("dev")


def test_missing_files_and_images_are_named_with_their_source(root: Path) -> None:
    for split in ("val", "train/quz", "xm3600", "xm3600/xx"):
        with pytest.raises(ValueError, match=f"no split {split!r}; there are train, dev and xm36"):
            COCO35L(root).examples(split)
    with pytest.raises(ValueError, match=r"vi, zh \(quz in xm3600 alone\)"):
        COCO35L(root).examples("train/quz")
    with pytest.raises(FileNotFoundError, match=r"no coco_mt_train\.jsonl in .*\n.*bzip2 -d"):
        COCO35L(root / "elsewhere").examples("train")
    with pytest.raises(FileNotFoundError, match=r"no captions\.jsonl in .*\n.*captions\.zip"):
        COCO35L(root, xm3600=root).examples("xm3600/test")
    (root / "xm3600/images/000411001ff7dd41.jpg").unlink()
    with pytest.raises(FileNotFoundError, match=r"1 of 2 images .*41\.jpg\.\n.*images\.tgz"):
        COCO35L(root).examples("xm3600/en")
    # Karpathy's training images are of both folders, wherever they are.
    (root / "coco/val2014").mkdir(parents=True)
    moved = root / "coco/val2014/COCO_val2014_000000000000.jpg"
    (root / "train2014/COCO_train2014_000000000000.jpg").rename(moved)
    missing = r"1 of 2 images .*\n.*train2014\.zip and val2014\.zip"
    with pytest.raises(FileNotFoundError, match=missing):
        COCO35L(root).examples("train")
    assert COCO35L(root, images=root / "coco").examples("train/ar")[0].image == moved
