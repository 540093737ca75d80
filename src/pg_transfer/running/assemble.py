"""From a composed configuration to the objects of a run.

What can be wrong with the user's input is looked at first, and weights are read last.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from lightning.pytorch import Trainer
from omegaconf import DictConfig, OmegaConf

from pg_transfer.data.json_records import progress_told
from pg_transfer.data.release import missing_images_allowed
from pg_transfer.data.splits import choose_reported, remarks_on
from pg_transfer.model.decoding import Decoding
from pg_transfer.process.console import say
from pg_transfer.process.launching import hear_while_meeting, require_processes
from pg_transfer.process.slow_reading import SlowReading
from pg_transfer.process.stopping import Requests
from pg_transfer.reporting.answers import read_answers
from pg_transfer.running.judging import learnt_by_heart
from pg_transfer.running.parts import (
    build_data,
    build_model,
    build_task,
    build_trainer,
    read_tokenizer,
    refuse_sharded_bits,
)
from pg_transfer.running.settings import (
    refuse_odd_values,
    refuse_rounded_updates,
    remark_on_precision,
)
from pg_transfer.running.watchers import Watchers, build_watchers
from pg_transfer.task import Scores, Task
from pg_transfer.training.data import TransferData
from pg_transfer.training.module import TransferModule
from pg_transfer.training.recipe import Recipe, read_recipe
from pg_transfer.training.scoring import Headline, ScoreTask
from pg_transfer.training.sharding import FullySharded
from pg_transfer.training.tuning import read_tuning
from pg_transfer.training.weights import read_weights, require_finite


@dataclass(frozen=True, slots=True)
class Run:
    """Everything that `train.py` and `evaluate.py` work with.

    Attributes:
        report: the splits to score at the end.
        remarks: what a reader of the scores has to know; printed already.
        watchers: what looks on, and can tell.
    """

    folder: Path
    task: Task
    module: TransferModule
    data: TransferData
    trainer: Trainer
    report: list[str]
    remarks: list[str]
    watchers: Watchers

    @property
    def scorer(self) -> ScoreTask:
        """Keeps the answers and the scores of every split that was asked about."""
        return self.watchers.scorer

    @property
    def step(self) -> int:
        """The update after which the present weights are those that they are."""
        return self.trainer.global_step if self.scorer.step is None else self.scorer.step

    @property
    def best(self) -> Headline:
        """The best score of a validation, so far."""
        keeper = self.watchers.keeper
        name = keeper.metric or self.scorer.results[self.report[0]].headline.metric
        return Headline(name, float("nan") if keeper.best is None else keeper.best)

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
    allowed = missing_images_allowed() if skips else nullcontext()
    with allowed, progress_told(SlowReading()):
        return _assemble(config, folder, checkpoint, is_weightless, requests)


def _assemble(
    config: DictConfig,
    folder: Path,
    checkpoint: Path | None,
    is_weightless: bool,
    requests: Requests | None,
) -> Run:
    refuse_odd_values(config)
    learns = checkpoint is None
    patience = config.get("patience")
    if learns and patience is not None and (learnt := learnt_by_heart(config)):
        raise ValueError(f"patience={patience} would end the training by {learnt}")
    recipe = read_recipe(OmegaConf.to_container(config.recipe, resolve=True))  # type: ignore[arg-type]
    tuning = read_tuning(OmegaConf.to_container(config.tuning, resolve=True))  # type: ignore[arg-type]
    refuse_rounded_updates(tuning.parts(recipe), str(config.trainer.precision))
    decoding = Decoding(beams=config.beams, temperature=config.temperature, nucleus=config.nucleus)
    task = build_task(config)
    for finding in task.findings:
        say(finding)
    tokenizer = read_tokenizer(config)
    data = build_data(config, task, tokenizer, recipe)
    if learns:
        read_learnt(data, recipe)
    report, remarks = read_reported(config, data, learns=learns)
    if learns and (remark := remark_on_precision(config.trainer)):
        say(f"note: {remark}")

    watchers = build_watchers(
        config, data, tokenizer, folder,
        splits=[data.train, data.validate, *report] if learns else report, learns=learns,
        label=decoding.label, requests=requests,
    )  # fmt: skip
    trainer = build_trainer(
        config, recipe, steps=data.steps, callbacks=watchers.called, loggers=watchers.loggers
    )
    if not is_weightless:
        require_processes(trainer)
    if requests is not None:
        hear_while_meeting(trainer, requests)
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
        watchers.scorer.step = read_weights(checkpoint, model, base=module.base)
    if not (is_weightless or is_given):
        require_finite(str(checkpoint or config.model.weights), module.model)
    return Run(folder, task, module, data, trainer, report, remarks, watchers)


def read_learnt(data: TransferData, recipe: Recipe) -> None:
    """Reads what is learnt from and what is validated on; scoring needs neither.

    Raises:
        ValueError: the recipe has no schedule for so many examples.
    """
    data.steps = recipe.steps(len(data.examples(data.train)))
    recipe.schedule(0, data.steps)
    data.splits.scored(data.validate)
    for room in data.make_room():
        say(f"note: {room}")


def read_reported(
    config: DictConfig, data: TransferData, *, learns: bool
) -> tuple[list[str], list[str]]:
    """The splits to score at the end, and what a reader of their scores has to know.

    They are read now, so that their faults show before the training.
    """
    report, missing = choose_reported(
        data.splits, config.splits.report, optional=config.splits.get("optional") or ()
    )
    is_more = learns and data.validate not in report
    scored = [*report, data.validate] if is_more else report
    remarks = [*remarks_on(data.splits, scored, train=data.train), *missing]
    for remark in remarks:
        say(f"note: {remark}")
    return report, remarks
