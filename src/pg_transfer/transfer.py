"""The procedure of the paper: start from a checkpoint, train the recipe, score every split."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from pg_transfer.assemble import Run, assemble
from pg_transfer.console import CONSOLE, facts_table, say
from pg_transfer.evaluation import CONFIG, report_run
from pg_transfer.task import Scores
from pg_transfer.training.checkpoints import LAST
from pg_transfer.training.optimizer import PARTS


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
        say("scoring the weights to start from")
        before = {split: run.score(split) for split in run.report}
    try:
        run.trainer.fit(
            run.module, run.data, ckpt_path=last if last.exists() else None, weights_only=True
        )
    finally:
        if run.trainer.interrupted or not last.exists():
            goes_on = "to go on from the last checkpoint" if last.exists() else "to start again"
            say(f"{goes_on}: {' '.join(map(shlex.quote, resume_command(folder)))}")
    if run.trainer.interrupted:
        sys.exit(130)
    after = {split: run.score(split) for split in run.report}
    report_run(run, resolved, after, name="report", before=before)
    CONSOLE.print(facts_table("training", run.speed.report()))
    if cut := run.cuts.report():
        say(f"cut: {cut}")
    say(f"again: python evaluate.py run={folder}")


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
