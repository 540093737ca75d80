"""How each documented command is tried: in full at a small size, or not, and then why not."""

from __future__ import annotations

import re
import runpy
import sys
import tomllib
from collections.abc import Callable, Iterator, Sequence
from itertools import count, pairwise
from pathlib import Path
from unittest.mock import patch

from hydra.core.override_parser.overrides_parser import OverridesParser

from pg_transfer.sweep import composed, fitting, parser, read_asked
from tests.documented.blocks import ROOT, Command
from tests.faults.commands import Ended, call

NOT_RUN = {
    "pre-commit install": "it would change the hooks of this clone",
    "hf auth login": "it asks for a secret",
    "wandb ": "it speaks with an account; tests/tracking has the client offline",
    "tensorboard ": "it serves pages until it is ended",
    "mlflow ": "likewise",
    "optuna-dashboard ": "likewise",
    "sbatch ": "it needs SLURM",
    "sphinx-build ": "tests/test_documentation.py builds the site",
    "python train.py logger=mlflow": "dev leaves MLflow out; tests/tracking/test_mlflow.py has it",
    "eval $(python train.py -": "it is for a shell of a user; tests/test_completion.py has one",
    "python -m pycocoevalcap.spice.get_stanford_models": "it downloads 0.5 GB",
    "python -m tests.faults.table": "it would write docs/faults.md; tests/test_faults.py compares",
}
"""Beginnings of commands that are not tried at all, each with the reason."""

NOT_TRIED_PAGES = {"docs/faults.md": "tests/test_faults.py makes each of its faults"}

REPLACED = {
    "SOURCE": "runs/shapes-84/2026-11-23_12-00-00",
    "/data/refcoco": "data/refcoco",
    "/elsewhere/": "data/",
    "/scratch/prepared": "prepared",
}
"""Places that a user's machine has and the folder of the tests does not."""

# A run of two updates on the small data of `tests.documented.folder`, with random weights. What a
# command says of these settings, or of one below them, gives way.
SMALL = {
    "model": "tiny", "trainer": "cpu", "workers": "0", "micro_batch": "1", "evaluation_batch": "8",
    "recipe.batch_size": "1", "recipe.epochs": "2", "recipe.text_length": "40",
    "validations": "1", "patience": "null", "pictured": "2", "page": "5",
}  # fmt: skip
OF_TASK = {
    "shapes": {"splits.train": "val", "splits.report": "[val]", "score_before": "false",
               "recipe.batch_size": "64", "recipe.epochs": "1", "micro_batch": "32",
               "evaluation_batch": "64"},
}  # fmt: skip
"""Shapes draws its examples: 128 of them in its smallest split."""
LARGE = ("resolution=448", "resolution=896")

_numbers = count()


class Undocumented(Exception):
    """A command that nobody has said how to try."""


Way = Callable[[Command, Path], Ended | None]


def way_of(command: Command) -> Way | None:
    """How to try a command; None for one of `NOT_RUN`.

    Raises:
        Undocumented: neither is said anywhere.
    """
    text = " ".join(command.words)
    if any(text.startswith(beginning) for beginning in NOT_RUN):
        return None
    for pattern, way in WAYS:
        if re.match(pattern, text):
            return way
    raise Undocumented(
        f"{command} ... is in the documentation, and no test knows how to run it. In "
        "tests/documented/ways.py add a function to WAYS that runs it at a small size, or its "
        "beginning to NOT_RUN with the reason; a command line of train.py, evaluate.py or "
        "`python -m pg_transfer...` needs nothing, unless a name in it is to be REPLACED or a file "
        "has to lie in the folder that tests/documented/folder.py makes. If it is no command at "
        "all, mark its block as ```text"
    )


def settings_of(command: Command) -> tuple[str, list[str]] | None:
    """The program and its settings, of a command line that Hydra reads; else None.

    Launchers before the program (`torchrun`, `srun`) and Hydra's own flags are left out.
    """
    words = command.words
    for place, word in enumerate(words):
        if re.fullmatch(r"(?:\S*/)?(train|evaluate)\.py|pg_transfer\.(check|plan|sweep)", word):
            program = Path(word).name if word.endswith(".py") else "train.py"
            return program, [one for one in words[place + 1 :] if re.match(r"[+~]*[\w./@]+=", one)]
    return None


def jobs_of(settings: Sequence[str]) -> Iterator[list[str]]:
    """The first of the runs that a sweep makes; a command without sweeps as it is."""
    parsed = OverridesParser.create().parse_overrides(list(settings))
    job = []
    for override, text in zip(parsed, settings, strict=True):
        if override.is_choice_sweep():
            job.append(f"{override.get_key_element()}={next(override.sweep_string_iterator())}")
        elif not override.is_sweep_override():
            job.append(text)
    yield job


def own_groups(settings: Sequence[str], folder: Path) -> list[str]:
    """Where Hydra finds the settings of the task that docs/adding_a_task.md makes."""
    return [f"hydra.searchpath=[file://{folder}/conf]"] if "task=mine" in settings else []


def train(command: Command, folder: Path) -> Ended:
    """Trains for real, for an update or two."""
    _, settings = settings_of(command) or ("", [])
    words = [replaced(word) for word in command.words]
    flags = [word for word in words if word in ("-m", "--multirun", "--help")]
    in_a_file = any(word.startswith("experiment=") for word in settings)  # the task, and its size
    task = next((word[5:] for word in settings if word.startswith("task=")), "shapes")
    small = SMALL | ({"resolution": "224"} if in_a_file else OF_TASK.get(task, {}))
    kept = [replaced(word) for word in settings if not is_below(word.partition("=")[0], small)]
    kept = ["resolution=224" if word in LARGE else word for word in kept]
    kept += own_groups(settings, folder)
    if {"-m", "--multirun"} & set(flags):
        kept.append("hydra/launcher=basic")  # in this process; tests/sweeping has the others
    if not any(word.startswith("run=") for word in kept) and not flags:
        kept.append(f"run=made/{next(_numbers)}")
    if not has_training(words):
        return call("train.py", words[words.index("train.py") + 1 :], folder)
    return call("train.py", [*flags, *kept, *(f"{key}={small[key]}" for key in small)], folder)


def has_training(words: Sequence[str]) -> bool:
    """Whether a command line of `train.py` does more than to say what there is."""
    return "--help" not in words and not any(re.fullmatch(r"\w+=", word) for word in words)


def is_below(key: str, names: Sequence[str] | dict[str, str]) -> bool:
    """Whether a setting is one of `names`, or a part of one."""
    return any(key == name or key.startswith(f"{name}.") for name in names)


def replaced(word: str) -> str:
    """A word of the command line with the places of the tests' folder in it."""
    for there, here in REPLACED.items():
        word = word.replace(there, here)
    return word


def evaluate(command: Command, folder: Path) -> Ended:
    """Scores for real."""
    words = [replaced(word) for word in command.words]
    return call("evaluate.py", words[words.index("evaluate.py") + 1 :], folder)


def module(command: Command, folder: Path) -> Ended:
    """Runs a module of ours; where it takes the settings of `train.py`, with the tiny model."""
    words = [replaced(word) for word in command.words]
    name, arguments = words[2], words[3:]
    if settings_of(command):
        arguments = [word for word in arguments if not is_below(word.partition("=")[0], SMALL)]
        arguments += ["model=tiny", *own_groups(arguments, folder)]
    path = Path("src", *name.split(".")).with_suffix(".py")
    return call(str(path), arguments, folder)


def options(command: Command, folder: Path) -> Ended:
    """What takes minutes or a GPU: the program is there, and knows the options."""
    program, *arguments = command.words[1:]
    with patch.object(sys, "path", [str((ROOT / program).parent), *sys.path]):
        ended = call(program, ["--help"], folder)
    unknown = {word for word in arguments if word.startswith("--") and word not in ended.out}
    assert not unknown, f"{program} --help does not tell of {unknown}"
    return ended


def sweep(command: Command, folder: Path) -> None:
    """Composes every kind of trial; tests/sweeping runs some."""
    asked = read_asked(folder, parser().parse_intermixed_args(command.words[3:]))
    search, _ = composed(asked.settings)
    fitting(asked.plan, search)


def extras(command: Command, folder: Path) -> None:
    """The optional dependencies are those of pyproject.toml."""
    known = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for names in re.findall(r"\[([\w,-]+)\]", command.text):
        assert set(names.split(",")) <= set(known["optional-dependencies"]), names
    assert "-e" in command.words or known["name"] in command.text.replace("-", "_"), command.text


def selection(command: Command, folder: Path) -> None:
    """The tests that pytest is asked for have such a marker, or such a file."""
    known = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]
    markers = {line.partition(":")[0] for line in known["markers"]}
    words = command.words
    if words[0] == "python":
        words = words[2:]
    for before, word in pairwise(words):
        if before == "-m":
            assert set(re.findall(r"\w+", word)) - {"not", "and", "or"} <= markers, word
        elif word.startswith("tests/"):
            assert (ROOT / word.partition("::")[0]).exists(), word


WAYS: list[tuple[str, Way]] = [
    (r"(?:\S+=\S+ )*(?:torchrun .*|srun .*)?(?:python )?train\.py\b", train),
    (r"python evaluate\.py\b", evaluate),
    (r"python -m pg_transfer\.sweep\b", sweep),
    (r"python -m pg_transfer\.", module),
    (r"python (scripts|benchmarks)/", options),
    (r"pip install ", extras),
    (r"(python -m )?pytest\b", selection),
]
"""A pattern that a command begins with, and how to try it; the first that fits."""


def python(code: str, folder: Path, names: dict[str, object]) -> dict[str, object]:
    """Runs a block of Python in `folder`; gives back the names that it leaves."""
    path = folder / "block.py"
    path.write_text(code, encoding="utf-8")
    return runpy.run_path(str(path), init_globals=names)
