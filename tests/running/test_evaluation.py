"""What is scored when, what is remarked on it, and what an evaluation leaves behind."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from lightning.pytorch import Callback
from omegaconf import DictConfig, OmegaConf
from PIL import Image

from pg_transfer.running.assemble import Run, assemble
from pg_transfer.running.evaluation import evaluate
from pg_transfer.running.folder import keep_tokenizer
from pg_transfer.running.settings import register_resolvers
from pg_transfer.sources.run_settings import CONFIG
from pg_transfer.task import Answer, Scores
from pg_transfer.training.gathering import once
from pg_transfer.training.weights import LAST
from tasks.shapes import SPLITS, Shapes

CONF = Path(__file__).parents[2] / "conf"

# Three updates of four of twelve shapes; a validation after each.
SHORT = [
    "splits.train=val", "splits.report=[val]", "recipe.batch_size=4", "recipe.warmup=0.0",
    "micro_batch=4", "validations=3", "score_before=false", "page=2", "pictured=1", "trainer=cpu",
    "trainer.log_every_n_steps=1", "recipe.epochs=1",
]  # fmt: skip


def composed(name: str, *overrides: str) -> DictConfig:
    register_resolvers()
    with initialize_config_dir(str(CONF), version_base=None):
        config = OmegaConf.to_container(compose(name, overrides=[*overrides]), resolve=True)
    config = OmegaConf.create(config)
    assert isinstance(config, DictConfig)
    return config


@pytest.fixture(autouse=True)
def few_shapes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SPLITS, "val", 12)


@pytest.fixture
def full_scores(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Gives shapes a slow metric; of how many answers it has been asked for."""
    asked: list[int] = []

    def score_in_full(self: Shapes, answers: Sequence[Answer]) -> Scores:
        asked.append(len(answers))
        scores = self.score(answers)
        return Scores(scores.metrics | {"slow": 12.5}, scores.examples, ["slower is left out"])

    monkeypatch.setattr(Shapes, "score_in_full", score_in_full)
    return asked


def short_run(folder: Path) -> Run:
    return assemble(composed("train", f"run={folder}", *SHORT), folder)


def test_slow_metrics_wait_for_the_end(tmp_path: Path, full_scores: list[int]) -> None:
    run = short_run(tmp_path)
    run.trainer.fit(run.module, run.data)
    assert run.step == 3 and full_scores == [12]
    logged = (tmp_path / "metrics.csv").read_text().splitlines()
    columns = logged[0].split(",")
    cells = [dict(zip(columns, line.split(","), strict=True)) for line in logged[1:]]
    assert len([row for row in cells if row["val/mIoU"]]) == 3
    assert [row["step"] for row in cells if row["val/slow"]] == ["2"]
    assert run.score("val").metrics["slow"] == 12.5
    assert full_scores == [12]  # the last validation has seen to it


class StopEarly(Callback):
    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        trainer.should_stop = True


def test_slow_metrics_are_made_up_for_where_a_run_stops_early(
    tmp_path: Path, full_scores: list[int]
) -> None:
    run = short_run(tmp_path)
    run.trainer.callbacks.append(StopEarly())  # type: ignore[attr-defined]
    run.trainer.fit(run.module, run.data)
    assert run.step == 1 and full_scores == []
    tracked = run.scorer.results["val"].scores.metrics
    final = run.score("val").metrics
    assert full_scores == [12]
    assert final == tracked | {"slow": 12.5}


def test_the_verdict_of_the_first_process_is_that_of_all() -> None:
    def process(rank: int, sent: Any = None) -> Any:
        strategy = SimpleNamespace(broadcast=lambda mine: mine if rank == 0 else sent)
        return SimpleNamespace(is_global_zero=rank == 0, strategy=strategy)

    assert once(process(0), lambda: 7) == 7
    assert once(process(1, sent=7), lambda: pytest.fail("asked for twice")) == 7
    failed = ValueError("no CIDEr")
    for one in (process(0), process(1, sent=failed)):
        with pytest.raises(ValueError, match="no CIDEr"):
            once(one, lambda: (_ for _ in ()).throw(failed))


CAPTIONS = {
    "train": {1: "a dog runs", 2: "a red bus on a street"},
    "val": {3: "two cats sleep", 4: "a bowl of fruit on a table"},
}


@pytest.fixture
def captions(tmp_path: Path) -> Path:
    """The folder of a run on COCO captions that left answers; COCO's own splits, no Java."""
    for part, texts in CAPTIONS.items():
        (tmp_path / f"{part}2017").mkdir()
        for image in texts:
            Image.new("RGB", (8, 8)).save(tmp_path / f"{part}2017" / f"{image:012d}.jpg")
        content = {
            "images": [{"id": image, "file_name": f"{image:012d}.jpg"} for image in texts],
            "annotations": [
                {"id": image, "image_id": image, "caption": text} for image, text in texts.items()
            ],
        }
        (tmp_path / f"captions_{part}2017.json").write_text(json.dumps(content))
    folder = tmp_path / "run"
    folder.mkdir()
    settings = composed(
        "train", "task=coco_captions", "model=tiny", f"task.root={tmp_path}", "run=run",
        "splits.train=train",
    )  # fmt: skip
    OmegaConf.save(settings, folder / CONFIG)
    (folder / "answers.jsonl").write_text(
        "".join(f'{{"id": "{image}", "answer": "a bowl on a table"}}\n' for image in (3, 4))
    )
    (folder / "learnt.jsonl").write_text(
        "".join(f'{{"id": "{image}", "answer": "a dog"}}\n' for image in (1, 2))
    )
    return folder


def evaluated(folder: Path, *overrides: str) -> dict[str, Any]:
    """The report that is written."""
    evaluate(composed("evaluate", f"run={folder}", *overrides))
    (report,) = folder.glob("report-*.json")
    return json.loads(report.read_text())


def test_saved_answers_are_reported_with_all_that_has_to_be_known(
    captions: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    report = evaluated(captions, f"answers={captions / 'learnt.jsonl'}", "split=train")
    no_karpathy, too_few, learnt, meteor, spice = report["notes"]
    assert "COCO's own" in no_karpathy
    assert too_few == "train has 2 examples, and in the paper 82,783"
    assert learnt.startswith("train is not held out: 2 of its 2 examples")
    assert meteor.startswith("METEOR is left out: it needs Java")
    assert spice.startswith("SPICE is left out: it needs Java")
    assert list(report["splits"]["train"]) == [
        "CIDEr", "Bleu_1", "Bleu_2", "Bleu_3", "Bleu_4", "ROUGE_L"
    ]  # fmt: skip
    for place in (capsys.readouterr().out, (captions / "report-learnt.md").read_text()):
        assert all(note in place for note in report["notes"])
    left = {str(path.relative_to(captions)) for path in captions.rglob("*") if path.is_file()}
    assert left == {
        "config.yaml", "answers.jsonl", "learnt.jsonl", "report-learnt.md", "report-learnt.json",
        "answers/learnt-rescored.jsonl", "answers/learnt-rescored.submission.json",
        "pictures/learnt-rescored.png", "pages/learnt-rescored.html",
    }  # fmt: skip


@pytest.mark.slow
def test_saved_answers_are_scored_where_the_training_images_are_not(captions: Path) -> None:
    shutil.rmtree(captions.parent / "train2017")
    report = evaluated(captions, f"answers={captions / 'answers.jsonl'}", "split=val", "page=0")
    (unknown,) = [note for note in report["notes"] if "not known" in note]
    assert "000000000001.jpg" in unknown


def test_a_checkpoint_is_scored_where_the_training_data_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = short_run(tmp_path)
    OmegaConf.save(composed("train", f"run={tmp_path}", *SHORT), tmp_path / CONFIG)
    keep_tokenizer(run.data.reader.tokenizer.path, tmp_path)
    run.trainer.strategy.connect(run.module)
    run.module.trainer = run.trainer
    (tmp_path / "checkpoints").mkdir()
    run.trainer.save_checkpoint(tmp_path / "checkpoints" / LAST)
    read = Shapes.examples

    def only_test(self: Shapes, split: str) -> Any:
        if split != "test":
            raise FileNotFoundError(f"no files of {split}")
        return read(self, "val")

    monkeypatch.setattr(Shapes, "examples", only_test)
    report = evaluated(tmp_path, "split=test", "page=0", "pictured=0")
    assert report["notes"] == [
        "it is not known which of these images were trained on: no files of val"
    ]
    assert report["splits"]["test"]["total"]["ours"] == 12


@pytest.mark.slow
def test_weights_that_were_chosen_by_what_they_learnt_are_told(tmp_path: Path) -> None:
    run = short_run(tmp_path)
    OmegaConf.save(composed("train", f"run={tmp_path}", *SHORT), tmp_path / CONFIG)
    keep_tokenizer(run.data.reader.tokenizer.path, tmp_path)
    run.trainer.fit(run.module, run.data)
    said = "these weights were chosen by scores of 'val', which is learnt from ('val'): "
    for checkpoint, is_chosen in (("last", False), ("best", True)):
        evaluate(composed("evaluate", f"run={tmp_path}", f"checkpoint={checkpoint}", "page=0"))
        report = json.loads((tmp_path / f"report-{checkpoint}.json").read_text())
        assert any(note.startswith(said) for note in report["notes"]) == is_chosen
