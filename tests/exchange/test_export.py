"""An export is checked before its folder appears; what cannot be exported is said in one error."""

from __future__ import annotations

from collections import namedtuple
from pathlib import Path

import pytest
import torch

from pg_transfer.export import FORMATS, export, finished
from pg_transfer.exporting import whole
from pg_transfer.model.checkpoint import safetensors_files
from pg_transfer.model.checkpoint.safetensors_files import write_tensors
from tests.faults.commands import output_of


@pytest.mark.slow
def test_the_command_says_what_differs_by_how_much(run, tmp_path: Path) -> None:
    words = [str(run("lora")), "--to", "out", "--format", "huggingface", "--checkpoint", "best"]
    told = output_of("-m pg_transfer.export", *words, folder=tmp_path)
    merged, written, last = told.splitlines()
    assert merged.startswith("merged and unmerged adapters: logits differ by at most ")
    assert 0 < float(merged.split("at most ")[1].split(";")[0]) < 1e-4
    assert written.startswith("the model and what was written: logits differ by at most 0; ")
    assert last == "written: out"
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "config.json", "generation_config.json", "model.safetensors", "preprocessor_config.json",
        "special_tokens_map.json", "tokenizer.json", "tokenizer.model", "tokenizer_config.json",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "part", ["vision_tower.vision_model.post_layernorm.bias", "language_model.model.norm.weight"]
)
def test_a_tensor_that_is_written_wrongly_is_noticed(
    part: str, run, tmp_path: Path, monkeypatch
) -> None:
    def write_wrongly(folder, tensors, dtype, **options) -> None:
        changed = {k: ([v + 0.5 for v in p] if k == part else p) for k, p in tensors.items()}
        write_tensors(folder, changed, dtype, **options)

    monkeypatch.setattr("pg_transfer.model.checkpoint.hugging_face.write_tensors", write_wrongly)
    with pytest.raises(ValueError, match=r"differ in their logits by .*; nothing was written"):
        export(run("full"), tmp_path / "out", format="huggingface", checkpoint="best")
    assert list(tmp_path.iterdir()) == []


def test_a_merge_that_goes_wrong_is_noticed(run, tmp_path: Path, monkeypatch) -> None:
    def forget(model) -> None:
        for name, parameter in model.named_parameters():
            if "vision_tower" in name and ".lora_B." in name:
                parameter.data.zero_()
        merge(model)

    merge = whole.merge
    monkeypatch.setattr(whole, "merge", forget)
    with pytest.raises(ValueError, match=r"merged and unmerged adapters differ in their logits"):
        export(run("lora"), tmp_path / "out", format="big_vision", checkpoint="best")
    assert list(tmp_path.iterdir()) == []


def test_a_crash_in_the_middle_leaves_nothing_that_looks_finished(run, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), finished(tmp_path / "out") as unfinished:
        (unfinished / "config.json").write_text("{}")
        assert unfinished.name.startswith(".out-") and not (tmp_path / "out").exists()
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_what_is_refused(run, tmp_path: Path, monkeypatch) -> None:
    full = run("full")
    with pytest.raises(ValueError, match="no format 'gguf'; there are huggingface, adapter, big"):
        export(full, tmp_path / "out", format="gguf")
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "thesis.tex").touch()
    for format in FORMATS:
        with pytest.raises(ValueError, match="taken is there already; choose another folder"):
            export(full, tmp_path / "taken", format=format)
    with pytest.raises(ValueError, match="no checkpoint 'first'; a run has last, best"):
        export(full, tmp_path / "out", format="huggingface", checkpoint="first")
    with pytest.raises(FileNotFoundError, match=r"no checkpoint .*last.ckpt; in its folder: best"):
        export(full, tmp_path / "out", format="huggingface")
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(whole.shutil, "disk_usage", lambda _: usage(10**6))
    with pytest.raises(ValueError, match=r"has 0\.0 GB free, and the weights take 0\.0"):
        export(full, tmp_path / "out", format="big_vision", checkpoint="best")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_an_empty_folder_may_be_there(run, tmp_path: Path) -> None:
    export(run("full"), tmp_path, format="big_vision", checkpoint="best")
    assert (tmp_path / "weights.npz").is_file()


def test_shards_are_no_larger_than_asked(run, tmp_path: Path) -> None:
    assert safetensors_files.SHARD_BYTES == 5 * 10**9
    out = tmp_path / "out"
    export(run("full"), out, format="huggingface", checkpoint="best", shard_bytes=10**6,
           dtype=torch.float16)  # fmt: skip
    files = list(out.glob("model-*-of-00002.safetensors"))
    assert len(files) == 2 and all(path.stat().st_size < 10**6 + 10**4 for path in files)
