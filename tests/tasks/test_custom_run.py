"""Own data from the command line: trained on, scored, and scored on other data."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from PIL import Image

from tests.faults.commands import call, output_of

pytestmark = pytest.mark.filterwarnings("ignore")  # a user may see them, and read on


@pytest.mark.slow
def test_boxes_are_learnt_and_scored(tmp_path: Path) -> None:
    rows = []
    for number in range(8):
        Image.new("RGB", (40, 20), (30 * number, 0, 100)).save(tmp_path / f"{number}.png")
        rows.append(
            {"img": f"{number}.png", "boxes": [[10, 5, 20, 10]], "labels": ["cat"]}
        )  # fmt: skip
    (tmp_path / "my.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "new.jsonl").write_text("\n".join(map(json.dumps, rows[:3])))
    told = output_of(
        "train.py", "task=custom", "data=my.jsonl", "columns={image: img}", "box_format=xywh",
        "holdout=25", "model=tiny", "resolution=28", "trainer=cpu", "workers=0", "run=first",
        "recipe.batch_size=6", "micro_batch=6", "recipe.epochs=120", "recipe.lr=3e-3",
        "recipe.text_length=16", "recipe.beta2=0.98", "validations=1",
        folder=tmp_path,
    )  # fmt: skip
    assert "6 train, 2 validation" in told and "metric: box_ap (chosen" in told
    report = json.loads((tmp_path / "first" / "report.json").read_text())
    assert "box_AP" in json.dumps(report)
    answers = next((tmp_path / "first" / "answers").glob("validation-*.jsonl")).read_text()
    prompts = {json.loads(line)["prompt"] for line in answers.splitlines()}
    assert prompts == {"detect cat"}

    words = ["run=first", "root={test: new.jsonl}", "split=test"]
    again = output_of("evaluate.py", *words, folder=tmp_path)
    assert "3 test" in again and "it is not known which of these images" in again
    assert "the run has learnt to answer" not in again
    # The same box in every image is soon known by heart: one of one, three times.
    assert re.search(r"f1@0\.5 +│ +100\.00", again), again
    (tmp_path / "new.jsonl").write_text(json.dumps(rows[0] | {"labels": ["dog"]}))
    again = output_of("evaluate.py", *words, folder=tmp_path)
    assert "asked is 'detect dog', and the run has learnt to answer 'detect cat'" in again


def test_what_cannot_be_is_one_line(tmp_path: Path) -> None:
    done = call("train.py", ["task=custom"], tmp_path)
    assert done.code == 1
    assert "error: task=custom needs data=..." in done.error
    assert "Traceback" not in done.error and not done.out


@pytest.mark.slow
def test_a_model_of_pairs_is_asked_about_pairs(tmp_path: Path) -> None:
    for number in range(4):
        Image.new("RGB", (20, 20), (60 * number, 0, 100)).save(tmp_path / f"{number}.png")
    pairs = [
        {"images": [f"{one}.png", f"{other}.png"], "prefix": "redder?", "suffix": "second"}
        for one, other in ((0, 1), (1, 2), (2, 3), (0, 3))
    ]
    (tmp_path / "my.jsonl").write_text("\n".join(map(json.dumps, pairs)))
    words = [
        "task=custom", "data=my.jsonl", "holdout=25", "model=tiny", "resolution=28", "trainer=cpu",
        "workers=0", "run=pairs", "recipe.batch_size=3", "micro_batch=3", "recipe.epochs=2",
        "recipe.text_length=16", "validations=1", "page=0", "pictured=0",
    ]  # fmt: skip
    for _ in range(2):  # it goes on as well
        output_of("train.py", *words, folder=tmp_path)
    asked = ["pairs", "--prompt", "redder?", "--images", "0.png"]
    done = call("-m pg_transfer.predict", asked, tmp_path)
    assert (done.code, done.message) == (
        1, "0.png: a prompt about an image, and the model has learnt from 2 at a time: show it as "
        "many (--together of predict, rows with `images`, a list in the list from Python)",
    )  # fmt: skip
    output_of("-m pg_transfer.predict", *asked, "1.png", "--together", folder=tmp_path)
