"""The table of published results: spot checks against the README, and names that tasks know."""

from __future__ import annotations

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from pg_transfer.model.config import SIZES
from pg_transfer.published import COMMIT, MODEL, RESULTS, SOURCE, published
from pg_transfer.settings import register_resolvers

CONF = Path(__file__).parents[1] / "conf"
LAUNCH = ("coco_captions", "refcoco", "rsvqa_hr", "rsvqa_lr", "textvqa")


# big_vision configs/proj/paligemma/README.md at 0127fb6
@pytest.mark.parametrize(
    ("task", "split", "metric", "values"),
    [
        ("coco_captions", "val", "CIDEr", (141.92, 144.60, None)),
        ("coco_captions", "nocaps/val", "CIDEr", (121.72, 123.58, None)),
        ("coco_35l", "xm3600/test", "CIDEr/avg", (42.4, 42.9, None)),
        ("scicap", "test", "Bleu_4", (19.2, 21.1, None)),
        ("vqav2", "pope/adversarial", "accuracy", (84.27, 85.90, None)),
        ("textvqa", "test", "accuracy", (55.47, 73.15, 76.48)),
        ("stvqa", "test", "ANLS", (63.29, 81.82, 84.40)),
        ("ocrvqa", "test", "accuracy", (73.24, 75.60, 75.90)),
        ("tallyqa", "test", "accuracy/complex", (69.56, 72.27, None)),
        ("rsvqa_lr", "test", "accuracy_average", (92.65, 93.11, None)),
        ("rsvqa_hr", "test", "accuracy_average", (92.61, 92.79, None)),
        ("rsvqa_hr", "test_phili", "accuracy_average", (90.58, 90.54, None)),
        ("refcoco", "refcoco/val", "mIoU", (73.40, 75.57, 76.94)),
        ("refcoco", "refcoco+/val", "mIoU", (68.32, 69.76, 72.18)),
        ("refcoco", "refcocog/val", "mIoU", (67.65, 70.17, 72.22)),
        ("msvd_qa", "test", "accuracy", (60.22, None, None)),
    ],
)
def test_values(task: str, split: str, metric: str, values: tuple[float | None, ...]) -> None:
    found = (
        published(task, model=MODEL, resolution=resolution).get(split, {}).get(metric)
        for resolution in (224, 448, 896)
    )
    assert tuple(found) == values


def test_the_table_is_whole() -> None:
    # Captioning 26 numbers, question answering 59, segmentation 9, video 6, the mix model 8.
    assert sum(len(result.values) for result in RESULTS) == 108
    keys = [(result.task, result.split, result.metric) for result in RESULTS]
    assert len(set(keys)) == len(keys)
    assert COMMIT in SOURCE and MODEL in SIZES


@pytest.mark.parametrize(
    ("task", "model", "resolution"),
    [
        ("shapes", MODEL, 224),
        ("refcoco", "tiny", 448),
        ("refcoco", "paligemma2_3b", 448),
        ("refcoco", MODEL, 336),
        ("coco_captions", MODEL, 896),
    ],
)
def test_nothing_stands_beside_what_was_not_published(task, model, resolution) -> None:
    assert published(task, model=model, resolution=resolution) == {}


@pytest.mark.parametrize("task", LAUNCH)
def test_tasks_report_the_splits_that_were_published(task: str) -> None:
    register_resolvers()
    with initialize_config_dir(str(CONF), version_base=None):
        config = compose("train", overrides=["run=runs/test", f"task={task}"])
    reported = {*config.splits.report, *(config.splits.get("optional") or ())}
    for resolution in config.recipes:
        known = published(task, model=config.model.size, resolution=resolution)
        assert known and known.keys() <= reported
