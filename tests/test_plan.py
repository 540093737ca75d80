"""`python -m pg_transfer.plan`, `micro_batch=auto`, and what is said when memory runs out."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf
from PIL import Image

from pg_transfer.check import composed
from pg_transfer.plan import main
from pg_transfer.planning.pretended import pretended_group
from pg_transfer.planning.shortage import shortage_explained
from pg_transfer.running.task_settings import images_of

TINY = ("model=tiny", "trainer=cpu")


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any data."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PG_DATA", str(tmp_path / "data"))


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    main(arguments)
    return " ".join(capsys.readouterr().out.replace("│", " ").split())


@pytest.mark.slow
def test_a_plan_without_data_and_weights(capsys) -> None:
    out = printed(capsys, "task=textvqa", "tuning=lora", "--device", "2", *TINY)
    # The paper's: 5 epochs of 39,602 examples in batches of 256 are 773.5 updates.
    assert "773 (39,602 examples of 'train+val', as published; no data here)" in out
    for part in ("weights", "gradients", "optimiser", "activations", "logits", "together"):
        assert f" {part} " in out
    assert "--measured" in out


@pytest.mark.slow
def test_the_asked_micro_batch_and_number_of_examples(capsys) -> None:
    out = printed(capsys, "task=refcoco", "micro_batch=4", "--examples", "2560", *TINY)
    assert "micro-batch 4 x 1 device(s) x 64 = 256" in out
    assert "1,000 (2,560 examples, as you say)" in out
    out = printed(capsys, "task=refcoco", "micro_batch=4", *TINY)
    assert "not known without the data" in out


def test_all_images_of_an_example_are_planned_for(tmp_path: Path) -> None:
    def images(*settings: str) -> int:
        return images_of(composed([*settings, "model=tiny", "resolution=224"]))

    assert images("task=msvd_qa") == 8
    assert images("task=msvd_qa", "task.frames=3") == 3
    assert images("task=textvqa") == 1
    assert images("task=nlvr2") == 2
    mixture = "mixture={nlvr2: 1, textvqa: 2}"
    assert images("task=mixture", mixture) == 2
    # Of one's own data the first example tells; those that are not there are told of later.
    own = tmp_path / "my.jsonl"
    assert images("task=custom", f"data={own}") == 1
    names = [f"{number}.png" for number in range(3)]
    row = {"images": names, "prefix": "a", "suffix": "b"}
    own.write_text("\n".join(json.dumps(row | {"split": split}) for split in ("train", "val")))
    for name in names:
        Image.new("RGB", (9, 9)).save(tmp_path / name)
    assert images("task=custom", f"data={own}") == 3
    assert images("task=custom", f"data={own}", "frames=4") == 4


def test_a_plan_counts_them(capsys) -> None:
    settings = ("micro_batch=4", "--examples", "512", "model=tiny", "resolution=224")
    found = [
        re.findall(r"activations ([0-9.]+) GB", printed(capsys, task, *settings))
        for task in ("task=nlvr2", "task=gqa")
    ]
    (two,), (one,) = found
    assert float(two) > 1.8 * float(one)


@pytest.mark.slow
def test_a_plan_of_shared_weights(capsys) -> None:
    """723,392 weights, four bytes each, in eight pieces; 16 examples on eight devices."""
    settings = ["task=shapes", "trainer=fsdp", "trainer.devices=8", "--device", "2"]
    out = printed(capsys, *settings)
    assert " weights 0.000362 GB " in out
    assert "micro-batch 2 x 8 device(s) x 1 = 16" in out
    assert "723,392, of which 723,392 learn" in out


@pytest.mark.slow
def test_a_gpu_without_bfloat16_is_planned_for_in_float32(capsys) -> None:
    """The frozen weights are kept as they are computed with: four bytes each, or two."""
    settings = ["task=shapes", "tuning=lora", "micro_batch=2", "--device"]
    kept = [re.findall(r" weights ([\d.]+) ", printed(capsys, *settings, name))[0]
            for name in ("t4", "l4")]  # fmt: skip
    assert float(kept[0]) > 1.5 * float(kept[1])


def test_time_by_a_run(capsys, tmp_path: Path) -> None:
    """A run of the same settings at 8 images a second: 256 take 32 s, 1,000 updates 8.9 hours."""
    run = tmp_path / "run"
    run.mkdir()
    OmegaConf.save(
        OmegaConf.create(OmegaConf.to_container(
            composed(["task=textvqa", "micro_batch=4", *TINY]), resolve=True
        )),
        run / "config.yaml",
    )  # fmt: skip
    log = "step,images_per_second,peak_memory_gb\n9,4.0,1.5\n19,8.0,1.6\n20,,\n29,8.5,1.6\n"
    (run / "metrics.csv").write_text(log, encoding="utf-8")
    settings = ["task=textvqa", "micro_batch=4", "--examples", "51200", *TINY]
    out = printed(capsys, *settings, "--measured", str(run))
    assert "32 s an update, 8.9 hours without evaluation" in out
    assert "which held 1.6 GB (without a GPU all of its process) where" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--device", "h1000"], "--device h1000 is not known; there are h200, h100"),
        (["micro_batch=3"], "recipe.batch_size=16 is no multiple of micro_batch=3"),
        (["model.rematerialise=6"], "rematerialise=6: the model has 5 blocks"),
        (["model.rematerialise=-1"], "auto (as few as memory asks for), or how many"),
        (["trainer.precision=7"], "trainer.precision=7 cannot be planned for"),
        (["trainer.strategy=fsdp"], "trainer.strategy=fsdp takes cannot be planned"),
        (["trainer=fsdp", "trainer.precision=bf16-true"], "can is 32-true, bf16-mixed"),
        (["trainer=fsdp", "tuning=qlora"], "weights of 4 bits cannot be shared out"),
        (["tuning=lora", "trainer.precision=bf16-true"], "would round the adapters"),
    ],
)
def test_what_cannot_be_planned(capsys, arguments: list[str], said: str) -> None:
    with pytest.raises(SystemExit):
        main(["task=shapes", *arguments])
    assert said in capsys.readouterr().err


def shapes(**changed):
    config = OmegaConf.create(OmegaConf.to_container(composed(["task=shapes"]), resolve=True))
    return OmegaConf.merge(config, changed)


@pytest.mark.slow
def test_memory_that_runs_out_in_training() -> None:
    """For real: torch's allocator is asked for more than any machine has."""
    with (
        pytest.raises(ValueError, match="out of memory with micro_batch=16") as raised,
        shortage_explained(shapes(trainer={"accelerator": "cpu"}), lambda: 1),
    ):
        torch.empty(10**15)
    said = str(raised.value)
    for remedy in ("micro_batch=8 (", "model.rematerialise=true (", "tuning=lora (", "resolution"):
        assert remedy in said
    assert "(weights 0.00289 GB, gradients" in said
    assert isinstance(raised.value.__cause__, RuntimeError)


def test_memory_that_runs_out_over_answers() -> None:
    def validation_step() -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    with (
        pytest.raises(ValueError, match=r"answers to 64 prompts at once.*evaluation_batch=32"),
        shortage_explained(shapes(trainer={"accelerator": "cpu"}), lambda: 1),
    ):
        validation_step()


def test_other_errors_are_left_alone() -> None:
    explained = shortage_explained(shapes(), lambda: 1)
    with pytest.raises(RuntimeError, match="something else"), explained:
        raise RuntimeError("something else")


def settled(folder: Path, **changed):
    """The sizes of a run in that folder that leaves them to the planner."""
    from pg_transfer.running.transfer import settle_sizes

    config = shapes(**changed, trainer={"accelerator": "cpu"})
    settle_sizes(config, folder)
    return config.micro_batch, config.model.rematerialise


@pytest.mark.slow
def test_micro_batch_auto(tmp_path: Path, capsys) -> None:
    """As much as fits, here a whole update; and in a run that goes on what it began with."""
    assert settled(tmp_path, micro_batch="auto") == (16, False)
    assert "micro_batch=16 model.rematerialise=0: it takes 0.0" in capsys.readouterr().out
    both = {"micro_batch": "auto", "model": {"rematerialise": "auto"}}
    assert settled(tmp_path, **both) == (16, 0)
    OmegaConf.save(shapes(micro_batch=2, model={"rematerialise": 3}), tmp_path / "config.yaml")
    assert settled(tmp_path, **both) == (2, 3)
    assert settled(tmp_path, micro_batch="auto", model={"rematerialise": True}) == (2, True)


@pytest.mark.slow
def test_as_few_blocks_twice_as_memory_asks_for(capsys) -> None:
    """A card of 30 MB beside what is not torch's: all examples at once, three blocks twice."""
    settings = ["task=shapes", "model.rematerialise=auto", *TINY]
    out = printed(capsys, *settings, "--device", "1.53")
    assert "micro-batch 16 x 1 device(s) x 1 = 16" in out
    assert "computed twice 3 of 5 blocks" in out
    out = printed(capsys, *settings, "micro_batch=8", "--device", "1.53")
    assert "computed twice 0 of 5 blocks" in out


def test_memory_that_runs_out_of_processes_that_share_the_weights() -> None:
    """They are in a group, in which nothing can be planned for; they say what can be done."""
    shared = OmegaConf.to_container(composed(["task=shapes", "trainer=fsdp"]), resolve=True)
    config = OmegaConf.merge(shared, {"trainer": {"accelerator": "cpu"}})
    with (
        pretended_group(2),
        pytest.raises(ValueError, match=r"take a smaller one, or tuning=lora; .* pg_transfer.plan"),
        shortage_explained(config, lambda: 1),
    ):
        torch.empty(10**15)
