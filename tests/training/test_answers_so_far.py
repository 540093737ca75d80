"""What has been answered is not asked again, and never taken for an answer to something else."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback

from pg_transfer.model.decoding import Decoding
from pg_transfer.running.assemble import Run, assemble
from pg_transfer.training.answers_so_far import AnswersSoFar, Given, digest_of_weights
from pg_transfer.training.weights import LAST
from tasks.shapes import SPLITS
from tests.training.test_checkpoints import settings

EXAMPLES, BATCH = 22, 4
QUICK = ("recipe.epochs=1", "recipe.warmup=0", "validations=1")


class PowerCutError(RuntimeError):
    pass


class Witness(Callback):
    """Notes what is really answered, and cuts the power before a batch."""

    def __init__(self, before: int | None = None) -> None:
        self.before, self.answered = before, 0

    def on_validation_batch_start(
        self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        if batch_idx == self.before:
            raise PowerCutError
        self.answered += len(batch.rows)


@pytest.fixture(autouse=True)
def shapes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SPLITS, "val", 8)
    monkeypatch.setitem(SPLITS, "test", EXAMPLES)


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    """A folder with the checkpoint of a run."""
    folder = tmp_path / "run"
    run = assemble(settings(folder, *QUICK), folder)
    run.trainer.fit(run.module, run.data)
    (folder / "answers" / "test-step000001.jsonl").unlink()
    run.scorer.forget()
    assert not list((folder / "answers").iterdir())
    return folder


def scorer(folder: Path, *options: str, before: int | None = None) -> tuple[Run, Witness]:
    chosen = settings(folder, f"evaluation_batch={BATCH}", *options)
    run = assemble(chosen, folder, checkpoint=folder / "checkpoints" / LAST)
    witness = Witness(before)
    run.trainer.callbacks.append(witness)  # type: ignore[attr-defined]
    return run, witness


def interrupted(folder: Path, *options: str, before: int) -> None:
    run, _ = scorer(folder, *options, before=before)
    with pytest.raises(PowerCutError):
        run.score("test")


def part(folder: Path) -> Path:
    (path,) = (folder / "answers").glob("test-step000001*.part.jsonl")
    return path


@pytest.mark.slow
@pytest.mark.parametrize("before", [0, 3, 5])
@pytest.mark.parametrize("drawn", [(), ("temperature=1.0",)])
def test_a_batch_is_asked_for_once(drawn: tuple[str, ...], before: int, trained: Path) -> None:
    run, _ = scorer(trained, *drawn)
    whole = run.score("test")
    run.scorer.forget()
    (answers,) = (trained / "answers").glob("test-step*.jsonl")
    expected = answers.read_text()
    answers.unlink()

    interrupted(trained, *drawn, before=before)
    lines = part(trained).read_text().splitlines()
    assert len(lines) == 1 + before * BATCH  # the first says what they were made by
    run, witness = scorer(trained, *drawn)
    assert run.score("test") == whole
    assert witness.answered == EXAMPLES - before * BATCH
    assert answers.read_text() == expected
    run.scorer.forget()
    assert [path.name for path in (trained / "answers").iterdir()] == [answers.name]


@pytest.mark.slow
def test_answers_that_were_all_given_are_scored_without_the_model(trained: Path) -> None:
    run, _ = scorer(trained)
    whole = run.score("test")  # and killed before the report
    run, witness = scorer(trained)
    assert run.score("test") == whole and witness.answered == 0


@pytest.mark.slow
def test_a_batch_that_was_cut_short_is_asked_for_again(trained: Path) -> None:
    run, _ = scorer(trained)
    whole = run.score("test")
    run.scorer.forget()
    interrupted(trained, before=3)
    path = part(trained)
    path.write_bytes(path.read_bytes()[:-20] + "é".encode()[:1])  # within a letter
    run, witness = scorer(trained)
    assert run.score("test") == whole
    assert witness.answered == EXAMPLES - 2 * BATCH


@pytest.mark.slow
def test_answers_of_other_weights_or_settings_do_not_count(trained: Path) -> None:
    interrupted(trained, before=3)
    run, witness = scorer(trained)
    with torch.no_grad():  # one of those that are looked at, by the least there is
        weight = run.module.model.lm_head.weight
        weight[0, 0] = weight[0, 0].nextafter(torch.tensor(1.0))
    run.score("test")
    assert witness.answered == EXAMPLES

    of_another = ["+antialias_of.another={train: true, evaluate: true}"]
    for options in (["evaluation_batch=5"], ["seed=1"], ["recipe.text_length=27"], of_another):
        interrupted(trained, before=3)
        run, witness = scorer(trained, *options)
        run.score("test")
        assert witness.answered == EXAMPLES, options
    interrupted(trained, before=3)
    run, witness = scorer(trained)
    run.module.decoding = Decoding(beams=2)  # under the same name
    run.score("test")
    assert witness.answered == EXAMPLES
    interrupted(trained, before=3)
    run, witness = scorer(trained)
    examples = list(run.data.examples("test"))
    examples[-1] = replace(examples[-1], prefix="the large red circle")
    run.data.splits._examples["test"] = examples  # type: ignore[attr-defined]
    run.score("test")
    assert witness.answered == EXAMPLES


def test_every_update_changes_the_digest(tmp_path: Path) -> None:
    found = []

    class Digests(Callback):
        def on_train_batch_end(self, trainer: Any, pl_module: Any, *_: Any) -> None:
            found.append(digest_of_weights(pl_module.model))

    run = assemble(settings(tmp_path, "micro_batch=8", "recipe.warmup=0"), tmp_path)
    run.trainer.callbacks.append(Digests())  # type: ignore[attr-defined]
    run.trainer.fit(run.module, run.data)
    # The last update has a rate of almost nothing, and is one all the same.
    assert len(set(found)) == len(found) == 2


def test_a_damaged_file_is_begun_anew(tmp_path: Path) -> None:
    from pg_transfer.task import Example

    examples = [Example(str(n), tmp_path / f"{n}.png", "what") for n in range(4)]
    rows = [2, 0, 3, 1]
    file = AnswersSoFar(tmp_path / "a.part.jsonl", {"weights": "0"})
    assert file.read(examples, rows, batch=2) == []
    given = [Given(row, f"cat {row} \u2028é", ("▁cat",), "suffix", None) for row in rows]
    file.start(examples, given[:2])
    file.add(examples, given[2:3])
    assert file.read(examples, rows, batch=2) == given[:2]
    file.add(examples, given[3:])
    assert file.read(examples, rows, batch=3) == given  # the last batch is smaller
    assert AnswersSoFar(file.path, {"weights": "1"}).read(examples, rows, batch=2) == []
    assert file.read(examples, [0, 2, 3, 1], batch=2) == []
    lines = file.path.read_text().split("\n")
    for damaged in ("", "{", "[]", "null", '{"id": "2"}', "\0"):
        file.path.write_text("\n".join([lines[0], damaged, *lines[2:]]))
        assert file.read(examples, rows, batch=1) == []
        file.path.write_text("\n".join([damaged, *lines[1:]]))
        assert file.read(examples, rows, batch=1) == []
    assert json.loads(lines[1])["answer"] == "cat 2 \u2028é"
