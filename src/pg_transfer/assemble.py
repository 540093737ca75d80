"""From a composed configuration to the objects of a run; the only module that knows Hydra.

What can be wrong with the user's input is looked at first, and weights are read last.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from hydra.utils import instantiate
from lightning.pytorch import Trainer
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.utilities import rank_zero_only
from omegaconf import DictConfig, OmegaConf

from pg_transfer.console import say
from pg_transfer.hub import weights_folder
from pg_transfer.model.checkpoint import load_weights
from pg_transfer.model.config import released
from pg_transfer.model.decoding import Decoding
from pg_transfer.model.paligemma import PaliGemma
from pg_transfer.settings import read_antialias, refuse_bfloat16_masters, refuse_foreign_codec
from pg_transfer.task import Scores, Task
from pg_transfer.text.tokenizer import Tokenizer, load_tokenizer
from pg_transfer.training.batches import Reader, accumulation
from pg_transfer.training.checkpoints import KeepCheckpoints, read_weights
from pg_transfer.training.data import TransferData, choose_reported
from pg_transfer.training.module import TransferModule
from pg_transfer.training.recipe import Recipe
from pg_transfer.training.scoring import ScoreTask
from pg_transfer.training.watching import CountCuts, Progress, Speedometer


@dataclass(frozen=True, slots=True)
class Run:
    """Everything that `train.py` and `evaluate.py` work with.

    Attributes:
        report: the splits to score at the end.
        remarks: what a reader of the scores has to know; printed already.
    """

    folder: Path
    task: Task
    module: TransferModule
    data: TransferData
    trainer: Trainer
    scorer: ScoreTask
    cuts: CountCuts
    speed: Speedometer
    report: list[str]
    remarks: list[str]

    @property
    def step(self) -> int:
        """The update after which the present weights are those that they are."""
        return self.trainer.global_step if self.scorer.step is None else self.scorer.step

    def score(self, split: str) -> Scores:
        """The verdict on the present weights' answers to a whole split; not asked for twice."""
        scored = self.scorer.results.get(split)
        if scored is None or scored[0] != self.step:
            self.scorer.split = split
            self.trainer.validate(self.module, self.data.prompts(split), verbose=False)
            self.scorer.split = self.data.validate
            scored = self.scorer.results[split]
        return scored[1]


def assemble(config: DictConfig, folder: Path, *, checkpoint: Path | None = None) -> Run:
    """The objects of a run into `folder`.

    Args:
        config: resolved or not.
        folder: for everything that is written.
        checkpoint: of ours, to take weights from; otherwise they come from `model.weights`.

    Raises:
        ValueError: settings that do not fit each other.
        FileNotFoundError: data, weights or the tokenizer are not where the settings say.
    """
    recipe = Recipe(**OmegaConf.to_container(config.recipe, resolve=True))  # type: ignore[arg-type]
    refuse_bfloat16_masters(recipe, str(config.trainer.precision))
    decoding = Decoding(beams=config.beams, temperature=config.temperature, nucleus=config.nucleus)
    task = build_task(config)
    tokenizer = read_tokenizer(config)
    data = build_data(config, task, tokenizer, recipe)
    steps = data.steps = recipe.steps(len(data.examples(data.train)))
    recipe.schedule(0, steps)
    report, remarks = choose_reported(
        data, config.splits.report, optional=config.splits.get("optional") or ()
    )
    for remark in remarks:
        say(f"note: {remark}")
    if config.page < 0:
        raise ValueError(f"page={config.page} is no number of examples; 0 is for no page")
    scorer = ScoreTask(
        data, tokenizer,
        folder=folder, pictured=config.pictured, page=config.page, label=decoding.label,
    )  # fmt: skip
    cuts = CountCuts(data, scorer, action=config.on_cut)
    keeper = KeepCheckpoints(folder / "checkpoints", scorer, minutes=config.checkpoint_minutes)
    speed = Speedometer(recipe.batch_size)
    watchers = [Progress(), speed, cuts, scorer, keeper]
    trainer = build_trainer(
        config, folder, recipe, steps=steps, callbacks=watchers, learns=checkpoint is None
    )

    model = build_model(config, vocabulary=tokenizer.size, is_empty=checkpoint is not None)
    if checkpoint is not None:
        scorer.step = read_weights(checkpoint, model)
        model.tie()
    module = TransferModule(
        model, recipe, steps=steps, end=tokenizer.eos, seed=config.seed, decoding=decoding
    )
    return Run(folder, task, module, data, trainer, scorer, cuts, speed, report, remarks)


def build_task(config: DictConfig) -> Task:
    """The task, its files looked at and its mask codec fit for the model."""
    task: Task = instantiate(config.task)
    refuse_foreign_codec(task, config.model.weights)
    return task


def build_data(
    config: DictConfig, task: Task, tokenizer: Tokenizer, recipe: Recipe
) -> TransferData:
    """The loaders."""
    reader = Reader(
        task=task,
        tokenizer=tokenizer,
        resolution=config.resolution,
        text_length=recipe.text_length,
        antialias=read_antialias(config),
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


def build_trainer(
    config: DictConfig,
    folder: Path,
    recipe: Recipe,
    *,
    steps: int,
    callbacks: list[Any],
    learns: bool,
) -> Trainer:
    """The Lightning trainer, to which the whole run is one pass over one loader.

    Args:
        config: of the run.
        folder: of the run.
        recipe: of the run.
        steps: updates.
        callbacks: in the order in which they are called.
        learns: the run trains, and does not only score.

    Raises:
        ValueError: the batch cannot be cut into micro-batches, or validations are too many.
    """
    if not 1 <= config.validations <= steps:
        raise ValueError(f"validations={config.validations} is not between 1 and {steps} updates")
    trainer: Trainer = instantiate(
        config.trainer,
        max_epochs=1,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        logger=csv_log(folder) if learns else False,
        callbacks=callbacks,
    )
    passes = accumulation(recipe.batch_size, config.micro_batch, trainer.world_size)
    trainer.accumulate_grad_batches = passes
    trainer.val_check_interval = passes * (steps // config.validations)
    return trainer


def csv_log(folder: Path) -> CSVLogger:
    """A log in `metrics.csv`; Lightning would delete that of the run that is gone on with."""
    log = folder / "metrics.csv"
    if log.exists() and rank_zero_only.rank == 0:
        earlier = len(list(folder.glob("metrics-*.csv"))) + 1
        log.rename(folder / f"metrics-{earlier}.csv")
    return CSVLogger(folder, name="", version="")


def read_tokenizer(config: DictConfig) -> Tokenizer:
    """The model's tokenizer; from the hub where it is not at hand."""
    source = config.model.tokenizer
    if str(source).endswith(".npz"):
        raise ValueError(
            f"model.tokenizer={source} is a file of weights; big_vision's checkpoints hold no "
            f"tokenizer: set model.tokenizer to a tokenizer.model or tokenizer.json"
        )
    return load_tokenizer(source if source == "builtin" else weights_folder(source))


def build_model(config: DictConfig, *, vocabulary: int, is_empty: bool) -> PaliGemma:
    """The model with its starting weights: read, or drawn where there are none to read.

    Args:
        config: of the run.
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
    weights = config.model.weights
    with torch.device("meta" if is_empty or weights else "cpu"):
        model = PaliGemma(sizes, rematerialise=config.model.rematerialise)
    if is_empty:
        return model
    if weights:
        report = load_weights(model, weights_folder(weights))
        if report.resized_from is not None:
            say(
                f"note: {weights} is made for {report.resized_from} px; its position embeddings "
                f"were resampled for {config.resolution} px"
            )
    else:
        model.initialise(torch.Generator().manual_seed(config.seed))
    return model
