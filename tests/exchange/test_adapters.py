"""Folders of adapters: PEFT loads ours, new and old, and we load its; none loses its eyes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from pg_transfer.export import export
from pg_transfer.sources.loading import load
from tests.exchange.conftest import TUNINGS, logits, seeing

CLOSE = {"rtol": 1e-4, "atol": 1e-4}
ROWS = 2048
LAYERS = {"vision": 2 * 6, "projector": 1, "language": 3 * 7}
"""Linear layers of the tiny model."""


@pytest.mark.parametrize("tuning", [name for name in TUNINGS if name != "full"])
def test_adapters_of_a_run_load_on_their_base(
    tuning: str, run, base: Path, model_of_run, theirs, tmp_path: Path
) -> None:
    export(run(tuning), tmp_path / "out", format="adapter", checkpoint="best")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "adapter_config.json", "adapter_model.safetensors",
    ]  # fmt: skip
    model = model_of_run(run(tuning))
    plain = logits(load(base).model)
    found = theirs.logits(base, model, adapter=tmp_path / "out")[:, :ROWS]
    # Trained beside a base of 4 bits, they are compared beside the whole one.
    expected = logits(load(tmp_path / "out").model) if tuning == "qlora" else logits(model)
    torch.testing.assert_close(found, expected, **CLOSE)
    assert (found - plain).abs().max() > 0.5
    parts = {"language"} if tuning == "parts" else LAYERS.keys()
    tensors = 3 if tuning == "dora" else 2
    assert theirs.facts["adapters"] == tensors * sum(LAYERS[part] for part in parts)


def test_the_eyes_count(run, base: Path, model_of_run, theirs, tmp_path: Path) -> None:
    """Without the vision tower's adapters they would compute something else, if silently."""
    out = tmp_path / "out"
    export(run("lora"), out, format="adapter", checkpoint="best")
    keys = load_file(out / "adapter_model.safetensors").keys()
    assert len(seeing(keys)) == 2 * LAYERS["vision"]
    assert all(".vision_tower.vision_model.encoder." in key for key in seeing(keys))
    model = model_of_run(run("lora"))
    whole = theirs.logits(base, model, adapter=out)
    for name, parameter in model.named_parameters():
        if seeing([name]) and ".lora_B." in name:
            parameter.data.zero_()
    assert (whole[:, :ROWS] - logits(model)).abs().max() > 0.1


def test_transformers_finds_the_base_by_itself(run, theirs, tmp_path: Path) -> None:
    export(run("lora"), tmp_path / "out", format="adapter", checkpoint="best")
    found = theirs("from_adapter_alone", adapter=tmp_path / "out")
    assert found == {
        "class": "PaliGemmaForConditionalGeneration",
        "adapters": 2 * sum(LAYERS.values()), "seeing": 2 * LAYERS["vision"],
    }  # fmt: skip


@pytest.mark.parametrize(
    "settings",
    [
        {"r": 3, "lora_alpha": 6, "target_modules": ["q_proj", "v_proj", "fc1"]},
        {"r": 4, "use_dora": True, "target_modules": r".*\.(self_attn\.(q|out|o)_proj|up_proj)"},
    ],
    ids=["lora", "dora"],
)
def test_adapters_of_peft_load_in_ours(settings: dict, base: Path, theirs, tmp_path: Path) -> None:
    theirs("adapt", folder=base, settings=settings, to=tmp_path)
    assert seeing(load_file(tmp_path / "adapter_model.safetensors"))
    model = load(tmp_path).model
    expected = theirs.logits(base, model, adapter=tmp_path)[:, :ROWS]
    torch.testing.assert_close(logits(model), expected, **CLOSE)
    # And back: as ours, and merged.
    export(tmp_path, tmp_path / "ours", format="adapter")
    again = theirs.logits(base, model, adapter=tmp_path / "ours")[:, :ROWS]
    torch.testing.assert_close(again, expected, **CLOSE)
    export(tmp_path, tmp_path / "merged", format="huggingface")
    merged = theirs.logits(tmp_path / "merged", model)[:, :ROWS]
    torch.testing.assert_close(merged, expected, **CLOSE)


def test_the_base_may_be_called_otherwise(run, base: Path, theirs, tmp_path: Path) -> None:
    """The base is a run: transformers needs a folder of its own, which is compared."""
    out, folder = tmp_path / "out", tmp_path / "base"
    with pytest.raises(ValueError, match=r"which transformers cannot load.*--base"):
        export(run("on_a_run"), out, format="adapter", checkpoint="best")
    assert not out.exists()
    export(run("full"), folder, format="huggingface", checkpoint="best")
    export(run("on_a_run"), out, format="adapter", checkpoint="best", base=str(folder))
    config = json.loads((out / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == str(folder)
    model = load(run("on_a_run"), checkpoint="best").model
    found = theirs.logits(folder, model, adapter=out)[:, :ROWS]
    torch.testing.assert_close(found, logits(model), **CLOSE)
    with pytest.raises(ValueError, match="differ in their logits"):
        export(
            run("on_a_run"), tmp_path / "no", format="adapter", checkpoint="best", base=str(base)
        )
    assert not (tmp_path / "no").exists()


def test_what_cannot_be_adapters(run, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"has no adapters; --format huggingface"):
        export(run("full"), tmp_path / "out", format="adapter", checkpoint="best")
    with pytest.raises(ValueError, match="the vision part was trained itself"):
        export(run("seeing"), tmp_path / "out", format="adapter", checkpoint="best")
    with pytest.raises(ValueError, match="leave --dtype out"):
        export(run("lora"), tmp_path / "out", format="adapter", dtype=torch.bfloat16)
    assert list(tmp_path.iterdir()) == []
