"""What the paper's authors report: every number of big_vision's PaliGemma README, in one table.

Source: big_vision configs/proj/paligemma/README.md at commit 0127fb6. All are PaliGemma 1, one run
each, without a spread. What is local here are the names of tasks, splits and metrics, and the unit:
all in percent (the README has SciCap's BLEU-4 as 0.192 and 0.211).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

COMMIT = "0127fb6"
SOURCE = (
    f"https://github.com/google-research/big_vision/blob/{COMMIT}/"
    "big_vision/configs/proj/paligemma/README.md"
)
MODEL = "paligemma_3b"
"""The size, a key of `model.config.SIZES`, that all numbers are of."""


class Result(NamedTuple):
    """A row of the table.

    Attributes:
        task: the benchmark; where there is a `conf/task/` for it, its name.
        split: what was scored, named as the task names it.
        metric: named as the task names it.
        values: by resolution.
        note: what it was trained on, and other circumstances.
    """

    task: str
    split: str
    metric: str
    values: Mapping[int, float]
    note: str


def _at(*values: float) -> dict[int, float]:
    """Values at 224, 448 and 896 px, as far as there are any."""
    return dict(zip((224, 448, 896), values, strict=False))


COCO, COCO_35L = "COCO captions train+restval", "COCO-35L train"
VQAV2, GQA = "VQAv2 train+validation", "GQA train_balanced+val_balanced"
NLVR2, REFCOCO = "NLVR2 train+dev", "combined train without val and test images"
BOTH = "train+val"
SERVER = "train+val; test server"

RESULTS = (
    # Captioning
    Result("coco_captions", "val", "CIDEr", _at(141.92, 144.60), COCO),
    Result("coco_captions", "nocaps/val", "CIDEr", _at(121.72, 123.58), COCO),
    Result("coco35l", "dev", "CIDEr_en", _at(139.2, 141.2), COCO_35L),
    Result("coco35l", "dev", "CIDEr_average_34", _at(115.8, 118.0), COCO_35L),
    Result("coco35l", "dev", "CIDEr_average", _at(116.4, 118.6), COCO_35L),
    Result("coco35l", "xm3600/test", "CIDEr_en", _at(78.1, 80.0), COCO_35L),
    Result("coco35l", "xm3600/test", "CIDEr_average_35", _at(41.3, 41.9), COCO_35L),
    Result("coco35l", "xm3600/test", "CIDEr_average", _at(42.4, 42.9), COCO_35L),
    Result("textcaps", "val", "CIDEr", _at(127.48, 153.94), "train"),
    Result("scicap", "test", "CIDEr", _at(162.25, 181.49), "train+val; first sentence, no subfig."),
    Result("scicap", "test", "Bleu_4", _at(19.2, 21.1), "train+val; first sentence, no subfig."),
    Result("screen2words", "test", "CIDEr", _at(117.57, 119.59), "train+dev"),
    Result("widgetcap", "test", "CIDEr", _at(136.07, 148.36), "train+dev"),
    # Question answering
    Result("vqav2", "test", "accuracy", _at(83.19, 85.64), f"{VQAV2}; test server, std"),
    Result("vqav2", "mmvp", "paired_accuracy", _at(47.33, 45.33), VQAV2),
    Result("vqav2", "pope/random", "accuracy", _at(87.80, 88.23), VQAV2),
    Result("vqav2", "pope/popular", "accuracy", _at(85.87, 86.77), VQAV2),
    Result("vqav2", "pope/adversarial", "accuracy", _at(84.27, 85.90), VQAV2),
    Result("vqav2", "objaverse_multiview", "cosine_similarity", _at(62.7, 62.8), f"{VQAV2}; USEv4"),
    Result("okvqa", "val", "accuracy", _at(63.54, 63.15), "train"),
    Result("aokvqa_mc", "test", "accuracy", _at(76.37, 76.90), SERVER),
    Result("aokvqa_da", "test", "accuracy", _at(61.85, 63.22), SERVER),
    Result("gqa", "testdev_balanced", "accuracy", _at(65.61, 67.03), GQA),
    Result("gqa", "xgqa", "accuracy_average", _at(58.37, 59.07),
           f"{GQA}; mean bn,de,en,id,ko,pt,ru,zh"),
    Result("nlvr2", "test", "accuracy", _at(90.02, 88.93), NLVR2),
    Result("nlvr2", "marvl/test", "accuracy_average", _at(80.57, 76.78),
           f"{NLVR2}; mean id,sw,ta,tr,zh"),
    Result("ai2d", "test", "accuracy", _at(72.12, 73.28), "train"),
    Result("science_qa", "test", "accuracy", _at(95.39, 95.93), "train+val; with images, no CoT"),
    Result("rsvqa_lr", "test", "accuracy_average", _at(92.65, 93.11), "train+val; non-numeric"),
    Result("rsvqa_hr", "test", "accuracy_average", _at(92.61, 92.79), "train+val; non-numeric"),
    Result("rsvqa_hr", "test_phili", "accuracy_average", _at(90.58, 90.54),
           "train+val; non-numeric; there called test2"),
    Result("chartqa", "test", "relaxed_accuracy", _at(57.08, 71.36),
           "(human+augmented) x (train+val); mean of both tests"),
    Result("vizwizvqa", "test", "accuracy", _at(73.7, 75.52), f"{SERVER}, std"),
    Result("tallyqa", "test", "accuracy_simple", _at(81.72, 84.86), "train"),
    Result("tallyqa", "test", "accuracy_complex", _at(69.56, 72.27), "train"),
    Result("ocrvqa", "test", "accuracy", _at(73.24, 75.60, 75.90), "train+val; lower case"),
    Result("textvqa", "test", "accuracy", _at(55.47, 73.15, 76.48), f"{SERVER}, std"),
    Result("docvqa", "test", "ANLS", _at(43.74, 78.02, 84.77), SERVER),
    Result("infovqa", "test", "ANLS", _at(28.46, 40.47, 47.75), SERVER),
    Result("stvqa", "test", "ANLS", _at(63.29, 81.82, 84.40), SERVER),
    # Segmentation
    Result("refcoco", "refcoco/val", "mIoU", _at(73.40, 75.57, 76.94), REFCOCO),
    Result("refcoco", "refcoco+/val", "mIoU", _at(68.32, 69.76, 72.18), REFCOCO),
    Result("refcoco", "refcocog/val", "mIoU", _at(67.65, 70.17, 72.22), REFCOCO),
    # Video
    Result("msrvtt_cap", "test", "CIDEr", _at(70.54), BOTH),
    Result("msrvtt_qa", "test", "accuracy", _at(50.09), BOTH),
    Result("activitynet_cap", "test", "CIDEr", _at(34.62), BOTH),
    Result("activitynet_qa", "test", "accuracy", _at(50.78), BOTH),
    Result("vatex_cap", "test", "CIDEr", _at(79.73), BOTH),
    Result("msvd_qa", "test", "accuracy", _at(60.22), BOTH),
    # The mix model, fine-tuned on all tasks together: no transfer
    Result("mix", "mmvp", "paired_accuracy", _at(46.00, 45.33), "mix"),
    Result("mix", "pope/random", "accuracy", _at(88.00, 89.37), "mix"),
    Result("mix", "pope/popular", "accuracy", _at(86.63, 88.40), "mix"),
    Result("mix", "pope/adversarial", "accuracy", _at(85.67, 87.47), "mix"),
)  # fmt: skip


def published(task: str | None, *, model: str, resolution: int) -> dict[str, dict[str, float]]:
    """For a task as `conf/task/` names it, the published metrics of each split.

    Nothing for another model than `MODEL`, and for tasks and resolutions that were not reported.
    """
    found: dict[str, dict[str, float]] = {}
    for result in RESULTS:
        if result.task == task and model == MODEL and resolution in result.values:
            found.setdefault(result.split, {})[result.metric] = result.values[resolution]
    return found
