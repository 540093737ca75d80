"""Valid files of every published format, for `fuzz.py` to spoil."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from pg_transfer.data.video_tasks import VideoTask
from pg_transfer.task import Draw, Task
from scripts.fuzz import JSON, Reader
from scripts.fuzz_own_data import as_lines, from_lines
from tasks.ai2d import AI2D
from tasks.aokvqa import MultipleChoice
from tasks.chartqa import ChartQA
from tasks.coco35l import COCO35L
from tasks.coco_captions import CocoCaptions
from tasks.gqa import GQA
from tasks.nlvr2 import NLVR2
from tasks.ocrvqa import OCRVQA
from tasks.refcoco import RefCOCO
from tasks.rico import Screen2Words, WidgetCaptions
from tasks.robust_reading import STVQA, InfoVQA
from tasks.rsvqa import LowResolution
from tasks.scicap import SciCap
from tasks.science_qa import ScienceQA
from tasks.tallyqa import TallyQA
from tasks.textcaps import TextCaps
from tasks.textvqa import TextVQA
from tasks.video_captions import MSRVTT, VATEX, ActivityNetCaptions
from tasks.video_questions import ActivityNetQuestions, MSRVTTQuestions, MSVDQuestions
from tasks.vizwizvqa import VizWizVQA
from tasks.vqav2 import VQAv2
from tests import data_sets


def task_reader(
    write: Callable[[Path], Path],
    file: str,
    build: Callable[[Path], Task],
    splits: tuple[str, ...],
    plain: Any = JSON,
) -> Reader:
    """Reads whole splits, and makes a target of each example."""

    def read(path: Path) -> None:
        root = next(parent for parent in path.parents if (parent / "root").exists())
        task = build(root)
        for split in splits:
            for example in task.examples(split):
                if example.suffixes or example.reference is not None:
                    task.target(example, Draw(0, example.id, 0))

    def prepare(folder: Path) -> Path:
        (folder / "root").touch()
        return write(folder) / file

    return Reader(prepare, read, plain)


class NoCodec:
    """Takes any mask for the same."""

    def encode(self, masks: np.ndarray) -> np.ndarray:
        return np.zeros((len(masks), 16), dtype=np.int64)

    def decode(self, codes: np.ndarray) -> np.ndarray:
        return np.zeros((len(codes), 64, 64), dtype=np.float32)


def refcoco(root: Path) -> Task:
    return RefCOCO(root, mask_codec=NoCodec())


def seen(kind: type[VideoTask]) -> Callable[[Path], Task]:
    return partial(kind, frames=4, stride=2)


def rotations(folder: Path) -> Path:
    data_sets.textvqa(folder)
    rows = [f"{part}{place:02d},train,90.0" for part in ("train", "val") for place in range(4)]
    table = folder / "train-images-boxable-with-rotation.csv"
    table.write_text("ImageID,Subset,Rotation\n" + "\n".join(rows) + "\n")
    return folder


def official_captions(folder: Path) -> Path:
    data_sets.coco(folder)
    (folder / "dataset_coco.json").unlink()
    for part in ("train", "val"):
        images = [{"id": 0, "file_name": "COCO_val2014_000000000000.jpg", "height": 40}]
        captions = [{"image_id": 0, "id": number, "caption": "A dog."} for number in range(2)]
        content = {"images": images, "annotations": captions}
        data_sets.write_json(folder / f"captions_{part}2014.json", content)
    return folder


TASKS = {
    "textvqa": task_reader(
        data_sets.textvqa, "TextVQA_0.5.1_train.json", TextVQA, ("train",)
    ),
    "rotations": task_reader(
        rotations, "train-images-boxable-with-rotation.csv", TextVQA, ("train",), None
    ),
    "karpathy": task_reader(
        data_sets.coco, "dataset_coco.json", CocoCaptions, ("train+restval", "val")
    ),
    "captions": task_reader(official_captions, "captions_train2014.json", CocoCaptions, ("train",)),
    "nocaps": task_reader(
        data_sets.coco, "nocaps/nocaps_val_4500_captions.json", CocoCaptions, ("nocaps/val",)
    ),
    "translations": task_reader(
        data_sets.coco35l, "coco_mt_dev.jsonl", COCO35L, ("dev",), (from_lines, as_lines)
    ),
    "xm3600": task_reader(
        data_sets.coco35l, "xm3600/captions.jsonl", COCO35L, ("xm3600/test",),
        (from_lines, as_lines),
    ),
    "textcaps": task_reader(data_sets.textcaps, "TextCaps_0.1_val.json", TextCaps, ("val",)),
    "figures": task_reader(
        data_sets.scicap,
        "List-of-Files-for-Each-Experiments/First-Sentence/No-Subfig/val/file_idx.json",
        SciCap, ("val",),
    ),
    "figure": task_reader(
        data_sets.scicap, "SciCap-Caption-All/val/1001.0000v1-Figure1-1.json", SciCap, ("val",)
    ),
    "screens": task_reader(
        data_sets.screens, "split/dev_screens.txt", Screen2Words, ("dev",), None
    ),
    "widgets": task_reader(
        data_sets.screens, "widget_captions.csv", WidgetCaptions, ("dev",), None
    ),
    "view": task_reader(data_sets.screens, "combined/10.json", WidgetCaptions, ("dev",)),
    "rsvqa_questions": task_reader(
        data_sets.rsvqa_lr, "LR_split_val_questions.json",
        partial(LowResolution, numeric=True), ("val",),
    ),
    "rsvqa_answers": task_reader(
        data_sets.rsvqa_lr, "LR_split_val_answers.json",
        partial(LowResolution, numeric=True), ("val",),
    ),
    "gqa": task_reader(
        data_sets.gqa, "testdev_balanced_questions.json", GQA, ("testdev_balanced",)
    ),
    "tallyqa": task_reader(data_sets.tallyqa, "test.json", TallyQA, ("test",)),
    "vizwizvqa": task_reader(
        data_sets.vizwizvqa, "annotations/train.json", VizWizVQA, ("train",)
    ),
    "ocrvqa": task_reader(data_sets.ocrvqa, "dataset.json", OCRVQA, ("train", "val", "test")),
    "vqa_questions": task_reader(
        data_sets.vqav2, "v2_OpenEnded_mscoco_val2014_questions.json", VQAv2, ("val",)
    ),
    "vqa_annotations": task_reader(
        data_sets.vqav2, "v2_mscoco_val2014_annotations.json", VQAv2, ("val",)
    ),
    "pope": task_reader(
        data_sets.vqav2, "pope/coco_pope_random.json", VQAv2, ("pope/random",),
        (from_lines, as_lines),
    ),
    "aokvqa": task_reader(
        data_sets.aokvqa, "aokvqa_v1p0_val.json", MultipleChoice, ("val",)
    ),
    "problems": task_reader(data_sets.science_qa, "problems.json", ScienceQA, ("train", "val")),
    "diagrams": task_reader(data_sets.ai2d, "questions/3.png.json", AI2D, ("test",)),
    "labels": task_reader(data_sets.ai2d, "annotations/3.png.json", AI2D, ("test",)),
    "sentences": task_reader(
        data_sets.nlvr2, "dev.json", NLVR2, ("dev",), (from_lines, as_lines)
    ),
    "robust_reading": task_reader(
        data_sets.infovqa, "infographicsVQA_val_v1.0_withQT.json", InfoVQA, ("val",)
    ),
    "image_paths": task_reader(data_sets.stvqa, "train_task_3.json", STVQA, ("train", "val")),
    "chartqa": task_reader(data_sets.chartqa, "val/val_human.json", ChartQA, ("val",)),
    "msrvtt": task_reader(data_sets.msrvtt, "test_videodatainfo.json", seen(MSRVTT), ("test",)),
    "msrvtt_qa": task_reader(data_sets.msrvtt, "val_qa.json", seen(MSRVTTQuestions), ("val",)),
    "vatex": task_reader(data_sets.vatex, "vatex_validation_v1.0.json", seen(VATEX), ("val",)),
    "segments": task_reader(
        data_sets.activitynet, "val_2.json", seen(ActivityNetCaptions), ("test",)
    ),
    "video_questions": task_reader(
        data_sets.activitynet, "val_q.json", seen(ActivityNetQuestions), ("val",)
    ),
    "video_answers": task_reader(
        data_sets.activitynet, "val_a.json", seen(ActivityNetQuestions), ("val",)
    ),
    "clips": task_reader(
        data_sets.msvd, "youtube_mapping.txt", seen(MSVDQuestions), ("val",), None
    ),
    "refs": task_reader(
        data_sets.refcoco, "refcoco/refs(unc).p", refcoco, ("train", "refcoco/val"),
        (pickle.loads, partial(pickle.dumps, protocol=2)),
    ),
    "instances": task_reader(
        data_sets.refcoco, "refcoco/instances.json", refcoco, ("refcoco/val", "refcoco/train")
    ),
}  # fmt: skip
