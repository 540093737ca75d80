"""big_vision's archives, read, written and read again: not a bit is lost."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from pg_transfer.export import export
from pg_transfer.model.checkpoint import load_weights
from pg_transfer.model.checkpoint.big_vision import write_big_vision
from pg_transfer.model.paligemma import PaliGemma
from pg_transfer.sources.loading import load
from tests.exchange.conftest import TUNINGS, logits
from tests.model.conftest import TOYS


@pytest.mark.golden
@pytest.mark.parametrize("generation", [1, 2])
def test_an_archive_of_the_reference_comes_back_array_by_array(
    generation: int, golden, tmp_path: Path
) -> None:
    theirs = golden(f"gemma{generation}_ckpt")
    model = PaliGemma(TOYS[generation])
    load_weights(model, Path(theirs.fid.name))
    written = tmp_path / "weights.npz"
    write_big_vision(dict(model.named_parameters()), model.config, written, torch.float32)
    ours = np.load(written)
    assert set(ours) == set(theirs)
    for key in theirs:
        assert ours[key].dtype == theirs[key].dtype == np.float32
        assert ours[key].flags.c_contiguous
        np.testing.assert_array_equal(ours[key], theirs[key], err_msg=key)


@pytest.mark.parametrize("tuning", TUNINGS)
def test_a_run_comes_back_from_an_archive(
    tuning: str, run, model_of_run, tmp_path: Path, capsys
) -> None:
    export(run(tuning), tmp_path / "out", format="big_vision", checkpoint="best")
    said = capsys.readouterr().out
    assert ("merged and unmerged adapters: logits differ by at most" in said) == (tuning != "full")
    assert "the model and what was written: logits differ by at most 0; the largest" in said
    archive = tmp_path / "out" / "weights.npz"
    again = load(archive)  # its tokenizer lies beside it
    torch.testing.assert_close(
        logits(again.model), logits(model_of_run(run(tuning))), rtol=1e-4, atol=1e-4
    )
    export(archive, tmp_path / "second", format="big_vision")
    assert archive.read_bytes() == (tmp_path / "second" / "weights.npz").read_bytes()


def test_bfloat16_is_what_the_reference_reads(run, tmp_path: Path) -> None:
    """numpy has no such numbers: big_vision's recover_dtype takes |V2 for them."""
    out = tmp_path / "out"
    export(run("full"), out, format="big_vision", checkpoint="best", dtype=torch.bfloat16)
    arrays = np.load(out / "weights.npz")
    assert {arrays[key].dtype.str for key in arrays} == {"|V2"}
    model = load(run("full"), checkpoint="best").model
    norm = torch.from_numpy(arrays["params/llm/final_norm/scale"].view(np.int16))
    expected = model.language.norm.weight.bfloat16()
    assert torch.equal(norm.view(torch.bfloat16), expected)
