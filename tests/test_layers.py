"""Imports point one way."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src"

# What the modules below a name may import of the project, besides their own folder.
ALLOWED = {
    "tasks": {
        "pg_transfer.task", "pg_transfer.refer", "pg_transfer.release", "pg_transfer.splits",
        "pg_transfer.packed_examples",
        "pg_transfer.metrics", "pg_transfer.images",
        "pg_transfer.segmentation.masks", "pg_transfer.segmentation.referring",
        "pg_transfer.segmentation.instances", "pg_transfer.segmentation.scenes",
        "pg_transfer.text.locations", "pg_transfer.own_data",
    },
    "pg_transfer.own_data": {
        "pg_transfer.task", "pg_transfer.images", "pg_transfer.metrics",
        "pg_transfer.segmentation.masks", "pg_transfer.segmentation.scenes",
        "pg_transfer.segmentation.run_lengths",
    },
    "pg_transfer.choices": set(),
    "pg_transfer.project": set(),
    "pg_transfer.launching": set(),
    "pg_transfer.scores_file": set(),
    "pg_transfer.sweeping": {
        "pg_transfer.answers", "pg_transfer.console", "pg_transfer.project",
        "pg_transfer.scores_file",
    },
    "pg_transfer.sweep": {
        "pg_transfer.answers", "pg_transfer.console", "pg_transfer.project",
        "pg_transfer.settings", "pg_transfer.sweeping",
    },
    "hydra_plugins": {"pg_transfer.sweeping"},
    "pg_transfer.stopping": set(),
    "pg_transfer.task": set(),
    "pg_transfer.images": set(),
    "pg_transfer.safe_pickle": set(),
    "pg_transfer.hub": set(),
    "pg_transfer.release": set(),
    "pg_transfer.packed_examples": {"pg_transfer.task"},
    "pg_transfer.splits": {"pg_transfer.task", "pg_transfer.packed_examples"},
    "pg_transfer.secrecy": set(),
    "pg_transfer.mixing": set(),
    "pg_transfer.processes": set(),
    "pg_transfer.console": {
        "pg_transfer.processes", "pg_transfer.secrecy", "pg_transfer.stopping",
    },
    "pg_transfer.run_settings": {"pg_transfer.task"},
    "pg_transfer.model": set(),
    "pg_transfer.adapters": {"pg_transfer.model"},
    "pg_transfer.text": set(),
    "pg_transfer.answers": {"pg_transfer.task"},
    "pg_transfer.pictures": {"pg_transfer.task", "pg_transfer.images"},
    "pg_transfer.page": {"pg_transfer.task", "pg_transfer.answers", "pg_transfer.pictures"},
    "pg_transfer.record": {
        "pg_transfer.task", "pg_transfer.answers", "pg_transfer.pictures", "pg_transfer.page",
    },
    "pg_transfer.refer": {
        "pg_transfer.safe_pickle", "pg_transfer.segmentation.referring",
        "pg_transfer.segmentation.run_lengths",
    },
    "pg_transfer.segmentation": {
        "pg_transfer.task", "pg_transfer.images", "pg_transfer.text", "pg_transfer.metrics",
    },
    "pg_transfer.metrics": {
        "pg_transfer.task", "pg_transfer.text", "pg_transfer.segmentation.masks",
        "pg_transfer.segmentation.instances", "pg_transfer.segmentation.scenes",
    },
    "pg_transfer.preview": {
        "pg_transfer.task", "pg_transfer.answers", "pg_transfer.pictures", "pg_transfer.text",
        "pg_transfer.training",
    },
    "pg_transfer.training": {
        "pg_transfer.task", "pg_transfer.images", "pg_transfer.text", "pg_transfer.model",
        "pg_transfer.splits", "pg_transfer.answers", "pg_transfer.page", "pg_transfer.record",
        "pg_transfer.adapters", "pg_transfer.scores_file", "pg_transfer.stopping",
    },
    "pg_transfer.display": {
        "pg_transfer.task", "pg_transfer.console", "pg_transfer.page", "pg_transfer.training",
    },
    "pg_transfer.tracking": {
        "pg_transfer.task", "pg_transfer.answers", "pg_transfer.page", "pg_transfer.pictures",
        "pg_transfer.training.scoring",
    },
    "pg_transfer.sources": {
        "pg_transfer.adapters", "pg_transfer.hub", "pg_transfer.model", "pg_transfer.run_settings",
        "pg_transfer.training",
    },
    "pg_transfer.loading": {
        "pg_transfer.hub", "pg_transfer.model", "pg_transfer.run_settings", "pg_transfer.sources",
        "pg_transfer.text",
    },
    "pg_transfer.export": {
        "pg_transfer.adapters", "pg_transfer.console", "pg_transfer.hub", "pg_transfer.loading",
        "pg_transfer.model", "pg_transfer.run_settings", "pg_transfer.sources", "pg_transfer.text",
    },
    "pg_transfer.assemble": {
        "pg_transfer.answers", "pg_transfer.loading", "pg_transfer.release", "pg_transfer.sources",
        "pg_transfer.task", "pg_transfer.hub", "pg_transfer.text", "pg_transfer.model",
        "pg_transfer.training", "pg_transfer.console", "pg_transfer.settings", "pg_transfer.splits",
        "pg_transfer.display", "pg_transfer.launching", "pg_transfer.stopping",
        "pg_transfer.tracking",
    },
    "pg_transfer.published": set(),
    "pg_transfer.report": {
        "pg_transfer.task", "pg_transfer.metrics", "pg_transfer.published",
    },
    "pg_transfer.planning": {
        "pg_transfer.adapters", "pg_transfer.model", "pg_transfer.training",
    },
    "pg_transfer.plan": {
        "pg_transfer.check", "pg_transfer.console", "pg_transfer.planning",
        "pg_transfer.run_settings", "pg_transfer.settings", "pg_transfer.splits",
        "pg_transfer.task",
    },
    "pg_transfer.transfer": {
        "pg_transfer.answers", "pg_transfer.assemble", "pg_transfer.console",
        "pg_transfer.display",
        "pg_transfer.evaluation", "pg_transfer.mixing", "pg_transfer.planning",
        "pg_transfer.preview",
        "pg_transfer.processes", "pg_transfer.run_settings", "pg_transfer.scores_file",
        "pg_transfer.secrecy", "pg_transfer.settings", "pg_transfer.stopping",
        "pg_transfer.task", "pg_transfer.tracking", "pg_transfer.training",
    },
    "pg_transfer.evaluation": {
        "pg_transfer.assemble", "pg_transfer.run_settings", "pg_transfer.answers",
        "pg_transfer.console", "pg_transfer.mixing",
        "pg_transfer.page", "pg_transfer.record", "pg_transfer.report", "pg_transfer.splits",
        "pg_transfer.stopping", "pg_transfer.task", "pg_transfer.training",
    },
    "pg_transfer.settings": {"pg_transfer.task", "pg_transfer.training"},
    "pg_transfer.answering": {
        "pg_transfer.images", "pg_transfer.loading", "pg_transfer.model",
        "pg_transfer.segmentation", "pg_transfer.text", "pg_transfer.training",
    },
    "pg_transfer.checking": {
        "pg_transfer.task", "pg_transfer.images", "pg_transfer.page", "pg_transfer.text",
        "pg_transfer.segmentation.instances",
    },
    "pg_transfer.check": {
        "pg_transfer.answers", "pg_transfer.assemble", "pg_transfer.checking",
        "pg_transfer.console", "pg_transfer.mixing", "pg_transfer.release", "pg_transfer.settings",
        "pg_transfer.splits", "pg_transfer.task", "pg_transfer.text",
    },
    "pg_transfer.consolidate": {"pg_transfer.console", "pg_transfer.training"},
    "pg_transfer.predict": {
        "pg_transfer.answering", "pg_transfer.console", "pg_transfer.model",
        "pg_transfer.run_settings", "pg_transfer.segmentation", "pg_transfer.sources",
    },
}  # fmt: skip

# Libraries that only these modules may import.
RESERVED = {
    "lightning": {"pg_transfer.training", "pg_transfer.assemble", "pg_transfer.tracking",
                  "pg_transfer.launching", "pg_transfer.display"},
    "hydra": {"pg_transfer.assemble", "pg_transfer.transfer", "pg_transfer.console",
              "pg_transfer.mixing",
              "pg_transfer.check", "pg_transfer.plan", "pg_transfer.launching", "pg_transfer.sweep",
              "pg_transfer.sweeping.multirun", "pg_transfer.sweeping.search", "hydra_plugins"},
    "optuna": {"pg_transfer.sweeping.study"},
    "matplotlib": {"pg_transfer.sweeping.plot"},
    "torch": {
        "pg_transfer.sweeping.places",
        "pg_transfer.sources", "pg_transfer.loading", "pg_transfer.export",
        "pg_transfer.model", "pg_transfer.adapters", "pg_transfer.training", "pg_transfer.assemble",
        "pg_transfer.settings", "pg_transfer.answering", "pg_transfer.planning",
        "pg_transfer.segmentation.codec",
    },
    "peft": {"pg_transfer.adapters"},
    "wandb": {"pg_transfer.tracking"},
    "transformers": set(),
}  # fmt: skip


def modules() -> list[tuple[str, Path]]:
    paths = [(path.relative_to(SOURCE), path) for path in SOURCE.rglob("*.py")]
    paths += [(path.relative_to(ROOT), path) for path in (ROOT / "tasks").glob("*.py")]
    return [(".".join(p.with_suffix("").parts).removesuffix(".__init__"), f) for p, f in paths]


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def below(name: str, parents: set[str]) -> bool:
    return any(name == parent or name.startswith(f"{parent}.") for parent in parents)


@pytest.mark.parametrize(("module", "path"), modules(), ids=lambda value: str(value)[-40:])
def test_imports_point_one_way(module: str, path: Path) -> None:
    if module == "pg_transfer":
        lazily = {"pg_transfer.answering.model.load", "typing.TYPE_CHECKING", "typing.Any"}
        assert not imports(path) - {"__future__.annotations"} - lazily
        return
    layer = next(name for name in ALLOWED if below(module, {name}))
    ours = {name for name in imports(path) if below(name, {"pg_transfer", "tasks"})}
    assert {name for name in ours if not below(name, ALLOWED[layer] | {layer})} == set()
    for library, users in RESERVED.items():
        if any(below(name, {library}) for name in imports(path)):
            assert below(module, users), f"{module} imports {library}"


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


def test_tasks_and_the_package_load_without_torch() -> None:
    names = ", ".join(name for name, _ in modules() if name.startswith("tasks."))
    code = f"import sys, {names}; sys.exit('torch' in sys.modules)"
    path = f"{SOURCE}{':' if sys.platform != 'win32' else ';'}{ROOT}"
    assert subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": path}).returncode == 0
