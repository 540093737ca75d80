"""The procedure of the paper: start from a checkpoint, train the recipe, score every split."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf, open_dict

from pg_transfer.answers import file_name, read_answers, write_answers
from pg_transfer.assemble import Run, assemble, build_task
from pg_transfer.console import CONSOLE, facts_table, score_table
from pg_transfer.page import Side, write_page
from pg_transfer.pictures import draw_answers
from pg_transfer.report import NOTHING, Report, build_report, cells
from pg_transfer.task import Scores
from pg_transfer.training.checkpoints import BEST, LAST
from pg_transfer.training.optimizer import PARTS

CONFIG = "config.yaml"


def transfer(config: DictConfig) -> None:
    """Trains and scores; goes on where the folder's last checkpoint ended, if it has one.

    Raises:
        ValueError: settings that do not fit each other, or a folder that holds another run.
    """
    folder = Path(HydraConfig.get().runtime.output_dir)
    last = folder / "checkpoints" / LAST
    resolved = OmegaConf.create(OmegaConf.to_container(config, resolve=True))
    assert isinstance(resolved, DictConfig)
    resolved.run = str(folder)
    resolved.task_name = HydraConfig.get().runtime.choices["task"]
    require_same_run(folder, resolved)
    try:
        run = assemble(resolved, folder)
    except Exception:
        if not any(folder.iterdir()):
            folder.rmdir()  # Hydra made it; nothing has come of it
        raise
    if run.trainer.is_global_zero:
        OmegaConf.save(resolved, folder / CONFIG)
    CONSOLE.print(facts_table("run", plan(run)))

    before: dict[str, Scores] = {}
    if config.score_before and not last.exists():
        CONSOLE.print("scoring the weights to start from")
        before = {split: run.score(split) for split in run.report}
    try:
        run.trainer.fit(
            run.module, run.data, ckpt_path=last if last.exists() else None, weights_only=True
        )
    finally:
        if run.trainer.interrupted or not last.exists():
            goes_on = "to go on from the last checkpoint" if last.exists() else "to start again"
            CONSOLE.print(f"{goes_on}: {' '.join(map(shlex.quote, resume_command(folder)))}")
    if run.trainer.interrupted:
        sys.exit(130)
    after = {split: run.score(split) for split in run.report}
    report_run(run, resolved, after, name="report", before=before)
    CONSOLE.print(facts_table("training", run.speed.report()))
    if cut := run.cuts.report():
        CONSOLE.print(f"[bold]cut:[/bold] {cut}")
    CONSOLE.print(f"again: python evaluate.py run={folder}")


def evaluate(config: DictConfig) -> None:
    """Scores a run's checkpoint, or a file of answers to one of its splits.

    Raises:
        FileNotFoundError: no run or no checkpoint there.
        ValueError: `answers` without `split`, or `compare` with nothing to compare.
    """
    checkpoint = Path(config.checkpoint)
    if config.run is None and checkpoint.suffix != ".ckpt":
        raise ValueError("give run=, the folder of a train.py run, or checkpoint=, a .ckpt in one")
    folder = Path(config.run) if config.run is not None else checkpoint.parent.parent
    if not (folder / CONFIG).is_file():
        raise FileNotFoundError(f"{folder} holds no {CONFIG}; give the folder of a train.py run")
    settings = OmegaConf.load(folder / CONFIG)
    assert isinstance(settings, DictConfig)
    with open_dict(settings):
        settings.pictured, settings.page = config.pictured, config.page
        settings.model.weights = None
        for key in ("beams", "temperature", "nucleus", "evaluation_batch"):
            if config[key] is not None:
                settings[key] = config[key]
        if config.root is not None:
            settings.task.root = config.root
    compared = None if config.compare is None else Path(config.compare)
    if compared is not None and (config.answers is None or not config.page):
        raise ValueError(f"compare={compared} needs answers=... to lie beside, and a page above 0")
    if config.answers is not None:
        score_file(settings, Path(config.answers), config.split, folder, compared=compared)
        return
    names = {"last": LAST, "best": BEST}
    if config.checkpoint in names:
        checkpoint = folder / "checkpoints" / names[config.checkpoint]
    run = assemble(settings, folder, checkpoint=checkpoint)
    splits = run.report if config.split is None else [config.split]
    name = report_name(config, run.module.decoding.label)
    report_run(run, settings, {split: run.score(split) for split in splits}, name=name)


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
    task = build_task(settings)
    examples = task.examples(split)
    given = [read_answers(file, examples) for file in paths]
    sides = [
        Side(str(file), answers, task.score(answers))
        for file, answers in zip(paths, given, strict=True)
    ]
    _, answers, scores = sides[0]
    report = build_report(
        {split: scores}, task.formulas, **what(settings),
        facts={"answers": str(path)}, notes=task.departures,
    )  # fmt: skip
    show_report(report, folder / f"report-{path.stem}.md")
    rescored = folder / "answers" / f"{path.stem}-rescored"
    write_answers(rescored.with_suffix(".jsonl"), answers, scores)
    if settings.pictured:
        graded = list(zip(answers, scores.examples, strict=True))[: settings.pictured]
        draw_answers(task, graded, folder / "pictures" / f"{rescored.name}.png")
    if settings.page:
        name = rescored.name
        if compared is not None:  # its name alone is often the same
            other = "-".join(compared.resolve().with_suffix("").parts[-3:])
            name = file_name(f"{path.stem}-against-{other}")
        page = folder / "pages" / f"{name}.html"
        write_page(page, task, sides, split=split, most=settings.page)
        CONSOLE.print(f"page of the answers: {page}")


def require_same_run(folder: Path, config: DictConfig) -> None:
    """Raises ValueError if `folder` holds a run with other settings."""
    if not (folder / CONFIG).is_file():
        return
    old, new = (
        dict(flattened(OmegaConf.to_container(settings)))
        for settings in (OmegaConf.load(folder / CONFIG), config)
    )
    changed = [
        f"{key}: {old.get(key)} there, {new.get(key)} now"
        for key in sorted(old.keys() | new.keys())
        if old.get(key) != new.get(key)
    ]
    if changed:
        raise ValueError(
            f"run={folder} holds another run; repeat its settings to go on with it, or choose "
            f"another folder. Different are: {'; '.join(changed)}"
        )


def flattened(settings: object, path: str = "") -> list[tuple[str, object]]:
    """Every leaf of nested settings with its dotted name."""
    if not isinstance(settings, dict):
        return [(path, settings)]
    return [
        leaf
        for key, value in settings.items()
        for leaf in flattened(value, f"{path}.{key}" if path else str(key))
    ]


def resume_command(folder: Path) -> list[str]:
    """What to type to go on with the run in `folder`."""
    options = [option for option in sys.argv[1:] if not option.startswith("run=")]
    return ["python", "train.py", *options, f"run={folder}"]


def plan(run: Run) -> list[tuple[str, str]]:
    """What is about to happen, for a person to check."""
    data, recipe, trainer = run.data, run.module.recipe, run.trainer
    parameters = dict(run.module.model.named_parameters())
    facts = [("folder", str(run.folder))]
    for part, prefix in PARTS.items():
        own = [p for name, p in parameters.items() if name.startswith(prefix)]
        learning = sum(p.numel() for p in own if p.requires_grad)
        facts.append((part, f"{sum(p.numel() for p in own):,} parameters, {learning:,} learn"))
    examples = len(data.examples(data.train))
    passes = trainer.accumulate_grad_batches
    facts += [
        ("examples", f"{examples:,} of {data.train!r}, at {data.reader.resolution} px"),
        ("updates", f"{data.steps:,} of {recipe.batch_size} examples ({recipe.epochs} epochs)"),
        ("micro-batch", f"{data.micro_batch} x {trainer.world_size} device(s) x {passes}"),
        ("learning rate", f"{recipe.lr}, weight decay {recipe.weight_decay}"),
        ("loss", f"label smoothing {recipe.label_smoothing}, dropout {recipe.dropout}"),
        ("precision", str(trainer.precision)),
    ]
    return facts


def report_name(config: DictConfig, label: str) -> str:
    """What an evaluation's report is called: after whatever is not as at the end of training."""
    differs = any(config[key] is not None for key in ("beams", "temperature", "nucleus"))
    parts = [
        "report",
        Path(config.checkpoint).stem if config.checkpoint != "last" else "",
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
    if not run.trainer.is_global_zero:
        return
    facts = {"step": run.step, "decoding": run.module.decoding.label or "greedy"}
    report = build_report(
        scores, run.task.formulas, **what(settings),
        facts=facts, notes=run.remarks, before=before,
    )  # fmt: skip
    show_report(report, run.folder / f"{name}.md")
    if run.scorer.picture is not None:
        CONSOLE.print(f"picture of the answers: {run.scorer.picture}")
    for split in scores:
        if split in run.scorer.pages:
            CONSOLE.print(f"page of the answers to {split}: {run.scorer.pages[split]}")


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
        CONSOLE.print(f"note: {note}", markup=False)
    report.save(path)
    CONSOLE.print(f"report: {path}")
