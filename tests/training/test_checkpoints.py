"""Checkpoints hold what learns, appear whole or not at all, and belong to their base."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
import torch
from lightning.pytorch import Callback
from omegaconf import DictConfig
from safetensors import safe_open

from pg_transfer.running.assemble import Run, assemble
from pg_transfer.training.weights import BEST, LAST, learning, read_weights
from tasks.shapes import SPLITS
from tests import ready
from tests.faults.commands import output_of
from tests.short_runs import composed

ROOT = Path(__file__).parents[2]

SHORT = [
    "splits={train: val, validate: test, report: [test]}", "recipe.epochs=2",
    "recipe.batch_size=8", "micro_batch=4", "recipe.dropout=0.1", "validations=2",
    "checkpoint_minutes=0", "score_before=false", "page=0", "pictured=0", "evaluation_batch=8",
    "trainer=cpu", "resolution=28", "recipe={lr: 1e-3, weight_decay: 1e-4}",
    "recipe.text_length=28", "recipe.label_smoothing=0", "workers=0",
    "trainer.log_every_n_steps=1",
]  # fmt: skip
LORA = ["tuning=lora", "tuning.adapters.dropout=0.1", "model.rematerialise=true"]
TUNINGS = {
    "full": [],
    "lora": LORA,
    "bfloat16-base": [*LORA, "tuning.frozen_dtype=bfloat16"],
    "qlora": ["tuning=qlora"],
    "dora-and-frozen": [
        "tuning=dora",
        "tuning.vision.mode=frozen",
        "tuning.projector.mode=trained",
    ],
    "recipe-frozen": ["recipe.freeze_vision=true"],
}


@pytest.fixture(autouse=True)
def few_shapes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SPLITS, "val", 24)
    monkeypatch.setitem(SPLITS, "test", 4)


def settings(folder: Path, *overrides: str) -> DictConfig:
    return composed(folder, *SHORT, *overrides)


def started(folder: Path, *overrides: str, checkpoint: Path | None = None) -> Run:
    return assemble(settings(folder, *overrides), folder, checkpoint=checkpoint)


def go_on(run: Run, last: Path | None) -> None:
    run.trainer.fit(run.module, run.data, ckpt_path=last, weights_only=True)


class Crash(Callback):
    """Ends the run in the middle of an update."""

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx) -> None:
        if trainer.global_step == 4 and batch_idx % 2:
            raise RuntimeError("power cut")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*exists and is not empty:UserWarning")
@pytest.mark.parametrize("tuning", TUNINGS)
def test_a_resumed_run_is_the_uninterrupted_one_bit_for_bit(tuning: str, tmp_path: Path) -> None:
    if tuning == "qlora":
        pytest.importorskip("bitsandbytes")
    options = TUNINGS[tuning]
    whole = started(tmp_path / "whole", *options)
    base = {n: p.clone() for n, p in whole.module.model.named_parameters() if not p.requires_grad}
    go_on(whole, None)
    folder = tmp_path / "broken"
    broken = started(folder, *options)
    broken.trainer.callbacks.append(Crash())  # type: ignore[attr-defined]
    with pytest.raises(RuntimeError, match="power cut"):
        go_on(broken, None)
    last = folder / "checkpoints" / LAST
    again = started(folder, *options)
    go_on(again, last)
    assert again.trainer.global_step == whole.trainer.global_step == 6
    model = whole.module.model
    for (name, one), other in zip(
        model.named_parameters(), again.module.model.parameters(), strict=True
    ):
        assert torch.equal(one, other), name
        assert one.requires_grad or torch.equal(one, base[name]), name

    # The file: what learns, its optimiser's state, the place; and nothing of the rest.
    saved = torch.load(last, weights_only=True)
    names = learning(model)
    assert list(saved["state_dict"]) == [f"model.{name}" for name in names]
    (optimizer,) = saved["optimizer_states"]
    assert len(optimizer["state"]) == len(names)
    assert saved["global_step"] == 6
    assert (saved["base"] is None) == (tuning == "full")
    if saved["base"] is not None:
        assert saved["base"]["source"] == "drawn with seed 0"

    # What is scored from the files is what was scored in the run.
    answers = whole.score("test")
    scored = started(tmp_path / "whole", *options, checkpoint=tmp_path / "whole/checkpoints" / LAST)
    assert scored.step == 6
    assert scored.score("test") == answers
    for (name, one), other in zip(
        model.named_parameters(), scored.module.model.parameters(), strict=True
    ):
        assert torch.equal(one, other), name
    best = tmp_path / "whole" / "checkpoints" / BEST
    with safe_open(best, framework="pt") as file:
        assert set(file.keys()) == set(names)
    assert started(tmp_path / "whole", *options, checkpoint=best).step in (3, 6)


@pytest.mark.slow
def test_another_base_or_tuning_is_refused(tmp_path: Path) -> None:
    run = started(tmp_path, *LORA)
    go_on(run, None)
    last, best = (tmp_path / "checkpoints" / name for name in (LAST, BEST))
    # A fingerprint is of the weights at hand, and another seed draws others.
    for path in (last, best):
        with pytest.raises(ValueError, match=r"top of drawn with seed 0 .* drawn with seed 1"):
            started(tmp_path / "other", *LORA, "seed=1", checkpoint=path)
    other = started(tmp_path / "other", *LORA, "seed=1")
    with pytest.raises(ValueError, match="go on from holds what was learnt on top of"):
        go_on(other, last)
    with pytest.raises(ValueError, match=r"it lacks 68 .* 68 others .*lora_A"):
        started(tmp_path / "full", checkpoint=last)
    dora = ["tuning=dora", "tuning.adapters.dropout=0.1"]
    with pytest.raises(ValueError, match=r"lacks 34 \(model.*lora_magnitude_vector"):
        started(tmp_path / "dora", *dora, checkpoint=best)
    with pytest.raises(ValueError, match=r"(?s)is of another size than this model.*size mismatch"):
        started(tmp_path / "rank", *LORA, "tuning.adapters.rank=3", checkpoint=best)


def test_files_that_are_no_checkpoints_are_named(tmp_path: Path) -> None:
    model = started(tmp_path).module.model
    (tmp_path / "last.ckpt").write_bytes(b"PK")
    (tmp_path / "best.safetensors").write_bytes(b"{}")
    for name in (LAST, BEST):
        with pytest.raises(ValueError, match=f"{name} is no checkpoint of a run of ours"):
            read_weights(tmp_path / name, model)
    with pytest.raises(FileNotFoundError, match=r"in its folder: best.safetensors, last.ckpt"):
        read_weights(tmp_path / "third.ckpt", model)


KILLED = """
import os, signal, sys
from pathlib import Path
import torch
from pg_transfer.training.checkpoint_files import WholeFiles
from pg_transfer.training.weights import write_weights

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

class Bomb:
    def __reduce__(self):  # in the middle of the pickle
        die()

def save(moment, last, best):
    WholeFiles().save_checkpoint({"number": 1, "weights": torch.ones(1000)}, last)
    write_weights(best, {"x": torch.ones(1000)}, base=None, step=1)
    print("saved", flush=True)
    state = {"number": 2, "weights": torch.zeros(1000)}
    if moment == "writing":
        state["more"] = Bomb()
    if moment == "syncing":
        os.fsync = die
    if moment == "renaming":
        Path.replace = die
        write_weights(best, {"x": torch.zeros(1000)}, base=None, step=2)
    WholeFiles().save_checkpoint(state, last)

for moment in sys.argv[1:]:
    child = os.fork()
    if not child:
        Path(moment).mkdir()
        save(moment, Path(moment, "last.ckpt"), Path(moment, "best.safetensors"))
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@pytest.mark.slow
def test_a_kill_in_the_middle_of_a_save_leaves_what_was_there(tmp_path: Path) -> None:
    moments = ["writing", "syncing", "renaming"]
    done = subprocess.run(
        [ready.python(), "-c", KILLED, *moments], cwd=tmp_path, capture_output=True, text=True,
        env={"PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.stdout == f"saved\n{-signal.SIGKILL}\n" * 3, done.stderr
    for folder in (tmp_path / moment for moment in moments):
        saved = torch.load(folder / LAST, weights_only=True)
        assert saved["number"] == 1 and torch.equal(saved["weights"], torch.ones(1000))
        with safe_open(folder / BEST, framework="pt") as weights:
            assert weights.metadata()["step"] == "1"
            assert torch.equal(weights.get_tensor("x"), torch.ones(1000))
        assert len(list(folder.glob("*.part"))) == 1


TRAIN = [
    "train.py", "resolution=28", "recipe={lr: 1.5e-3, weight_decay: 0.0}",
    "recipe.epochs=0.01", "recipe.batch_size=16", "recipe.label_smoothing=0", "recipe.dropout=0",
    "recipe.text_length=28", "validations=1", "score_before=false", "splits.validate=val",
    "splits.report=[val]", "page=0", "pictured=0", "trainer=cpu",
]  # fmt: skip


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A full run, whose weights others stand on."""
    folder = tmp_path_factory.mktemp("bases")
    output_of(*TRAIN, "run=base", folder=folder)
    return folder / "base"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # a user may see them, and read on
@pytest.mark.parametrize("tuning", ["lora", "qlora"])
def test_a_run_is_scored_from_its_folder_wherever_that_is(
    tuning: str, base: Path, tmp_path: Path
) -> None:
    if tuning == "qlora":
        pytest.importorskip("bitsandbytes")
    shutil.copytree(base, tmp_path / "base")
    printed = output_of(
        *TRAIN, "model.weights=base", f"tuning={tuning}", "run=adapted", folder=tmp_path
    )
    assert re.search(r"language +│ adapted +│ +\d{3},\d{3} │ +\d{3},\d{3} │ 0\.0045", printed)
    answers = "answers/val-step000009.jsonl"
    first = (tmp_path / "adapted" / answers).read_text()
    (tmp_path / "adapted").rename(tmp_path / "moved")
    (tmp_path / "moved" / answers).unlink()
    away = tmp_path / "away"
    away.mkdir()
    output_of("evaluate.py", "run=../moved", folder=away)
    assert (tmp_path / "moved" / answers).read_text() == first
    (tmp_path / "base").rename(tmp_path / "elsewhere")
    (tmp_path / "moved" / answers).unlink()
    output_of("evaluate.py", "run=moved", "weights=elsewhere", folder=tmp_path)
    assert (tmp_path / "moved" / answers).read_text() == first
