"""Every task composes at every resolution to the published hyper-parameters."""

from __future__ import annotations

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from pg_transfer.assemble import register_resolvers
from pg_transfer.model.config import SIZES

CONF = Path(__file__).parents[1] / "conf"

# big_vision configs/proj/paligemma/transfers: the rows of `sweep_best`.
#   lr, weight decay, epochs, batch, smoothing, dropout, text length, frozen vision
PUBLISHED = {
    ("refcoco", 224): (3e-5, 0.0, 100, 256, 0.3, 0.1, 48, False),
    ("refcoco", 448): (1e-5, 0.0, 100, 256, 0.3, 0.0, 48, False),
    ("refcoco", 896): (1e-5, 0.0, 100, 64, 0.3, 0.0, 48, False),
}
KEYS = ("lr", "weight_decay", "epochs", "batch_size", "label_smoothing", "dropout", "text_length",
        "freeze_vision")  # fmt: skip


def composed(*overrides: str) -> DictConfig:
    register_resolvers()
    with initialize_config_dir(str(CONF), version_base=None):
        return compose("train", overrides=["run=runs/test", *overrides])


@pytest.mark.parametrize(("task", "resolution"), PUBLISHED)
def test_recipes_are_the_published_ones(task: str, resolution: int) -> None:
    recipe = composed(f"task={task}", f"resolution={resolution}").recipe
    assert tuple(recipe[key] for key in KEYS) == PUBLISHED[task, resolution]
    assert (recipe.warmup, recipe.clip_norm, recipe.freeze_language) == (0.05, 1.0, False)


def test_refcoco_starts_from_the_checkpoint_of_its_resolution() -> None:
    config = composed("task=refcoco", "resolution=448")
    assert config.model.weights == config.model.tokenizer == "google/paligemma-3b-pt-448"
    assert (config.model.size, config.antialias) == ("paligemma_3b", False)
    assert list(config.splits.report) == [
        "refcoco/val", "refcoco/testA", "refcoco/testB", "refcoco+/val", "refcoco+/testA",
        "refcoco+/testB", "refcocog/val", "refcocog/test",
    ]  # fmt: skip


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
        config = composed(f"task={task}", f"resolution={resolution}")
        assert OmegaConf.to_container(config, resolve=True)


def test_shapes_is_what_runs_without_a_word() -> None:
    config = composed()
    assert (config.task._target_, config.model.size) == ("tasks.shapes.Shapes", "tiny")
    assert composed("task=shapes", "model=paligemma_3b").model.size == "paligemma_3b"
