"""What `fuzz.py` feeds: for each reader the valid files to begin with, and how they are read."""

from __future__ import annotations

import json
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
from pg_transfer.data.videos import Video
from pg_transfer.model.checkpoint import load_weights
from pg_transfer.model.checkpoint.big_vision import write_big_vision
from pg_transfer.model.checkpoint.describe import describe
from pg_transfer.model.checkpoint.hugging_face import write_hugging_face
from pg_transfer.reporting.answers import read_answers
from pg_transfer.segmentation.codec import load_codec
from pg_transfer.segmentation.instances import read_instances
from pg_transfer.sources.run_settings import read_run_settings
from pg_transfer.task import Example, pieces_of
from pg_transfer.text.locations import box_to_text, read_box_and_codes
from pg_transfer.text.tokenizer import BUILTIN, load_tokenizer
from scripts.fuzz import JSON, Reader
from scripts.fuzz_checkpoints import CHECKPOINTS, empty_model, filled_model, tiny
from scripts.fuzz_own_data import OWN_DATA, as_lines, from_lines
from scripts.fuzz_tasks import TASKS
from tests import data_sets


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


def video(folder: Path, *, kind: str, codec: str) -> Path:
    return data_sets.write_video(folder / f"video.{kind}", codec=codec)


def read_video(path: Path) -> None:
    for segment in (None, (0.6, 1.0)):
        list(Video(path, 4, 2, segment).frames())


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
    **TASKS,
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
    **{
        kind: Reader(partial(video, kind=kind, codec=codec), read_video)
        for kind, codec in (("mp4", "libx264"), ("avi", "mpeg4"), ("webm", "libvpx-vp9"))
    },
}  # fmt: skip
