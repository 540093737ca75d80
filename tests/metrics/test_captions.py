"""Caption scores against the official evaluation (COCOEvalCap), live and recorded."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocoevalcap import eval as official
from pycocotools.coco import COCO

from pg_transfer.metrics import captions
from pg_transfer.metrics.captions import METRICS, main, official_scores, score_captions

REFERENCES = {
    42: ["A man rides a wave on a surfboard.", "A surfer (in black) isn't falling\n", "Surf's up!"],
    7: ["Two dogs, running; one barks... ", 'A "dog" and another dog run', "Dogs, cats, etc."],
    30: ["A red double-decker bus", "The bus is red. It's old."],
    5: ["A plate of food", "Some food on a plate", "Lunch", "A plate with rice", "food, rice"],
}
RESULTS = {
    42: "A man riding a wave on top of a surfboard.",
    7: "two dogs run ",
    30: "The bus isn't blue",
    5: "",
}
# What COCOEvalCap says, with METEOR 1.5 and OpenJDK 17; the images in the order 42, 7, 30, 5.
OFFICIAL: dict[str, float] = {}
NO_JAVA = {
    name: "it needs Java, and there is no `java` on this machine" for name in ("METEOR", "SPICE")
}


@pytest.fixture
def no_java(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """References and results as official files."""
    paths = tmp_path / "captions_val2014.json", tmp_path / "results.json"
    images = [{"id": image, "file_name": f"{image}.jpg"} for image in REFERENCES]
    annotations = [
        {"image_id": image, "id": 10 * image + place, "caption": texts[place]}
        for place in range(5)
        for image, texts in reversed(REFERENCES.items())
        if place < len(texts)
    ]
    results = [{"image_id": image, "caption": text} for image, text in RESULTS.items()]
    paths[0].write_text(json.dumps({"images": images, "annotations": annotations}))
    paths[1].write_text(json.dumps(results[::-1]))
    return paths


def run(*arguments: Any) -> None:
    main([str(argument) for argument in arguments])


def test_equals_what_was_recorded(no_java: None) -> None:
    scores = official_scores(list(RESULTS.values()), list(REFERENCES.values()))
    assert scores.left_out == NO_JAVA
    assert scores.metrics == {name: OFFICIAL[name] for name in METRICS if name not in NO_JAVA}


@pytest.mark.parametrize(
    "meteor", [pytest.param(True, marks=pytest.mark.slow), False], ids=["meteor", "no meteor"]
)
def test_equals_the_official_evaluation(
    files: tuple[Path, Path], meteor: bool, capsys: pytest.CaptureFixture, monkeypatch: Any
) -> None:
    if shutil.which("java") is None:
        pytest.skip("no Java")
    for name in ("Spice",) if meteor else ("Spice", "Meteor"):
        monkeypatch.setattr(official, name, Silent)
    coco = COCO(str(files[0]))
    evaluation = official.COCOEvalCap(coco, coco.loadRes(str(files[1])))
    evaluation.evaluate()
    capsys.readouterr()
    if not meteor:
        monkeypatch.setattr(shutil, "which", lambda _: None)
    run("--references", files[0], "--results", files[1])
    ours = json.loads(capsys.readouterr().out)
    left_out = ours.pop("left_out")
    assert ours == {name: evaluation.eval[name] for name in METRICS if name not in left_out}
    assert list(left_out) == (["SPICE"] if meteor else ["METEOR", "SPICE"])
    for image, singles in zip(
        REFERENCES,
        official_scores(list(RESULTS.values()), list(REFERENCES.values()), BLEU_AND_CIDER).examples,
        strict=True,
    ):
        assert singles == {name: evaluation.imgToEval[image][name] for name in BLEU_AND_CIDER}


BLEU_AND_CIDER = ("Bleu_1", "Bleu_2", "Bleu_3", "Bleu_4", "CIDEr")


class Silent:
    """In the place of a scorer that is not asked."""

    def method(self) -> str:
        return "silence"

    def compute_score(self, gts: dict, res: dict) -> tuple[float, list[float]]:
        return 0.0, [0.0] * len(gts)
