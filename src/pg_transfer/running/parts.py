"""The parts of a run, each from its settings: task, loaders, model, trainer, tracker."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import torch
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.loggers.logger import Logger
from lightning.pytorch.strategies import DDPStrategy, SingleDeviceStrategy, Strategy
from omegaconf import DictConfig, OmegaConf

from pg_transfer.model.config import released
from pg_transfer.model.paligemma import PaliGemma
from pg_transfer.process.console import say
from pg_transfer.process.launching import (
    refuse_copies,
    refuse_ranks_of_their_own,
    starter,
)
from pg_transfer.running.settings import (
    read_antialias,
    read_component_antialias,
    refuse_foreign_codec,
)
from pg_transfer.running.task_settings import require_fitting
from pg_transfer.running.trainer_settings import refuse_odd_settings
from pg_transfer.sources.loading import tokenizer_of
from pg_transfer.sources.models import start
from pg_transfer.task import Task
from pg_transfer.text.tokenizer import Tokenizer
from pg_transfer.tracking.code_version import code_version
from pg_transfer.tracking.guard import Guard
from pg_transfer.tracking.plain import Plain
from pg_transfer.tracking.tracker import Told, Tracker
from pg_transfer.training.checkpoint_files import WholeFiles
from pg_transfer.training.data import TransferData
from pg_transfer.training.order import accumulation
from pg_transfer.training.prepared_images import PreparedImages
from pg_transfer.training.reader import Reader
from pg_transfer.training.recipe import Recipe
from pg_transfer.training.sharding import WHOLE_BITS, FullySharded
from pg_transfer.training.tuning import Tuning


def build_task(config: DictConfig) -> Task:
    """The task, its files looked at and its mask codec fit for the model.

    Raises:
        ValueError: there is no such task, or the settings are none of it.
        FileNotFoundError: its data are not there.
    """
    require_fitting(OmegaConf.to_container(config.task, resolve=True))
    task: Task = instantiate(config.task)
    weights = config.model.weights
    # Neither a Gemma that is to be joined to a SigLIP nor the tiny model knows the official codec.
    if isinstance(weights, str) and config.model.size != "tiny":
        refuse_foreign_codec(task, weights)
    return task


def build_data(
    config: DictConfig, task: Task, tokenizer: Tokenizer, recipe: Recipe
) -> TransferData:
    """The loaders."""
    antialias, antialias_of = read_antialias(config), read_component_antialias(config)
    folder = config.get("image_cache")  # runs of earlier versions do not have it
    every = (antialias, *antialias_of.values())
    flags = {flag for one in every for flag in (one.train, one.evaluate)} if folder else set()
    reader = Reader(
        task=task,
        tokenizer=tokenizer,
        resolution=config.resolution,
        text_length=recipe.text_length,
        antialias=antialias,
        antialias_of=antialias_of,
        prepared={
            flag: PreparedImages(Path(folder), resolution=config.resolution, antialias=flag)
            for flag in flags
        },
        skips=config.get("on_error") == "skip",
    )
    return TransferData(
        reader,
        train=config.splits.train,
        validate=config.splits.validate,
        batch_size=recipe.batch_size,
        micro_batch=config.micro_batch,
        evaluation_batch=config.evaluation_batch,
        workers=config.workers,
        seed=config.seed,
    )


LEAST_LOGGED = 10
"""Updates whose losses are in the log, of a run that has as many."""


def build_trainer(
    config: DictConfig,
    recipe: Recipe,
    *,
    steps: int,
    callbacks: list[Callback],
    loggers: list[Logger],
) -> Trainer:
    """The Lightning trainer, to which the whole run is one pass over one loader.

    Args:
        config: of the run.
        recipe: of the run.
        steps: updates, of a run that learns.
        callbacks: in the order in which they are called.
        loggers: of a run that learns; none for one that only scores.

    Raises:
        ValueError: the batch cannot be cut into micro-batches, the trainer is given what the run
            settles, or a strategy that it cannot learn with.
    """
    if learns := bool(loggers):
        refuse_odd_settings(config.trainer)
    chosen_starter = {} if "plugins" in config.trainer else {"plugins": starter()}
    try:
        trainer: Trainer = instantiate(
            config.trainer,
            **chosen_starter,
            max_epochs=1,
            num_sanity_val_steps=0,
            use_distributed_sampler=False,
            enable_model_summary=False,
            enable_checkpointing=False,
            logger=loggers,
            callbacks=callbacks,
        )
    except InstantiationException as error:
        if isinstance(error.__cause__, MisconfigurationException | TypeError):
            chosen = " ".join(
                f"trainer.{name}={config.trainer[name]}"
                for name in ("accelerator", "devices", "strategy", "precision")
            )
            raise ValueError(f"{chosen}: {error.__cause__}") from error
        raise
    refuse_ranks_of_their_own(trainer)
    refuse_copies(trainer)
    trainer.strategy.checkpoint_io = WholeFiles()
    if isinstance(trainer.strategy, DDPStrategy):
        # Else all gradients are there twice, which the planner does not expect.
        trainer.strategy._ddp_kwargs.setdefault("gradient_as_bucket_view", True)
    if learns:
        refuse_other_strategies(trainer.strategy)
        passes = accumulation(recipe.batch_size, config.micro_batch, trainer.world_size)
        trainer.accumulate_grad_batches = passes
        trainer.val_check_interval = passes * updates_between(steps, config.validations)
        # A short run is followed as well.
        every = min(trainer.log_every_n_steps, max(1, steps // LEAST_LOGGED))  # type: ignore[attr-defined]
        trainer.log_every_n_steps = every  # type: ignore[attr-defined]
    return trainer


def updates_between(steps: int, validations: int) -> int:
    """The updates from one validation to the next, of a run of so many `steps`.

    Of the intervals that make no more validations than are asked for, those that make the most of
    them; and of these the longest, whose last validation is the closest to the end.
    """
    shortest = steps // (validations + 1) + 1
    return steps // (steps // shortest)


def refuse_other_strategies(strategy: Strategy) -> None:
    """Raises ValueError where a process would not add up, or not clip, the gradients of all."""
    if not isinstance(strategy, SingleDeviceStrategy | DDPStrategy | FullySharded):
        raise ValueError(
            f"trainer.strategy is Lightning's {type(strategy).__name__}, under which each process "
            f"would clip the gradients that it holds, or learn alone: take trainer=ddp, or "
            f"trainer=fsdp, which shares the weights out"
        )


def refuse_sharded_bits(trainer: Trainer, tuning: Tuning) -> None:
    """Raises ValueError where weights of 4 bits would have to be cut into pieces."""
    kind = None if tuning.adapters is None else tuning.adapters.kind
    if isinstance(trainer.strategy, FullySharded) and kind == "qlora":
        raise ValueError(WHOLE_BITS)


def build_trackers(config: DictConfig, folder: Path) -> list[Guard]:
    """What follows the run besides its folder: each on its own, so that none fails with another.

    Raises:
        ValueError: one is set up wrongly, or is told inside another.
    """
    chosen = config.get("logger") or {}
    tables = {"logger": chosen} if "_target_" in chosen else dict(chosen)
    for name, table in tables.items():
        if not isinstance(table, DictConfig):
            raise ValueError(f"logger.{name}={table}: there is no tracker that it is a setting of")
        for inside, value in table.items_ex(resolve=False):
            if isinstance(value, DictConfig) and "_target_" in value:
                raise ValueError(
                    f"logger.{inside} is a tracker among the settings of another one: choose both "
                    f"at once, 'logger=[wandb,tensorboard]'"
                )
    settings = cast(dict[str, Any], OmegaConf.to_container(config, resolve=True))
    task = config.get("task_name") or config.task._target_.rpartition(".")[2]
    told = Told(folder, f"{task}-{config.resolution} {folder.name}", settings, code_version())
    built = [instantiate(table, _convert_="all") for table in tables.values()]
    return [Guard(one if isinstance(one, Tracker) else Plain(one), told, say=say) for one in built]


def read_tokenizer(config: DictConfig) -> Tokenizer:
    """The model's tokenizer; from the hub where it is not at hand."""
    return tokenizer_of(config.model.tokenizer)


def build_model(
    config: DictConfig, recipe: Recipe, tuning: Tuning, *, vocabulary: int, is_empty: bool
) -> PaliGemma:
    """The model with its starting weights: read, or drawn where there are none to read.

    It has no adapters yet; what will not be trained is in the dtype that it is kept in.

    Args:
        config: of the run.
        recipe: of the run.
        tuning: of the run.
        vocabulary: tokens that the tokenizer has.
        is_empty: build it without weights, on the meta device, to be filled from a checkpoint.

    Raises:
        ValueError: the tokenizer is not this model's.
    """
    sizes = released(config.model.size, resolution=config.resolution, dropout=config.recipe.dropout)
    if sizes.language.vocabulary != vocabulary:
        raise ValueError(
            f"model.tokenizer={config.model.tokenizer} has {vocabulary} tokens and model.size="
            f"{config.model.size} has {sizes.language.vocabulary} rows for them"
        )
    with torch.device("meta"):
        model = PaliGemma(sizes, rematerialise=config.model.rematerialise)
    tuning.store(model, recipe)
    if is_empty:
        return model
    # Runs of earlier versions do not have `resample`.
    resample = config.model.get("resample", False)
    for remark in start(model, config.model.weights, seed=config.seed, resample=resample):
        say(f"note: {remark}")
    return model
