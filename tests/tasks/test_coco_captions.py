"""COCO captions and NoCaps from files in the published formats, written here by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pg_transfer.task import Answer, Draw, Example, pieces_of
from tasks.coco_captions import CocoCaptions

# Karpathy's split, COCO's folder, id, captions.
IMAGES = [
    ("test", "val2014", 391895, ["A man with a red helmet on a small moped on a dirt road. ",
                                 "Man riding a motor bike on a dirt road on the countryside."]),
    ("train", "train2014", 57870, ["A restaurant has modern wooden tables and chairs.",
                                   "A long restaurant table with rattan rounded back chairs.",
                                   "A table adorned with wooden chairs with blue accents.\n"]),
    ("restval", "val2014", 522418, ["A woman cutting a large white sheet cake."]),
    ("val", "val2014", 184613, ["A child holding a flowered umbrella and petting a yak.",
                                "A young man holding an umbrella next to a herd of cattle."]),
    ("val", "val2014", 318219, ["A young boy standing in front of a computer keyboard.",
                                "a little boy wearing headphones and looking at a monitor"]),
]  # fmt: skip


def karpathy() -> dict[str, Any]:
    images = []
    for number, (split, folder, coco_id, captions) in enumerate(IMAGES):
        ids = [1000 * number + place for place in range(len(captions))]
        images.append({
            "filepath": folder,
            "sentids": ids,
            "filename": f"COCO_{folder}_{coco_id:012d}.jpg",
            "imgid": number,
            "split": split,
            "sentences": [
                {"tokens": caption.lower().strip(". ").split(), "raw": caption,
                 "imgid": number, "sentid": id_}
                for id_, caption in zip(ids, captions, strict=True)
            ],
            "cocoid": coco_id,
        })  # fmt: skip
    return {"images": images, "dataset": "coco"}


def official(part: str, year: int) -> dict[str, Any]:
    rows = [row for row in IMAGES if row[1] == f"{part}2014"]
    form = {2014: "COCO_{}2014_{:012d}.jpg", 2017: "{1:012d}.jpg"}[year]
    return {
        "info": {"year": year, "version": "1.0"},
        "licenses": [],
        "images": [
            {"license": 3, "file_name": form.format(part, coco_id), "coco_url": "", "height": 8,
             "width": 8, "date_captured": "2013-11-14 11:18:45", "flickr_url": "", "id": coco_id}
            for _, _, coco_id, _ in rows
        ],
        # All first captions come before all second ones.
        "annotations": [
            {"image_id": coco_id, "id": 100 * coco_id + place, "caption": captions[place]}
            for place in range(3)
            for _, _, coco_id, captions in rows
            if place < len(captions)
        ],
    }  # fmt: skip


NOCAPS = {
    "licenses": [],
    "info": {"version": "1.0", "description": "nocaps validation captions"},
    "images": [
        {"license": 0, "file_name": "0013ea2087020901.jpg", "height": 1024, "width": 732,
         "coco_url": "https://example.org/val/0013ea2087020901.jpg", "date_captured": "",
         "id": 0, "open_images_id": "0013ea2087020901", "domain": "in-domain"},
        {"license": 0, "file_name": "00143b653357de8e.jpg", "height": 1024, "width": 768,
         "coco_url": "https://example.org/val/00143b653357de8e.jpg", "date_captured": "",
         "id": 1, "open_images_id": "00143b653357de8e", "domain": "out-domain"},
    ],
    "annotations": [
        {"image_id": 0, "id": 0, "caption": "A baby is standing in front of a house."},
        {"image_id": 0, "id": 1, "caption": "A little girl in a white jacket and sandals."},
        {"image_id": 1, "id": 2, "caption": "A large lobster on a white plate with lemon slices."},
    ],
}  # fmt: skip


def write(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def draw(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8)).save(path)


@pytest.fixture(autouse=True)
def without_java(monkeypatch: pytest.MonkeyPatch) -> None:
    """Java needs ten seconds to start METEOR, which has tests of its own."""
    monkeypatch.setenv("PATH", "")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The images of 2014 alone."""
    for _, folder, coco_id, _ in IMAGES:
        draw(tmp_path / folder / f"COCO_{folder}_{coco_id:012d}.jpg")
    return tmp_path


@pytest.fixture
def task(root: Path) -> CocoCaptions:
    write(root / "dataset_coco.json", karpathy())
    return CocoCaptions(root)


def ids(examples: Any) -> list[int]:
    return [int(example.id) for example in examples]


def said(example: Example, text: str) -> Answer:
    return Answer(example, text, pieces_of(text))


def test_karpathys_splits(task: CocoCaptions) -> None:
    assert ids(task.examples("train+restval")) == [57870, 522418]
    assert ids(task.examples("val")) == [184613, 318219]
    assert ids(task.examples("test")) == [391895]
    assert task.departures == ()
    example = task.examples("restval")[0]
    assert example.prefix == "caption en"
    assert example.image == task.root / "val2014" / "COCO_val2014_000000522418.jpg"
    assert ids(task.examples("train[:98%]+restval")) == [57870, 522418]


def test_captions_are_as_they_were_typed(task: CocoCaptions) -> None:
    (example,) = task.examples("train")
    assert example.suffixes == tuple(IMAGES[1][3])
    for first in (0, 3):
        drawn = [task.target(example, Draw(0, example.id, first + epoch)) for epoch in range(3)]
        assert {prefix for prefix, _ in drawn} == {"caption en"}
        assert sorted(suffix for _, suffix in drawn) == sorted(IMAGES[1][3])


@pytest.mark.parametrize("year", [2014, 2017])
@pytest.mark.parametrize("place", ["annotations", "."])
def test_cocos_own_splits_stand_in_and_that_is_said(root: Path, place: str, year: int) -> None:
    for part in ("train", "val"):
        write(root / place / f"captions_{part}{year}.json", official(part, year))
    task = CocoCaptions(root)
    assert ids(task.examples("train+restval")) == [57870]
    assert ids(task.examples("val")) == [391895, 522418, 184613, 318219]
    assert task.examples("train")[0].suffixes == tuple(IMAGES[1][3])
    assert list(task.examples("test")) == []
    (departure,) = task.departures
    assert f"captions_val{year}.json" in departure and "no dataset_coco.json" in departure
    write(root / place / "dataset_coco.json", karpathy())
    assert CocoCaptions(root).departures == ()


def test_images_of_2017_are_the_same(root: Path, task: CocoCaptions) -> None:
    # COCO divided its images otherwise in 2017: Karpathy's validation images may be in either.
    for folder in ("train2014", "val2014"):
        for path in (root / folder).iterdir():
            target = root / "images" / "train2017" / path.name.rpartition("_")[2]
            target.parent.mkdir(parents=True, exist_ok=True)
            path.rename(target)
    image = root / "images" / "train2017" / "000000184613.jpg"
    assert task.examples("val")[0].image == image
    assert CocoCaptions(root, images=root / "images").examples("val")[0].image == image
    with pytest.raises(FileNotFoundError, match=r"2 of 2 images .*COCO_val2014_000000184613"):
        CocoCaptions(root, images=root).examples("val")


def test_the_annotations_can_be_named(root: Path) -> None:
    write(root / "elsewhere" / "karpathy.json", karpathy())
    task = CocoCaptions(root, annotations=root / "elsewhere" / "karpathy.json")
    assert ids(task.examples("val")) == [184613, 318219]
    with pytest.raises(FileNotFoundError, match=r"no nowhere\.json in .*\nKarpathy's splits are"):
        CocoCaptions(root, annotations=root / "nowhere.json")


def test_missing_annotations_are_said_where_and_whence(root: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        CocoCaptions(root)
    for words in ("dataset_coco.json", f"{root} or {root / 'annotations'} or",
                  "caption_datasets.zip", "annotations_trainval2014.zip"):  # fmt: skip
        assert words in str(caught.value)


def test_missing_images_are_counted(root: Path, task: CocoCaptions) -> None:
    (root / "val2014" / "COCO_val2014_000000318219.jpg").unlink()
    with pytest.raises(FileNotFoundError, match=r"1 of 2 .*000000318219\.jpg\.\n.*val2014\.zip"):
        task.examples("val")
    assert len(task.examples("test")) == 1


def test_unknown_splits_list_the_known_ones(task: CocoCaptions) -> None:
    with pytest.raises(ValueError, match="no split 'dev'; there are train, restval, val, test, no"):
        task.examples("dev")


def test_nocaps_is_scored_by_the_same_task(root: Path, task: CocoCaptions) -> None:
    with pytest.raises(FileNotFoundError, match=r"nocaps_val_4500_captions\.json.*\nNoCaps is"):
        task.examples("nocaps/val")
    write(root / "nocaps" / "nocaps_val_4500_captions.json", NOCAPS)
    with pytest.raises(
        FileNotFoundError, match=r"2 of 2 .*nocaps/val .*0013ea2087020901\.jpg\.\nN"
    ):
        task.examples("nocaps/val")
    for image in NOCAPS["images"]:
        draw(root / "nocaps" / "val" / image["file_name"])
    baby, lobster = task.examples("nocaps/val")
    assert baby.image == root / "nocaps" / "val" / "0013ea2087020901.jpg"
    assert (baby.prefix, baby.reference, lobster.reference) == (
        "caption en", "in-domain", "out-domain",
    )  # fmt: skip
    assert [len(example.suffixes) for example in (baby, lobster)] == [2, 1]
    scores = task.score([said(baby, baby.suffixes[0]), said(lobster, "zebras")])
    assert next(iter(scores.metrics)) == "CIDEr"
    domains = scores.metrics["CIDEr_in-domain"], scores.metrics["CIDEr_out-domain"]
    assert domains[0] > domains[1] == 0
    assert scores.metrics["CIDEr"] == pytest.approx(sum(domains) / 2)
    assert CocoCaptions(root, nocaps=root / "nocaps").examples("nocaps/val")


def test_right_captions_score_more_than_half_right_ones(task: CocoCaptions) -> None:
    examples = task.examples("val")
    texts = [examples[0].suffixes[0], "A young boy standing in the rain"]
    scores = task.score([said(*pair) for pair in zip(examples, texts, strict=True)])
    metric = next(iter(scores.metrics))
    right, half = (graded[metric] for graded in scores.examples)
    assert metric == "CIDEr" and right > half > 0
    assert scores.metrics["CIDEr"] == pytest.approx(100 * (right + half) / 2)
    wrong = task.score([said(example, "zebras") for example in examples])
    assert wrong.metrics["CIDEr"] == 0


def test_answers_are_saved_in_cocos_format(task: CocoCaptions) -> None:
    answers = [said(example, "a yak") for example in task.examples("val")]
    assert task.submission(answers) == [
        {"image_id": 184613, "caption": "a yak"}, {"image_id": 318219, "caption": "a yak"},
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("edit", "complaint"),
    [
        (lambda images: images[1].update(split="dev"), "cocoid 57870: split 'dev'"),
        (lambda images: images[1].pop("cocoid"), "no image .*cocoid"),
        (lambda images: images[1].update(cocoid="57870"), "image '57870': its id is no number"),
        (lambda images: images[1].update(sentences=[]), "image 57870: no caption"),
        (lambda images: images[1]["sentences"][0].update(raw=" \n"), "image 57870: an empty capti"),
        (lambda images: images.append(images[0]), "image 391895: it comes twice"),
    ],
)
def test_records_of_karpathys_that_cannot_be(root: Path, edit: Callable, complaint: str) -> None:
    content = karpathy()
    edit(content["images"])
    write(root / "dataset_coco.json", content)
    with pytest.raises(ValueError, match=rf"dataset_coco\.json, .*{complaint}"):
        CocoCaptions(root).examples("val")


@pytest.mark.parametrize(
    ("edit", "complaint"),
    [
        (lambda all_: all_["annotations"].pop(1), "image 522418: no caption"),
        (lambda all_: all_["images"].pop(0), "image 391895: it has captions and is not listed"),
        (lambda all_: all_["annotations"][0].pop("caption"), "no caption of an image"),
        (lambda all_: all_["images"][0].pop("file_name"), "no image .*file_name"),
        (lambda all_: all_["annotations"][0].update(caption=""), "image 391895: an empty caption"),
        (lambda all_: all_["images"].append(all_["images"][0]), "image 391895: it comes twice"),
        (
            lambda all_: all_["annotations"].append(all_["annotations"][0]),
            "annotation 39189500: it",
        ),
    ],
)
def test_records_of_cocos_that_cannot_be(root: Path, edit: Callable, complaint: str) -> None:
    write(root / "captions_train2014.json", official("train", 2014))
    content = official("val", 2014)
    edit(content)
    write(root / "captions_val2014.json", content)
    with pytest.raises(ValueError, match=rf"captions_val2014\.json, .*{complaint}"):
        CocoCaptions(root).examples("val")


def test_a_truncated_file_is_named(root: Path) -> None:
    (root / "dataset_coco.json").write_text(json.dumps(karpathy())[:-100])
    with pytest.raises(ValueError, match=r"dataset_coco\.json, the whole file: cut short"):
        CocoCaptions(root).examples("val")


def test_reads_the_real_records(sample_data: Path) -> None:
    root = sample_data / "coco_captions_sample"
    if not root.is_dir():
        pytest.skip("no COCO sample")
    task = CocoCaptions(root)
    assert [len(task.examples(split)) for split in ("train", "val")] == [50, 50]
    assert "captions_val2017.json" in task.departures[0]
    own = {example.id: example for split in ("train", "val") for example in task.examples(split)}
    split = CocoCaptions(
        root, annotations=root / "annotations" / "dataset_coco_karpathy_FORMAT_sample.json"
    )
    counts = {name: len(split.examples(name)) for name in ("train", "restval", "val", "test")}
    assert counts == {"train": 50, "restval": 0, "val": 25, "test": 25}
    for example in split.examples("train+val+test"):
        assert example.image == own[example.id].image
        assert sorted(example.suffixes) == sorted(own[example.id].suffixes)
    right = [said(example, example.suffixes[0]) for example in split.examples("val")]
    assert split.score(right).metrics["CIDEr"] > 200
