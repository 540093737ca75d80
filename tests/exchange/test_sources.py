"""Weights from wherever people have them: one model, or one error."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path

import huggingface_hub
import pytest
import torch

import pg_transfer
from pg_transfer.export import export
from pg_transfer.model.config import released
from pg_transfer.model.paligemma import PaliGemma
from pg_transfer.sources.loading import load, tokenizer_of
from pg_transfer.sources.models import start
from pg_transfer.sources.run_settings import anchored
from tests.exchange.conftest import SIDE, logits


def empty(resolution: int = SIDE) -> PaliGemma:
    with torch.device("meta"):
        return PaliGemma(released("tiny", resolution=resolution)).eval()


@pytest.fixture
def hub(monkeypatch):
    """Lets a name on the hub be a folder on this machine; what was asked for."""
    asked = []

    def be(folder: Path) -> list[str]:
        def snapshot_download(name: str, revision: str | None = None, **_) -> str:
            asked.append(name if revision is None else f"{name}@{revision}")
            return str(folder)

        monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
        return asked

    return be


def test_one_model_from_every_place(run, base: Path, hub, tmp_path: Path) -> None:
    """A folder, a name on the hub, an archive, a run, its checkpoint; and adapters on a base."""
    asked = hub(base)
    expected = logits(load(base).model)
    assert torch.equal(logits(load("someone/paligemma-tiny").model), expected)
    assert asked == ["someone/paligemma-tiny"] * len(asked) != []
    export(base, tmp_path / "archive", format="big_vision")
    archive = tmp_path / "archive" / "weights.npz"
    assert torch.equal(logits(load(archive).model), expected)

    full, best = run("full"), run("full") / "checkpoints" / "best.safetensors"
    learnt = load(full, checkpoint="best")
    assert (learnt.step, learnt.resolution) == (3, SIDE)
    assert torch.equal(logits(load(best).model), logits(learnt.model))
    adapted = load(run("lora"), checkpoint="best")
    export(run("lora"), tmp_path / "adapter", format="adapter", checkpoint="best")
    assert torch.equal(logits(load(tmp_path / "adapter").model), logits(adapted.model))

    # And as what a run starts from.
    places = {base: expected, archive: expected, full / "checkpoints" / best.name: None}
    for place, found in places.items():
        model = empty()
        assert start(model, str(place), seed=0) == []
        model.eval()
        assert torch.equal(logits(model), logits(learnt.model) if found is None else found)
    model = empty()
    start(model, str(tmp_path / "adapter"), seed=0)  # merged into its base
    torch.testing.assert_close(logits(model.eval()), logits(adapted.model), rtol=1e-4, atol=1e-4)


def test_a_tokenizer_is_fetched_without_weights(base: Path, monkeypatch) -> None:
    asked = []

    def snapshot_download(name: str, *, allow_patterns: list[str], **_) -> str:
        asked.append(any(fnmatch("model.safetensors", one) for one in allow_patterns))
        assert all(any(fnmatch(file, one) for one in allow_patterns)
                   for file in ("config.json", "tokenizer.json", "tokenizer.model"))  # fmt: skip
        return str(base)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    assert tokenizer_of("someone/paligemma-tiny").size == 2048
    assert asked == [False]
    load("someone/paligemma-tiny")  # and whoever wants the weights gets them afterwards
    assert asked[1:] == [True]


def test_adapters_keep_the_revision_of_their_base(
    make_run, base: Path, hub, tmp_path: Path, capsys
) -> None:
    asked = hub(base)
    make_run(tmp_path / "run", "lora", start_from="someone/tiny@v2")
    out = tmp_path / "out"
    export(tmp_path / "run", out, format="adapter", checkpoint="best")
    config = json.loads((out / "adapter_config.json").read_text())
    assert (config["base_model_name_or_path"], config["revision"]) == ("someone/tiny", "v2")
    assert load(out).tokenizer.size == 2048
    assert set(asked) == {"someone/tiny@v2"}
    # Another name is written unseen, which is said.
    capsys.readouterr()
    other = tmp_path / "other"
    export(tmp_path / "run", other, format="adapter", checkpoint="best", base="an/other")
    assert capsys.readouterr().out.splitlines()[-2] == (
        "compared on someone/tiny@v2, which the adapters learnt on; an/other was not loaded"
    )
    config = json.loads((other / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "an/other" and "revision" not in config


def test_what_starts_in_float32_is_merged_in_float32(make_run, tmp_path: Path) -> None:
    """Small adapters on a base kept in bfloat16: its steps are larger than what they add."""
    make_run(tmp_path / "run", "lora", "trainer.precision=bf16-mixed")
    best = tmp_path / "run" / "checkpoints" / "best.safetensors"
    learnt = load(best, dtype=torch.float32).model
    assert load(best).model.lm_head.weight.dtype == torch.bfloat16
    model = empty()
    start(model, str(best), seed=0)
    torch.testing.assert_close(logits(model), logits(learnt), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("generation", [1, 2])
@torch.no_grad()
def test_two_halves_are_joined(generation: int, new, numbers, tmp_path: Path) -> None:
    """Against transformers' own PaliGemma, into which the halves are put by hand."""
    transformers = pytest.importorskip("transformers")
    config = numbers(generation)
    vision, gemma = config["vision_config"], dict(config["text_config"])
    gemma_class = "Gemma2" if gemma.pop("model_type") == "gemma2" else "Gemma"
    gemma["vocab_size"] = 896
    text = {"hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 1,
            "num_attention_heads": 2, "vocab_size": 50}  # fmt: skip
    see, read = tmp_path / "siglip", tmp_path / "gemma"
    whole = {key: value for key, value in vision.items() if key != "vision_use_head"}
    new("make", config="SiglipConfig", model="SiglipModel", to=see,
        numbers={"vision_config": whole, "text_config": text})  # fmt: skip
    new("make", config=f"{gemma_class}Config", model=f"{gemma_class}ForCausalLM", to=read,
        numbers=gemma, seed=1)  # fmt: skip
    model = empty()
    if generation == 2:
        language = replace(
            model.config.language, kv_heads=2, attention_softcap=50.0, post_norms=True
        )
        with torch.device("meta"):
            model = PaliGemma(replace(model.config, language=language))
    remarks = start(model, {"vision": str(see), "language": str(read)}, seed=0)
    assert remarks == ["the projector starts at zero, and 1152 tokens' rows are drawn"]

    theirs = transformers.PaliGemmaForConditionalGeneration(
        transformers.PaliGemmaConfig(**config, attn_implementation="eager")
    ).eval()
    eyes = transformers.SiglipModel.from_pretrained(see).vision_model
    mind = getattr(transformers, f"{gemma_class}ForCausalLM").from_pretrained(read).model
    theirs.model.vision_tower.load_state_dict(eyes.state_dict(), strict=False)
    table = mind.state_dict().pop("embed_tokens.weight")
    inside = {k: v for k, v in mind.state_dict().items() if k != "embed_tokens.weight"}
    lost = theirs.model.language_model.load_state_dict(inside, strict=False)
    assert lost.missing_keys == ["embed_tokens.weight"] and not lost.unexpected_keys
    projector = theirs.model.multi_modal_projector.linear
    projector.weight.zero_(), projector.bias.zero_()
    ours = model.lm_head.weight
    assert torch.equal(ours[:896], table)
    assert 0.019 < ours[896:].std() < 0.021
    rows = theirs.model.language_model.embed_tokens.weight
    rows[:2048] = ours
    theirs.save_pretrained(tmp_path / "joined")
    found = new.logits(tmp_path / "joined", model.eval())[:, :2048]
    torch.testing.assert_close(logits(model), found, rtol=1e-4, atol=1e-4)
    # With a projector that speaks, what the tower sees is heard.
    for linear in (projector, model.model.multi_modal_projector.linear):
        linear.weight.normal_(std=0.1, generator=torch.Generator().manual_seed(3))
    theirs.save_pretrained(tmp_path / "speaking")
    heard = new.logits(tmp_path / "speaking", model)[:, :2048]
    torch.testing.assert_close(logits(model), heard, rtol=1e-4, atol=1e-4)
    assert (heard - found).abs().max() > 0.5


def test_halves_that_are_none(run, base: Path) -> None:
    with pytest.raises(ValueError, match=r"given as\s*\{vision: <a SigLIP>, language: <a Gemma>\}"):
        start(empty(), {"vision": str(base)}, seed=0)
    with pytest.raises(ValueError, match=r"type 'paligemma': give a SigLIP such as google/siglip"):
        start(empty(), {"vision": str(base), "language": str(base)}, seed=0)


def test_a_gemma_without_eyes(new, numbers, tmp_path: Path) -> None:
    gemma = dict(numbers(1)["text_config"])
    del gemma["model_type"]
    new("make", config="GemmaConfig", model="GemmaForCausalLM", numbers=gemma, to=tmp_path)
    for read in (
        lambda: start(empty(), str(tmp_path), seed=0),
        lambda: load(tmp_path, tokenizer="builtin"),
    ):
        with pytest.raises(ValueError, match=r"type 'gemma': give a whole PaliGemma .*two halves"):
            read()


def test_another_resolution_is_refused_before_a_download(base: Path, hub) -> None:
    with pytest.raises(ValueError, match=r"made for images of 28 px .*resolution=28.*resample"):
        start(empty(56), str(base), seed=0)
    (remark,) = start(empty(56), str(base), seed=0, resample=True)
    assert "is made for 28 px; its position embeddings were stretched for 56 px" in remark
    assert load(base, resolution=56).model.config.vision.resolution == 56
    asked = hub(base)
    with pytest.raises(ValueError, match=r"take google/paligemma-3b-pt-448 or resolution=224"):
        start(empty(448), "google/paligemma-3b-pt-224", seed=0)
    assert asked == []


def test_shards_of_which_one_is_missing(base: Path, tmp_path: Path) -> None:
    export(base, tmp_path / "out", format="huggingface", shard_bytes=400_000)
    last = max((tmp_path / "out").glob("model-*.safetensors"))
    last.rename(last.with_name(last.name + ".incomplete"))
    with pytest.raises(FileNotFoundError, match=rf"lacks 1 of \d shards.*{last.name}.*incomplete"):
        load(tmp_path / "out")


def test_a_tokenizer_of_another_model(base: Path, tmp_path: Path) -> None:
    shutil.copytree(base, tmp_path / "copy")
    content = json.loads((base / "config.json").read_text())
    for file in ("tokenizer.model", "tokenizer.json"):
        (tmp_path / "copy" / file).unlink()
    with pytest.raises(FileNotFoundError, match=r"no tokenizer in .*others: --tokenizer"):
        load(tmp_path / "copy")
    assert content["vocab_size"] == 2048 + 64
    assert load(tmp_path / "copy", tokenizer="builtin").tokenizer.size == 2048


def test_a_run_and_its_base_may_both_move(
    make_run, base: Path, tmp_path: Path, monkeypatch
) -> None:
    shutil.copytree(base, tmp_path / "base")
    monkeypatch.chdir(tmp_path)
    assert anchored("base") == str(tmp_path / "base")
    assert anchored({"vision": "base", "language": "google/gemma-2b"}) == {
        "vision": str(tmp_path / "base"), "language": "google/gemma-2b",
    }  # fmt: skip
    assert anchored(None) is None and anchored("google/paligemma-3b-pt-224").startswith("google/")
    make_run(tmp_path / "run", "dora", start_from=anchored("base"))
    expected = logits(load("run", checkpoint="best").model)
    export("run", tmp_path / "adapter", format="adapter", checkpoint="best")
    (tmp_path / "away").mkdir()
    monkeypatch.chdir(tmp_path / "away")
    (tmp_path / "run").rename("moved")
    assert torch.equal(logits(load("moved", checkpoint="best").model), expected)
    (tmp_path / "base").rename(tmp_path / "elsewhere")
    for source in ("moved", tmp_path / "adapter"):
        tokenizer = "builtin" if source != "moved" else None
        with pytest.raises(
            FileNotFoundError, match=r"on top of other weights.*--weights of predict"
        ):
            load(source, checkpoint="best", tokenizer=tokenizer)
        again = load(source, checkpoint="best", weights=tmp_path / "elsewhere")
        assert torch.equal(logits(again.model), expected)
        merged = tmp_path / f"merged-{Path(source).name}"
        export(source, merged, format="huggingface", checkpoint="best", weights="../elsewhere")
    model = pg_transfer.load(
        "moved", checkpoint="best", weights=tmp_path / "elsewhere", device="cpu"
    )
    assert model.codec is not None and model.manner.max_tokens == 28
    with pytest.raises(ValueError, match="stands on no other weights"):
        load(tmp_path / "elsewhere", weights=tmp_path / "elsewhere")
    with pytest.raises(ValueError, match=r"learnt on top of .* which are others"):
        load("moved", checkpoint="best", weights=tmp_path / "merged-moved")
