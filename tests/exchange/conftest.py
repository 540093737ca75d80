"""Runs of the tiny model as they lie in a folder, and transformers, new and old, to read files."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from torch import Tensor

from pg_transfer.adapters import is_adapter
from pg_transfer.export import export
from pg_transfer.model.checkpoint.names import VISION
from pg_transfer.model.config import released
from pg_transfer.model.paligemma import PaliGemma
from pg_transfer.running.settings import register_resolvers
from pg_transfer.sources.loading import load
from pg_transfer.sources.models import start
from pg_transfer.sources.run_settings import CONFIG
from pg_transfer.text.tokenizer import BUILTIN
from pg_transfer.training.recipe import Recipe
from pg_transfer.training.tuning import read_tuning
from pg_transfer.training.weights import BEST, Base, fingerprint, learning, write_weights

ROOT = Path(__file__).parents[2]
OLD = "PG_OLD_TRANSFORMERS"
"""An environment variable: an interpreter that has transformers 4.57; `.ci/run` makes one."""

SIDE = 28
PREFIXES, LENGTHS = torch.tensor([5, 3]), torch.tensor([9, 6])


class Theirs:
    """transformers and PEFT in a process of their own."""

    def __init__(self, python: str, folder: Path) -> None:
        self.folder = folder
        self.process = subprocess.Popen(
            [python, str(Path(__file__).with_name("theirs.py"))],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            env={**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONPATH": ""},
        )  # fmt: skip
        try:
            self.versions = self("versions")
        except BaseException:
            self.close()
            raise

    def __call__(self, work: str, **job: Any) -> dict[str, Any]:
        """What comes of a job."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps({"work": work, **job}, default=str) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        assert "error" not in answer, answer["error"]
        return answer

    def close(self) -> None:
        """Ends the process."""
        self.process.kill()
        self.process.communicate()

    def logits(self, folder: Path, model: PaliGemma, adapter: Path | None = None) -> Tensor:
        """Theirs for what `logits` gives to `model`; no tensor was missing or left over."""
        given, found = self.folder / "inputs.npz", self.folder / "outputs.npz"
        images, tokens = inputs(model)
        np.savez(given, images=images, tokens=tokens, prefixes=PREFIXES, lengths=LENGTHS)
        self.facts = self(
            "logits", folder=folder, adapter=adapter and str(adapter), inputs=given, outputs=found
        )
        assert self.facts["wrong"] == {} and self.facts["warnings"] == []
        return torch.from_numpy(np.load(found)["logits"])[real()]


@pytest.fixture(scope="session")
def new(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Theirs]:
    """transformers of this environment."""
    pytest.importorskip("transformers")
    with closing(Theirs(sys.executable, tmp_path_factory.mktemp("new"))) as theirs:
        yield theirs


@pytest.fixture(scope="session")
def old(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Theirs]:
    """transformers 4.57."""
    if OLD not in os.environ:
        pytest.skip(f"{OLD} names no interpreter with transformers 4.57")
    with closing(Theirs(os.environ[OLD], tmp_path_factory.mktemp("old"))) as theirs:
        assert theirs.versions["transformers"].startswith("4.57.")
        yield theirs


@pytest.fixture(params=["new", "old"])
def theirs(request: pytest.FixtureRequest) -> Theirs:
    """transformers of this environment, and 4.57."""
    return request.getfixturevalue(request.param)


def inputs(model: PaliGemma) -> tuple[Tensor, Tensor]:
    """Two images and right-padded texts."""
    generator = torch.Generator().manual_seed(1)
    side = model.config.vision.resolution
    images = torch.rand(2, 3, side, side, generator=generator) * 2 - 1
    tokens = torch.randint(3, model.config.language.vocabulary, (2, 9), generator=generator)
    return images, tokens.masked_fill(torch.arange(9) >= LENGTHS[:, None], 0)


def real() -> Tensor:
    """Which of the text tokens are none of padding."""
    return torch.arange(9) < LENGTHS[:, None]


@torch.no_grad()
def logits(model: PaliGemma) -> Tensor:
    """Of a model of ours, for the text of `inputs`."""
    images, tokens = inputs(model)
    features = model(images, tokens, prefix_lengths=PREFIXES, lengths=LENGTHS)
    return model.logits(features)[real()]


@pytest.fixture(scope="session")
def numbers() -> Callable[[int], dict[str, Any]]:
    """Of the tiny model, as transformers' configuration has them; of Gemma 1 and 2."""

    def of(generation: int) -> dict[str, Any]:
        config = released("tiny", resolution=SIDE)
        vision, language = config.vision, config.language
        gemma_2 = {"query_pre_attn_scalar": 32, "attn_logit_softcapping": 50.0,
                   "final_logit_softcapping": None}  # fmt: skip
        return {
            "text_config": {
                "model_type": "gemma2" if generation == 2 else "gemma",
                "hidden_size": language.width, "intermediate_size": language.mlp,
                "num_hidden_layers": language.depth, "num_attention_heads": language.heads,
                "num_key_value_heads": language.kv_heads // generation,
                "head_dim": language.head_width, "vocab_size": language.vocabulary + 64,
                **(gemma_2 if generation == 2 else {}),
            },
            "vision_config": {
                "model_type": "siglip_vision_model", "hidden_size": vision.width,
                "intermediate_size": vision.mlp, "num_hidden_layers": vision.depth,
                "num_attention_heads": vision.heads, "patch_size": 14, "image_size": SIDE,
                "vision_use_head": False,
            },
            "projection_dim": language.width, "image_token_index": language.vocabulary,
        }  # fmt: skip

    return of


@pytest.fixture(scope="session")
def base(numbers, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny PaliGemma of transformers, and the built-in tokenizer.

    Made in this process, as one of its own takes seconds and most tests need no more of theirs.

    Written anew by us: what transformers 5 writes itself, 4.57 loads without its vision tower.
    """
    pytest.importorskip("transformers")
    from tests.exchange.theirs import make

    folder = tmp_path_factory.mktemp("bases")
    with warnings.catch_warnings(action="ignore"), torch.random.fork_rng():
        make({"config": "PaliGemmaConfig", "model": "PaliGemmaForConditionalGeneration",
              "numbers": numbers(1), "to": folder / "theirs"})  # fmt: skip
    export(folder / "theirs", folder / "base", format="huggingface", tokenizer="builtin")
    return folder / "base"


TUNINGS = {
    "full": ["tuning=full"],
    "lora": ["tuning=lora"],
    "rslora": ["tuning=rslora"],
    "dora": ["tuning=dora"],
    "qlora": ["tuning=qlora"],
    "parts": ["tuning=lora", "tuning.vision.mode=frozen", "tuning.projector.mode=trained"],
}


@pytest.fixture(scope="session")
def make_run(base: Path) -> Callable[..., Path]:
    """Writes a folder as a run of some tuning leaves it; what learns has moved."""

    def make(folder: Path, tuning: str, *more: str, start_from: object = base) -> Path:
        if tuning == "qlora":
            pytest.importorskip("bitsandbytes")
        register_resolvers()
        overrides = [
            f"run={folder}", f"resolution={SIDE}", "recipe={lr: 1e-3, weight_decay: 0.0}",
            "recipe.epochs=1", "recipe.batch_size=8", "recipe.label_smoothing=0",
            "recipe.dropout=0", "recipe.text_length=28", "trainer=cpu",
            f"model.weights={start_from}", *TUNINGS[tuning], *more,
        ]  # fmt: skip
        with initialize_config_dir(str(ROOT / "conf"), version_base=None):
            config = compose("train", overrides=overrides)
        settings: Any = OmegaConf.create(OmegaConf.to_container(config, resolve=True))
        with torch.device("meta"):
            model = PaliGemma(released("tiny", resolution=SIDE))
        recipe, tuned = Recipe(**settings.recipe), read_tuning(settings.tuning)
        tuned.store(model, recipe)
        start(model, settings.model.weights, seed=0)
        origin = Base(str(settings.model.weights), fingerprint(model))
        tuned.apply(model, recipe)
        generator = torch.Generator().manual_seed(2)
        learnt = learning(model)
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if name in learnt:
                    by = 0.05 if is_adapter(name) else 0.01
                    parameter.add_(by * torch.randn(parameter.shape, generator=generator))
        (folder / "checkpoints").mkdir(parents=True)
        OmegaConf.save(settings, folder / CONFIG)
        shutil.copyfile(BUILTIN, folder / "tokenizer.model")
        weights = {f"model.{n}": p.detach() for n, p in model.named_parameters() if n in learnt}
        kept = origin if tuned.needs_base(recipe) else None
        write_weights(folder / "checkpoints" / BEST, weights, base=kept, step=3)
        return folder

    return make


@pytest.fixture(scope="session")
def run(make_run, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of the run of that tuning; or one on a run, or one whose vision was trained."""
    runs: dict[str, Path] = {}

    def of(tuning: str) -> Path:
        if tuning not in runs:
            folder = tmp_path_factory.mktemp("runs") / tuning
            if tuning == "on_a_run":
                runs[tuning] = make_run(
                    folder, "lora", start_from=of("full") / "checkpoints" / BEST
                )
            elif tuning == "seeing":
                runs[tuning] = make_run(folder, "lora", "tuning.vision.mode=trained")
            else:
                runs[tuning] = make_run(folder, tuning)
        return runs[tuning]

    return of


@pytest.fixture(scope="session")
def model_of_run() -> Callable[[Path], PaliGemma]:
    """The model of a run's best weights, adapters attached and not merged."""
    return lambda folder: load(folder, checkpoint="best").model


def seeing(keys: Any) -> list[str]:
    """Those of the vision tower."""
    return [key for key in keys if VISION in key or "vision_tower" in key]
