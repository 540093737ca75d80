"""What the real client keeps offline is read back from its files."""

from __future__ import annotations

import csv
import json
import subprocess
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest
import wandb
from lightning.pytorch import Callback
from PIL import Image

from pg_transfer.running.assemble import Run
from pg_transfer.task import Answer, Example, Outline, Scores
from pg_transfer.tracking.code_version import HERE
from pg_transfer.tracking.follow import best_model
from pg_transfer.tracking.predictions import choose
from pg_transfer.tracking.tracker import Told
from pg_transfer.tracking.wandb_file import history
from pg_transfer.tracking.weights_and_biases import STEP, WeightsAndBiases, sent_before
from tests.reporting.test_pictures import Said
from tests.tracking.wandb_files import Offline

ROOT = Path(__file__).parents[2]
OFFLINE = ("logger=wandb", "logger.mode=offline", "logger.predictions=4")
SECRET = "3f6c1a0e5b9d47728c61" * 2


@pytest.fixture(autouse=True)
def no_account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    for name in ("WANDB_MODE", "WANDB_RUN_ID", "WANDB_DATA_DIR", "WANDB_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WANDB_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    yield
    wandb.teardown()


def parts(folder: Path) -> list[Offline]:
    wandb.teardown()  # its service writes in its own time
    return [Offline(path) for path in sorted(folder.glob("wandb/offline-run-*/run-*.wandb"))]


class Table(NamedTuple):
    """As the web page shows it.

    Attributes:
        content: columns and data.
        files: all that it refers to, by their names in it.
    """

    content: dict[str, Any]
    files: dict[str, Path]


def tables(part: Offline) -> list[Table]:
    found = []
    for artifact in part.artifacts:
        if artifact.type == "run_table":
            files = {one.path: Path(one.local_path) for one in artifact.manifest.contents}
            (name,) = (name for name in files if name.endswith(".table.json"))
            found.append(Table(json.loads(files[name].read_text()), files))
    return found


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open() as file:
        return list(csv.DictReader(file))


class Crash(Callback):
    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx) -> None:
        if trainer.global_step == 3:
            raise RuntimeError("power cut")


@pytest.mark.slow
def test_a_run_that_was_cut_short_is_one_run(
    train: Callable[..., Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", SECRET)
    folder = tmp_path / "run"
    with pytest.raises(RuntimeError, match="power cut"):
        train(folder, *OFFLINE, before=lambda run: run.trainer.callbacks.append(Crash()))  # type: ignore[attr-defined]
    run = train(folder, *OFFLINE)
    (folder / "config.yaml").write_text("seed: 0\n")  # as transfer.py does
    run.watchers.trackers[0].log_best(
        best_model(folder, folder / "checkpoints" / "best.safetensors", {"step": 2})
    )
    run.watchers.trackers[0].finish()

    first, second = parts(folder)
    assert first.run.run_id == second.run.run_id
    assert json.loads((folder / "tracker.json").read_text()) == {"wandb": first.run.run_id}
    assert (first.exit_code, second.exit_code) == (1, 0)
    commit = subprocess.run(
        ["git", "-C", str(HERE), "rev-parse", "HEAD"], capture_output=True, text=True
    ).stdout.strip()
    for part in (first, second):
        assert part.config["recipe"]["batch_size"] == 8 and part.config["resolution"] == 84
        assert part.config["code"].get("commit", "") == commit
        assert part.run.git.commit == commit

    for column in ("loss", "lr", "lr_vision", "lr_language", "gradient_norm", "images_per_second",
                   "peak_memory_gb", "val/mIoU"):  # fmt: skip
        written = [float(row[column]) for row in rows(folder) if row[column]]
        sent, later = ([line[column] for line in part.history if column in line]
                       for part in (first, second))  # fmt: skip
        assert sent and later
        assert sent == written[: len(sent)] and later == written[-len(later) :], column

    answers = folder / "answers" / "val-step000004.jsonl"
    given = {row["id"]: row for row in map(json.loads, answers.read_text().splitlines())}
    table = tables(second)[-1].content
    assert table["columns"][:5] == ["id", "image", "prompt", "answer", "truth"]
    assert len(table["data"]) == 4
    for values in table["data"]:
        line = dict(zip(table["columns"], values, strict=True))
        assert (line["prompt"], line["answer"]) == tuple(
            given[line["id"]][name] for name in ("prompt", "answer")
        )
        for name, value in given[line["id"]]["scores"].items():
            assert line[name] == value

    (best,) = (one for one in second.artifacts if one.type == "model")
    assert best.name == f"best-{second.run.run_id}" and json.loads(best.metadata) == {"step": 2}
    assert {(one.path, Path(one.local_path)) for one in best.manifest.contents} == {
        (name, folder / name) for name in ("checkpoints/best.safetensors", "config.yaml")
    }
    assert not [path for path in (folder / "wandb").rglob("*")
                if path.is_file() and SECRET.encode() in path.read_bytes()]  # fmt: skip


def test_what_earlier_starts_have_sent_is_in_the_clients_files(tmp_path: Path) -> None:
    known: list[Mapping[str, int] | None] = []
    for steps in ((0, 1, 2), (1, 2, 3)):
        tracker = WeightsAndBiases(mode="offline", project="p")
        tracker.start(Told(tmp_path, "name", {}, {}))
        known.append(tracker.known)
        for step in steps:
            tracker.log_metrics({"loss": step, "epoch": 0}, step)
        tracker.log_metrics({"val/mIoU": 0.5, "epoch": 0}, 2)
        tracker.finish(is_whole=True)
    assert known[0] == {} and known[1] is not None
    assert {name: known[1][name] for name in ("loss", "val/mIoU")} == {"loss": 2, "val/mIoU": 2}
    sent = [[line[STEP] for line in part.history if "loss" in line] for part in parts(tmp_path)]
    assert sent == [[0, 1, 2], [3]]
    # Online it counts what has arrived, and without the files that alone.
    online = SimpleNamespace(offline=False, summary={STEP: 1, "loss": 0.1})
    assert sent_before(tmp_path, online)["loss"] == 1
    assert sent_before(tmp_path / "wandb", online)["loss"] == 1
    online.summary[STEP] = 9
    assert sent_before(tmp_path, online)["val/mIoU"] == 2


def test_a_file_of_another_kind_holds_no_rows(tmp_path: Path) -> None:
    (tmp_path / "a.wandb").write_bytes(b"something else")
    (tmp_path / "b.wandb").write_bytes(b":W&B" + bytes(3) + b"\1\2\3\4\4\0\1abcd")
    assert not [*history(tmp_path / "a.wandb"), *history(tmp_path / "b.wandb")]


class Drawn(Said):
    """One truth with a mask, two answers of which one has."""

    def outlines(self, answer: Answer) -> list[Outline]:
        left = np.zeros((40, 80), bool)
        left[:, :20] = True
        return [
            Outline("truth", (0.0, 0.0, 1.0, 0.25), left),
            Outline("answer", (0.5, 0.25, 0.75, 1.0), label="cat"),
            Outline("answer", (0.0, 0.5, 1.0, 1.0), left[:, ::-1]),
        ]


def test_boxes_and_masks_lie_where_they_should(tmp_path: Path) -> None:
    tracker = WeightsAndBiases(mode="offline", project="p")
    tracker.start(Told(tmp_path, "name", {"a": 1}, {}))
    example = Example("7", partial(np.full, (40, 80, 3), 200, np.uint8), "segment it", ("a", "b"))
    graded = [{"iou": 0.5, "rank": float("nan")}, {"rank": 1}]
    tracker.log_predictions(
        choose(
            Drawn(),
            [Answer(example, "<loc0001>", ())] * 2,
            Scores({"iou": 0.0}, graded),
            split="train[:1]",
            step=5,
            row=4,
            most=9,
            picture=None,
        )
    )
    tracker.finish(is_whole=True)

    (part,) = parts(tmp_path)
    (found,) = tables(part)
    table, files = found
    assert table["columns"] == ["id", "image", "prompt", "answer", "truth", "iou", "rank"]
    (_, image, *texts), (*_, last_iou, last_rank) = table["data"]
    assert texts == ["segment it", "<loc0001>", "a / b", 0.5, None]
    assert (last_iou, last_rank) == (None, 1.0)
    assert (image["width"], image["height"]) == (512, 256)

    assert all(path.is_relative_to(tmp_path) for path in files.values())  # not in the home folder
    with Image.open(files[image["path"]]) as picture:
        assert picture.size == (512, 256) and (np.asarray(picture.convert("RGB")) == 200).all()
    # ymin, xmin, ymax, xmax of the outlines, as fractions.
    truth, answers = (image["boxes"][kind] for kind in ("truth", "answer"))
    assert [box["position"] for box in (*truth, *answers)] == [
        {"minX": 0.0, "maxX": 0.25, "minY": 0.0, "maxY": 1.0},
        {"minX": 0.25, "maxX": 1.0, "minY": 0.5, "maxY": 0.75},
        {"minX": 0.5, "maxX": 1.0, "minY": 0.0, "maxY": 1.0},
    ]
    captions = [(box["class_id"], box["box_caption"]) for box in (*truth, *answers)]
    assert captions == [(1, "truth 1"), (128, "answer 1: cat"), (129, "answer 2")]
    classes = json.loads(files[image["classes"]["path"]].read_text())["class_set"]
    assert [(one["id"], one["name"]) for one in classes if one["id"]] == captions
    masks = {}
    for kind in ("truth", "answer"):
        with Image.open(files[image["masks"][kind]["path"]]) as picture:
            masks[kind] = np.asarray(picture.convert("L"))
    assert masks["truth"].shape == (256, 512)
    # A quarter of the width: 128 of 512 columns; the second answer is class 129.
    assert (masks["truth"][:, :128] == 1).all() and not masks["truth"][:, 128:].any()
    assert (masks["answer"][:, 384:] == 129).all() and not masks["answer"][:, :384].any()


def test_without_an_account_it_is_kept_offline(tmp_path: Path) -> None:
    tracker = WeightsAndBiases(project="p")
    tracker.start(Told(tmp_path, "name", {"a": 1}, {}))
    tracker.log_metrics({"loss": 2.0}, 3)
    tracker.finish(is_whole=True)
    (part,) = parts(tmp_path)
    assert part.history[0]["loss"] == 2.0
    assert "API key" in tracker.where and f"wandb sync {tmp_path}/wandb" in tracker.where


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"mode": "onlin"}, "logger.mode=onlin is none of online, offline, disabled"),
        ({"predictions": -1}, "logger.predictions=-1"),
        ({"log_model": "best"}, "logger.log_model=best is neither"),
        ({"settings": {"colour": 1}}, "colour"),
        ({"colour": 1}, "colour"),
    ],
)
def test_settings_that_cannot_be_are_refused(options: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        WeightsAndBiases(**options)  # type: ignore[arg-type]
