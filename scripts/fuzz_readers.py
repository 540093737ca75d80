"""What `fuzz.py` feeds: for each reader the valid files to begin with, and how they are read."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from PIL import Image

from pg_transfer.data.images import open_image
from pg_transfer.data.safe_pickle import read_pickle
from pg_transfer.data.splits import select
from pg_transfer.model.checkpoint import load_weights
from pg_transfer.model.checkpoint.big_vision import write_big_vision
from pg_transfer.model.checkpoint.describe import describe
from pg_transfer.model.checkpoint.hugging_face import write_hugging_face
from pg_transfer.reporting.answers import read_answers
from pg_transfer.segmentation.codec import load_codec
from pg_transfer.segmentation.instances import read_instances
from pg_transfer.sources.run_settings import read_run_settings
from pg_transfer.task import Draw, Example, Task, pieces_of
from pg_transfer.text.locations import box_to_text, read_box_and_codes
from pg_transfer.text.tokenizer import BUILTIN, load_tokenizer
from scripts.fuzz import JSON, Reader
from scripts.fuzz_checkpoints import CHECKPOINTS, empty_model, filled_model, tiny
from scripts.fuzz_own_data import OWN_DATA, as_lines, from_lines
from tasks.ai2d import AI2D
from tasks.aokvqa import MultipleChoice
from tasks.chartqa import ChartQA
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


def npz(folder: Path) -> Path:
    path = folder / "weights.npz"
    write_big_vision(dict(filled_model().named_parameters()), tiny(), path, torch.float32)
    return path


def hugging_face(folder: Path) -> Path:
    write_hugging_face(dict(filled_model().named_parameters()), folder, torch.float32)
    content = {
        "model_type": "paligemma", "image_token_index": 64,
        "vision_config": {"hidden_size": 8, "num_attention_heads": 2, "num_hidden_layers": 1,
                          "intermediate_size": 8, "patch_size": 14, "image_size": 28},
        "text_config": {"model_type": "gemma", "hidden_size": 8, "num_attention_heads": 2,
                        "num_key_value_heads": 1, "head_dim": 4, "num_hidden_layers": 1,
                        "intermediate_size": 8, "final_logit_softcapping": None},
    }  # fmt: skip
    data_sets.write_json(folder / "config.json", content)
    return folder / "model.safetensors"


def sharded(folder: Path) -> Path:
    """In several files, with an index."""
    hugging_face(folder).unlink()
    write_hugging_face(
        dict(filled_model().named_parameters()), folder, torch.float32, shard_bytes=20_000
    )
    return folder / "model.safetensors.index.json"


def read_model(path: Path) -> None:
    source = path if path.suffix == ".npz" else path.parent
    load_weights(empty_model(), source)
    describe(source)


def codec(folder: Path) -> Path:
    from pg_transfer.segmentation.codec import MaskNetwork

    arrays = {name: value.numpy() for name, value in MaskNetwork().state_dict().items()}
    path = folder / "codec.npz"
    np.savez_compressed(path, **{name: np.zeros_like(array) for name, array in arrays.items()})
    return path


def tokenizer_model(folder: Path) -> Path:
    path = folder / "tokenizer.model"
    path.write_bytes(BUILTIN.read_bytes())
    return path


def tokenizer_json(folder: Path) -> Path:
    pieces = [
        "<pad>",
        "<eos>",
        "<bos>",
        "<unk>",
        *(f"<0x{n:02X}>" for n in range(256)),
        "\n",
        "▁",
        "a",
    ]
    content = {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": [],
        "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
        "pre_tokenizer": None, "post_processor": None,
        "decoder": {"type": "ByteFallback"},
        "model": {
            "type": "BPE", "dropout": None, "unk_token": "<unk>", "fuse_unk": True,
            "byte_fallback": True, "vocab": {piece: n for n, piece in enumerate(pieces)},
            "merges": [],
        },
    }  # fmt: skip
    return data_sets.write_json(folder / "tokenizer.json", content)


SETTINGS = {
    "task": {"_target_": "tasks.textvqa.TextVQA", "root": "data"},
    "trainer": {"_target_": "lightning.pytorch.Trainer", "devices": 1},
    "recipe": {"lr": 1e-5, "epochs": 5}, "splits": {"report": ["val"]}, "resolution": 224,
}  # fmt: skip


def run_settings(folder: Path) -> Path:
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(SETTINGS))
    return path


def as_yaml(content: Any) -> bytes:
    return yaml.safe_dump(content, allow_unicode=True).encode("utf-8", "surrogatepass")


EXAMPLES = [Example(str(number), Path("a.jpg")) for number in range(3)]


def answers(folder: Path) -> Path:
    rows = [{"id": str(number), "answer": "two", "pieces": ["two"]} for number in range(3)]
    path = folder / "answers.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def image(folder: Path, *, kind: str) -> Path:
    data_sets.write_image(folder / "first.png")
    path = folder / f"image.{kind}"
    with Image.open(folder / "first.png") as picture:
        picture.save(path)
    return path


def a_text(folder: Path, *, text: str) -> Path:
    path = folder / "text"
    path.write_text(text)
    return path


def read_locations(path: Path) -> None:
    """Whatever a model says is an answer: these may not even refuse."""
    text = path.read_text(encoding="utf-8", errors="replace")
    try:
        read_box_and_codes(pieces_of(text))
        read_instances(text)
    except ValueError as error:
        raise AssertionError(f"an answer was refused: {error}") from error


def read_box(path: Path) -> None:
    try:
        box = json.loads(path.read_bytes())
    except RecursionError as error:
        raise ValueError("no box at all") from error
    box_to_text(box)


def read_split(path: Path) -> None:
    def read(name: str) -> list[Example]:
        if name != "train":
            raise ValueError("no such split")
        return EXAMPLES

    select(path.read_text(encoding="utf-8", errors="replace"), read)


LOCATIONS = "<loc0100><loc0200><loc0300><loc0400>" + "<seg012>" * 16 + " cat ; "

READERS = {
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
    "refs": task_reader(
        data_sets.refcoco, "refcoco/refs(unc).p", refcoco, ("train", "refcoco/val"),
        (pickle.loads, partial(pickle.dumps, protocol=2)),
    ),
    "instances": task_reader(
        data_sets.refcoco, "refcoco/instances.json", refcoco, ("refcoco/val", "refcoco/train")
    ),
    "pickle": Reader(
        lambda folder: data_sets.refcoco(folder) / "refcoco/refs(unc).p", read_pickle
    ),
    "locations": Reader(partial(a_text, text=3 * LOCATIONS), read_locations),
    "box": Reader(partial(a_text, text="[0.1, 0.2, 0.3, 0.4]"), read_box, JSON),
    "split": Reader(partial(a_text, text="train[:98%]+train[-2:]"), read_split),
    "npz": Reader(npz, read_model),
    "safetensors": Reader(hugging_face, read_model),
    "index": Reader(sharded, read_model, JSON),
    "config": Reader(
        lambda folder: hugging_face(folder).with_name("config.json"), read_model, JSON
    ),
    **CHECKPOINTS,
    "codec": Reader(codec, load_codec),
    "tokenizer_model": Reader(tokenizer_model, load_tokenizer),
    "tokenizer_json": Reader(tokenizer_json, load_tokenizer, JSON),
    "run_settings": Reader(
        run_settings, lambda path: read_run_settings(path.parent), (yaml.safe_load, as_yaml)
    ),
    "answers": Reader(
        answers, lambda path: read_answers(path, EXAMPLES), (from_lines, as_lines)
    ),
    **OWN_DATA,
    **{
        kind: Reader(partial(image, kind=kind), open_image)
        for kind in ("jpg", "png", "gif", "bmp", "webp", "tif", "ppm")
    },
}  # fmt: skip
