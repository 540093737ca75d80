"""RefCOCO from files in the published formats, written here by hand."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pg_transfer.data.splits import Splits
from pg_transfer.task import Answer, Draw, pieces_of
from tasks.refcoco import RefCOCO

HEIGHT, WIDTH = 10, 20

# Annotation: its image and its box (left, top, width, height), which it fills.
OBJECTS = {
    10: (1, (5, 4, 10, 4)),
    11: (1, (0, 0, 2, 10)),
    20: (2, (1, 1, 5, 5)),
    30: (3, (2, 2, 4, 4)),
    40: (4, (2, 2, 4, 4)),
    50: (5, (2, 2, 4, 4)),
}
# Split, annotation, sentences.
REFERENCES = {
    "refcoco/refs(unc).p": [
        ("train", 10, ["Left cat ", "cat"]),
        ("train", 11, ["dog"]),
        ("train", 20, ["car"]),
        ("val", 30, ["bus", "red bus"]),
        ("testA", 40, ["man"]),
        ("testB", 40, ["hat", "big hat", "blue hat"]),
    ],
    "refcoco+/refs(unc).p": [
        ("train", 10, ["striped cat", "cat"]),
        ("val", 20, ["parked car"]),
        ("testA", 40, ["tall man"]),
        ("testB", 40, ["hat"]),
    ],
    "refcocog/refs(umd).p": [
        ("train", 50, ["a tree in a field"]),
        ("train", 30, ["a big bus"]),
        ("train", 10, ["a cat"]),
        ("val", 40, ["a man with a hat", "man"]),
        ("test", 40, ["a hat"]),
    ],
}


class BlockCodec:
    """Stands for the mask codec: the mean of each of 4x4 blocks, in 128 steps."""

    def __init__(self) -> None:
        self.encoded = 0

    def encode(self, masks: np.ndarray) -> np.ndarray:
        self.encoded += len(masks)
        means = masks.reshape(-1, 4, 16, 4, 16).mean((2, 4))
        return np.rint(means * 127).astype(np.int64).reshape(-1, 16)

    def decode(self, codes: np.ndarray) -> np.ndarray:
        values = np.asarray(codes, np.float32).reshape(-1, 4, 4) / 127 * 2 - 1
        return values.repeat(16, 1).repeat(16, 2)


def python_2_pickle(value: Any) -> bytes:
    """`value` as Python 2 pickles it: protocol 0, byte strings."""

    def opcodes(value: Any) -> bytes:
        if isinstance(value, dict):
            items = (opcodes(key) + opcodes(item) + b"s" for key, item in value.items())
            return b"(d" + b"".join(items)
        if isinstance(value, list):
            return b"(l" + b"".join(opcodes(item) + b"a" for item in value)
        if isinstance(value, str):
            return b"S" + repr(value).encode("latin1") + b"\n"
        return b"I%d\n" % value

    return opcodes(value) + b"."


def records(refs: list[tuple[str, int, list[str]]]) -> list[dict[str, Any]]:
    numbers = iter(range(100))
    return [
        {
            "ref_id": ref_id,
            "split": split,
            "ann_id": annotation,
            "image_id": OBJECTS[annotation][0],
            "category_id": 1,
            "file_name": f"COCO_train2014_{OBJECTS[annotation][0]:012d}_{ref_id}.jpg",
            "sent_ids": [],
            "sentences": [
                {"sent_id": next(numbers), "sent": text, "raw": text.upper(), "tokens": []}
                for text in sentences
            ],
        }
        for ref_id, (split, annotation, sentences) in enumerate(refs)
    ]


def rectangle(left: int, top: int, width: int, height: int) -> list[list[float]]:
    right, bottom = left + width, top + height
    return [[left, top, right, top, right, bottom, left, bottom]]


def instances() -> dict[str, list[dict[str, Any]]]:
    return {
        "images": [{"id": number, "height": HEIGHT, "width": WIDTH} for number in range(1, 6)],
        "annotations": [
            {
                "id": number,
                "image_id": image,
                "bbox": list(box),
                "segmentation": rectangle(*box),
            }
            for number, (image, box) in OBJECTS.items()
        ],
    }


def write(root: Path, name: str, content: Any) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".p":
        path.write_bytes(python_2_pickle(content))
    else:
        path.write_text(json.dumps(content))


@pytest.fixture
def root(tmp_path) -> Path:
    """The published layout with five images."""
    for name, refs in REFERENCES.items():
        write(tmp_path, name, records(refs))
        write(tmp_path, f"{Path(name).parent}/instances.json", instances())
    folder = tmp_path / "images" / "mscoco" / "images" / "train2014"
    folder.mkdir(parents=True)
    for number in range(1, 6):
        Image.new("RGB", (WIDTH, HEIGHT)).save(folder / f"COCO_train2014_{number:012d}.jpg")
    return tmp_path


@pytest.fixture
def task(root) -> RefCOCO:
    return RefCOCO(root, mask_codec=BlockCodec())


def test_training_leaves_out_every_image_of_a_validation_or_test_set(task):
    # Image 2 is in refcoco+ val, image 3 in refcoco val, image 4 in every test set.
    examples = task.examples("train")
    assert [example.id for example in examples] == ["1", "5"]
    assert examples[0].image == task.images / "COCO_train2014_000000000001.jpg"


def test_training_merges_what_is_said_of_an_annotation(task):
    (cat, dog), (tree,) = (example.reference for example in task.examples("train"))
    assert cat.sentences == ("Left cat ", "cat", "striped cat", "cat", "a cat")
    assert dog.sentences == ("dog",)
    assert tree.sentences == ("a tree in a field",)


def test_boxes_are_fractions_of_height_and_width(task):
    # Annotation 10: left 5, top 4, 10 wide, 4 high, in an image 10 high and 20 wide:
    # ymin 4/10, xmin 5/20, ymax (4+4)/10, xmax (5+10)/20.
    cat = task.examples("train")[0].reference[0]
    assert cat.region.box == (0.4, 0.25, 0.8, 0.75)
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[4:8, 5:15] = True
    assert cat.region.mask().dtype == bool
    np.testing.assert_array_equal(cat.region.mask(), mask)


def test_other_splits_have_one_example_per_sentence(task):
    assert task.splits == (
        "refcoco/val", "refcoco/testA", "refcoco/testB",
        "refcoco+/val", "refcoco+/testA", "refcoco+/testB",
        "refcocog/val", "refcocog/test",
    )  # fmt: skip
    counts = [len(task.examples(split)) for split in task.splits]
    assert counts == [2, 1, 3, 1, 1, 1, 2, 1]
    assert len(task.examples("refcoco/train")) == 4
    assert len(task.examples("refcocog/train")) == 3
    for split in task.splits:
        examples = task.examples(split)
        assert len({example.id for example in examples}) == len(examples)
    assert [example.prefix for example in task.examples("refcoco/testB")] == [
        "hat", "big hat", "blue hat",
    ]  # fmt: skip


def test_each_epoch_teaches_another_object_by_any_of_its_sentences(task):
    image = task.examples("train")[0]
    cat, dog = image.reference
    prefixes = set()
    for round_ in range(30):
        pair = [task.target(image, Draw(0, image.id, 2 * round_ + turn)) for turn in (0, 1)]
        assert sorted(target.suffix for target in pair) == sorted(
            task.describe(object_.region) for object_ in (cat, dog)
        )
        for target in pair:
            if target.suffix == task.describe(cat.region):
                assert target.prefix in cat.sentences
            else:
                assert target.prefix == "dog"
            prefixes.add(target.prefix)
    assert prefixes == {"dog", *cat.sentences}
    assert task.mask_codec.encoded == 2  # once per object


def test_the_answer_to_learn_is_twenty_tokens(task):
    # Annotation 10: 0.4 * 1023 = 409.2, 0.25 * 1023 = 255.75, 0.8 * 1023 = 818.4,
    # 0.75 * 1023 = 767.25; it fills its box, so every block is full.
    image = task.examples("train")[0]
    assert task.describe(image.reference[0].region) == (
        "<loc0409><loc0256><loc0818><loc0767>" + "<seg127>" * 16
    )


def test_flat_examples_can_be_learned_too(task):
    example = task.examples("refcoco/train")[0]
    prefix, suffix = task.target(example, Draw(0, example.id, 0))
    assert prefix == "Left cat "  # as it is, space and capital
    assert suffix == task.describe(example.reference)


def said(example, text: str) -> Answer:
    return Answer(example, text, pieces_of(text))


def test_score_by_hand(task):
    example = task.examples("refcoco/train")[0]
    # Bins 409, 256, 818, 767 are truncated to rows 3.998 -> 3 to 7.996 -> 7 of 10 and columns
    # 5.005 -> 5 to 14.995 -> 14 of 20: 4 x 9 pixels. The mask has rows 4 to 8 and columns 5 to 15:
    # 4 x 10. They share 3 x 9 = 27, so IoU = 27 / (36 + 40 - 27) = 27 / 49.
    right = said(example, task.describe(example.reference))
    scores = task.score([right, said(example, "")])
    assert next(iter(scores.metrics)) == "mIoU"
    assert scores.metrics["mIoU"] == pytest.approx(100 * (27 / 49 + 0) / 2)
    assert scores.metrics["box_accuracy@0.5"] == 50
    assert scores.metrics["box_accuracy@0.75"] == 50
    assert scores.metrics["invalid"] == 1
    assert scores.metrics["total"] == 2
    assert len(scores.examples) == 2


def test_empty_answers_score_nothing(task):
    for split in task.splits:
        metrics = task.score([said(example, "") for example in task.examples(split)]).metrics
        assert metrics["mIoU"] == metrics["box_accuracy@0.5"] == 0
        assert metrics["invalid"] == metrics["total"]


def test_outlines_to_show(task):
    example = task.examples("refcoco/train")[0]
    truth, answer = task.outlines(said(example, task.describe(example.reference)))
    assert (truth.kind, answer.kind) == ("truth", "answer")
    assert truth.box == (0.4, 0.25, 0.8, 0.75)
    assert truth.mask.sum() == 40
    np.testing.assert_allclose(answer.box, (409 / 1023, 256 / 1023, 818 / 1023, 767 / 1023))
    expected = np.zeros((HEIGHT, WIDTH), bool)
    expected[3:7, 5:14] = True  # the arithmetic is in test_score_by_hand
    np.testing.assert_array_equal(answer.mask, expected)


def test_outlines_of_answers_that_show_little(task):
    example = task.examples("refcoco/train")[0]
    assert [outline.kind for outline in task.outlines(said(example, "a cat"))] == ["truth"]
    # Valid, but from row 0.01 to row 0.02: a box without a pixel.
    sliver = "<loc0001><loc0000><loc0002><loc1023>" + "<seg000>" * 16
    assert task.outlines(said(example, sliver))[1].mask is None


def test_outlines_of_a_lesson_are_those_of_the_object_it_is_about(task):
    example = task.examples("train")[0]
    assert len(example.reference) == 2
    for region, _ in example.reference:
        target = task.describe(region)
        truth, answer = task.outlines(said(example, target))
        assert truth.box == region.box and (truth.mask == region.mask()).all()
        assert answer.kind == "answer"
        assert [one.kind for one in task.outlines(said(example, target[:-8]))] == ["truth"]
    assert task.outlines(said(example, "a cat")) == task.outlines(said(example, "")) == []


def test_examples_travel_to_other_processes(task):
    example = pickle.loads(pickle.dumps(task.examples("train")))[0]
    assert example.reference[0].region.mask().sum() == 40


def test_missing_files_are_all_listed_at_once(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        RefCOCO(tmp_path, mask_codec=BlockCodec())
    message = str(caught.value)
    for name in REFERENCES:
        assert str(tmp_path / name) in message
    for words in ("refcoco.zip", "refcoco+.zip", "refcocog.zip", "train2014.zip", "mscoco"):
        assert words in message


def test_one_missing_file_is_named_alone(root):
    (root / "refcoco/refs(unc).p").unlink()
    with pytest.raises(FileNotFoundError, match=r"there is no \S*refcoco/refs\(unc\)\.p\.\n"):
        RefCOCO(root, mask_codec=BlockCodec())


@pytest.mark.parametrize("place", ["train2017", "images/train2017", "../train2017"])
def test_finds_images_of_2017_in_and_beside_the_root(root, place):
    target = root / place
    target.parent.mkdir(exist_ok=True)
    (root / "images/mscoco/images/train2014").rename(target)
    for path in target.iterdir():
        path.rename(target / path.name.removeprefix("COCO_train2014_"))
    task = RefCOCO(root, mask_codec=BlockCodec())
    assert task.examples("refcoco/val")[0].image == target / "000000000003.jpg"


def test_the_image_folder_can_be_named(root, tmp_path_factory):
    with pytest.raises(FileNotFoundError, match="none of elsewhere"):
        RefCOCO(root, mask_codec=BlockCodec(), images="elsewhere")
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    task = RefCOCO(root, mask_codec=BlockCodec(), images=elsewhere)
    with pytest.raises(FileNotFoundError, match=r"1 of 1 images .*COCO_train2014_000000000003"):
        task.examples("refcoco/val")


def test_missing_images_are_counted(root):
    folder = root / "images/mscoco/images/train2014"
    (folder / "COCO_train2014_000000000005.jpg").unlink()
    task = RefCOCO(root, mask_codec=BlockCodec())
    with pytest.raises(FileNotFoundError, match=r"1 of 2 images .*000000000005\.jpg"):
        task.examples("train")
    assert len(task.examples("refcoco/val")) == 2


@pytest.mark.parametrize("split", ["val", "refcoco", "refcoco/test", "refcocog/testA", "x/train"])
def test_unknown_splits_list_the_known_ones(task, split):
    with pytest.raises(
        ValueError, match=f"no split '{split}'.*train, refcoco/val, .*refcocog/test"
    ):
        task.examples(split)


def test_a_split_may_be_a_slice_though_a_plus_is_in_its_name(task):
    whole = {example.id for example in task.examples("refcoco+/val")}
    first, rest = task.examples("refcoco+/val[:1]"), task.examples("refcoco+/val[1:]")
    assert len(first) == 1 and {example.id for example in (*first, *rest)} == whole
    with pytest.raises(ValueError, match=r"'train\[:1\]' cannot be scored: RefCOCO's examples"):
        Splits(task).scored("train[:1]")


def test_an_empty_split_is_an_error(root):
    write(root, "refcoco/refs(unc).p", records(REFERENCES["refcoco/refs(unc).p"][:3]))
    task = RefCOCO(root, mask_codec=BlockCodec())
    with pytest.raises(ValueError, match=r"'refcoco/val' of RefCOCO is empty.*/train"):
        task.examples("refcoco/val")


@pytest.fixture
def sample(sample_data) -> RefCOCO:
    root = sample_data / "refcoco_sample"
    if not root.is_dir():
        pytest.skip("no RefCOCO sample")
    return RefCOCO(root, mask_codec=BlockCodec())


def test_reads_the_real_records(sample):
    splits = {"refcoco/testB": 14, "refcoco+/testB": 12, "refcocog/val": 4}
    for split, count in splits.items():
        examples = sample.examples(split)
        assert len(examples) == len({example.id for example in examples}) == count
        for example in examples:
            with Image.open(example.image) as picture:
                size = picture.height, picture.width
            mask = example.reference.mask()
            assert mask.shape == size
            # COCO's boxes are the extent of its polygons, so the mask reaches every side, but
            # for a spike thinner than a pixel.
            rows, columns = np.nonzero(mask)
            extent = [rows.min(), columns.min(), rows.max() + 1, columns.max() + 1]
            np.testing.assert_allclose(
                np.array(example.reference.box) * np.tile(size, 2), extent, atol=4
            )
    assert sample.examples("refcoco/testB")[0].prefix == "zebra at the bottom"
    with pytest.raises(ValueError, match="'train' of RefCOCO is empty"):
        sample.examples("train")


def test_right_answers_to_the_real_records_lose_only_what_the_codec_loses(sample):
    for split in ("refcoco/testB", "refcoco+/testB", "refcocog/val"):
        examples = sample.examples(split)
        right = [said(example, sample.describe(example.reference)) for example in examples]
        scores = sample.score(right)
        assert scores.metrics["box_accuracy@0.75"] == 100
        assert scores.metrics["invalid"] == 0
        assert scores.metrics["mIoU"] > 60  # of 4x4 blocks
        truth, answer = sample.outlines(right[0])
        overlap = (answer.mask & truth.mask).sum() / (answer.mask | truth.mask).sum()
        assert scores.examples[0]["mask_iou"] == pytest.approx(overlap)
