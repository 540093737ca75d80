"""A run as a whole: it goes on where it stopped, is scored as it was, and really learns."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from lightning.pytorch import Callback
from omegaconf import DictConfig
from PIL import Image

from pg_transfer.running.assemble import assemble
from pg_transfer.running.transfer import exported_form
from pg_transfer.training.weights import LAST
from tasks.shapes import SPLITS
from tests.faults.commands import call, output_of
from tests.short_runs import composed

ROOT = Path(__file__).parents[2]

SHORT = [
    "splits.train=val", "resolution=28",
    "recipe={lr: 1.5e-3, weight_decay: 0.0, label_smoothing: 0.0, text_length: 28}",
    "recipe.epochs=1.5", "recipe.batch_size=8", "micro_batch=4", "recipe.dropout=0.1",
    "splits.report=[val]", "validations=2", "checkpoint_minutes=0",
    "score_before=false", "page=20",
    "evaluation_batch=128", "pictured=2", "trainer=cpu",
]  # fmt: skip


def settings(folder: Path, *overrides: str) -> DictConfig:
    return composed(folder, *SHORT, *overrides)


class Crash(Callback):
    """Ends the run in the middle of an update."""

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx) -> None:
        if trainer.global_step == 13 and batch_idx % 2:
            raise RuntimeError("power cut")


def logged(folder: Path, column: str) -> dict[int, str]:
    found = {}
    for path in sorted(folder.glob("metrics*.csv"), key=lambda path: path.name == "metrics.csv"):
        with path.open() as file:
            found |= {int(row["step"]): row[column] for row in csv.DictReader(file) if row[column]}
    return found


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*exists and is not empty:UserWarning")
def test_a_resumed_run_is_the_uninterrupted_one_bit_for_bit(tmp_path: Path) -> None:
    whole = assemble(
        settings(tmp_path / "whole", "trainer.log_every_n_steps=1"), tmp_path / "whole"
    )
    whole.trainer.fit(whole.module, whole.data)
    metrics = whole.score("val")

    folder = tmp_path / "broken"
    broken = assemble(settings(folder, "trainer.log_every_n_steps=1"), folder)
    broken.trainer.callbacks.append(Crash())  # type: ignore[attr-defined]
    with pytest.raises(RuntimeError, match="power cut"):
        broken.trainer.fit(broken.module, broken.data)
    again = assemble(settings(folder, "trainer.log_every_n_steps=1"), folder)
    again.trainer.fit(again.module, again.data, ckpt_path=folder / "checkpoints" / LAST,
                      weights_only=True)  # fmt: skip

    assert again.trainer.global_step == whole.trainer.global_step == 24
    for (name, one), other in zip(
        whole.module.model.named_parameters(), again.module.model.parameters(), strict=True
    ):
        assert torch.equal(one, other), name
    assert again.score("val") == metrics
    for column in ("loss", "lr", "gradient_norm"):
        assert logged(tmp_path / "whole", column) == logged(folder, column)
    answers = [
        (tmp_path / run / "answers" / "val-step000024.jsonl").read_text()
        for run in ("whole", "broken")
    ]
    assert answers[0] == answers[1]
    best = [assemble_best(tmp_path / run) for run in ("whole", "broken")]
    assert best[0] == best[1]


def assemble_best(folder: Path) -> float:
    saved = torch.load(folder / "checkpoints" / LAST, weights_only=True)
    return saved["callbacks"]["KeepCheckpoints"]["best"]


@pytest.mark.slow
def test_a_checkpoint_is_scored_as_the_run_was(tmp_path: Path) -> None:
    run = assemble(settings(tmp_path), tmp_path)
    run.trainer.fit(run.module, run.data)
    metrics = run.score("val")
    fresh = assemble(settings(tmp_path), tmp_path, checkpoint=tmp_path / "checkpoints" / LAST)
    assert fresh.score("val") == metrics
    assert logged(tmp_path, "loss")  # scoring leaves the log alone


@pytest.mark.slow
def test_gradients_of_cut_up_batches_add_up(tmp_path: Path) -> None:
    losses = []
    for micro_batch in (8, 2):
        folder = tmp_path / str(micro_batch)
        options = ("recipe.dropout=0", f"micro_batch={micro_batch}", "trainer.log_every_n_steps=1",
                   "checkpoint_minutes=60")  # fmt: skip
        run = assemble(settings(folder, *options), folder)
        run.trainer.fit(run.module, run.data)
        losses.append([float(value) for value in logged(folder, "loss").values()])
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


@pytest.mark.parametrize(
    ("option", "complaint"),
    [
        ("micro_batch=3", "batch_size=8 is no multiple of micro_batch=3"),
        ("validations=0", "validations=0"),
        ("beams=2 temperature=0.5", "set beams=1 or temperature=0"),
        ("trainer.precision=bf16-true recipe.lr=1e-5", "bf16-mixed"),
        ("splits.train=dev", "no split 'dev'; it has train, val, test"),
        ("recipe.lr=fast", "recipe.lr='fast'"),
        ("model.size=paligemma_3b", "2048 tokens .* 257152 rows"),
        ("recipe.text_length=12 on_cut=error", "lost its suffix"),
    ],
)
def test_settings_that_cannot_be_are_refused(tmp_path: Path, option: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        run = assemble(settings(tmp_path, *option.split()), tmp_path)
        run.trainer.fit(run.module, run.data)


@pytest.mark.slow
def test_a_short_run_is_followed_as_well(tmp_path: Path) -> None:
    run = assemble(settings(tmp_path, "trainer.log_every_n_steps=10"), tmp_path)
    assert run.data.steps == 24
    run.trainer.fit(run.module, run.data)
    assert list(logged(tmp_path, "loss")) == [*range(1, 24, 2)]  # every other one, counted from 0


@pytest.mark.slow
def test_cut_texts_are_counted(tmp_path: Path) -> None:
    run = assemble(settings(tmp_path, "recipe.text_length=12"), tmp_path)
    run.trainer.fit(run.module, run.data)
    # 192 lessons lost their end; prompts of 6 tokens fit.
    assert re.match(
        r"192 text\(s\) lost their suffix .*recipe.text_length=12", run.watchers.cuts.report()
    )


def command(*words: str, folder: Path) -> str:
    """What a program of ours prints, run as a user runs it."""
    environment = os.environ | {"COLUMNS": "120", "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(
        [sys.executable, *words], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_wrong_setting_leaves_no_folder_behind(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    done = call("train.py", ["resolution=100"], tmp_path)
    assert done.code == 1 and "resolution=100" in done.error
    assert list((tmp_path / "runs").iterdir()) == []


def table(printed: str, metric: str) -> list[float]:
    line = next(line for line in printed.splitlines() if line.startswith(f"│ {metric} "))
    return [float(value) for value in re.findall(r"[\d.]+", line.split("│", 2)[2])]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # a user may see them, and read on
def test_the_first_run_really_learns(tmp_path: Path) -> None:
    """In two thirds of its epochs, after which it is at 90 of 97."""
    printed = command(str(ROOT / "train.py"), "run=first", "recipe.epochs=1", folder=tmp_path)
    for metric, least in {"mIoU": 75, "box_accuracy@0.5": 75}.items():
        before, after, *_ = table(printed, metric)
        assert before < 5 and after > least, printed
    assert table(printed, "invalid")[1] < 10
    run = tmp_path / "first"
    assert {path.name for path in run.iterdir()} - {"large_gradients.json"} == {
        "config.yaml", "metrics.csv", "checkpoints", "answers", "pictures", "pages",
        "report.json", "report.md", "scores.jsonl", "tokenizer.model",
    }  # fmt: skip
    picture = tmp_path / re.search(r"picture of the answers: (\S+)", printed)[1]
    with Image.open(picture) as grid:
        assert grid.size > (500, 500)

    again = output_of("evaluate.py", "run=first", folder=tmp_path)
    saved = next((run / "answers").glob("test-step000896.jsonl"))
    rescored = output_of(
        "evaluate.py", "run=first", "split=test", f"answers={saved}", folder=tmp_path
    )
    for metric in ("mIoU", "box_accuracy@0.5", "oIoU", "invalid"):
        assert table(printed, metric)[1:] == table(again, metric) == table(rescored, metric)
    rows = [json.loads(line) for line in saved.read_text().splitlines()]
    assert len(rows) == 512 and rows[0].keys() == {"id", "prompt", "answer", "pieces", "scores"}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_three_real_images_are_learnt(sample_data: Path, tmp_path: Path) -> None:
    split = "refcoco/testB"
    printed = output_of(
        "train.py", "task=refcoco", "model=tiny", "resolution=112", "run=first",
        f"task.root={sample_data / 'refcoco_sample'}", "micro_batch=7", "workers=0",
        f"splits={{train: {split}, validate: {split}, report: [{split}]}}",
        "recipe={lr: 1.5e-3, weight_decay: 0.0, epochs: 40, batch_size: 7, label_smoothing: 0.0, "
        "dropout: 0.0, text_length: 48, beta2: 0.98}",
        "validations=1", "score_before=true",
        folder=tmp_path,
    )  # fmt: skip
    before, after = table(printed, "mIoU")[:2]
    assert before < 20 and after > 60, printed
    assert table(printed, "box_accuracy@0.5")[1] > 80


@pytest.mark.parametrize(
    ("settings", "form"),
    [
        (["model=tiny"], "huggingface"),
        (["model=tiny", "tuning=lora"], "huggingface"),  # below them is nothing that has a name
        (["model=paligemma_3b", "tuning=lora"], "adapter"),
    ],
)
def test_adapters_are_exported_alone_where_their_base_has_a_name(
    settings: list[str], form: str, tmp_path: Path
) -> None:
    assert exported_form(composed(tmp_path, "task=shapes", *settings)) == form


@pytest.mark.slow
def test_weights_are_scored_without_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SPLITS, "val", 24)
    words = (*SHORT, "run=scored")
    ended = call("train.py", (*words, "score_only=true"), tmp_path)
    assert ended.code == 0, ended.error
    folder = tmp_path / "scored"
    report = json.loads((folder / "report.json").read_text())
    assert report["step"] == 0
    assert not (folder / "checkpoints").exists()
    start = (folder / "answers/val-step000000.jsonl").read_bytes()
    ended = call("train.py", words, tmp_path)  # it may then be trained
    assert ended.code == 0, ended.error
    assert (folder / "answers/val-step000000.jsonl").read_bytes() == start
    assert json.loads((folder / "report.json").read_text())["step"] == 4
