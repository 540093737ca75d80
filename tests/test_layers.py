"""Imports point one way."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src"

# What the modules below a name may import of the project, besides themselves; all in pg_transfer.
ALLOWED = {
    "tasks": (
        "task data.coco_images data.images data.json_records data.mixed_examples "
        "data.packed_examples data.questions data.refer data.release data.splits data.tables "
        "data.video_tasks data.vqa_files text.locations "
        "segmentation.instances segmentation.masks segmentation.referring segmentation.scenes "
        "metrics own_data"
    ),
    "task": "",
    "project": "",
    "data": "",
    "data.coco_images": "data.questions data.release",
    "data.images": "",
    "data.resizing": "",
    "data.json_records": "data.release",
    "data.json_texts": "",
    "data.mixed_examples": "task data.packed_examples",
    "data.packed_examples": "task",
    "data.questions": "task data.packed_examples data.release data.splits",
    "data.refer": "data.safe_pickle segmentation.referring segmentation.run_lengths",
    "data.release": "",
    "data.safe_pickle": "",
    "data.splits": "task data.packed_examples",
    "data.tables": "data.release",
    "data.video_files": "",
    "data.video_tasks": "task data.questions data.release data.video_files data.videos",
    "data.videos": "task data.images data.video_files",
    "data.vqa_files": "data.json_records data.packed_examples data.questions data.release",
    "text": "",
    "model": "",
    "adapters": "model",
    "segmentation": "task data.resizing text metrics",
    "metrics": "task text segmentation.instances segmentation.masks segmentation.scenes",
    "metrics.captioning": "task data.questions metrics",
    "own_data": (
        "task data.images data.json_texts data.release data.video_files data.videos "
        "segmentation.masks "
        "segmentation.run_lengths segmentation.scenes metrics"
    ),
    "reporting": "",
    "reporting.answers": "task data.json_texts process.whole_files",
    "reporting.fonts": "",
    "reporting.page": "task reporting.answers reporting.pictures process.whole_files",
    "reporting.pictures": "task data.images reporting.fonts process.whole_files",
    "reporting.published": "",
    "reporting.record": "task reporting.answers reporting.page reporting.pictures",
    "reporting.report": "task metrics reporting.published process.whole_files",
    "reporting.scores_file": "",
    "reporting.templates": "",
    "checking": "task data.images text segmentation.instances reporting.page",
    "process": "",
    "process.console": (
        "process.losses process.near_names process.processes process.secrecy process.shortage "
        "process.stopping"
    ),
    "process.launching": "process.processes process.stopping",
    "process.locking": "",
    "process.losses": "",
    "process.near_names": "",
    "process.processes": "",
    "process.replacing": "",
    "process.secrecy": "",
    "process.shortage": "",
    "process.slow_reading": "process.console",
    "process.stopping": "process.processes",
    "process.whole_files": "process.replacing",
    "training": (
        "task data.images data.resizing data.splits text model adapters reporting.answers "
        "reporting.page reporting.record reporting.scores_file process.replacing "
        "process.losses process.shortage process.stopping process.whole_files"
    ),
    "planning": "model adapters training process.shortage",
    "answering": (
        "data.images data.json_texts data.resizing data.video_files data.videos text model "
        "segmentation process.secrecy training sources.loading"
    ),
    "answering.answers_file": "process.locking process.whole_files answering training",
    "answering.writing": "segmentation process.console process.whole_files answering",
    "sources": "",
    "sources.hub": "",
    "sources.loading": "text model sources.hub sources.models sources.run_settings",
    "sources.models": "model adapters training sources.hub sources.run_settings",
    "sources.run_settings": "task",
    "display": "task project reporting.page process.console training",
    "display.preview": (
        "task text reporting.pictures reporting.templates process.whole_files training"
    ),
    "tracking": (
        "task reporting.answers reporting.page reporting.pictures process.whole_files "
        "training.metrics_log training.scoring"
    ),
    "sweeping": (
        "project reporting.scores_file reporting.templates process.console process.locking "
        "process.whole_files running.additions running.judging running.mixing"
    ),
    "hydra_plugins": "sweeping",
    "running": "",
    "running.additions": "process.near_names",
    "running.assemble": (
        "task data.json_records data.release data.splits model process.console process.launching "
        "process.slow_reading process.stopping reporting.answers training running.judging "
        "running.parts running.settings running.watchers"
    ),
    "running.choices": "",
    "running.claim": "process.locking process.processes",
    "running.devices": "process.processes training",
    "running.evaluation": (
        "task project data.splits reporting.answers reporting.page reporting.record "
        "reporting.report process.console process.stopping training sources.run_settings "
        "running.assemble running.choices running.devices running.judging running.mixing "
        "running.parts running.trainer_settings"
    ),
    "running.folder": (
        "project process.console process.processes running.trainer_settings sources.run_settings"
    ),
    "running.judging": "data.splits",
    "running.mixing": "",
    "running.parts": (
        "task text model process.console process.launching training sources.loading "
        "sources.models tracking running.settings running.task_settings running.trainer_settings"
    ),
    "running.settings": "task training",
    "running.task_settings": "task",
    "running.trainer_settings": "",
    "running.transfer": (
        "task reporting.scores_file process.console process.replacing process.secrecy "
        "process.whole_files "
        "process.stopping training planning sources.run_settings display display.preview tracking "
        "running.additions running.assemble running.claim running.evaluation running.folder "
        "running.mixing running.settings running.task_settings"
    ),
    "running.watchers": "text process.stopping training display tracking running.parts",
    "check": (
        "task project data.json_records data.release data.splits text reporting.answers checking "
        "process.console process.slow_reading process.whole_files running.additions "
        "running.choices running.mixing running.parts running.settings"
    ),
    "command": "project",
    "consolidate": "process.console training",
    "export": "model process.console sources.hub sources.loading sources.models exporting",
    "exporting": (
        "text model adapters process.console sources.hub sources.loading sources.models "
        "sources.run_settings"
    ),
    "plan": (
        "task project data.json_records data.splits process.console process.slow_reading planning "
        "sources.run_settings running.settings running.task_settings check"
    ),
    "predict": (
        "model process.console process.stopping answering sources.models sources.run_settings"
    ),
    "sweep": (
        "project process.console process.secrecy process.whole_files training planning sweeping "
        "running.additions running.choices running.judging running.mixing running.settings"
    ),
}

# Libraries that only these modules may import.
RESERVED = {
    "lightning": (
        "training display tracking process.launching running.assemble running.parts "
        "running.watchers"
    ),
    "hydra": (
        "sweeping.multirun sweeping.search process.console process.launching running.additions "
        "running.folder running.mixing running.parts running.task_settings running.transfer "
        "check hydra_plugins plan sweep"
    ),
    "optuna": "sweeping.study",
    "matplotlib": "sweeping.plot",
    "torch": (
        "model adapters segmentation.codec training planning answering sources.loading "
        "sources.models sweeping.places running.parts export exporting"
    ),
    "peft": "adapters",
    "av": "data.video_files",
    "wandb": "tracking",
    "transformers": "",
}


def modules() -> list[tuple[str, Path]]:
    paths = [(path.relative_to(SOURCE), path) for path in SOURCE.rglob("*.py")]
    paths += [(path.relative_to(ROOT), path) for path in (ROOT / "tasks").glob("*.py")]
    return [(".".join(p.with_suffix("").parts).removesuffix(".__init__"), f) for p, f in paths]


@cache
def imports(path: Path) -> frozenset[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(found)


def below(name: str, parents: set[str]) -> bool:
    return any(name == parent or name.startswith(f"{parent}.") for parent in parents)


@pytest.mark.parametrize(("module", "path"), modules(), ids=lambda value: str(value)[-40:])
def test_imports_point_one_way(module: str, path: Path) -> None:
    if module == "pg_transfer":
        lazily = {"pg_transfer.answering.model.load", "typing.TYPE_CHECKING", "typing.Any"}
        assert not imports(path) - {"__future__.annotations"} - lazily
        return
    short = module.removeprefix("pg_transfer.")
    layer = max((name for name in ALLOWED if below(short, {name})), key=len)
    ours = {name for name in imports(path) if below(name, {"pg_transfer", "tasks"})}
    allowed = {layer, *ALLOWED[layer].split()}
    assert {n for n in ours if not below(n.removeprefix("pg_transfer."), allowed)} == set()
    for library, users in RESERVED.items():
        if any(below(name, {library}) for name in imports(path)):
            assert below(short, set(users.split())), f"{module} imports {library}"


def test_the_model_needs_torch_numpy_and_safetensors_alone() -> None:
    for module, path in modules():
        if below(module, {"pg_transfer.model"}):
            tops = {name.split(".")[0] for name in imports(path)}
            assert tops <= {
                "pg_transfer",
                "torch",
                "numpy",
                "safetensors",
                *sys.stdlib_module_names,
            }


def come_along(names: str) -> set[str]:
    """The modules that importing those brings with it, in a process of its own."""
    code = f"import sys, {names}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True,
        env={"PYTHONPATH": os.pathsep.join([str(SOURCE), str(ROOT)])},
    )  # fmt: skip
    return set(done.stdout.split())


@pytest.mark.parametrize(
    ("of", "seconds"),
    [
        ("tasks", "torch"),  # whoever writes one needs none
        ("train, evaluate, pg_transfer.sweep", "torch"),  # --help, and what cannot be
        ("pg_transfer.check, pg_transfer.plan", "torch"),
        ("pg_transfer.predict, pg_transfer.export, pg_transfer.consolidate", "lightning"),
    ],
)
def test_what_takes_seconds_to_import_comes_when_it_is_needed(of: str, seconds: str) -> None:
    if of == "tasks":
        of = ", ".join(name for name, _ in modules() if name.startswith("tasks."))
    assert seconds not in come_along(of)


def test_no_file_of_tests_is_empty() -> None:
    """As one was for days, after a merge, and nothing failed."""
    files = sorted((ROOT / "tests").rglob("test_*.py"))
    assert files and not [str(path) for path in files if "def test_" not in path.read_text()]
