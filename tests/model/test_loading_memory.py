from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from pg_transfer.model.paligemma import PaliGemma

SCRIPT = """
import sys
from pathlib import Path
import torch
from pg_transfer.model.checkpoint import load_weights
from pg_transfer.model.config import LanguageConfig, PaliGemmaConfig, VisionConfig
from pg_transfer.model.paligemma import PaliGemma

def memory(kind):
    status = Path("/proc/self/status").read_text()
    return int(status.split(kind + ":")[1].split()[0]) * 1024

torch.set_num_threads(1)
with torch.device("meta"):
    model = PaliGemma({config!r})
model.to_empty(device="cpu")
model.tie()
for parameter in model.parameters():
    parameter.data.fill_(1)  # so that it takes its memory before, not during, the loading
before = memory("VmRSS")
size = sum(parameter.nbytes for parameter in model.parameters())
for source in sys.argv[1:]:
    load_weights(model, Path(source))
    print(1 + (memory("VmHWM") - before) / size)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux' /proc")
def test_loading_takes_little_more_than_the_model(toys, as_big_vision, tmp_path):
    # Two arrays of the archive, the table and the stacked gates, are each more than a third of
    # the model: to hold either whole beside the model would break the bound.
    language = replace(
        toys[1].language, width=512, depth=6, mlp=3072, heads=4, head_width=64, vocabulary=32768
    )
    with torch.device("meta"):
        model = PaliGemma(replace(toys[1], language=language))
    model.to_empty(device="cpu")
    model.tie()
    tensors = {name: value.detach().zero_() for name, value in model.named_parameters()}
    assert sum(tensor.nbytes for tensor in tensors.values()) > 140e6
    save_file(tensors, tmp_path / "model.safetensors", metadata={"format": "pt"})
    np.savez(tmp_path / "weights.npz", **as_big_vision(model))

    command = [sys.executable, "-c", SCRIPT.format(config=model.config)]
    command += [str(tmp_path), str(tmp_path / "weights.npz")]
    answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    hugging_face, big_vision = map(float, answer.split())
    assert 1 < hugging_face < 1.3
    assert 1 < big_vision < 1.3
