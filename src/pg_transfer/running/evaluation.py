"""Scores what a run has learnt, or answers that were saved."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf, open_dict

from pg_transfer.data.splits import Splits, remarks_on
from pg_transfer.process.console import CONSOLE, end_stopped, say, score_table
from pg_transfer.process.stopping import Requests
from pg_transfer.project import typed
from pg_transfer.reporting.answers import file_name, read_answers
from pg_transfer.reporting.page import Side
from pg_transfer.reporting.record import Record, write_record
from pg_transfer.reporting.report import NOTHING, Report, build_report, cells
from pg_transfer.running.assemble import Run, assemble
from pg_transfer.running.devices import found, scoring_trainer
from pg_transfer.running.judging import asked_otherwise, learnt_by_heart
from pg_transfer.running.mixing import move_data, move_images
from pg_transfer.running.parts import build_task
from pg_transfer.running.trainer_settings import refuse_odd_settings
from pg_transfer.sources.run_settings import read_run_settings, require_parts
from pg_transfer.task import Scores
from pg_transfer.training.weights import BEST, CHECKPOINTS, SUFFIXES


def evaluate(config: DictConfig) -> None:
    """Scores a run's checkpoint, or a file of answers to one of its splits.

    Cut short or asked to stop, the same command goes on behind the answers that were given.

    Raises:
        FileNotFoundError: no run or no checkpoint there.
        ValueError: `answers` without `split`, or `compare` with nothing to compare.
    """
    command = [*typed("evaluate"), *sys.argv[1:]]
    with Requests(lambda stopped: end_stopped(stopped, command)) as requests:
        score(config, requests)


def score(config: DictConfig, requests: Requests) -> None:
    """See `evaluate`."""
    _refuse_odd_names(config)
    checkpoint = Path(config.checkpoint)
    if config.checkpoint not in CHECKPOINTS and checkpoint.suffix not in SUFFIXES:
        raise ValueError(
            f"checkpoint={checkpoint} is none of {', '.join(CHECKPOINTS)}, and no path of a file "
            f"that ends in {' or '.join(SUFFIXES)}"
        )
    if config.run is None and checkpoint.suffix not in SUFFIXES:
        raise ValueError("give run=, the folder of a train.py run, or checkpoint=, a file in one")
    folder = Path(config.run) if config.run is not None else checkpoint.parent.parent
    settings = read_run_settings(folder)
    require_parts(folder, settings)
    with open_dict(settings):
        settings.pictured, settings.page = config.pictured, config.page
        settings.model.tokenizer = str(folder)
        if config.weights is not None:
            settings.model.weights = config.weights
        for key in ("beams", "temperature", "nucleus", "evaluation_batch", "on_error"):
            if config[key] is not None:
                settings[key] = config[key]
        if config.root is not None:
            move_data(settings, config.root)
        if config.images is not None:
            move_images(settings, config.images)
        if config.split is not None:
            settings.splits.report, settings.splits.optional = [config.split], []
    compared = None if config.compare is None else Path(config.compare)
    if compared is not None and (config.answers is None or not config.page):
        raise ValueError(f"compare={compared} needs answers=... to lie beside, and a page above 0")
    if config.answers is not None:
        score_file(settings, Path(config.answers), config.split, folder, compared=compared)
        return
    place_on_devices(settings, config.trainer)
    if config.checkpoint in CHECKPOINTS:
        checkpoint = folder / "checkpoints" / CHECKPOINTS[config.checkpoint]
    run = assemble(settings, folder, checkpoint=checkpoint, requests=requests)
    if checkpoint.name == BEST and (learnt := learnt_by_heart(settings)):
        run.remarks.append(f"these weights were chosen by {learnt}")
    if otherwise := asked_otherwise(settings.get("prompt"), run.task.request):
        run.remarks.append(otherwise)
    name = report_name(config, run.module.decoding.label)
    report_run(run, settings, {split: run.score(split) for split in run.report}, name=name)


def place_on_devices(settings: DictConfig, asked: DictConfig) -> None:
    """Puts the trainer of the evaluation in the place of the run's, and says where they differ."""
    if not isinstance(settings.get("trainer"), DictConfig):
        return  # which is told where all settings are looked at
    refuse_odd_settings(asked)
    learnt_on, wanted = (OmegaConf.to_container(one) for one in (settings.trainer, asked))
    trainer, notes = scoring_trainer(learnt_on, wanted, found())  # type: ignore[arg-type]
    with open_dict(settings):
        settings.trainer = trainer
    for note in notes:
        say(f"note: {note}")


def _refuse_odd_names(config: DictConfig) -> None:
    """Raises ValueError where the name of a file, folder or split is none."""
    for name in ("run", "checkpoint", "split", "answers", "compare"):
        value = config[name]
        if (value is None and name != "checkpoint") or (value and isinstance(value, str)):
            continue
        quoted = "; a name that looks like a number needs quotes and the shell's: "
        hint = f"{quoted}'{name}=\"{value}\"'" if type(value) in (int, float) else ""
        raise ValueError(f"{name}={value!r} is no name{hint}")


def score_file(
    settings: DictConfig,
    path: Path,
    split: str | None,
    folder: Path,
    *,
    compared: Path | None = None,
) -> None:
    """Scores saved answers; no model is needed.

    The page shows them, beside those of the file `compared` if there is one.
    """
    if split is None:
        raise ValueError(f"answers={path} needs split=..., the one that was answered")
    paths = [path] if compared is None else [path, compared]
    for file in paths:
        if not file.is_file():
            raise FileNotFoundError(f"no file of answers at {file}")
    splits = Splits(build_task(settings))
    task, examples = splits.task, splits.scored(split)
    given = [read_answers(file, examples) for file in paths]
    sides = [
        Side(str(file), answers, task.score_in_full(answers))
        for file, answers in zip(paths, given, strict=True)
    ]
    report = build_report(
        {split: sides[0].scores}, task.formulas_of, **what(settings),
        facts={"answers": str(path)},
        notes=remarks_on(splits, [split], train=settings.splits.train),
    )  # fmt: skip
    show_report(report, folder / f"report-{path.stem}.md")
    page_name = None
    if compared is not None:  # its name alone is often the same
        other = "-".join(compared.resolve().with_suffix("").parts[-3:])
        page_name = file_name(f"{path.stem}-against-{other}")
    record = write_record(
        folder, f"{path.stem}-rescored", task, sides, split=split,
        pictured=settings.pictured, page=settings.page, page_name=page_name,
    )  # fmt: skip
    say_where({split: record})


def report_name(config: DictConfig, label: str) -> str:
    """What an evaluation's report is called; `report` alone is that of the end of training."""
    differs = any(config[key] is not None for key in ("beams", "temperature", "nucleus"))
    parts = [
        "report",
        Path(config.checkpoint).stem,
        file_name(config.split or ""),
        (label or "greedy") if differs else "",
    ]
    return "-".join(filter(None, parts))


def report_run(
    run: Run,
    settings: DictConfig,
    scores: Mapping[str, Scores],
    *,
    name: str,
    before: Mapping[str, Scores] = NOTHING,
) -> None:
    """Shows and saves the report on the scores of a model; one process does."""
    cut = run.watchers.cuts.report()
    if not run.trainer.is_global_zero:
        run.scorer.forget()
        return
    facts = {"step": run.step, "decoding": run.module.decoding.label or "greedy"}
    report = build_report(
        scores, run.task.formulas_of, **what(settings),
        facts=facts, before=before,
        notes=[
            *run.remarks, *run.watchers.left_out.remarks(list(scores)), *([cut] if cut else []),
        ],
    )  # fmt: skip
    show_report(report, run.folder / f"{name}.md")
    run.scorer.forget()
    say_where({split: run.scorer.results[split].record for split in scores})


def what(settings: DictConfig) -> dict[str, Any]:
    """What a run's results have to be compared by."""
    return {
        "task": settings.get("task_name") or settings.task._target_,
        "model": settings.model.size,
        "resolution": settings.resolution,
    }


def show_report(report: Report, path: Path) -> None:
    """Prints the scores of every split beside what was published, and saves the same."""
    for split, lines in report.splits.items():
        CONSOLE.print(score_table(split, cells(lines)))
    for note in report.notes:
        say(f"note: {note}")
    report.save(path)
    say(f"report: {path}")


def say_where(records: Mapping[str, Record]) -> None:
    """Says where the last split's picture and every split's page are."""
    *_, last = records.values()
    if last.picture is not None:
        say(f"picture of the answers: {last.picture}")
    for split, record in records.items():
        if record.page is not None:
            say(f"page of the answers to {split}: {record.page}")
