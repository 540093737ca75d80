"""Adapters compute what PEFT's do on transformers' model, and travel there and back unharmed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from pg_transfer.adapters import (
    KINDS,
    AdapterSettings,
    attach,
    is_adapter,
    load_portable,
    save_portable,
)
from pg_transfer.adapters.portable import CONFIG, WEIGHTS, base_of
from pg_transfer.model.paligemma import PaliGemma
from tests.adapters.toy import LAYERS, LENGTHS, PREFIXES, TOY, inputs, logits, stir, toy

# Of PEFT and transformers, about each other.
pytestmark = pytest.mark.filterwarnings(
    "ignore:`is_gradient_checkpointing` is deprecated:FutureWarning"
)


@pytest.fixture(scope="module")
def theirs() -> Callable[[PaliGemma], torch.nn.Module]:
    """Build transformers' model with the same weights."""
    transformers = pytest.importorskip("transformers")
    vision, language = TOY.vision, TOY.language
    rows = (language.vocabulary // 64 + 1) * 64
    config = transformers.PaliGemmaConfig(
        text_config={
            "model_type": "gemma", "hidden_size": language.width,
            "intermediate_size": language.mlp, "num_hidden_layers": language.depth,
            "num_attention_heads": language.heads, "num_key_value_heads": language.kv_heads,
            "head_dim": language.head_width, "vocab_size": rows,
        },
        vision_config={
            "model_type": "siglip_vision_model", "hidden_size": vision.width,
            "intermediate_size": vision.mlp, "num_hidden_layers": vision.depth,
            "num_attention_heads": vision.heads, "patch_size": 14,
            "image_size": vision.resolution, "vision_use_head": False,
        },
        projection_dim=language.width, image_token_index=language.vocabulary,
        attn_implementation="eager",
    )  # fmt: skip

    def build(ours: PaliGemma) -> torch.nn.Module:
        model = transformers.PaliGemmaForConditionalGeneration(config).eval()
        table = torch.zeros(rows, language.width)
        table[:512] = ours.lm_head.weight.detach()
        weights = ours.state_dict() | {
            "lm_head.weight": table, "model.language_model.embed_tokens.weight": table,
        }  # fmt: skip
        model.load_state_dict(weights)
        return model

    return build


def their_logits(model: torch.nn.Module) -> Tensor:
    images, tokens = inputs()
    place = torch.arange(8)
    is_real = torch.nn.functional.pad(place < LENGTHS[:, None], (4, 0), value=True)
    is_suffix = torch.nn.functional.pad(place >= PREFIXES[:, None], (4, 0)) & is_real
    return model(
        input_ids=torch.cat([torch.full((2, 4), 512), tokens], dim=1), pixel_values=images,
        attention_mask=is_real.long(), token_type_ids=is_suffix.long(), use_cache=False,
    ).logits[:, 4:, :512]  # fmt: skip


IS_REAL = torch.arange(8) < LENGTHS[:, None]


@pytest.mark.parametrize("kind", ["lora", "rslora", "dora"])
def test_logits_and_gradients_are_those_of_peft_on_transformers(kind: str, theirs) -> None:
    peft = pytest.importorskip("peft")
    ours = toy()
    other = theirs(ours)
    attach(ours, AdapterSettings(kind=kind, rank=4, alpha=8))
    stir(ours)
    wrapped = peft.get_peft_model(
        other,
        peft.LoraConfig(
            r=4, lora_alpha=8, use_rslora=kind == "rslora", use_dora=kind == "dora",
            target_modules="|".join(re.escape(n) for names in LAYERS.values() for n in names),
        ),
    )  # fmt: skip
    parameters = dict(wrapped.base_model.model.named_parameters())
    adapters = {n: p for n, p in ours.named_parameters() if is_adapter(n)}
    assert adapters.keys() == {n for n, p in parameters.items() if p.requires_grad}
    with torch.no_grad():
        for name, parameter in adapters.items():
            parameters[name].copy_(parameter)
    mine, hers = logits(ours)[IS_REAL], their_logits(wrapped)[IS_REAL]
    torch.testing.assert_close(mine, hers, rtol=1e-5, atol=1e-5)
    weights = torch.randn(mine.shape, generator=torch.Generator().manual_seed(2))
    (mine * weights).mean().backward()
    (hers * weights).mean().backward()
    for name, parameter in adapters.items():
        scale = parameters[name].grad.abs().max()
        assert scale > 0, name
        assert (parameter.grad - parameters[name].grad).abs().max() < 1e-4 * scale, name


@pytest.mark.parametrize("kind", ["lora", "rslora", "dora"])
@torch.no_grad()
def test_a_portable_folder_loads_in_transformers_without_error(
    kind: str, theirs, tmp_path: Path
) -> None:
    peft = pytest.importorskip("peft")
    ours = toy()
    attach(ours, AdapterSettings(kind=kind, rank=4, alpha=8))
    stir(ours)
    save_portable(ours, tmp_path, base="google/paligemma-3b-pt-224")
    plain = theirs(toy())
    expected = their_logits(plain)[IS_REAL]
    loaded = peft.PeftModel.from_pretrained(plain, tmp_path).eval()
    found = their_logits(loaded)[IS_REAL]
    assert type(loaded).__name__ == "PeftModelForCausalLM"
    assert (found - expected).abs().max() > 0.1
    torch.testing.assert_close(found, logits(ours)[IS_REAL], rtol=1e-5, atol=1e-5)
    names = {n for n, _ in loaded.base_model.model.named_parameters() if is_adapter(n)}
    assert names == {n for n, _ in ours.named_parameters() if is_adapter(n)}


def test_the_folder_speaks_the_names_that_old_versions_know(tmp_path: Path) -> None:
    model = toy()
    attach(model, AdapterSettings(rank=4, alpha=8))
    save_portable(model, tmp_path, base="google/paligemma-3b-pt-224")
    keys = load_file(tmp_path / WEIGHTS).keys()
    inside = "base_model.model.model.vision_tower.vision_model.encoder.layers."
    layers = [name.replace("vision_tower.", "vision_tower.vision_model.", 1)
              for names in LAYERS.values() for name in names]  # fmt: skip
    assert keys == {f"base_model.model.{n}.lora_{x}.weight" for n in layers for x in "AB"}
    assert f"{inside}1.mlp.fc2.lora_B.weight" in keys
    config = json.loads((tmp_path / CONFIG).read_text())
    # All of them are fields of peft 0.17's LoraConfig; it warns of others.
    assert config == {
        "peft_type": "LORA", "task_type": "CAUSAL_LM",
        "base_model_name_or_path": "google/paligemma-3b-pt-224",
        "r": 4, "lora_alpha": 8, "lora_dropout": 0.0,
        "target_modules": r"model\.multi_modal_projector\.linear|"
        r"model\.vision_tower\.(vision_model\.)?encoder\.layers\.(0|1)\."
        r"(mlp\.fc1|mlp\.fc2|self_attn\.k_proj|self_attn\.out_proj|self_attn\.q_proj|"
        r"self_attn\.v_proj)|model\.language_model\.layers\.(0|1)\.(mlp\.down_proj|mlp\.gate_proj|"
        r"mlp\.up_proj|self_attn\.k_proj|self_attn\.o_proj|self_attn\.q_proj|self_attn\.v_proj)",
        "modules_to_save": None, "use_rslora": False, "use_dora": False, "bias": "none",
        "fan_in_fan_out": False, "init_lora_weights": True, "inference_mode": True,
    }  # fmt: skip
    expression = re.compile(config["target_modules"])
    current = {name for names in LAYERS.values() for name in names}
    assert all(expression.fullmatch(name) for name in (*layers, *current))
    others = {name for name, _ in toy().named_modules()} - current
    assert not any(expression.fullmatch(name) for name in others)


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_a_folder_comes_back_as_it_went(kind: str, tmp_path: Path) -> None:
    if kind == "qlora":
        pytest.importorskip("bitsandbytes")
    model = toy()
    targets = r"model\.(language_model|vision_tower.encoder)\.layers\.1\.self_attn\.[qv]_proj"
    parts = ("vision", "language")
    attach(model, AdapterSettings(kind=kind, rank=4, alpha=8, parts=parts, targets=targets))
    stir(model)
    save_portable(model, tmp_path, base="here")
    assert base_of(tmp_path) == "here"
    again = toy()
    load_portable(again, tmp_path)
    if kind != "qlora":  # the base of the copy is not rounded
        assert torch.equal(logits(again), logits(model))
    mine, copied = (
        {n: p for n, p in m.named_parameters() if is_adapter(n)} for m in (model, again)
    )
    assert mine.keys() == copied.keys()
    assert all(torch.equal(mine[name], copied[name]) for name in mine)


@torch.no_grad()
def test_a_projector_that_was_trained_goes_along(theirs, tmp_path: Path) -> None:
    peft = pytest.importorskip("peft")
    model = toy()
    attach(model, AdapterSettings(parts=("language",)))
    stir(model)
    model.model.multi_modal_projector.linear.weight.add_(0.1)
    with pytest.raises(ValueError, match="the vision part was trained itself"):
        save_portable(model, tmp_path, base="here", whole=("vision",))
    save_portable(model, tmp_path, base="here", whole=("projector",))
    again = toy()
    load_portable(again, tmp_path)
    assert torch.equal(logits(again), logits(model))
    loaded = peft.PeftModel.from_pretrained(theirs(toy()), tmp_path).eval()
    torch.testing.assert_close(
        their_logits(loaded)[IS_REAL], logits(model)[IS_REAL], rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize("chosen", [{}, {"use_dora": True, "use_rslora": True}])
@torch.no_grad()
def test_what_peft_saves_of_transformers_model_loads(chosen: dict, theirs, tmp_path: Path) -> None:
    peft = pytest.importorskip("peft")
    wrapped = peft.get_peft_model(
        theirs(toy()),
        peft.LoraConfig(
            r=3, lora_alpha=6, target_modules=r".*\.[qv]_proj", init_lora_weights=False, **chosen
        ),
    ).eval()
    wrapped.save_pretrained(tmp_path)
    ours = toy()
    load_portable(ours, tmp_path)
    torch.testing.assert_close(
        logits(ours)[IS_REAL], their_logits(wrapped)[IS_REAL], rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"peft_type": "IA3"}, "peft_type='IA3'"),
        ({"bias": "all"}, "bias='all'"),
        ({"rank_pattern": {"q_proj": 2}}, "rank_pattern"),
        ({"layer_replication": [[0, 1]]}, "layer_replication"),
        ({"init_lora_weights": "pissa"}, "init_lora_weights='pissa'"),
        ({"modules_to_save": ["lm_head"]}, "modules_to_save"),
        ({"r": "many"}, "no configuration of LoRA adapters"),
        ({"r": float("inf")}, "no configuration of LoRA adapters"),
        ({"r": 5}, r"shape \(4, 96\) and not \(5, 96\)"),
    ],
)
def test_folders_of_others_are_refused(change: dict, complaint: str, tmp_path: Path) -> None:
    model = toy()
    attach(model, AdapterSettings(rank=4))
    save_portable(model, tmp_path, base="here")
    config = json.loads((tmp_path / CONFIG).read_text())
    (tmp_path / CONFIG).write_text(json.dumps(config | change))
    fresh = toy()
    with pytest.raises(ValueError, match=complaint):
        load_portable(fresh, tmp_path)
    assert not any(is_adapter(name) for name, _ in fresh.named_parameters())


def test_a_folder_for_another_model_or_without_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no folder of adapters"):
        load_portable(toy(), tmp_path)
    model = toy()
    attach(model, AdapterSettings(rank=4))
    save_portable(model, tmp_path, base="here")
    weights = load_file(tmp_path / WEIGHTS)
    deeper = {key.replace("layers.1", "layers.9"): value for key, value in weights.items()}
    save_file(deeper, tmp_path / WEIGHTS)
    with pytest.raises(ValueError, match=r"for another model than this one: .*layers\.9"):
        load_portable(toy(), tmp_path)
    (tmp_path / WEIGHTS).write_bytes(b"half of it")
    with pytest.raises(ValueError, match="no whole safetensors"):
        load_portable(toy(), tmp_path)
    (tmp_path / WEIGHTS).unlink()
    with pytest.raises(FileNotFoundError, match="download it again"):
        load_portable(toy(), tmp_path)
