"""A user's own data: columns, templates, splits and metrics, and what is said about them."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pg_transfer.data.release import missing_images_allowed
from pg_transfer.data.splits import Splits
from pg_transfer.task import Answer, Draw, pieces_of
from tasks.custom import Custom

COUNT = 20


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(COUNT):
        Image.new("RGB", (40, 20), (10 * number, 0, 100)).save(tmp_path / f"{number}.png")
    return tmp_path


def custom(folder: Path, rows: Sequence[dict[str, Any]], **settings: Any) -> Custom:
    (folder / "my.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return Custom(folder / "my.jsonl", **settings)


def plain(**more: Any) -> list[dict[str, Any]]:
    return [{"image": f"{n}.png", "prefix": "how red?", "suffix": str(n), **more}
            for n in range(COUNT)]  # fmt: skip


def said(task: Custom, split: str, *texts: str) -> list[Answer]:
    return [
        Answer(one, text, pieces_of(text))
        for one, text in zip(task.examples(split), texts, strict=True)
    ]


def test_what_is_found_is_said_in_a_line(folder: Path) -> None:
    task = custom(folder, plain(source="mine"))
    assert task.findings[0] == (
        "data: 20 rows of JSON lines, columns image, prefix, suffix, source; 18 train, "
        "2 validation (split off by a hash: 10 % of the rows)"
    )
    assert task.findings[1] == (
        "request: {prefix}; answer: column suffix; metric: exact (chosen: answers are short)"
    )
    assert "forkme.py" in task.findings[2]
    assert task.request == "how red?"  # what the column says of every image
    several = [row | {"prefix": f"how red is {n}?"} for n, row in enumerate(plain())]
    assert custom(folder, several).request == "{prefix}"


def test_the_same_images_are_held_out_whatever_the_order(folder: Path) -> None:
    once = custom(folder, plain()).examples("validation")
    again = custom(folder, plain()[::-1]).examples("val")
    assert {one.image for one in once} == {one.image for one in again}
    assert len(custom(folder, plain(), holdout=50).examples("validation")) == 10
    with pytest.raises(ValueError, match="holdout=0 percent"):
        custom(folder, plain(), holdout=0)


def test_rows_of_an_image_stay_together(folder: Path) -> None:
    rows = [
        {"image": f"{n}.png", "question": f"is it {n}, try {turn}?", "answer": "yes"}
        for turn in range(5) for n in range(COUNT)
    ]  # fmt: skip
    task = custom(folder, rows)
    train, validation = task.examples("train"), task.examples("validation")
    assert (len(train), len(validation)) == (90, 10)
    assert not {one.image for one in train} & {one.image for one in validation}
    assert "10 % of the images" in task.findings[0]
    assert train[0].prefix.startswith("answer en is it ")


def test_rows_of_an_image_that_lies_in_a_shard_stay_together(folder: Path) -> None:
    with tarfile.open(folder / "a.tar", "w") as archive:
        for row in range(3 * COUNT):
            (folder / f"{row}.json").write_text(json.dumps({"prefix": "?", "suffix": str(row)}))
            archive.add(folder / f"{row % COUNT}.png", f"{row}.png")
            archive.add(folder / f"{row}.json", f"{row}.json")
    task = Custom(folder / "a.tar")
    split = {
        name: {int(one.suffixes[0]) % COUNT for one in task.examples(name)}
        for name in ("train", "validation")
    }
    assert (len(split["train"]), len(split["validation"])) == (18, 2)
    assert len(task.examples("validation")) == 6
    assert "10 % of the images" in task.findings[0]


def test_ids_may_come_again_in_another_split(folder: Path) -> None:
    # Rows of an image stay together whatever its rows in another file are called.
    for name, images in {"train": [n % 5 for n in range(COUNT)], "test": range(COUNT)}.items():
        pairs = zip(plain(), images, strict=True)
        rows = [row | {"image": f"{n}.png", "id": id} for id, (row, n) in enumerate(pairs)]
        (folder / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    task = Custom({"train": folder / "train.jsonl", "test": folder / "test.jsonl"}, holdout=40)
    train, validation = task.examples("train"), task.examples("validation")
    assert (len(train), len(validation)) == (12, 8)
    assert not {one.image for one in train} & {one.image for one in validation}


def test_splits_of_the_data_are_taken(folder: Path) -> None:
    rows = [row | {"split": ("train", "dev", "test")[n % 3]} for n, row in enumerate(plain())]
    task = custom(folder, rows)
    assert [len(task.examples(split)) for split in ("train", "validation", "test")] == [7, 7, 6]
    assert task.examples("validation") == task.examples("dev")
    assert len(task.examples("train+test[:50%]")) == 10
    with pytest.raises(ValueError, match="no split 'testA'; it has train, dev, test: set splits"):
        task.examples("testA")
    del rows[3]["split"]
    with pytest.raises(ValueError, match=r"my\.jsonl, line 4: `split` is missing"):
        custom(folder, rows)


def test_columns_by_other_names(folder: Path) -> None:
    rows = [{"img": f"{n}.png", "ask": "how red?", "said": [str(n), "none"], "key": f"k{n}"}
            for n in range(COUNT)]  # fmt: skip
    names = {"image": "img", "prefix": "ask", "suffixes": "said", "id": "key"}
    example = custom(folder, rows, columns=names).examples("train")[0]
    assert (example.id[0], example.prefix, example.suffixes[1]) == ("k", "how red?", "none")
    with pytest.raises(
        ValueError, match=r"has no column `image`, `images` or `video`. It has img, ask, said"
    ):
        custom(folder, rows)
    with pytest.raises(ValueError, match="there is no such role"):
        custom(folder, rows, columns=names | {"picture": "img"})
    with pytest.raises(ValueError, match=r"the data has no such column. It has img, ask"):
        custom(folder, rows, columns=names | {"image": "imgs"})
    names.pop("prefix")
    with pytest.raises(
        ValueError, match=r"no request, .* name its column \('columns=\{prefix: ask"
    ):
        custom(folder, rows, columns=names)
    bare = [{"image": row["img"], "suffix": "red"} for row in rows]
    with pytest.raises(ValueError, match=r"""Write it \('prefix="caption en"'\)$"""):
        custom(folder, bare)  # neither the image nor the answer can be asked for
    with pytest.raises(ValueError, match="there is no answer to learn: the data has img, ask"):
        custom(folder, rows, columns={"image": "img", "prefix": "ask"})


def test_templates(folder: Path) -> None:
    rows = [{"image": f"{n}.png", "meta": {"what": "red"}, "level": n} for n in range(COUNT)]
    task = custom(folder, rows, prefix="answer en how {meta.what}?", suffix="{level} of 20")
    example = task.examples("train")[3]
    assert task.target(example, Draw(0, example.id, 0))[0] == "answer en how red?"
    assert example.suffixes[0].endswith(" of 20")
    with pytest.raises(ValueError, match="no column 'size'; it has image, meta, level"):
        custom(folder, rows, prefix="{size}", suffix="{level}")
    rows[2]["level"] = None
    with pytest.raises(ValueError, match=r"my\.jsonl, line 3: `level` is missing"):
        custom(folder, rows, prefix="how red?", suffix="{level}")


def test_several_images_in_an_example(folder: Path) -> None:
    rows = [{"images": [f"{n}.png", f"{n + 1}.png"], "prefix": "redder?", "suffix": "second"}
            for n in range(10)]  # fmt: skip
    example = custom(folder, rows).examples("train")[0]
    assert len(example.images) == 2 and example.image == example.images
    rows[4]["images"].append("7.png")
    with pytest.raises(ValueError, match=r"line 5: it has 3 images, and .*line 1 has 2"):
        custom(folder, rows)


def test_metrics_are_chosen_by_looking(folder: Path) -> None:
    def chosen(suffixes: list[str], prefix: str = "how red?") -> str:
        rows = [{"image": f"{n}.png", "prefix": prefix, "suffixes": suffixes} for n in range(4)]
        return custom(folder, rows).data.metric

    assert chosen(["very"]) == "exact"
    assert chosen(["very", "red", "very", "very"]) == "vqa"
    assert chosen(["red", "red", "red"]) == "exact"  # leaving one out, two agree, of three needed
    assert chosen(["a red image of one colour"], "caption en") == "cider"
    assert chosen(["it is as red as a red brick"]) == "cider"


def test_scores_by_hand(folder: Path) -> None:
    rows = plain()[:8]
    for n, row in enumerate(rows):
        row |= {"split": "val" if n < 4 else "train", "suffix": ("20", "30", "red", "brick")[n % 4]}
    answers = ("20", "31", "rad", "wall")
    expected = {
        "exact": {"accuracy": 25},
        # One letter of three differs: 1 - 1/3. "31" for "30" differs by half, which is too much.
        # "wall" has nothing of "brick".
        "anls": {"anls": 100 * (1 + 0 + 2 / 3 + 0) / 4, "accuracy": 25},
        # 31 is right to 3.3 percent.
        "relaxed": {"relaxed_accuracy": 50, "accuracy": 25},
        "none": {"answered": 4},
    }
    for metric, metrics in expected.items():
        task = custom(folder, rows, metric=metric)
        assert task.score(said(task, "val", *answers)).metrics == pytest.approx(metrics), metric
    # Two of three people said "red": leaving one of them out, one of the others agrees, which is a
    # third; leaving out the third person, two do.
    voted = [row | {"suffixes": ["red", "red", "brick"]} for row in rows]
    for row in voted:
        del row["suffix"]
    task = custom(folder, voted, metric="vqa")
    scores = task.score(said(task, "val", "red", "blue", "blue", "blue"))
    assert scores.metrics["accuracy"] == pytest.approx(100 * (1 / 3 + 1 / 3 + 2 / 3) / 3 / 4)
    for metric, complaint in (
        ("vqa", "example '0' has one suffix only"),
        ("bleu", "no metric 'bleu'; there are\n  exact"),
        ("box_ap", "needs a column `boxes` or `masks`"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=complaint):
            task = custom(folder, rows, metric=metric)
            task.score(said(task, "val", *answers))


def test_splits_that_the_metric_does_not_fit_are_told_before_a_run(folder: Path) -> None:
    rows = [{"image": f"{n}.png", "split": "valid" if n < 2 else "train"} for n in range(4)]
    texts = [row | {"prefix": "it?", "suffixes": ["a", "b", "c"]} for row in rows]
    one = [row | {"suffixes": ["a"] if n == 1 else ["a", "b"]} for n, row in enumerate(texts)]
    boxes = [
        row | {"boxes": [[1, 1, 9, 9]] * (n > 1), "labels": ["cat"] * (n > 1)}
        for n, row in enumerate(rows)
    ]
    unsure = [row | {"split": "test", "suffixes": None} if n == 1 else row
              for n, row in enumerate(one)]  # fmt: skip
    for those, metric, why in (
        (texts, "relaxed", "metric=relaxed compares with one suffix, and example '0' has several"),
        (one, "vqa", "and example '1' has one suffix only"),
        (boxes, "box_ap", "there is not one box to be found in its images"),
        (texts, "vqa", None), (unsure, "vqa", None), (one, "exact", None),
    ):  # fmt: skip
        splits = Splits(custom(folder, those, metric=metric, box_format="xyxy"))
        if why is None:
            splits.scored("validation")
            continue
        for name in ("valid", "validation"):
            with pytest.raises(ValueError, match=f"the split '{name}' cannot be scored: .*{why}"):
                splits.scored(name)
    assert len(splits.scored("train")) == 2


def test_upper_and_lower_case_are_one_to_the_metrics_that_say_so(folder: Path) -> None:
    rows = plain()[:8]
    truths = ("Red Brick", "STRASSE", "3E2", "No", "Red Brick", "STRASSE", "3E2", "No")
    for n, row in enumerate(rows):
        row |= {"split": "val" if n < 4 else "train", "suffix": truths[n]}
    answers = ("rED bRACK", "strasse", "306", "nO")
    # "red brack" differs from "red brick" in one letter of nine; "306" from "3e2" in two of three,
    # which is more than half. 3e2 is 300, of which 306 is two percent more.
    anls = custom(folder, rows, metric="anls").score(
        said(custom(folder, rows, metric="anls"), "val", *answers)
    )
    assert [one["anls"] for one in anls.examples] == pytest.approx([8 / 9, 1, 0, 1])
    assert anls.metrics == pytest.approx({"anls": 100 * (8 / 9 + 2) / 4, "accuracy": 50})
    relaxed = custom(folder, rows, metric="relaxed").score(
        said(custom(folder, rows, metric="relaxed"), "val", *answers)
    )
    assert [one["relaxed_accuracy"] for one in relaxed.examples] == [0, 1, 1, 1]
    assert relaxed.metrics == {"relaxed_accuracy": 75, "accuracy": 50}
    exact = custom(folder, rows, metric="exact")
    assert exact.score(said(exact, "val", *answers)).metrics == {"accuracy": 0}


WHOLE, HALF = "<loc0000><loc0000><loc1023><loc1023>", "<loc0000><loc0000><loc1023><loc0511>"


def written(folder: Path, *suffixes: str, **settings: Any) -> Custom:
    """Rows whose answers are these, in turn; the first two of them to validate by."""
    rows = plain()[: 2 * len(suffixes)]
    for n, row in enumerate(rows):
        row |= {"prefix": "detect cat", "suffix": suffixes[n % len(suffixes)], "id": str(n)}
        row |= {"split": "val" if n < 2 else "train"}
    return custom(folder, rows, **settings)


@pytest.mark.parametrize("settings", [{}, {"metric": "box_ap"}], ids=["chosen", "asked for"])
def test_boxes_in_answers_of_the_users_own_hand_are_scored_as_boxes(
    folder: Path, settings: dict[str, Any]
) -> None:
    task = written(folder, f"{WHOLE} cat", f"{HALF} cat;{WHOLE} dog", **settings)
    assert "answer: column suffix; metric: box_ap" in task.findings[1]
    assert ("(chosen: the answers are boxes)" in task.findings[1]) == (not settings)
    examples = task.examples("train")
    assert task.target(examples[1], Draw(0, "", 0)).suffix == f"{HALF} cat;{WHOLE} dog"
    right = task.score(said(task, "val", f"{WHOLE} cat", f"{WHOLE} dog ; {HALF} cat")).metrics
    assert (right["box_AP"], right["f1@0.5"]) == pytest.approx((100, 100))
    # 511 of 1023 steps are just less than half of what is meant.
    scores = task.score(said(task, "val", f"{HALF} cat", "a cat"))
    assert (scores.metrics["f1@0.5"], scores.metrics["invalid"]) == (0, 0)
    answer = said(task, "val", f"{HALF} cat", "")[0]
    assert [(one.kind, one.label, one.box) for one in task.outlines(answer)] == [
        ("truth", "cat", (0, 0, 1, 1)), ("answer", "cat", (0, 0, 1, 511 / 1023)),
    ]  # fmt: skip


def test_an_empty_answer_to_a_request_for_objects_says_that_there_is_none(folder: Path) -> None:
    """As Roboflow's data sets for PaliGemma have it."""
    task = written(folder, f"{WHOLE} cat", "")
    assert "metric: box_ap (chosen: the answers are boxes)" in task.findings[1]
    told = "2 rows ask for objects and have an empty answer: that there is none is learnt"
    assert task.findings[2] == f"note: {told}"
    nothing = task.examples("train")[1]
    assert task.target(nothing, Draw(0, "", 0)).suffix == ""
    assert task.score(said(task, "val", f"{WHOLE} cat", "")).metrics["f1@0.5"] == 100
    # One right of two that are answered, of one that is there: 2 * 1 / (2 + 1).
    scores = task.score(said(task, "val", f"{WHOLE} cat", f"{WHOLE} cat"))
    assert scores.metrics["f1@0.5"] == pytest.approx(200 / 3)
    with pytest.raises(ValueError, match=r"`suffix` is empty: give this row one"):
        custom(folder, [{"image": "0.jpg", "prefix": "caption en", "suffix": " "}])


def test_answers_some_of_which_are_boxes_are_compared_as_texts_and_that_is_said(
    folder: Path,
) -> None:
    task = written(folder, f"{WHOLE} cat", "none", f"{WHOLE[:-9]} dog")
    assert "metric: exact (chosen: answers are short)" in task.findings[1]
    assert task.findings[2] == (
        "note: 4 of 6 rows have <loc...> in answers; as not every row has one answer of boxes "
        "alone, '1' being the first, all are compared as texts. In data of their own, or in a "
        "mixture, boxes are scored as boxes"
    )
    assert task.score(said(task, "val", f"{WHOLE} cat", "no")).metrics == {"accuracy": 50}
    told = "answers that are boxes alone, <loc....> 4 times and a label.* answer of '1' is 'none'"
    with pytest.raises(ValueError, match=told):
        written(folder, f"{WHOLE} cat", "none", metric="box_ap")
    chosen = written(folder, f"{WHOLE} cat", "none", metric="exact")
    assert not any("<loc" in finding for finding in chosen.findings)


def test_masks_in_answers_of_the_users_own_hand_are_scored_by_their_boxes(folder: Path) -> None:
    task = written(folder, f"{WHOLE}{'<seg001>' * 16} cat", f"{HALF} cat")
    assert task.data.metric == "box_ap"
    assert task.findings[2] == (
        "note: 2 answers have masks (<seg...>), which are learnt; scored are boxes, as true masks "
        "need a column `masks`"
    )


def test_boxes_of_a_test_split_without_answers_are_only_answered(folder: Path) -> None:
    rows = plain(suffix=f"{WHOLE} cat", split="train")
    for row in rows[:3]:
        row["split"] = "test"
        del row["suffix"]
    task = custom(folder, [*rows, rows[5] | {"split": "val"}])
    assert task.data.metric == "box_ap"
    assert task.score(said(task, "test", *"abc")).metrics == {"answered": 3}


def test_a_test_split_without_answers_is_only_answered(folder: Path) -> None:
    rows = plain()
    for row in rows[:5]:
        row["split"] = "test"
        del row["suffix"]
    for row in rows[5:]:
        row["split"] = "train"
    task = custom(folder, rows)
    assert task.score(said(task, "test", *"abcde")).metrics == {"answered": 5}
    del rows[7]["suffix"]
    with pytest.raises(ValueError, match=r"my\.jsonl, line 8: `suffix` is missing"):
        custom(folder, rows)


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ({"suffix": " "}, "line 3: `suffix` is empty"),
        ({"suffix": {"a": 1}}, r"line 3: `suffix` is \{'a': 1\}, no text"),
        ({"prefix": None}, "line 3: `prefix` is missing"),
        ({"image": 7}, "line 3: the image is 7, not the name of a file"),
        ({"image": "https://example.org/1.jpg"}, "line 3: the image https.* is an address"),
    ],
)
def test_rows_that_cannot_be_are_named(folder: Path, row: dict, complaint: str) -> None:
    rows = plain()
    rows[2] |= row
    with pytest.raises(ValueError, match=rf"my\.jsonl, {complaint}"):
        custom(folder, rows)


def test_missing_images_are_counted(folder: Path) -> None:
    rows = plain()
    rows[2]["image"] = rows[5]["image"] = "sub/none.png"
    with pytest.raises(FileNotFoundError, match=r"1 of 19 images are missing; the first is .*none"):
        custom(folder, rows)
    (folder / "sub").mkdir()
    (folder / "2.png").rename(folder / "sub" / "none.png")
    assert len(custom(folder, rows).examples("train")) == 18
    (folder / "moved").mkdir()
    for path in folder.glob("*.png"):
        path.rename(folder / "moved" / path.name)
    assert custom(folder, plain()[3:5], images=folder / "moved").data.splits


def test_missing_images_may_be_left_to_be_found_out(folder: Path) -> None:
    rows = plain(split="train")
    rows[2]["image"] = "none.png"
    with missing_images_allowed() as missing:
        task = custom(folder, [*rows, rows[0] | {"split": "val"}])
    assert task.examples("train")[2].image == folder / "none.png"
    assert missing == []
    boxed = [row | {"boxes": [[1, 1, 9, 9]]} for row in rows]
    with missing_images_allowed() as missing:
        task = custom(
            folder, [*boxed, boxed[0] | {"split": "val"}], box_format="xyxy", metric="box_ap"
        )
    assert len(task.examples("train")) == COUNT - 1
    place = f"{folder}/my.jsonl, line 3"
    told = "their boxes or masks need the size of an image that is missing"
    assert f"note: 1 rows are left out: {told} ({place})" in task.findings
    assert missing == [
        f"{place}: no image file {folder}/none.png, whose size its boxes or masks need"
    ]


def test_real_captions(sample_data: Path) -> None:
    pytest.importorskip("pycocoevalcap")
    task = Custom(sample_data / "coco_captions_sample", metric="cider")
    examples = task.examples("validation")
    assert len(examples) == len(task.examples("train")) == 50
    assert min(len(one.suffixes) for one in examples) >= 5
    perfect = task.score(said(task, "val", *(one.suffixes[0] for one in examples)))
    wrong = task.score(said(task, "val", *("a zebra" for _ in examples)))
    assert perfect.metrics["CIDEr"] > 100 > 20 > wrong.metrics["CIDEr"]


def test_real_objects(sample_data: Path) -> None:
    folder = sample_data / "coco_captions_sample"
    with pytest.raises(ValueError, match="metric=cider to learn captions, metric=box_ap for boxes"):
        Custom(folder)
    task = Custom(folder, metric="box_ap")
    examples = task.examples("val")
    texts = [task.target(one, Draw(0, one.id, 0)).suffix for one in examples]
    scores = task.score(said(task, "val", *texts)).metrics
    # The tokens are exact to half a bin, which costs the smallest boxes their last thresholds.
    assert scores["box_AP"] > 85 and scores["box_AP50"] == pytest.approx(100)
    assert scores["invalid"] == 0
