"""A folder in which the documentation's commands work as they are written, at a small size."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from types import ModuleType

from PIL import Image

from tests import data_sets
from tests.documented.blocks import ROOT, Command, blocks
from tests.documented.ways import train
from tests.faults.commands import call

SHAPES = "runs/shapes-84/2026-11-23_12-00-00"
REFCOCO = "runs/refcoco-448/2026-11-23_12-00-00"
MIXTURE = "runs/mixture-448/2026-11-23_12-00-00"
MIXED = "'mixture={textvqa: 2, coco_captions: 1, refcoco: 1}'"
IMAGES = ("photo.jpg", "a.jpg", "b.jpg", "photos/1.jpg", "photos/2.jpg", "photos/000.png",
          "photos/002.png", "photos/005.png", "more/deep/9.png")  # fmt: skip


def make(folder: Path) -> None:
    """Everything that commands in the documentation name: data, photographs, runs, weights."""
    _data(folder)
    own_task(folder)
    _photographs(folder)
    _runs(folder)


def _data(folder: Path) -> None:
    data = folder / "data"
    for name in ("coco", "rsvqa_lr", "rsvqa_hr", "refcoco", "chartqa", "msrvtt", "activitynet"):
        getattr(data_sets, name)(data / name)
    data_sets.textvqa(data / "textvqa", examples=1)
    shutil.copytree(data / "refcoco", folder / "sample")
    shutil.copy(data / "textvqa" / "TextVQA_0.5.1_val.json", folder)
    asked = json.loads((folder / "TextVQA_0.5.1_val.json").read_text())["data"]
    rows = [{"question_id": one["question_id"], "answer": "two"} for one in asked]
    data_sets.write_json(folder / "answers.json", rows)
    said = [{"image_id": 1, "id": 1, "caption": "A dog."}, {"image_id": 1, "id": 2, "caption": "A"}]
    content = {"images": [{"id": 1}], "annotations": said}
    data_sets.write_json(folder / "captions_val2014.json", content)
    data_sets.write_json(folder / "results.json", [{"image_id": 1, "caption": "A dog."}])

    mine = data / "mine"
    rows = [{"id": one, "image": "1.jpg", "question": "how many?", "answer": "2"} for one in (1, 2)]
    for split in ("train", "val"):
        data_sets.write_json(mine / f"{split}.json", {"questions": rows})
    data_sets.write_image(mine / "1.jpg")


def own_task(folder: Path) -> None:
    """The task of docs/adding_a_task.md: its class importable, its settings in `folder/conf`."""
    code, settings = (
        next(one.text for one in blocks(ROOT / "docs/adding_a_task.md") if one.language == language)
        for language in ("python", "yaml")
    )
    module = ModuleType("tasks.mine")
    exec(compile(code, "docs/adding_a_task.md", "exec"), module.__dict__)
    sys.modules["tasks.mine"] = module
    (folder / "conf/task").mkdir(parents=True)
    (folder / "conf/task/mine.yaml").write_text(settings, encoding="utf-8")


def _photographs(folder: Path) -> None:
    for number, name in enumerate(IMAGES):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (60, 40), (20 * number, 90, 120)).save(folder / name)
    rows = [{"image": name[7:], "prompt": "the small red circle"} for name in IMAGES[5:8]]
    _write_rows(folder / "photos/rows.jsonl", rows)
    own = [
        {"image": f"photos/own{place}.jpg", "prefix": "caption en", "suffixes": ["A man.", "One."]}
        for place in range(10)
    ]
    for place, row in enumerate(own):
        Image.new("RGB", (50, 30), (20 * place, 0, 90)).save(folder / str(row["image"]))
    _write_rows(folder / "my.jsonl", own)
    _write_rows(folder / "new.jsonl", own[:2])
    clips = [{"video": f"clips/{n}.mp4", "prefix": "what?", "suffix": "a"} for n in range(4)]
    for row in clips:
        data_sets.write_video(folder / row["video"], frames=9)
    _write_rows(folder / "clips.jsonl", clips)
    named = [{"img": Path(str(row["image"])).name, "texts": ["A man."]} for row in own]
    data_sets.write_json(folder / "owner/name/rows.json", named)
    for row in named:
        (folder / "owner/name" / str(row["img"])).symlink_to(folder / "photos" / str(row["img"]))
    cells = [f"{row['image']},cats,{place},pieces" for place, row in enumerate(own)]
    (folder / "my.csv").write_text("\n".join(["image,kind,amount,unit", *cells]), encoding="utf-8")
    boxes = ["filename,class,xmin,ymin,xmax,ymax"]
    boxes += [f"{name}.jpg,cat,{n},0,30,20" for name in "ab" for n in range(2)]
    (folder / "boxes.csv").write_text("\n".join(boxes), encoding="utf-8")


def _write_rows(path: Path, rows: list[dict]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def _runs(folder: Path) -> None:
    """Runs under the names that the documentation uses, and the first one's weights as those of
    the hub. `...` stands there for a run that was named before, and is a link to one here."""
    for task, run in (
        ("task=shapes", SHAPES), ("task=refcoco resolution=448", REFCOCO),
        (f"task=mixture {MIXED}", MIXTURE),
    ):  # fmt: skip
        ended = train(Command("", 0, f"python train.py {task} run={run}"), folder)
        assert ended.code == 0, ended.error
    for name in ("A", "B"):
        (folder / "runs" / name).symlink_to(folder / SHAPES)
    (folder / "...").symlink_to(folder / REFCOCO)
    (folder / "runs/...").symlink_to(folder / REFCOCO)
    for run, split, step in ((SHAPES, "val", 894), (REFCOCO, "refcoco-val", 9531)):
        saved = next((folder / run / "answers").glob(f"{split}-step*.jsonl"))
        shutil.copy(saved, saved.with_name(f"{split}-step{step:06d}.jsonl"))
    mixed = "google/paligemma-3b-mix-448"
    ended = call("src/pg_transfer/export.py", [SHAPES, "--to", mixed, "--format", "huggingface"],
                 folder)  # fmt: skip
    assert ended.code == 0, ended.error
    shutil.copytree(folder / mixed, folder / "exported")
