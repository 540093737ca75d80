"""Reading the REFER release: masks in every notation, and records that cannot be right."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from pg_transfer.data.refer import Ref, read_refs, read_regions

HEIGHT, WIDTH = 10, 20
SPLITS = ("train", "val")
REFS = [Ref(7, "train", 1, 10, ((0, "cat"),)), Ref(8, "val", 1, 11, ((1, "dog"), (2, "Dog ")))]


def records() -> list[Any]:
    return [
        {
            "ref_id": ref.id,
            "split": ref.split,
            "image_id": ref.image_id,
            "ann_id": ref.annotation_id,
            "sentences": [{"sent_id": number, "sent": text} for number, text in ref.sentences],
        }
        for ref in REFS
    ]


def instances() -> dict[str, Any]:
    square = [5, 4, 9, 4, 9, 8, 5, 8]
    return {
        "images": [{"id": image, "height": HEIGHT, "width": WIDTH} for image in (1, 2)],
        "annotations": [
            {"id": number, "image_id": 1, "bbox": [5, 4, 4, 4], "segmentation": [square]}
            for number in (10, 11)
        ],
    }


def refs_file(folder: Path, content: Any) -> Path:
    path = folder / "refs(unc).p"
    path.write_bytes(pickle.dumps(content, protocol=2))
    return path


def instances_file(folder: Path, content: Any) -> Path:
    path = folder / "instances.json"
    path.write_text(json.dumps(content))
    return path


def test_reads_records(tmp_path):
    assert read_refs(refs_file(tmp_path, records()), SPLITS) == REFS


def test_reads_only_the_annotations_that_are_referred_to(tmp_path):
    path = instances_file(tmp_path, instances())
    assert set(read_regions(path, REFS)) == {10, 11}
    assert set(read_regions(path, REFS[1:])) == {11}


def test_masks_in_every_coco_notation(tmp_path):
    # A corner of three pixels, in columns: two in the first, one in the second.
    mask = np.zeros((HEIGHT, WIDTH), np.uint8, order="F")
    mask[0:2, 0] = mask[0, 1] = 1
    size = [HEIGHT, WIDTH]
    notations = [
        {"size": size, "counts": [0, 2, 8, 1, HEIGHT * WIDTH - 11]},
        {"size": size, "counts": coco_mask.encode(mask)["counts"].decode()},
        [[0, 0, 1, 0, 1, 2, 0, 2], [0, 0, 2, 0, 2, 1, 0, 1]],  # two overlapping rectangles
    ]
    for notation in notations:
        content = instances()
        content["annotations"][0]["segmentation"] = notation
        drawn = read_regions(instances_file(tmp_path, content), REFS)[10].mask()
        assert drawn.dtype == bool
        np.testing.assert_array_equal(drawn, mask)


def test_a_box_may_overshoot_by_coco_rounding(tmp_path):
    content = instances()
    content["annotations"][0]["bbox"] = [5, 4, 15.01, 6.01]
    box = read_regions(instances_file(tmp_path, content), REFS)[10].box
    assert box == pytest.approx((0.4, 0.25, 1.001, 1.0005))


SENTENCE = {"sent_id": 0, "sent": "cat"}


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"split": "test"}, "ref_id 7: split 'test', not train, val"),
        ({"ref_id": 8}, "ref_id 8: repeated"),
        ({"sentences": []}, "ref_id 7: no sentence"),
        ({"sentences": [{"sent_id": 0, "sent": " "}]}, "ref_id 7: .*an empty one"),
        ({"sentences": [{"sent_id": 0, "sent": None}]}, "record .*no reference"),
        ({"sentences": [SENTENCE, SENTENCE]}, "sent_id 0: repeated"),
        ({"sentences": [{"sent_id": 1, "sent": "cat"}]}, "sent_id 1: repeated"),
        ({"sentences": [{"sent_id": 0}]}, "no reference.*'sent'"),
    ],
)
def test_faulty_references_are_named(tmp_path, facts, message):
    content = records()
    content[0].update(facts)
    with pytest.raises(ValueError, match=rf"refs\(unc\)\.p, .*{message}.*unzip it again"):
        read_refs(refs_file(tmp_path, content), SPLITS)


@pytest.mark.parametrize(
    ("content", "message"),
    [({"refs": []}, "the whole file: no list"), (["cat"], "record 'cat': no reference")],
)
def test_other_pickles_are_named(tmp_path, content, message):
    with pytest.raises(ValueError, match=rf"refs\(unc\)\.p, {message}"):
        read_refs(refs_file(tmp_path, content), SPLITS)


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"image_id": 2}, "annotation 10: in image 2, not 1 as ref_id 7 says"),
        ({"bbox": [5, 4, 0, 4]}, "annotation 10: .*covers no pixel"),
        ({"bbox": [5, 4, 10, -4]}, "annotation 10: .*covers no pixel"),
        ({"bbox": [5, 4.1, 10, 0.2]}, "annotation 10: .*covers no pixel"),
        ({"bbox": [5, 4, 17, 4]}, "annotation 10: .*leaves the image of 20x10"),
        ({"bbox": [5, 4, 4, 8]}, "annotation 10: .*leaves the image of 20x10"),
        ({"bbox": [-2, 4, 5, 4]}, "annotation 10: .*leaves the image of 20x10"),
        ({"bbox": [5, -2, 4, 4]}, "annotation 10: .*leaves the image of 20x10"),
        ({"bbox": [5, 4, float("nan"), 4]}, "annotation 10: .*NaN"),
        ({"bbox": [5, 4, 3]}, "annotation 10: no box or mask"),
        ({"segmentation": []}, "annotation 10: .*segmentation is empty"),
        ({"segmentation": [[1]]}, "annotation 10: no box or mask"),
        (
            {"segmentation": {"size": [20, 10], "counts": [0, 200]}},
            r"annotation 10: .*a mask of \[20, 10\] in an image of \[10, 20\]",
        ),
        (
            {"segmentation": {"size": [10, 20], "counts": [0, 100]}},
            "annotation 10: .*do not add up to 200 pixels",
        ),
    ],
)
def test_faulty_annotations_are_named(tmp_path, facts, message):
    content = instances()
    content["annotations"][0].update(facts)
    with pytest.raises(ValueError, match=rf"instances\.json, {message}.*unzip it again"):
        read_regions(instances_file(tmp_path, content), REFS)


@pytest.mark.parametrize(
    ("alter", "message"),
    [
        (lambda content: content["annotations"].pop(0), "annotation 10 of ref_id 7: missing"),
        (lambda content: content["images"].pop(0), "image 1 of ref_id 7: missing"),
        (lambda content: content.pop("images"), "the whole file: no COCO annotations.*images"),
    ],
)
def test_missing_records_are_named(tmp_path, alter: Callable[[Any], None], message):
    content = instances()
    alter(content)
    with pytest.raises(ValueError, match=rf"instances\.json, {message}"):
        read_regions(instances_file(tmp_path, content), REFS)


def test_a_file_that_is_no_json_is_named(tmp_path):
    path = tmp_path / "instances.json"
    path.write_text("<html>404 not found</html>")
    with pytest.raises(ValueError, match=r"instances\.json, the whole file: no COCO annotations"):
        read_regions(path, REFS)
