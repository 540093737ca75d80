"""Trains on a small data set, and breaks what the run has left, one way each."""

from __future__ import annotations

import atexit
import json
import shutil
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import torch

from tests.faults.commands import call
from tests.faults.making import ON_TEXTVQA, QUICK, Make, file, whole


def trained(change: Make) -> Make:
    """TextVQA and a run on it, which `change` then breaks."""

    def make(folder: Path) -> None:
        shutil.copytree(_trained(), folder, dirs_exist_ok=True)
        change(folder)

    return make


@cache
def _trained() -> Path:
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder)
    train(folder)
    return folder


def train(folder: Path) -> None:
    """TextVQA and a run on it."""
    whole(folder)
    ended = call("train.py", (*QUICK, *ON_TEXTVQA), folder)
    assert ended.code == 0, ended


def checkpoint(name: str, change: Callable[[dict[str, Any]], object]) -> Make:
    """Another checkpoint of the run."""

    def make(folder: Path) -> None:
        content = torch.load(folder / "run/checkpoints/last.ckpt", weights_only=True)
        change(content)
        torch.save(content, folder / name)

    return trained(make)


class Attack:
    """Runs a program when it is read as an ordinary pickle."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("attacked"),)


def settings(old: str, new: str) -> Make:
    """The run with other saved settings."""

    def make(folder: Path) -> None:
        path = folder / "run/config.yaml"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    return trained(make)


def answers(*rows: dict[str, Any]) -> Make:
    """The run, and a file of answers."""
    text = "".join(json.dumps(row) + "\n" for row in rows)
    return trained(file("answers.jsonl", text.encode()))


def narrowed(content: dict[str, Any]) -> None:
    """One of the checkpoint's weights loses a column."""
    weights = content["state_dict"]
    name = next(name for name, value in weights.items() if value.ndim == 2)
    weights[name] = weights[name][:, :-1].clone()


def with_nan(content: dict[str, Any]) -> None:
    """One value of the checkpoint's weights is none."""
    content["state_dict"]["model.model.language_model.norm.weight"][3] = float("nan")
