"""Every task composes at every resolution to the published hyper-parameters."""

from __future__ import annotations

from inspect import signature
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
import torch
from hydra.utils import get_class
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from pg_transfer.model.config import SIZES
from pg_transfer.running.settings import (
    read_antialias,
    read_component_antialias,
    refuse_foreign_codec,
    remark_on_precision,
)
from pg_transfer.segmentation.codec import load_codec
from pg_transfer.task import Task
from pg_transfer.text.tokenizer import load_tokenizer
from pg_transfer.training.reader import Antialias, Reader
from pg_transfer.training.recipe import read_recipe
from tasks.coco35l import COCO35L
from tasks.vqav2 import VQAv2
from tests import data_sets
from tests.composing import composed, with_values

CONF = Path(__file__).parents[1] / "conf"

# big_vision configs/proj/paligemma/transfers: the rows of `sweep_best`.
#   lr, weight decay, epochs, batch, smoothing, dropout, text length, frozen vision
PUBLISHED = {
    ("coco_captions", 224): (1e-5, 1e-6, 5, 256, 0.0, 0.0, 32, False),
    ("coco_captions", 448): (1e-5, 1e-6, 5, 256, 0.0, 0.0, 32, False),
    # 5 times 566,435 examples, of 3,965,045
    ("coco35l", 224): (1e-5, 1e-6, 5 / 7, 256, 0.0, 0.0, 32, False),
    ("coco35l", 448): (1e-5, 1e-6, 5 / 7, 256, 0.0, 0.0, 32, False),
    ("textvqa", 224): (3e-6, 0.0, 5, 256, 0.0, 0.0, 32, False),
    ("textvqa", 448): (3e-6, 3e-7, 10, 256, 0.0, 0.0, 32, False),
    ("textvqa", 896): (3e-6, 0.0, 10, 256, 0.0, 0.0, 32, False),
    ("rsvqa_lr", 224): (3e-6, 0.0, 3, 256, 0.2, 0.0, 32, False),
    ("rsvqa_lr", 448): (3e-6, 0.0, 3, 256, 0.2, 0.0, 32, False),
    ("rsvqa_hr", 224): (1e-5, 0.0, 1, 256, 0.0, 0.0, 32, False),
    ("rsvqa_hr", 448): (1e-5, 0.0, 1, 256, 0.0, 0.0, 32, False),
    ("refcoco", 224): (3e-5, 0.0, 100, 256, 0.3, 0.1, 48, False),
    ("refcoco", 448): (1e-5, 0.0, 100, 256, 0.3, 0.0, 48, False),
    ("refcoco", 896): (1e-5, 0.0, 100, 64, 0.3, 0.0, 48, False),
    ("gqa", 224): (1e-5, 0.0, 1, 256, 0.0, 0.0, 32, False),
    ("gqa", 448): (1e-5, 0.0, 1, 256, 0.0, 0.0, 32, True),
    ("tallyqa", 224): (1e-5, 0.0, 2, 256, 0.0, 0.0, 32, False),
    ("tallyqa", 448): (1e-5, 1e-6, 2, 256, 0.0, 0.0, 32, False),
    ("tallyqa", 896): (7e-6, 7e-7, 2, 256, 0.0, 0.0, 32, False),
    ("vizwizvqa", 224): (1e-5, 0.0, 10, 256, 0.0, 0.0, 48, False),
    ("vizwizvqa", 448): (1e-5, 0.0, 10, 256, 0.0, 0.0, 48, False),
    ("ocrvqa", 224): (3e-6, 0.0, 3, 128, 0.0, 0.0, 32, False),
    ("ocrvqa", 448): (3e-6, 0.0, 3, 128, 0.0, 0.0, 32, False),
    ("ocrvqa", 896): (1e-5, 0.0, 3, 128, 0.0, 0.0, 32, False),
    ("textcaps", 224): (1e-5, 1e-6, 5, 256, 0.0, 0.0, 32, False),
    ("textcaps", 448): (1e-5, 1e-6, 5, 256, 0.0, 0.0, 32, False),
    ("scicap", 224): (3e-5, 0.0, 80, 256, 0.1, 0.1, 96, False),
    ("scicap", 448): (3e-5, 0.0, 80, 256, 0.1, 0.1, 96, False),
    ("screen2words", 224): (1e-5, 0.0, 10, 256, 0.2, 0.3, 24, False),
    ("screen2words", 448): (1e-5, 0.0, 10, 256, 0.2, 0.3, 24, False),
    ("widgetcap", 224): (3e-6, 3e-7, 4, 64, 0.1, 0.1, 32, False),
    ("widgetcap", 448): (3e-6, 3e-7, 4, 64, 0.1, 0.1, 32, False),
    ("vqav2", 224): (1e-5, 1e-6, 10, 256, 0.0, 0.0, 32, False),
    ("vqav2", 448): (1e-5, 0.0, 10, 256, 0.0, 0.0, 32, False),
    ("okvqa", 224): (5e-6, 0.0, 10, 128, 0.0, 0.0, 32, False),
    ("okvqa", 448): (5e-6, 0.0, 10, 128, 0.0, 0.0, 32, False),
    ("aokvqa_da", 224): (5e-6, 0.0, 10, 128, 0.0, 0.0, 32, False),
    ("aokvqa_da", 448): (5e-6, 0.0, 10, 128, 0.0, 0.0, 32, False),
    ("aokvqa_mc", 224): (5e-6, 0.0, 15, 128, 0.0, 0.0, 128, False),
    ("aokvqa_mc", 448): (5e-6, 0.0, 15, 128, 0.0, 0.0, 128, False),
    ("science_qa", 224): (1e-5, 0.0, 20, 128, 0.0, 0.0, 512, True),
    ("science_qa", 448): (1e-5, 0.0, 20, 128, 0.0, 0.0, 512, True),
    ("ai2d", 224): (1e-5, 1e-6, 10, 256, 0.0, 0.0, 128, False),
    ("ai2d", 448): (1e-5, 1e-6, 10, 256, 0.0, 0.0, 128, False),
    ("nlvr2", 224): (1e-5, 1e-6, 3, 256, 0.0, 0.0, 64, False),
    ("nlvr2", 448): (3e-6, 3e-7, 10, 256, 0.0, 0.0, 64, False),
    ("docvqa", 224): (1e-5, 1e-6, 10, 256, 0.0, 0.0, 32, False),
    ("docvqa", 448): (1e-5, 1e-6, 10, 256, 0.0, 0.0, 32, False),
    ("docvqa", 896): (1e-5, 1e-6, 10, 256, 0.0, 0.0, 32, False),
    ("infovqa", 224): (1e-5, 1e-6, 3, 256, 0.4, 0.0, 48, False),
    ("infovqa", 448): (1e-5, 1e-6, 3, 128, 0.4, 0.0, 48, False),
    ("infovqa", 896): (3e-6, 3e-7, 3, 32, 0.4, 0.0, 48, False),
    ("stvqa", 224): (1e-5, 1e-6, 3, 256, 0.1, 0.0, 48, False),
    ("stvqa", 448): (1e-5, 1e-6, 3, 128, 0.1, 0.0, 48, False),
    ("stvqa", 896): (3e-6, 3e-7, 3, 32, 0.1, 0.0, 48, False),
    ("chartqa", 224): (1e-5, 1e-6, 30, 256, 0.2, 0.1, 48, False),
    ("chartqa", 448): (1e-5, 1e-6, 30, 256, 0.2, 0.1, 48, False),
    ("msrvtt_cap", 224): (1e-5, 0.0, 20, 128, 0.0, 0.0, 32, True),
    ("vatex_cap", 224): (3e-6, 3e-7, 10, 128, 0.0, 0.0, 64, False),
    ("activitynet_cap", 224): (1e-5, 1e-6, 1, 128, 0.0, 0.0, 64, True),
    ("msrvtt_qa", 224): (1e-5, 0.0, 1, 128, 0.0, 0.0, 64, True),
    ("msvd_qa", 224): (3e-6, 3e-7, 1, 128, 0.0, 0.0, 64, False),
    ("activitynet_qa", 224): (1e-5, 1e-6, 1, 128, 0.0, 0.0, 64, False),
}
KEYS = ("lr", "weight_decay", "epochs", "batch_size", "label_smoothing", "dropout", "text_length",
        "freeze_vision")  # fmt: skip

# The same files: frames, and the stride from one to the next.
VIDEOS = {
    "msrvtt_cap": (16, 9), "vatex_cap": (16, 7), "activitynet_cap": (16, 30),
    "msrvtt_qa": (16, 9), "msvd_qa": (8, 26), "activitynet_qa": (16, 70),
}  # fmt: skip

# The same files, and big_vision pp strings: antialias in training and evaluation, beams; what the
# published weights learnt from and were scored on; and what is learnt from and scored to tune.
PROCEDURES = {
    "coco_captions": (
        (False, False, 2), ("train+restval", ["val", "nocaps/val"]),
        ("train[:98%]+restval", ["train[-2%:]"]),
    ),
    "textvqa": ((True, True, 1), ("train+val", ["test"]), ("train", ["val"])),
    "rsvqa_lr": ((True, False, 1), ("train+val", ["test"]), ("train", ["val"])),
    "rsvqa_hr": ((True, False, 1), ("train+val", ["test", "test_phili"]), ("train", ["val"])),
    "gqa": (
        (False, False, 1), ("train_balanced+val_balanced", ["testdev_balanced", "xgqa"]),
        ("train_balanced", ["val_balanced"]),
    ),
    "tallyqa": (
        (True, True, 1), ("train", ["test", "countbenchqa/huggingface"]),
        ("train[:-5%]", ["train[-5%:]"]),
    ),
    "vizwizvqa": ((True, False, 1), ("train+val", ["test"]), ("train", ["val"])),
    "ocrvqa": (
        (True, True, 1), ("train+val", ["test"]), ("train+val[20000:]", ["val[:20000]"]),
    ),
    "textcaps": ((False, False, 3), ("train", ["val"]), ("train[:98%]", ["train[-2%:]"])),
    "scicap": ((False, False, 1), ("train+val", ["test"]), ("train", ["val"])),
    "screen2words": ((False, False, 1), ("train+dev", ["test"]), ("train", ["dev"])),
    "widgetcap": ((True, True, 1), ("train+dev", ["test"]), ("train", ["dev"])),
    "vqav2": (
        (True, True, 1),
        ("train+val", ["test", "pope/random", "pope/popular", "pope/adversarial"]),
        ("train+val[:-10240]", ["val[-10240:]"]),
    ),
    "okvqa": ((True, True, 1), ("train", ["val"]), ("train[:-10%]", ["train[-10%:]"])),
    "aokvqa_da": ((True, True, 1), ("train+val", ["test"]), ("train", ["val"])),
    "aokvqa_mc": ((True, True, 1), ("train+val", ["test"]), ("train", ["val"])),
    "science_qa": ((False, False, 1), ("train+val", ["test"]), ("train", ["val"])),
    "ai2d": ((True, False, 1), ("train", ["test"]), ("train[:-1024]", ["train[-1024:]"])),
    "nlvr2": ((False, False, 1), ("train+dev", ["test", "marvl/test"]), ("train", ["dev"])),
    "docvqa": ((True, True, 1), ("train+val", ["test"]), ("train[:-5%]", ["train[-5%:]"])),
    "infovqa": ((True, True, 1), ("train+val", ["test"]), ("train", ["val"])),
    "stvqa": ((True, True, 1), ("train+val", ["test"]), ("train", ["val"])),
    "chartqa": (
        (True, True, 1), ("human/train+human/val+augmented/train+augmented/val", ["test"]),
        ("train", ["val"]),
    ),
    **dict.fromkeys(VIDEOS, ((False, False, 1), ("train+val", ["test"]), ("train", ["val"]))),
}  # fmt: skip

# The same files: what is asked of the model.
PROMPTS = {
    "answer en {question}": "textvqa rsvqa_lr rsvqa_hr vqav2 okvqa aokvqa_da gqa tallyqa vizwizvqa "
                            "ocrvqa infovqa stvqa msrvtt_qa msvd_qa activitynet_qa",
    "answer en {sentence}": "nlvr2",
    "answer en  {question} choose from: {choices}": "ai2d",
    "answer en  {question} choose from: {a} \t {b} \t {c} \t {d}": "aokvqa_mc",
    "Question: {question}\nContext: {hint}\nOptions: {choices}\nAnswer:": "science_qa",
    "{question}": "docvqa chartqa",
    "{expression}": "refcoco shapes",
    "caption {lang}": "coco35l",
    "caption en": "coco_captions textcaps scicap screen2words widgetcap msrvtt_cap vatex_cap "
                  "activitynet_cap",
}  # fmt: skip


def test_settings_with_other_values_are_those_of_the_command_line() -> None:
    base = composed("task=textvqa")
    for name, value in {"resolution": 448, "final_split": False}.items():
        written = composed("task=textvqa", f"{name}={value}")
        assert with_values(base, **{name: value}) == written != base
        both = (with_values(base, **{name: value}), written)
        one, other = (OmegaConf.to_container(config, resolve=True) for config in both)
        assert one == other


@pytest.mark.parametrize(("task", "resolution"), PUBLISHED)
def test_recipes_are_the_published_ones(task: str, resolution: int) -> None:
    recipe = with_values(composed(f"task={task}"), resolution=resolution).recipe
    assert tuple(recipe[key] for key in KEYS) == PUBLISHED[task, resolution]
    # common.py beside them: warm-up, gradient clipping, Adam's second decay.
    assert (recipe.warmup, recipe.clip_norm, recipe.beta2) == (0.05, 1.0, 0.999)
    assert recipe.freeze_language is False


def test_the_table_has_every_recipe_of_the_paper() -> None:
    tasks = {path.stem for path in (CONF / "task").glob("*.yaml")} - {"shapes", "custom", "mixture"}
    recipes = {(task, size) for task in tasks for size in composed(f"task={task}").recipes}
    assert recipes == PUBLISHED.keys()


@pytest.mark.parametrize("task", PROCEDURES)
def test_procedures_are_the_published_ones(task: str) -> None:
    reading, final, tuning = PROCEDURES[task]
    for final_split, (learnt, scored) in ((True, final), (False, tuning)):
        config = with_values(composed(f"task={task}"), final_split=final_split)
        assert (config.antialias.train, config.antialias.evaluate, config.beams) == reading
        assert config.splits.train == learnt
        assert [*config.splits.report, *(config.splits.get("optional") or ())] == scored
        # What guides a tuning run is what it reports, and is not learnt from.
        assert final_split or list(config.splits.report) == [config.splits.validate]
    assert composed(f"task={task}").final_split is True


def test_pope_is_shrunk_otherwise_than_the_task_that_it_is_scored_with(tmp_path: Path) -> None:
    # big_vision configs/proj/paligemma/transfers/pope.py: resize without antialias
    config = composed("task=vqav2")
    reader = Reader(
        task=VQAv2(data_sets.vqav2(tmp_path)), tokenizer=load_tokenizer("builtin"), resolution=28,
        text_length=8, antialias=read_antialias(config),
        antialias_of=read_component_antialias(config),
    )  # fmt: skip
    for split, flag in (("val", True), ("pope/random", False), ("test", True)):
        (example, *_) = reader.task.examples(split)
        assert reader.flags(example) == Antialias(train=flag, evaluate=flag)


def test_settings_say_what_a_task_asks() -> None:
    asked = {task: prompt for prompt, tasks in PROMPTS.items() for task in tasks.split()}
    known = {path.stem for path in (CONF / "task").glob("*.yaml")} - {"custom", "mixture"}
    assert {task: composed(f"task={task}").prompt for task in known} == asked


@pytest.mark.parametrize("task", VIDEOS)
def test_videos_are_seen_as_in_the_paper(task: str) -> None:
    settings = composed(f"task={task}").task
    assert (settings.frames, settings.stride) == VIDEOS[task]
    assert get_class(settings._target_).published == VIDEOS[task]


def test_splits_can_be_overridden_line_by_line() -> None:
    splits = composed("task=textvqa", "splits.report=[val]", 'splits.train="train[:9]"').splits
    assert (splits.train, list(splits.report)) == ("train[:9]", ["val"])
    assert splits.validate == "train[:5120]"


def test_a_final_split_that_is_neither_true_nor_false_is_refused() -> None:
    config = composed("task=rsvqa_lr", "final_split=tuning")
    with pytest.raises(OmegaConfBaseException, match="final_split=tuning is neither true"):
        OmegaConf.to_container(config, resolve=True)


def test_refcoco_starts_from_the_checkpoint_of_its_resolution() -> None:
    config = composed("task=refcoco", "resolution=448")
    assert config.model.weights == config.model.tokenizer == "google/paligemma-3b-pt-448"
    assert config.model.size == "paligemma_3b"
    assert config.antialias == {"train": False, "evaluate": False}
    assert list(config.splits.report) == [
        "refcoco/val", "refcoco/testA", "refcoco/testB", "refcoco+/val", "refcoco+/testA",
        "refcoco+/testB", "refcocog/val", "refcocog/test",
    ]  # fmt: skip


def test_coco35l_is_watched_in_seven_languages_and_scored_in_all() -> None:
    config = composed("task=coco35l")
    assert (config.antialias.train, config.antialias.evaluate, config.beams) == (False, False, 1)
    assert (config.splits.train, list(config.splits.report)) == ("train", ["dev"])
    assert list(config.splits.optional) == ["xm3600/test"]
    # big_vision configs/proj/paligemma/transfers/coco35l.py, LANGUAGES_SUBSET
    watched = "+".join(f"dev/{one}" for one in ("ar", "bn", "en", "id", "sw", "tr", "zh"))
    assert config.splits.validate == watched
    recipe = read_recipe(OmegaConf.to_container(config.recipe, resolve=True))  # type: ignore[arg-type]
    assert recipe.steps(COCO35L.sizes[config.splits.train]) == round(5 * 566_435 / 256)


def test_one_line_of_a_recipe_can_be_overridden() -> None:
    recipe = composed("task=refcoco", "resolution=448", "recipe.lr=7e-6").recipe
    assert (recipe.lr, recipe.epochs) == (7e-6, 100)


def test_a_resolution_without_a_recipe_lists_those_with_one() -> None:
    config = composed("task=refcoco", "resolution=336")
    with pytest.raises(OmegaConfBaseException, match=r"resolution=336.*224, 448, 896"):
        OmegaConf.to_container(config, resolve=True)


@pytest.mark.parametrize("model", [path.stem for path in (CONF / "model").glob("*.yaml")])
def test_every_model_is_a_size(model: str) -> None:
    config = composed("task=refcoco", f"model={model}")
    assert config.model.size in SIZES
    OmegaConf.to_container(config, resolve=True)


@pytest.mark.parametrize("task", [path.stem for path in (CONF / "task").glob("*.yaml")])
def test_every_task_resolves_at_every_resolution(task: str) -> None:
    for resolution in composed(f"task={task}").recipes:
        config = with_values(composed(f"task={task}"), resolution=resolution)
        assert OmegaConf.to_container(config, resolve=True)


@pytest.mark.parametrize("task", [path.stem for path in (CONF / "task").glob("*.yaml")])
def test_every_task_has_the_settings_that_its_class_takes(task: str) -> None:
    settings = dict(composed(f"task={task}").task)
    signature(get_class(settings.pop("_target_"))).bind(**settings)


@pytest.mark.parametrize("resolution", [84, 224, 448, 896])
def test_own_data_starts_from_the_recipe_for_it(resolution: int) -> None:
    # big_vision configs/proj/paligemma/transfers/forkme.py
    recipe = composed("task=custom", f"resolution={resolution}").recipe
    assert tuple(recipe[key] for key in KEYS) == (1e-5, 3e-7, 15, 32, 0.0, 0.0, 128, False)


@pytest.mark.parametrize("file", [path.stem for path in (CONF / "experiment").glob("*.yaml")])
def test_an_experiment_is_what_it_says_and_gives_way_to_the_command_line(file: str) -> None:
    config = composed(f"experiment={file}")
    assert (config.model.size, config.resolution) == ("paligemma_3b", 448)
    assert (config.micro_batch, config.model.rematerialise) == ("auto", "auto")
    own = file == "own_data_24gb"
    assert config.task._target_ == ("tasks.custom.Custom" if own else "tasks.refcoco.RefCOCO")
    assert (config.tuning.vision.mode, config.tuning.adapters is None) == ("recipe", not own)
    assert OmegaConf.to_container(config, resolve=True)
    changed = composed(f"experiment={file}", "resolution=224", "micro_batch=2", "tuning=dora")
    assert (changed.resolution, changed.micro_batch) == (224, 2)
    assert changed.tuning.adapters.kind == "dora"


def test_shapes_is_what_runs_without_a_word() -> None:
    config = composed()
    assert (config.task._target_, config.model.size) == ("tasks.shapes.Shapes", "tiny")
    assert composed("task=shapes", "model=paligemma_3b").model.size == "paligemma_3b"


@pytest.mark.parametrize(
    ("gpus", "has_bfloat16", "precision", "is_told"),
    [(0, False, "32-true", False), (1, True, "bf16-mixed", False), (1, False, "32-true", True)],
)
def test_a_gpu_without_bfloat16_computes_in_float32_and_says_so(
    gpus: int, has_bfloat16: bool, precision: str, is_told: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def supported(including_emulation: bool = True) -> bool:
        return gpus > 0 and (has_bfloat16 or including_emulation)

    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", supported)
    for trainer in ("auto", "ddp", "fsdp"):
        settings = composed(f"trainer={trainer}").trainer
        assert settings.precision == precision
        assert bool(remark_on_precision(settings)) is is_told
    assert not remark_on_precision(composed("trainer=cpu").trainer)


def test_a_pretrained_model_is_not_taught_another_mask_alphabet() -> None:
    task = SimpleNamespace(mask_codec=load_codec("builtin"))
    with pytest.raises(ValueError, match="official mask codec"):
        refuse_foreign_codec(cast(Task, task), "google/paligemma-3b-pt-224")
    refuse_foreign_codec(cast(Task, task), None)
