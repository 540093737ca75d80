"""The procedure of the paper: start from a checkpoint, train the recipe, score every split."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any, cast

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from pg_transfer.display.preview import printed, read_lessons, write_preview
from pg_transfer.display.summary import show_end
from pg_transfer.planning.asked import AUTO, settled
from pg_transfer.planning.room import found_device, gb
from pg_transfer.planning.shortage import by_part, shortage_explained
from pg_transfer.process.console import CONSOLE, end_stopped, facts_table, say, score_table
from pg_transfer.process.replacing import settle
from pg_transfer.process.secrecy import refuse_secrets
from pg_transfer.process.stopping import Requests
from pg_transfer.process.whole_files import write_whole
from pg_transfer.reporting.scores_file import read_scores
from pg_transfer.running.additions import refuse_typed_additions
from pg_transfer.running.assemble import Run, assemble
from pg_transfer.running.claim import claimed
from pg_transfer.running.evaluation import report_run
from pg_transfer.running.folder import (
    is_named_by_clock,
    keep_tokenizer,
    remove_empty,
    require_one_folder,
    require_same_run,
    resume_command,
    take_another,
    training_command,
)
from pg_transfer.running.mixing import with_components
from pg_transfer.running.settings import refuse_odd_values
from pg_transfer.running.task_settings import images_of
from pg_transfer.sources.run_settings import CONFIG, anchored, parse_settings
from pg_transfer.task import Scores
from pg_transfer.tracking.code_version import code_version, described
from pg_transfer.tracking.follow import best_model
from pg_transfer.tracking.guard import Guard
from pg_transfer.training.damaged import CheckpointError, going_on_from
from pg_transfer.training.streams import told_shares
from pg_transfer.training.tuning import tuning_table
from pg_transfer.training.weights import BEST, LAST


def transfer(config: DictConfig) -> float | None:
    """Trains and scores; goes on where the folder's last checkpoint ended, if it has one.

    Asked to stop, it saves and exits with the signal's code; see `pg_transfer.process.stopping`.

    Returns:
        The task's first metric on the validation split, as it was last in the training: what a
        sweep compares runs by. None after a preview.

    Raises:
        ValueError: settings that do not fit each other, or a folder that holds another run.
    """
    if config.run in (None, ""):
        raise ValueError("run= has no name of a folder; leave it out, and the run gets one")
    folder = Path(HydraConfig.get().runtime.output_dir)
    with Requests(lambda stopped: end_stopped(stopped, resume_command(folder))) as requests:
        try:
            with claimed(folder, may_have_another=is_named_by_clock(config)) as claim:
                if claim != folder:
                    folder = claim
                    take_another(folder)
                return train_and_score(config, folder, requests)
        finally:
            remove_empty(folder)


def train_and_score(config: DictConfig, folder: Path, requests: Requests) -> float | None:
    """See `transfer`."""
    last = folder / "checkpoints" / LAST
    settle(last)
    require_one_folder(config)
    refuse_typed_additions()
    resolved = resolve(config, folder)
    settle_sizes(resolved, folder)
    if resolved.preview:
        preview(resolved, folder)
        return None
    require_same_run(folder, resolved)
    if resolved.score_only and last.exists():
        raise ValueError(
            f"run={folder} holds weights that were trained: evaluate.py run={folder} scores them, "
            f"and score_only=true those that a run starts from, in a folder of its own"
        )
    run = assemble(resolved, folder, requests=requests)
    if run.task.request is not None:
        resolved.prompt = run.task.request  # the data chose it, and nobody else can tell it later
    resolved.images_of_an_example = run.data.examples(resolved.splits.train)[0].seen  # likewise
    if run.trainer.is_global_zero:
        write_whole(folder / CONFIG, [OmegaConf.to_yaml(resolved)])
        keep_tokenizer(run.data.reader.tokenizer.path, folder)
    CONSOLE.print(facts_table("run", plan(run)))
    CONSOLE.print(score_table("what learns", tuning_table(run.module.model, run.module.parts)))

    with shortage_explained(resolved, lambda: images_of(resolved)):
        if resolved.score_only:
            score_start(run, resolved)
            return None
        learn_and_score(run, resolved, last)
    scores = read_scores(folder)  # of this process none, where it only scored a finished run
    return scores[-1].score if scores else None


def learn_and_score(run: Run, config: DictConfig, last: Path) -> None:
    """The training, from its last checkpoint on if there is one; and the report.

    Raises:
        ValueError: the data or the settings are at fault; with what to do about it.
    """
    folder = run.folder
    try:
        before = score_before(run, is_done=last.exists()) if config.score_before else {}
        with going_on_from(last):
            run.trainer.fit(
                run.module, run.data, ckpt_path=last if last.exists() else None, weights_only=True
            )
        after = {split: run.score(split) for split in run.report}
    except CheckpointError:  # the same command would meet it again
        raise
    except Exception:
        goes_on = "to go on from the last checkpoint" if last.exists() else "to start again"
        say(f"{goes_on}: {shlex.join(resume_command(folder))}")
        raise
    report_run(run, config, after, name="report", before=before)
    for tracker in run.watchers.trackers:
        end_tracking(run, tracker)
    if large := run.watchers.trouble.report():
        say(f"gradients: {large}")
    show_end(
        folder, updates=run.trainer.global_step, reason=why_it_ended_early(run),
        best=run.best, best_step=run.watchers.keeper.best_step,
        measured=run.watchers.speed.report(),
        trackers=[one.address for one in run.watchers.trackers if one.where],
        example=run.data.examples(run.report[0])[0],
        form=exported_form(config),
    )  # fmt: skip


def exported_form(config: DictConfig) -> str:
    """What to export a run as: adapters alone only where the weights below them have a name."""
    is_whole = config.tuning.adapters is None or config.model.weights is None
    return "huggingface" if is_whole else "adapter"


def why_it_ended_early(run: Run) -> str:
    """The reason; empty if it was trained to its end."""
    is_whole = run.trainer.global_step >= run.data.steps
    return "" if is_whole or run.watchers.stopper is None else run.watchers.stopper.reason


def settle_sizes(config: DictConfig, folder: Path) -> None:
    """Puts numbers in the place of a micro-batch and blocks twice that are left to the planner.

    They are those of the run in the folder, if there is one.

    Raises:
        ValueError: there is no room for one example.
    """
    left = [
        (table, name) for table, name in ((config, "micro_batch"), (config.model, "rematerialise"))
        if table[name] == AUTO
    ]  # fmt: skip
    if not left:
        return
    if (folder / CONFIG).is_file():
        earlier = parse_settings(folder / CONFIG)
        found = {"micro_batch": earlier.micro_batch, "rematerialise": earlier.model.rematerialise}
    else:
        refuse_odd_values(config, left=AUTO)
        device = found_device(str(config.trainer.accelerator))
        demand = settled(config, device, images=images_of(config))
        found = {"micro_batch": demand.micro_batch, "rematerialise": demand.twice}
        say(
            f"micro_batch={demand.micro_batch} model.rematerialise={demand.twice}: it takes "
            f"{by_part(demand)}, and there is room for {gb(device.room)} on {device.name}"
        )
    for table, name in left:
        table[name] = found[name]


def score_start(run: Run, config: DictConfig) -> None:
    """The report on the weights to start from, which are all there is."""
    report_run(run, config, {split: run.score(split) for split in run.report}, name="report")
    for tracker in run.watchers.trackers:
        tracker.finish()


def score_before(run: Run, *, is_done: bool) -> dict[str, Scores]:
    """The scores of the weights to start from; of a run that goes on, by the answers it saved."""
    if is_done:
        say("scoring the answers of the weights that this run started from")
        return {split: run.score_again(split, step=0) for split in run.report}
    say("scoring the weights to start from")
    return {split: run.score(split) for split in run.report}


def end_tracking(run: Run, tracker: Guard) -> None:
    """Hands over the best weights, if they are wanted there, and ends the run there."""
    if tracker.tracker.log_model and run.trainer.is_global_zero:
        facts = {"step": run.watchers.keeper.best_step or 0, run.best.metric: run.best.value}
        tracker.log_best(best_model(run.folder, run.folder / "checkpoints" / BEST, facts))
    tracker.finish()


def preview(config: DictConfig, folder: Path) -> None:
    """Shows the first batch as the model will see it, and the plan; reads no weights.

    Raises:
        ValueError: settings that do not fit each other, or a folder that holds a run.
    """
    if (folder / CONFIG).exists():
        raise ValueError(f"run={folder} holds a run already; a preview needs a folder of its own")
    config.workers = 0
    run = assemble(config, folder, is_weightless=True)
    batch = next(iter(run.data.train_dataloader()))
    lessons = read_lessons(
        batch, run.data.examples(run.data.train),
        task=run.task, tokenizer=run.data.reader.tokenizer,
        image_tokens=run.module.model.config.vision.image_tokens,
    )  # fmt: skip
    CONSOLE.print(facts_table("run", plan(run)))
    CONSOLE.print(score_table("what learns", tuning_table(run.module.model, run.module.parts)))
    for line in printed(lessons):
        CONSOLE.print(line, soft_wrap=True)
    write_preview(folder / "preview.html", lessons, plan(run))
    say(f"\npage of the first batch: {folder / 'preview.html'}")
    say(f"to train: {shlex.join(training_command())}")


def resolve(config: DictConfig, folder: Path) -> DictConfig:
    """The settings with every value looked up, as they are saved in `folder`."""
    values = cast(dict[str, Any], OmegaConf.to_container(with_components(config), resolve=True))
    refuse_secrets(values)
    values["model"]["weights"] = anchored(values["model"]["weights"])
    resolved = OmegaConf.create(values)
    resolved.run = str(folder)
    resolved.task_name = HydraConfig.get().runtime.choices["task"]
    return resolved


def plan(run: Run) -> list[tuple[str, str]]:
    """What is about to happen, for a person to check."""
    data, recipe, trainer = run.data, run.module.recipe, run.trainer
    examples = len(data.examples(data.train))
    passes = trainer.accumulate_grad_batches
    epochs = f"{recipe.epochs:g} epoch{'' if recipe.epochs == 1 else 's'}"
    return [
        ("folder", str(run.folder)),
        ("examples", f"{examples:,} of {data.train!r}, at {data.reader.resolution} px"),
        *told_shares(run.task.shares_of(data.train), places=data.steps * recipe.batch_size),
        ("updates", f"{data.steps:,} of {recipe.batch_size} examples ({epochs})"),
        ("micro-batch", f"{data.micro_batch} x {trainer.world_size} device(s) x {passes}"),
        ("loss", f"label smoothing {recipe.label_smoothing}, dropout {recipe.dropout}"),
        ("weight decay", str(recipe.weight_decay)),
        ("precision", str(trainer.precision)),
        ("code", described(code_version())),
    ]
