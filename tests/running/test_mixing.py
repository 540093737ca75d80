"""`mixture=` on the command line: what each task is given, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra import compose, initialize_config_dir
from lightning.pytorch import Callback
from omegaconf import DictConfig, OmegaConf

from pg_transfer.data import images, resizing
from pg_transfer.running.assemble import Run, assemble
from pg_transfer.running.mixing import move_images, with_components
from pg_transfer.running.settings import register_resolvers
from pg_transfer.sources.run_settings import CONFIG, read_run_settings
from pg_transfer.task import Draw
from pg_transfer.training.weights import LAST
from tests import data_sets
from tests.faults.commands import output_of

ROOT = Path(__file__).parents[2]
TINY = ["model=tiny", "resolution=28", "trainer=cpu", "workers=0", "recipe.text_length=40"]


def composed(*overrides: str) -> DictConfig:
    register_resolvers()
    with initialize_config_dir(str(ROOT / "conf"), version_base=None):
        config = with_components(compose("train", overrides=["run=x", *TINY, *overrides]))
    resolved = OmegaConf.create(OmegaConf.to_container(config, resolve=True))
    assert isinstance(resolved, DictConfig)
    return resolved


def mixed(mixture: str, *overrides: str) -> DictConfig:
    return composed("task=mixture", f"mixture={mixture}", *overrides)


def test_each_task_is_composed_as_alone() -> None:
    both = mixed("{coco_captions: 1, rsvqa_lr: 2.5}")
    for name in ("coco_captions", "rsvqa_lr"):
        alone, component = composed(f"task={name}", "resolution=224"), both.task.components[name]
        assert component.task == alone.task
        assert all(component.splits[line] == alone.splits[line] for line in ("train", "report"))
        assert component.beams == alone.beams
        assert both.antialias_of[name] == alone.antialias
    assert [one.weight for one in both.task.components.values()] == [1, 2.5]
    assert list(both.splits.report) == ["coco_captions/val", "rsvqa_lr/test"]
    assert list(both.splits.optional) == ["coco_captions/nocaps/val"]
    assert list(mixed("[textvqa]", "splits.report=[textvqa/val]").splits.report) == ["textvqa/val"]


def test_one_setting_for_all_and_another_for_one() -> None:
    both = mixed(
        "{textvqa: {final_split: true, root: there, weight: 1}, rsvqa_lr: {numeric: true, "
        "antialias: {train: false}, weight: 1}, mine: {task: custom, data: my.jsonl, "
        "columns: {image: img}, splits: {report: [test]}, weight: 2}}",
        "final_split=false",
    )
    textvqa, rsvqa, mine = both.task.components.values()
    assert (textvqa.splits.train, textvqa.task.root) == ("train+val", "there")
    assert (rsvqa.splits.train, rsvqa.task.numeric) == ("train", True)
    assert both.antialias_of.rsvqa_lr == {"train": False, "evaluate": False}
    assert (mine.task.root, mine.task.columns) == ("my.jsonl", {"image": "img"})
    assert list(both.splits.report) == ["textvqa/test", "rsvqa_lr/val", "mine/test"]


def test_without_weights_all_examples_come_alike() -> None:
    for mixture in ("[textvqa,rsvqa_lr]", "{textvqa: null, rsvqa_lr: {numeric: true}}"):
        weights = [one.weight for one in mixed(mixture).task.components.values()]
        assert weights == [None, None]


def test_the_text_length_is_that_of_the_papers_mix_models() -> None:
    def length(resolution: int) -> int:
        register_resolvers()
        with initialize_config_dir(str(ROOT / "conf"), version_base=None):
            settings = [f"resolution={resolution}", "task=mixture", "run=x"]
            return compose("train", overrides=settings).recipe.text_length

    assert [length(resolution) for resolution in (84, 224, 448)] == [256, 256, 512]


@pytest.mark.parametrize(
    ("mixture", "complaint"),
    [
        ("null", r"mixture=None is no tasks.*mixture=\[textvqa,coco_captions\]"),
        ("[]", "is no tasks to learn together"),
        ("textvqa", "mixture=textvqa is no tasks"),
        ("[textvqa,textvqa]", "is no tasks to learn together"),
        ("{textvqa: 0}", "weight=0 is no number above 0"),
        ("{textvqa: much}", "weight=much is no number"),
        ("{textvqa: 1, rsvqa_lr: {numeric: true}}", "rsvqa_lr has no weight and others have one"),
        ("{a/b: 1}", "'a/b' cannot be the name"),
        ("{train: {task: textvqa}}", "'train' cannot be the name"),
        ("{cocoa: 1}", r"mixture\.cocoa: there is no task=cocoa"),
        ("{mixture: 1}", "a mixture in a mixture"),
        ("{textvqa: {numeric: true}}", "task=textvqa has no setting 'numeric' of its own; it has"),
        ("{textvqa: {recipe: {lr: 1}}}", "no setting 'recipe'.*set beside the mixture"),
        ("{textvqa: {splits: {tain: val}}}", r"mixture\.textvqa\.splits.*tain"),
    ],
)
def test_what_cannot_be_mixed_is_refused(mixture: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        mixed(mixture)


QUICK = [
    "final_split=false", "recipe.batch_size=4", "micro_batch=2", "recipe.epochs=4", "page=9",
    "validations=2", "checkpoint_minutes=0", "pictured=2", "evaluation_batch=4",
    "recipe.dropout=0.1", "trainer.log_every_n_steps=1",
]  # fmt: skip


@pytest.fixture
def data(tmp_path: Path) -> str:
    """TextVQA with eight questions, RSVQA-LR with two; and how they are mixed."""
    data_sets.textvqa(tmp_path / "textvqa", examples=8)
    data_sets.rsvqa_lr(tmp_path / "rsvqa")
    return (
        f"{{textvqa: {{root: {tmp_path / 'textvqa'}, weight: 1}}, "
        f"rs: {{task: rsvqa_lr, numeric: true, root: {tmp_path / 'rsvqa'}, weight: 3}}}}"
    )


def run_in(folder: Path, data: str) -> Run:
    return assemble(mixed(data, f"run={folder}", *QUICK), folder)


def test_images_are_shrunk_as_their_task_has_it(tmp_path: Path, data: str) -> None:
    # The images are of 60 x 40; RSVQA is learnt with antialiasing and asked about without.
    reader = run_in(tmp_path / "run", data).data.reader
    for name, learnt, asked in (("textvqa", True, True), ("rs", True, False)):
        example = reader.task.examples(f"{name}/val")[0]
        assert isinstance(example.image, Path)
        small = {
            flag: resizing.resize(images.open_image(example.image), 28, antialias=flag)
            for flag in (True, False)
        }
        assert (reader.lesson(example, Draw(0, example.id, 0))[0] == small[learnt]).all()
        assert (reader.prompt(example)[0] == small[asked]).all()
    assert (small[True] != small[False]).any()


def test_what_is_shrunk_otherwise_within_a_task_is_so_in_a_mixture(tmp_path: Path) -> None:
    data_sets.vqav2(tmp_path / "vqav2")
    data_sets.textvqa(tmp_path / "textvqa")
    data = f"{{textvqa: {{root: {tmp_path}/textvqa, weight: 1}}, seen: {{task: vqav2, weight: 1, "
    reader = run_in(tmp_path / "run", f"{data} root: {tmp_path}/vqav2}}}}").data.reader
    for split, flag in (("textvqa/val", True), ("seen/val", True), ("seen/pope/random", False)):
        assert reader.flags(reader.task.examples(split)[0]).evaluate is flag


class Crash(Callback):
    """Ends the run in the middle of an update."""

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, at: int) -> None:
        if trainer.global_step == 6 and at % 2:
            raise RuntimeError("power cut")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*exists and is not empty:UserWarning")
def test_a_resumed_mixture_is_the_uninterrupted_one_bit_for_bit(tmp_path: Path, data: str) -> None:
    whole = run_in(tmp_path / "whole", data)
    whole.trainer.fit(whole.module, whole.data)
    folder = tmp_path / "broken"
    broken = run_in(folder, data)
    broken.trainer.callbacks.append(Crash())  # type: ignore[attr-defined]
    with pytest.raises(RuntimeError, match="power cut"):
        broken.trainer.fit(broken.module, broken.data)
    again = run_in(folder, data)
    again.trainer.fit(
        again.module, again.data, ckpt_path=folder / "checkpoints" / LAST, weights_only=True
    )
    assert again.trainer.global_step == whole.trainer.global_step == 10
    pairs = zip(
        whole.module.model.parameters(), again.module.model.parameters(), strict=True
    )  # fmt: skip
    assert all(torch.equal(one, other) for one, other in pairs)
    assert [again.score(split) for split in again.report] == [
        whole.score(split) for split in whole.report
    ]
    assert again.best == whole.best and again.best.metric == "mean"  # of both tasks' scores


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # a user may see them, and read on
def test_trained_and_scored_from_the_command_line(tmp_path: Path, data: str) -> None:
    words = ["task=mixture", f"mixture={data}", *TINY, *QUICK, "run=first"]
    told = output_of("train.py", *words, folder=tmp_path)
    assert "75.0% of what is learnt: 2 examples" in told
    folder = tmp_path / "first"
    report = json.loads((folder / "report.json").read_text())
    assert list(report["splits"]) == ["textvqa/val", "rs/val"]
    assert list(report["splits"]["textvqa/val"]) == ["accuracy"]
    assert next(iter(report["splits"]["rs/val"])) == "accuracy_average"
    assert report["splits"]["rs/val"]["accuracy_average"]["low"] is not None
    assert (folder / "answers" / "textvqa-val-step000010.submission.json").is_file()
    assert (folder / "pages" / "rs-val-step000010.html").is_file()
    assert read_run_settings(folder).task.components.rs.weight == 3
    assert "validate/rs/accuracy_presence" in (folder / "metrics.csv").read_text()
    (tmp_path / "textvqa").rename(tmp_path / "moved")
    words = ["run=first", "split=textvqa/val", f"root={{textvqa: {tmp_path / 'moved'}}}"]
    told = output_of("evaluate.py", *words, folder=tmp_path)
    assert "textvqa/val has 8 examples" in told and "accuracy" in told
    assert (folder / CONFIG).is_file()


def test_images_of_own_data_may_lie_elsewhere() -> None:
    own = {"root": "a.jsonl", "images": None}
    alone = OmegaConf.create({"task": own})
    move_images(alone, "moved")
    assert alone.task.images == "moved"
    mixed = {"mine": {"task": own}, "textvqa": {"task": {"root": "b"}}}
    settings = OmegaConf.create({"task": {"components": mixed}})
    move_images(settings, {"mine": "moved"})
    assert settings.task.components.mine.task.images == "moved"
    for wrong in ("moved", {"textvqa": "moved"}):
        with pytest.raises(ValueError, match=r"say of which: images=\{mine: \.\.\.\}"):
            move_images(settings, wrong)
