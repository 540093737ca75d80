"""From a composed configuration to the objects of a run; the only module that knows Hydra.

What can be wrong with the user's input is looked at first, and weights are read last.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.loggers.logger import Logger
from omegaconf import DictConfig, OmegaConf

from pg_transfer.data.release import missing_images_allowed
from pg_transfer.data.splits import choose_reported, remarks_on
from pg_transfer.display.progress import Progress
from pg_transfer.display.samples import ShowSamples
from pg_transfer.model.config import released
from pg_transfer.model.decoding import Decoding
from pg_transfer.model.paligemma import PaliGemma
from pg_transfer.process.console import say
from pg_transfer.process.launching import refuse_ranks_of_their_own
from pg_transfer.process.stopping import Requests
from pg_transfer.reporting.answers import read_answers
from pg_transfer.running.settings import (
    read_antialias,
    read_component_antialias,
    refuse_foreign_codec,
    refuse_odd_values,
    refuse_rounded_updates,
)
from pg_transfer.sources.loading import tokenizer_of
from pg_transfer.sources.models import start
from pg_transfer.task import Scores, Task
from pg_transfer.text.tokenizer import Tokenizer
from pg_transfer.tracking.code_version import code_version
from pg_transfer.tracking.follow import Follow
from pg_transfer.tracking.guard import Guard
from pg_transfer.tracking.plain import Plain
from pg_transfer.tracking.tracker import Told, Tracker
from pg_transfer.training.batches import Reader, accumulation
from pg_transfer.training.checkpoints import KeepCheckpoints
from pg_transfer.training.data import TransferData
from pg_transfer.training.ending import EndTogether
from pg_transfer.training.left_out import LeftOut
from pg_transfer.training.metrics_log import KeepLog, MetricsLog
from pg_transfer.training.module import TransferModule
from pg_transfer.training.prepared_images import PreparedImages
from pg_transfer.training.recipe import Recipe
from pg_transfer.training.scoring import Headline, ScoreTask
from pg_transfer.training.sharding import FullySharded
from pg_transfer.training.stop_when_asked import StopWhenAsked
from pg_transfer.training.stopping import StopEarly
from pg_transfer.training.telling import TellScores
from pg_transfer.training.trouble import TellTrouble
from pg_transfer.training.tuning import Tuning, read_tuning
from pg_transfer.training.watching import CountCuts, RatesByPart, Speedometer
from pg_transfer.training.weights import LAST, WholeFiles, read_weights, require_finite


@dataclass(frozen=True, slots=True)
class Run:
    """Everything that `train.py` and `evaluate.py` work with.

    Attributes:
        report: the splits to score at the end.
        remarks: what a reader of the scores has to know; printed already.
        tracker: where the run is followed besides its folder, if it is.
        keeper: knows the best score.
        stopper: ends the training early, if it may.
    """

    folder: Path
    task: Task
    module: TransferModule
    data: TransferData
    trainer: Trainer
    scorer: ScoreTask
    cuts: CountCuts
    left_out: LeftOut
    trouble: TellTrouble
    speed: Speedometer
    report: list[str]
    remarks: list[str]
    tracker: Guard | None
    keeper: KeepCheckpoints
    stopper: StopEarly | None

    @property
    def step(self) -> int:
        """The update after which the present weights are those that they are."""
        return self.trainer.global_step if self.scorer.step is None else self.scorer.step

    @property
    def best(self) -> Headline:
        """The best score of a validation, so far."""
        (name, *_), best = self.scorer.results[self.report[0]].scores.metrics, self.keeper.best
        return Headline(name, float("nan") if best is None else best)

    def score(self, split: str) -> Scores:
        """The full verdict on the present weights' answers to a split; not asked for twice."""
        result = self.scorer.results.get(split)
        if result is None or result.step != self.step or not result.in_full:
            self.scorer.split = split
            self.trainer.validate(self.module, self.data.prompts(split), verbose=False)
            self.scorer.split = self.data.validate
            result = self.scorer.results[split]
        return result.scores

    def score_again(self, split: str, *, step: int) -> Scores:
        """The full verdict on the answers that this run has saved earlier.

        Raises:
            FileNotFoundError: they are not there any more.
        """
        path = self.scorer.file_of(split, step)
        return self.task.score_in_full(read_answers(path, self.data.examples(split)))


def assemble(
    config: DictConfig,
    folder: Path,
    *,
    checkpoint: Path | None = None,
    is_weightless: bool = False,
    requests: Requests | None = None,
) -> Run:
    """The objects of a run into `folder`.

    Args:
        config: resolved or not.
        folder: for everything that is written.
        checkpoint: of ours, to take what was learnt from; what was not comes from `model.weights`.
        is_weightless: read no weights at all; nothing can be computed then.
        requests: to stop, which the run listens to.

    Raises:
        ValueError: settings that do not fit each other.
        FileNotFoundError: data, weights or the tokenizer are not where the settings say.
    """
    skips = config.get("on_error") == "skip"  # runs of earlier versions do not have it
    with missing_images_allowed() if skips else nullcontext():
        return _assemble(config, folder, checkpoint, is_weightless, requests)


def _assemble(
    config: DictConfig,
    folder: Path,
    checkpoint: Path | None,
    is_weightless: bool,
    requests: Requests | None,
) -> Run:
    refuse_odd_values(config)
    recipe = Recipe(**OmegaConf.to_container(config.recipe, resolve=True))  # type: ignore[arg-type]
    tuning = read_tuning(OmegaConf.to_container(config.tuning, resolve=True))  # type: ignore[arg-type]
    refuse_rounded_updates(tuning.parts(recipe), str(config.trainer.precision))
    decoding = Decoding(beams=config.beams, temperature=config.temperature, nucleus=config.nucleus)
    task = build_task(config)
    for finding in task.findings:
        say(finding)
    tokenizer = read_tokenizer(config)
    data = build_data(config, task, tokenizer, recipe)
    learns = checkpoint is None
    if learns:  # scoring needs neither of these splits
        data.steps = recipe.steps(len(data.examples(data.train)))
        recipe.schedule(0, data.steps)
        data.examples(data.validate)
        for room in data.make_room():
            say(f"note: {room}")
    # All that is scored at the end is read now, so that its faults show before the training.
    report, missing = choose_reported(
        data.splits, config.splits.report, optional=config.splits.get("optional") or ()
    )
    remarks = [*remarks_on(data.splits, report, train=data.train), *missing]
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
    left_out, trouble = LeftOut(data, scorer, folder=folder), TellTrouble(data, folder=folder)
    teller = TellScores(folder, data, scorer)
    watchers: list[Callback] = [
        Progress(scorer), speed, RatesByPart(), cuts, scorer, left_out, trouble, teller
    ]  # fmt: skip
    stopper = None
    if learns and config.patience is not None:
        stopper = StopEarly(scorer, patience=config.patience)
        watchers.append(stopper)
    watchers += [keeper, ShowSamples(scorer, keeper, count=config.get("samples", 0))]
    if requests is not None:
        watchers.append(StopWhenAsked(requests, keeper))
    loggers: list[Logger] = []
    if learns:
        log = MetricsLog(folder, goes_on=(folder / "checkpoints" / LAST).exists())
        loggers.append(log)
        watchers.append(KeepLog(log))
    tracker = build_tracker(config, folder) if learns else None
    if tracker is not None:
        loggers.append(tracker)
        watchers.append(Follow(tracker, scorer))
    watchers.append(EndTogether())
    trainer = build_trainer(config, recipe, steps=data.steps, callbacks=watchers, loggers=loggers)

    data.trainer = trainer  # else Lightning would tell it only when it trains
    refuse_sharded_bits(trainer, tuning)
    # Of processes that hold the weights together, the first reads them and sends the others theirs.
    is_given = isinstance(trainer.strategy, FullySharded) and not trainer.is_global_zero
    is_empty = is_weightless or is_given or (not learns and not tuning.needs_base(recipe))
    model = build_model(config, recipe, tuning, vocabulary=tokenizer.size, is_empty=is_empty)
    module = TransferModule(
        model, recipe, steps=data.steps, end=tokenizer.eos, seed=config.seed, decoding=decoding,
        tuning=tuning, source=str(config.model.weights or f"drawn with seed {config.seed}"),
    )  # fmt: skip
    if checkpoint is not None and not is_given:
        scorer.step = read_weights(checkpoint, model, base=module.base)
    if not (is_weightless or is_given):
        require_finite(str(checkpoint or config.model.weights), module.model)
    return Run(
        folder, task, module, data, trainer, scorer, cuts, left_out, trouble, speed, report,
        remarks, tracker, keeper, stopper,
    )  # fmt: skip


def build_task(config: DictConfig) -> Task:
    """The task, its files looked at and its mask codec fit for the model."""
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
        ValueError: the batch cannot be cut into micro-batches, or validations are too many.
    """
    learns = bool(loggers)
    if learns and not 1 <= config.validations <= steps:
        raise ValueError(f"validations={config.validations} is not between 1 and {steps} updates")
    try:
        trainer: Trainer = instantiate(
            config.trainer,
            max_epochs=1,
            num_sanity_val_steps=0,
            use_distributed_sampler=False,
            enable_model_summary=False,
            enable_checkpointing=False,
            logger=loggers,
            callbacks=callbacks,
        )
    except InstantiationException as error:
        if isinstance(error.__cause__, MisconfigurationException):
            chosen = " ".join(
                f"trainer.{name}={config.trainer[name]}"
                for name in ("accelerator", "devices", "strategy", "precision")
            )
            raise ValueError(f"{chosen}: {error.__cause__}") from error
        raise
    refuse_ranks_of_their_own(trainer)
    trainer.strategy.checkpoint_io = WholeFiles()
    if learns:
        passes = accumulation(recipe.batch_size, config.micro_batch, trainer.world_size)
        trainer.accumulate_grad_batches = passes
        trainer.val_check_interval = passes * (steps // config.validations)
    return trainer


def refuse_sharded_bits(trainer: Trainer, tuning: Tuning) -> None:
    """Raises ValueError where weights of 4 bits would have to be cut into pieces."""
    kind = None if tuning.adapters is None else tuning.adapters.kind
    if isinstance(trainer.strategy, FullySharded) and kind == "qlora":
        raise ValueError(
            "tuning=qlora with trainer=fsdp: weights of 4 bits cannot be shared out by processes. "
            "Take trainer=ddp, where each process holds them all, or tuning=lora"
        )


def build_tracker(config: DictConfig, folder: Path) -> Guard | None:
    """What follows the run besides its folder; None if nothing does."""
    if not config.get("logger"):
        return None
    built = instantiate(config.logger, _convert_="all")
    settings = cast(dict[str, Any], OmegaConf.to_container(config, resolve=True))
    task = config.get("task_name") or config.task._target_.rpartition(".")[2]
    told = Told(folder, f"{task}-{config.resolution} {folder.name}", settings, code_version())
    return Guard(built if isinstance(built, Tracker) else Plain(built), told, say=say)


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
