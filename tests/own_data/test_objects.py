"""Boxes and masks in every usual form become the tokens of the paper's formula."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask

from pg_transfer.segmentation.codec import load_codec
from pg_transfer.segmentation.masks import mask_crop
from pg_transfer.task import Answer, Draw, pieces_of
from pg_transfer.text.locations import codes_to_text
from tasks.custom import Custom
from tests.own_data.rows import task

# Images are 40 wide and 20 high. The box from (10, 5) to (30, 15) is, as ymin, xmin, ymax, xmax,
# 5/20, 10/40, 15/20, 30/40 = .25, .25, .75, .75; times 1023 that is 255.75 and 767.25.
BOX = "<loc0256><loc0256><loc0767><loc0767>"
FORMS = {
    "xyxy": [10, 5, 30, 15],
    "xywh": [10, 5, 20, 10],
    "cxcywh": [20, 10, 20, 10],
    "yxyx": [5, 10, 15, 30],
    "xyxy_normalised": [0.25, 0.25, 0.75, 0.75],
    "xywh_normalised": [0.25, 0.25, 0.5, 0.5],
    "cxcywh_normalised": [0.5, 0.5, 0.5, 0.5],
    "yxyx_normalised": [0.25, 0.25, 0.75, 0.75],
}


def suffixes(task: Custom) -> list[str]:
    return [task.target(one, Draw(0, one.id, 0)).suffix for one in task.examples("train")]


@pytest.mark.parametrize("form", FORMS)
def test_boxes_of_every_form(folder: Path, form: str) -> None:
    row = {"boxes": [FORMS[form]], "labels": ["cat"]}
    assert suffixes(task(folder, row, box_format=form)) == [f"{BOX} cat"]
    assert suffixes(task(folder, row | {"box_format": form})) == [f"{BOX} cat"]


def test_several_objects_and_what_is_asked(folder: Path) -> None:
    made = task(
        folder,
        {"boxes": [[10, 5, 30, 15], [0, 0, 40, 20]], "labels": ["cat", "big dog"]},
        {"boxes": [], "labels": []},
        box_format="xyxy",
    )
    whole = "<loc0000><loc0000><loc1023><loc1023>"
    assert suffixes(made) == [f"{BOX} cat ; {whole} big dog", ""]
    assert {one.prefix for one in made.examples("train")} == {"detect cat ; big dog"}
    asked = task(
        folder, {"boxes": [[10, 5, 30, 15]], "labels": ["cat"]}, {"boxes": [], "labels": []},
        {"boxes": [[10, 5, 30, 15]], "labels": ["dog"]},
        box_format="xyxy", prefix="detect {labels}",
    )  # fmt: skip
    assert [one.prefix for one in asked.examples("train")] == ["detect cat", "detect dog"]
    assert "note: 1 images without an object are left out" in asked.findings


def test_more_than_a_few_categories_are_asked_for_image_by_image(folder: Path) -> None:
    objects = [{"boxes": [[10, 5, 30, 15]], "labels": [f"kind {n}"]} for n in range(11)]
    made = task(folder, *objects, box_format="xyxy")
    assert made.examples("train")[3].prefix == "detect kind 3"
    assert any("'prefix=\"detect {categories}\"' asks for all 11" in line for line in made.findings)


def test_boxes_without_labels_are_referred_to(folder: Path) -> None:
    row = {"boxes": [[10, 5, 30, 15]], "prefix": "the red one"}
    made = task(folder, row, box_format="xyxy")
    (example,) = made.examples("train")
    assert made.target(example, Draw(0, "0", 0)) == ("the red one", BOX)


MASK = np.zeros((20, 40), dtype=bool)
MASK[5:15, 10:30] = True


def run_lengths() -> list[int]:
    """By columns, the background first: 10 columns of 20, then 5, 10, 5 in each of 20, and 10."""
    return [205, *([10, 10] * 19), 10, 205]


@pytest.mark.parametrize(
    "mask",
    [
        [[10, 5, 30, 5, 30, 15, 10, 15]],
        [10, 5, 30, 5, 30, 15, 10, 15],
        [[10, 5], [30, 5], [30, 15], [10, 15]],
        {"size": [20, 40], "counts": run_lengths()},
        "compressed",
        "masks/0.png",
    ],
    ids=["polygons", "polygon", "points", "run lengths", "compressed", "file"],
)
def test_masks_of_every_form(folder: Path, mask: Any) -> None:
    if mask == "compressed":
        mask = coco_mask.encode(np.asfortranarray(MASK.astype(np.uint8)))
        mask = {"size": [20, 40], "counts": mask["counts"].decode()}
    elif mask == "masks/0.png":
        (folder / "masks").mkdir()
        Image.fromarray(MASK.astype(np.uint8) * 255).save(folder / mask)
    made = task(folder, {"masks": [mask], "labels": ["cat"]})
    codec = load_codec("builtin")
    codes = codec.encode(mask_crop(MASK, (0.25, 0.25, 0.75, 0.75))[None])[0]
    assert suffixes(made) == [f"{BOX}{codes_to_text(codes)} cat"]  # the box is that of the mask
    (example,) = made.examples("train")
    assert example.prefix == "segment cat"
    assert (example.reference.things[0].mask() == MASK).all()
    answer = Answer(example, suffixes(made)[0], pieces_of(suffixes(made)[0]))
    truth, said = made.outlines(answer)
    assert (truth.kind, said.kind) == ("truth", "answer")
    assert truth.mask is not None and said.mask is not None
    assert (truth.mask == MASK).all()
    # Bins 256 and 767 of 1023 are 5.005 to 14.995 down and 10.01 to 29.99 across, which the paper's
    # evaluator truncates to rows 5..13 and columns 10..28: 9 times 19 pixels.
    where = np.zeros_like(MASK)
    where[5:14, 10:29] = True
    assert (said.mask == where).all()


def test_polygons_alone_may_be_fractions_if_it_is_said(folder: Path) -> None:
    row = {"masks": [[0.25, 0.25, 0.75, 0.25, 0.75, 0.75, 0.25, 0.75]], "prefix": "it"}
    for settings in ({"box_format": "xyxy_normalised"}, {}):
        said = {} if settings else {"box_format": "xywh_normalised"}
        made = task(folder, row | said, **settings)
        assert (made.examples("train")[0].reference.things[0].mask() == MASK).all()


def test_a_file_of_a_mask_without_a_pixel_in_its_box_is_named(folder: Path) -> None:
    Image.fromarray(MASK.astype(np.uint8) * 255).save(folder / "mask.png")
    rows = [{"boxes": [box], "masks": ["mask.png"], "prefix": "it"}
            for box in ([10, 5, 30, 15], [0, 0, 10, 5])]  # fmt: skip
    made = task(folder, *rows, metric="miou", box_format="xyxy")
    first, second = made.examples("train")
    made.target(first, Draw(0, "0", 0))
    with pytest.raises(ValueError, match="example '1': object 1: its mask has not one pixel in it"):
        made.target(second, Draw(0, "1", 0))


def test_masks_of_coco_files_without_a_pixel_are_left_out_and_counted(folder: Path) -> None:
    path = coco(folder) / "annotations" / "instances_train2017.json"
    content = json.loads(path.read_text())
    first = content["annotations"][0]
    # One that covers no pixel at all, and one beside its box.
    for number, polygon in enumerate(([[12, 7, 12, 7, 12, 7]], [[31, 5, 39, 5, 39, 15]])):
        content["annotations"].append(first | {"id": 200 + number, "segmentation": polygon})
    path.write_text(json.dumps(content))
    made = Custom(folder, metric="miou", mask_codec=partial(load_codec, "builtin"))
    assert [text.count("cat") for text in suffixes(made)] == [1] * 4
    assert made.findings[2] == (
        "note: 2 masks without a pixel in their box are left out, with their objects"
    )
    assert suffixes(Custom(folder))[0].count("cat") == 3  # as boxes


def test_fractions_of_polygons(folder: Path) -> None:
    mask = [[0.25, 0.25, 0.75, 0.25, 0.75, 0.75, 0.25, 0.75]]
    row = {"masks": [mask], "boxes": [[0.25, 0.25, 0.75, 0.75]], "prefix": "it"}
    made = task(folder, row, box_format="xyxy_normalised", metric="miou")
    assert (made.examples("train")[0].reference.things[0].mask() == MASK).all()
    assert suffixes(made)[0].startswith(BOX + "<seg")


@pytest.mark.parametrize(
    ("row", "settings", "complaint"),
    [
        ({"boxes": [[1, 2, 3, 4]]}, {}, "what the numbers of a box mean is not said: set box_form"),
        ({"boxes": [[1, 2, 3, 4]]}, {"box_format": "ltrb"}, "is 'ltrb': set box_format to one of"),
        ({"boxes": [[10, 5, 41, 15]]}, {}, r"object 1: the box \[10, 5, 41, 15\] .* leaves it"),
        ({"boxes": [[0, 0, 1, 1], [30, 5, 10, 15]]}, {}, "object 2: the box .* covers no pixel"),
        (
            {"boxes": [[0.1, 0.1, 0.9, 0.8]]},
            {},
            r"object 1: the box .* in an image of 40x20 pixels is all within the first of them: if "
            "these are fractions of the image, say so with box_format=xyxy_normalised",
        ),
        ({"boxes": [[10, 5, 30]]}, {}, "is not four numbers"),
        ({"boxes": [["a", 5, 30, 15]]}, {}, "is not four numbers"),
        ({"boxes": [[float("nan"), 5, 30, 15]]}, {}, "has a number that is none"),
        ({"boxes": "10 5 30 15"}, {}, "`boxes` is '10 5 30 15', not a list"),
        ({"boxes": [[10, 5, 30, 15]], "labels": []}, {}, "0 `labels` for 1 objects"),
        ({"boxes": [[10, 5, 30, 15]], "labels": ["a ; b"]}, {}, "label 'a ; b' has a ;"),
        ({"boxes": [[10, 5, 30, 15]], "labels": [None]}, {}, "object 1: the label is None, no te"),
        (
            {"boxes": [[10, 5, 30, 15]], "labels": [float("nan")]},
            {},
            'object 1: the label is nan, no text; of an object without one it is ""',
        ),
        ({"boxes": [[10, 5, 30, 15]], "labels": [["cat"]]}, {}, r"the label is \['cat'\], no text"),
        (
            {"boxes": [[10, 5, 30, 15]], "crowd": ["0"]},
            {},
            "object 1: whether it is a crowd is '0'",
        ),
        ({"masks": [[1, 2, 3, 4]]}, {}, "a polygon has at least three points"),
        ({"masks": [{"size": [40, 20], "counts": [800]}]}, {}, r"a mask of \[40, 20\] in an image"),
        ({"masks": [[5, 5, 5, 5, 5, 5]]}, {}, "its mask has not one pixel"),
        (
            {"masks": [[0.25, 0.25, 0.75, 0.25, 0.75, 0.75]]},
            {"box_format": None},
            r"object 1: the mask \[\[0.25, .* is all within the first pixel of an image of 40x20: "
            "if these are fractions of it, say so with box_format=xyxy_normalised",
        ),
        (
            {"boxes": [[10, 5, 30, 15]], "masks": [[0, 0, 1, 0, 1, 1]]},
            {"metric": "miou"},
            "object 1: .* is all within the first pixel",
        ),
        (
            {"boxes": [[10, 5, 30, 15]], "masks": [[30, 5, 39, 5, 39, 15, 30, 15]]},
            {"metric": "miou"},
            "object 1: its mask has not one pixel in its box",
        ),
        ({"masks": ["none.png"]}, {}, "object 1: its mask, 'none.png', is no file in "),
        ({"boxes": [[10, 5, 30, 15]]}, {"metric": "miou"}, "the data has no column `masks`"),
    ],
)
def test_objects_that_cannot_be_are_named(
    folder: Path, row: dict, settings: dict, complaint: str
) -> None:
    if "box_format" not in settings and "is not said" not in complaint:
        settings = settings | {"box_format": "xyxy"}
    with pytest.raises(ValueError, match=complaint) as caught:
        task(folder, row | {"prefix": "it"}, **settings)
    if "column" not in complaint and "ltrb" not in complaint:  # which are of all rows
        assert "my.jsonl, line 1: " in str(caught.value)


@pytest.mark.parametrize("row", [{}, {"labels": [""]}])
@pytest.mark.parametrize("prefix", [None, "detect {labels}"])
def test_objects_without_a_label_cannot_be_asked_for(
    folder: Path, row: dict, prefix: str | None
) -> None:
    row = {"boxes": [[10, 5, 30, 15]]} | row
    with pytest.raises(ValueError, match=r"not one object has a label.*'prefix=\"detect cat\"'"):
        task(folder, row, box_format="xyxy", prefix=prefix)


def test_an_image_has_one_row_with_all_of_its_objects(folder: Path) -> None:
    cat, other = ({"boxes": [box], "labels": ["cat"]} for box in ([10, 5, 30, 15], [0, 0, 9, 9]))
    again = {"image": "images/0.png", "box_format": "xyxy"}
    part = r"line 2: this image has a row already \(.*line 1\), which asks 'detect cat', too"
    with pytest.raises(ValueError, match=part):
        task(folder, cat | again, other | again)
    dog = other | {"labels": ["dog"]}
    with pytest.raises(ValueError, match="asks 'detect cat ; dog', too"):
        task(folder, cat | again, dog | again)
    asked_apart = task(folder, cat | again, dog | again, prefix="detect {labels}")
    assert [one.prefix for one in asked_apart.examples("train")] == ["detect cat", "detect dog"]
    assert len(task(folder, cat | again, cat | again).examples("train")) == 2
    answers = [{"prefix": "detect cat", "suffix": f"<loc000{n}><loc0000><loc0500><loc0500> cat"}
               for n in range(2)]  # fmt: skip
    with pytest.raises(ValueError, match="asks 'detect cat', too"):
        task(folder, *[one | {"image": "images/0.png"} for one in answers])
    unlabelled = [{"boxes": one["boxes"], "prefix": "left"} | again for one in (cat, other)]
    assert len(task(folder, *unlabelled).examples("train")) == 2


def test_the_edges_of_boxes_in_columns_of_their_own_are_no_request(folder: Path) -> None:
    with pytest.raises(ValueError, match=r"boxes: \[xmin, Y_min, xmax, ymax\], labels: label"):
        task(folder, {"label": "cat", "xmin": 1, "Y_min": 1, "xmax": 9, "ymax": 9})


def coco(folder: Path, *, boxed: int = 4) -> Path:
    """An `instances` file for train and val, as COCO has them, with a crowd in the first image."""
    (folder / "annotations").mkdir()
    for part, numbers in {"train2017": range(boxed), "val2017": range(boxed, 6)}.items():
        content = {
            "images": [
                {"id": n, "file_name": f"{n}.png", "width": 40, "height": 20} for n in numbers
            ],
            "annotations": [
                {
                    "id": n, "image_id": n, "category_id": 17, "iscrowd": 0, "area": 200,
                    "bbox": [10, 5, 20, 10], "segmentation": [[10, 5, 30, 5, 30, 15, 10, 15]],
                }
                for n in numbers
            ],
            "categories": [{"id": 17, "name": "cat"}, {"id": 18, "name": "dog"}],
        }  # fmt: skip
        content["annotations"].append(
            {
                "id": 99, "image_id": numbers[0], "category_id": 17, "iscrowd": 1, "area": 8,
                "bbox": [0, 0, 4, 2], "segmentation": {"size": [20, 40], "counts": [0, 2, 798]},
            }
        )  # fmt: skip
        name = folder / "annotations" / f"instances_{part}.json"
        name.write_text(json.dumps(content))
    return folder


def test_a_folder_of_coco(folder: Path) -> None:
    made = Custom(coco(folder))
    assert suffixes(made) == [f"{BOX} cat"] * 4  # crowds are not to be learnt
    assert [len(made.examples(split)) for split in ("train", "validation")] == [4, 2]
    assert made.examples("train")[0].prefix == "detect cat"
    perfect = [
        Answer(one, f"{BOX} cat", pieces_of(f"{BOX} cat")) for one in made.examples("validation")
    ]
    scores = made.score(perfect)
    assert (scores.metrics["box_AP"], scores.metrics["f1@0.5"]) == pytest.approx((100, 100))
    masks = Custom(folder, metric="miou", mask_codec=partial(load_codec, "builtin"))
    assert all(text.startswith(BOX + "<seg") for text in suffixes(masks))


def test_thin_boxes_of_coco_files_are_left_out_and_counted(folder: Path) -> None:
    path = coco(folder) / "annotations" / "instances_train2017.json"
    content = json.loads(path.read_text())
    first = content["annotations"][0]
    # The first is one of COCO's own. Of the second, 0.4 pixels high, both edges round to row 7.
    for number, box in enumerate(([6.65, 8.33, 1.03, 0.0], [3, 6.8, 9, 0.4], [3, 5, 0, 9])):
        content["annotations"].append(first | {"id": 200 + number, "bbox": box, "category_id": 18})
    path.write_text(json.dumps(content))
    made = Custom(folder)
    assert suffixes(made) == [f"{BOX} cat"] * 4
    assert made.findings[2] == "note: 3 boxes without an area are left out, with their objects"
    content["annotations"].append(first | {"id": 300, "bbox": [30, 5, -20, 10]})
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"image 0: object 6: .* covers no pixel of it"):
        Custom(folder)


def test_boxes_that_are_cut_at_the_edge_are_counted(folder: Path) -> None:
    rows = [{"boxes": [box], "labels": ["cat"]} for box in ([20, 5, 20.5, 10], [0, 0, 40, 20])]
    made = task(folder, *rows, box_format="xywh")
    # Half a pixel of 40 is less than the 2 % that are cut.
    told = "note: 1 boxes reach outside their image, by 0.5 pixels at most, and are cut at its edge"
    assert made.findings[2] == told
    row = {"boxes": [[20, 5, 20 + 1e-12, 10]], "labels": ["cat"]}  # as sums of fractions come out
    assert len(task(folder, row, box_format="xywh").findings) == 3


def test_faults_of_coco_files_are_named(folder: Path) -> None:
    path = coco(folder) / "annotations" / "instances_train2017.json"
    content = json.loads(path.read_text())
    for edit, complaint in (
        (lambda c: c["annotations"][0].update(image_id=77), "annotation 0: image 77 is not listed"),
        (lambda c: c["annotations"][0].update(category_id=5), "there is no category 5"),
        (lambda c: c["images"].append(c["images"][0]), "image 0 is listed twice"),
        (lambda c: c["annotations"][0].pop("bbox"), "`bbox` should be list"),
        (
            lambda c: c["annotations"][0].update(iscrowd="0"),
            "object 1: whether it is a crowd is '0'",
        ),
        (lambda c: c["annotations"][0].update(bbox=[0.1, 0.1, 0.2, 0.2]), "xywh_normalised"),
        (lambda c: c.update(images=[]), "its list of images is empty"),
    ):
        broken = json.loads(json.dumps(content))
        edit(broken)
        path.write_text(json.dumps(broken))
        with pytest.raises(ValueError, match=rf"instances_train2017\.json.*{complaint}"):
            Custom(folder)
    path.write_text(json.dumps(content))
    (folder / "images").rename(folder / "elsewhere")
    with pytest.raises(FileNotFoundError, match=r"its first image, 0\.png, is in none of"):
        Custom(folder)
    with pytest.raises(FileNotFoundError, match=r"say images=\.\.\."):
        Custom(folder)
