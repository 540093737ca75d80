"""What stands in the documentation to be typed: its commands, and its Python."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pg_transfer import command as one_name

ROOT = Path(__file__).parents[2]

PROGRAMS = (
    "python", "python3", "pip", "pytest", "pre-commit", "pyright", "ruff", "pg-transfer",
    "torchrun", "srun", "sbatch", "scancel", "squeue", "kill", "hf", "wandb", "mlflow",
    "tensorboard", "optuna", "optuna-dashboard", "sphinx-build", "git", "cd", "export", "source",
    "cat", "tail", "head", "ls", "cp", "mv", "rm", "mkdir", "ln", "tar", "unzip", "curl", "wget",
    "rsync", "ssh", "eval", "complete", "docker", "nvidia-smi", "nohup", "time", "timeout", "make",
)  # fmt: skip
"""A line of a block without a language that begins with one of these is a command."""

SHELL = ("bash", "sh", "shell", "console")
DATA = ("", "text", "json", "jsonl", "yaml", "toml", "html", "csv", "ini", "diff", "slurm")

_FENCE = re.compile(r"^ *```(?P<language>[\w+-]*)")
_COMMAND = re.compile(rf"(?:\$ )?(?:\w+=\S* )*(?:{'|'.join(map(re.escape, PROGRAMS))})(?: |$)")


class Block(NamedTuple):
    """A fenced part of a page.

    Attributes:
        page: relative to the project, e.g. "docs/tuning.md".
        line: of the page, at which its text begins.
        language: as its fence says; empty if it does not.
        text: without the fences.
    """

    page: str
    line: int
    language: str
    text: str


class Command(NamedTuple):
    """Something to type.

    Attributes:
        page: relative to the project.
        line: of the page.
        text: without the prompt; may go over several lines.
    """

    page: str
    line: int
    text: str

    @property
    def words(self) -> list[str]:
        """As a shell takes them apart; comments are gone.

        Of `pg-transfer`, the program that it starts: tests/test_command.py compares the two.
        """
        words = shlex.split(self.text, comments=True)
        if words[:1] != ["pg-transfer"]:
            return words
        program = one_name.PROGRAMS[words[1]].name
        return ["python", *(() if program.endswith(".py") else ("-m",)), program, *words[2:]]

    def __str__(self) -> str:
        """Where it is, and how it begins: the name of its test."""
        return f"{self.page}:{self.line} {' '.join(self.text.split())[:60]}"


def pages() -> list[Path]:
    """Everything that a user reads; pages added later are found by themselves."""
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(path: Path) -> Iterator[Block]:
    """The fenced parts of a page, in order."""
    page, language, first = path.relative_to(ROOT).as_posix(), None, 0
    held: list[str] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        fence = _FENCE.match(line)
        if fence is None:
            held.append(line)
        elif language is None:
            language, first, held = fence["language"], number + 1, []
        else:
            yield Block(page, first, language, "\n".join(held))
            language = None


def commands(block: Block) -> list[Command]:
    """The commands of a block, in order.

    In a block of a shell's language every line is one, in `console` and without a language those
    with a prompt or a known program; what follows is what they print. A line goes on in the next
    one after a backslash, and inside quotes.
    """
    if block.language not in (*SHELL, ""):
        return []
    found: list[Command] = []
    lines = list(enumerate(block.text.splitlines(), start=block.line))
    while lines:
        number, line = lines.pop(0)
        text = line.strip()
        every = block.language in SHELL and block.language != "console"
        if not text or text.startswith("#") or not (every or _COMMAND.match(text)):
            continue
        while lines and not _is_whole(text):
            more = lines.pop(0)[1]
            text = f"{text[:-1]} {more.strip()}" if text.endswith("\\") else f"{text}\n{more}"
        for part in _parts(text.removeprefix("$ ")):
            found.append(Command(block.page, number, part))
    return found


def in_passing(path: Path) -> list[Command]:
    """What stands in sentences of a page and is whole enough to be a command, or settings."""
    found, is_block = [], False
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        is_block ^= _FENCE.match(line) is not None
        for text in () if is_block else re.findall(r"`([^`]+)`", line):
            if re.match(r"python (?:-m )?\S+ |[a-z_]+(?:\.\w+)*=\S", text):
                found.append(Command(path.relative_to(ROOT).as_posix(), number, text))
    return found


def _is_whole(text: str) -> bool:
    if text.endswith("\\"):
        return False
    try:
        shlex.split(text, comments=True)
    except ValueError:  # a quote is open
        return False
    return True


def _parts(text: str) -> list[str]:
    """The commands of a line with `&&`, each without its comment."""
    lexer = shlex.shlex(text, posix=False, punctuation_chars="&")
    lexer.whitespace_split = True
    words, parts = [], []
    for word in [*lexer, "&&"]:
        if word != "&&":
            words.append(word)
        elif words:
            parts.append(" ".join(words))
            words = []
    return parts
