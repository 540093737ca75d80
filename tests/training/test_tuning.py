"""What learns is what was asked for, by name; at its rate; and nothing else moves."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from omegaconf import DictConfig, OmegaConf

from pg_transfer.adapters import KINDS, AdapterSettings, is_adapter
from pg_transfer.model.config import SIZES, PaliGemmaConfig
from pg_transfer.model.paligemma import PaliGemma
from pg_transfer.running.settings import refuse_rounded_updates
from pg_transfer.training.batches import Batch
from pg_transfer.training.module import TransferModule
from pg_transfer.training.optimizer import adamw
from pg_transfer.training.recipe import Recipe
from pg_transfer.training.tuning import FULL, Part, Tuning, read_tuning, tuning_table
from pg_transfer.training.weights import fingerprint, learning
from tests.composing import CONF, composed, with_values

TINY = replace(SIZES["tiny"], vision=replace(SIZES["tiny"].vision, resolution=28))
RECIPE = Recipe(
    lr=1e-5, weight_decay=1e-6, epochs=1, batch_size=2, label_smoothing=0.0, dropout=0.0,
    text_length=8, warmup=0.0, clip_norm=1.0,
)  # fmt: skip
LORA = Tuning(adapters=AdapterSettings(rank=4), adapters_lr=1e-4)
FROZEN, TRAINED = Part(mode="frozen"), Part(mode="trained")

# The tiny model, two layers of vision and three of language, name by name.
VISION_LINEAR = {
    "model.vision_tower.encoder.layers.0.self_attn.q_proj",
    "model.vision_tower.encoder.layers.0.self_attn.k_proj",
    "model.vision_tower.encoder.layers.0.self_attn.v_proj",
    "model.vision_tower.encoder.layers.0.self_attn.out_proj",
    "model.vision_tower.encoder.layers.0.mlp.fc1",
    "model.vision_tower.encoder.layers.0.mlp.fc2",
    "model.vision_tower.encoder.layers.1.self_attn.q_proj",
    "model.vision_tower.encoder.layers.1.self_attn.k_proj",
    "model.vision_tower.encoder.layers.1.self_attn.v_proj",
    "model.vision_tower.encoder.layers.1.self_attn.out_proj",
    "model.vision_tower.encoder.layers.1.mlp.fc1",
    "model.vision_tower.encoder.layers.1.mlp.fc2",
}
VISION = {
    "model.vision_tower.embeddings.patch_embedding.weight",
    "model.vision_tower.embeddings.patch_embedding.bias",
    "model.vision_tower.embeddings.position_embedding.weight",
    *(f"{layer}.{name}" for layer in VISION_LINEAR for name in ("weight", "bias")),
    "model.vision_tower.encoder.layers.0.layer_norm1.weight",
    "model.vision_tower.encoder.layers.0.layer_norm1.bias",
    "model.vision_tower.encoder.layers.0.layer_norm2.weight",
    "model.vision_tower.encoder.layers.0.layer_norm2.bias",
    "model.vision_tower.encoder.layers.1.layer_norm1.weight",
    "model.vision_tower.encoder.layers.1.layer_norm1.bias",
    "model.vision_tower.encoder.layers.1.layer_norm2.weight",
    "model.vision_tower.encoder.layers.1.layer_norm2.bias",
    "model.vision_tower.post_layernorm.weight",
    "model.vision_tower.post_layernorm.bias",
}
PROJECTOR = {
    "model.multi_modal_projector.linear.weight",
    "model.multi_modal_projector.linear.bias",
}
LANGUAGE_LINEAR = {
    "model.language_model.layers.0.self_attn.q_proj",
    "model.language_model.layers.0.self_attn.k_proj",
    "model.language_model.layers.0.self_attn.v_proj",
    "model.language_model.layers.0.self_attn.o_proj",
    "model.language_model.layers.0.mlp.gate_proj",
    "model.language_model.layers.0.mlp.up_proj",
    "model.language_model.layers.0.mlp.down_proj",
    "model.language_model.layers.1.self_attn.q_proj",
    "model.language_model.layers.1.self_attn.k_proj",
    "model.language_model.layers.1.self_attn.v_proj",
    "model.language_model.layers.1.self_attn.o_proj",
    "model.language_model.layers.1.mlp.gate_proj",
    "model.language_model.layers.1.mlp.up_proj",
    "model.language_model.layers.1.mlp.down_proj",
    "model.language_model.layers.2.self_attn.q_proj",
    "model.language_model.layers.2.self_attn.k_proj",
    "model.language_model.layers.2.self_attn.v_proj",
    "model.language_model.layers.2.self_attn.o_proj",
    "model.language_model.layers.2.mlp.gate_proj",
    "model.language_model.layers.2.mlp.up_proj",
    "model.language_model.layers.2.mlp.down_proj",
}
LANGUAGE = {
    "model.language_model.embed_tokens.weight",
    *(f"{layer}.weight" for layer in LANGUAGE_LINEAR),
    "model.language_model.layers.0.input_layernorm.weight",
    "model.language_model.layers.0.post_attention_layernorm.weight",
    "model.language_model.layers.1.input_layernorm.weight",
    "model.language_model.layers.1.post_attention_layernorm.weight",
    "model.language_model.layers.2.input_layernorm.weight",
    "model.language_model.layers.2.post_attention_layernorm.weight",
    "model.language_model.norm.weight",
}


def beside(layers: set[str], *, dora: bool = False) -> set[str]:
    """The adapters' parameters."""
    names = ["lora_A", "lora_B", *(["lora_magnitude_vector"] if dora else [])]
    return {f"{layer}.{name}.default.weight" for layer in layers for name in names}


PROJECTOR_LINEAR = {"model.multi_modal_projector.linear"}
DORA = replace(LORA, adapters=AdapterSettings(kind="dora"))


def tiny(config: PaliGemmaConfig = TINY, *, rematerialise: bool = False) -> PaliGemma:
    model = PaliGemma(config, rematerialise=rematerialise)
    model.initialise(torch.Generator().manual_seed(0))
    return model


@pytest.mark.parametrize(
    ("tuning", "recipe", "names"),
    [
        (FULL, {}, VISION | PROJECTOR | LANGUAGE),
        (FULL, {"freeze_vision": True}, LANGUAGE),
        (FULL, {"freeze_language": True}, VISION | PROJECTOR),
        (Tuning(vision=TRAINED), {"freeze_vision": True}, VISION | LANGUAGE),
        (Tuning(vision=FROZEN), {}, PROJECTOR | LANGUAGE),
        (Tuning(vision=FROZEN, language=FROZEN), {}, PROJECTOR),
        (LORA, {}, beside(VISION_LINEAR | PROJECTOR_LINEAR | LANGUAGE_LINEAR)),
        (LORA, {"freeze_vision": True}, beside(LANGUAGE_LINEAR)),
        (DORA, {}, beside(VISION_LINEAR | PROJECTOR_LINEAR | LANGUAGE_LINEAR, dora=True)),
        (replace(LORA, vision=FROZEN, projector=TRAINED), {}, PROJECTOR | beside(LANGUAGE_LINEAR)),
    ],
    ids=["full", "recipe-frozen-vision", "recipe-frozen-language", "frozen-by-recipe-but-trained",
         "frozen-vision", "projector-alone", "lora", "lora-recipe-frozen-vision", "dora",
         "mixed"],
)  # fmt: skip
def test_what_learns_by_name(tuning: Tuning, recipe: dict, names: set[str]) -> None:
    model = tiny()
    tuning.apply(model, replace(RECIPE, **recipe))
    assert set(learning(model)) == names
    assert len(learning(model)) == len(names)


@pytest.mark.parametrize(
    ("tuning", "recipe", "complaint"),
    [
        (FULL, {"freeze_vision": True, "freeze_language": True}, "nothing is left to learn"),
        (Tuning(vision=FROZEN, projector=FROZEN, language=FROZEN), {}, "nothing is left to learn"),
        (Tuning(language=Part(mode="adapted")), {}, "there are no adapters; choose them with"),
        (Tuning(vision=Part(mode="frozen", lr=1e-3)), {}, r"tuning\.vision\.lr=0\.001.*frozen"),
        (Tuning(vision=Part(lr=1e-3)), {"freeze_vision": True}, "the part is frozen"),
        (
            replace(LORA, vision=TRAINED, projector=TRAINED, language=TRAINED),
            {}, "no part is adapted",
        ),
    ],
)  # fmt: skip
def test_contradictions_are_refused(tuning: Tuning, recipe: dict, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        tuning.parts(replace(RECIPE, **recipe))


def test_rates_and_decay_of_every_part() -> None:
    tuning = replace(
        LORA, vision=Part(mode="trained", lr=2e-6), projector=TRAINED, language=Part(lr=5e-4)
    )
    model, parts = tiny(), tuning.parts(RECIPE)
    tuning.apply(model, RECIPE)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    groups = {
        (group["lr"], round(group["weight_decay"], 9)): {names[id(p)] for p in group["params"]}
        for group in adamw(model, RECIPE, parts).param_groups
    }
    kernels = {f"{layer}.weight" for layer in VISION_LINEAR} | {
        "model.vision_tower.embeddings.patch_embedding.weight"
    }
    # wd / lr of the group: 1e-6 / 2e-6 and 1e-6 / 1e-5; adapters do not decay.
    assert groups == {
        (2e-6, 0.5): kernels,
        (2e-6, 0.0): VISION - kernels,
        (1e-5, 0.1): {"model.multi_modal_projector.linear.weight"},
        (1e-5, 0.0): {"model.multi_modal_projector.linear.bias"},
        (5e-4, 0.0): beside(LANGUAGE_LINEAR),
    }


def test_the_table_says_what_learns() -> None:
    tuning = replace(LORA, vision=FROZEN, projector=TRAINED)
    model = tiny()
    tuning.apply(model, RECIPE)
    # Vision: patches 3 x 14 x 14 x 64 + 64, 4 positions of 64; 2 layers of 4 x (64 x 64 + 64),
    # 2 x 64 x 192 + 192 + 64, 2 norms of 128; 1 norm of 128. Projector: 64 x 96 + 96. Language:
    # 2048 x 96 for words; 3 layers of 4 x 96 x 128 in attention, 3 x 96 x 288 in the MLP, 2 norms
    # of 96; 1 norm; and adapters of rank 4, 3 x 4 x (4 x (96 + 128) + 3 x (96 + 288)) = 24,576.
    assert tuning_table(model, tuning.parts(RECIPE)) == [
        ["part", "is", "parameters", "learn", "lr"],
        ["vision", "frozen", "121,536", "0", "-"],
        ["projector", "trained", "6,240", "6,240", "1e-05"],
        ["language", "adapted", "618,144", "24,576", "0.0001"],
        ["together", "4.13%", "745,920", "30,816", ""],
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_the_table_needs_no_weights(kind: str) -> None:
    if kind == "qlora":
        pytest.importorskip("bitsandbytes")
    tuning = replace(LORA, adapters=AdapterSettings(kind=kind))
    tables = []
    for device in ("cpu", "meta"):
        with torch.device(device):
            model = PaliGemma(TINY)
        module = TransferModule(model, RECIPE, steps=1, end=1, seed=0, tuning=tuning)
        tables.append(tuning_table(model, module.parts))
    assert tables[0] == tables[1]


def batch() -> Batch:
    generator = torch.Generator().manual_seed(0)
    return Batch(
        images=torch.rand(2, 3, 28, 28, generator=generator),
        tokens=torch.randint(3, 900, (2, 8), generator=generator),
        prefix_lengths=torch.tensor([3, 4]), lengths=torch.tensor([7, 8]),
        rows=[0, 1], cuts=[None, None],
    )  # fmt: skip


def learnt(tuning: Tuning, model: PaliGemma) -> tuple[list[float], TransferModule]:
    """The losses of forty updates on one batch."""
    tuning.store(model, RECIPE)
    module = TransferModule(model, replace(RECIPE, lr=1e-2), steps=40, end=1, seed=0, tuning=tuning)
    optimizer = adamw(module.model, module.recipe, module.parts)
    losses = []
    for _ in range(40):
        loss = module.losses(batch()).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    return losses, module


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("kind", ["lora", "rslora", "dora", "qlora"])
def test_adapters_learn_and_the_base_stays(kind: str, dtype: str) -> None:
    if kind == "qlora":
        pytest.importorskip("bitsandbytes")
    settings = AdapterSettings(kind=kind, rank=8, dropout=0.0)
    tuning = Tuning(adapters=settings, adapters_lr=5e-3, frozen_dtype=dtype)
    start = tiny()
    tuning.store(start, RECIPE)
    tuning.apply(start, RECIPE)
    losses, module = learnt(tuning, tiny())
    assert losses[-1] < 0.5 * losses[0]
    before = dict(start.named_parameters())
    for name, parameter in module.model.named_parameters():
        if is_adapter(name):
            assert parameter.dtype == torch.float32
            assert not torch.equal(parameter, before[name]), name
        else:
            assert torch.equal(parameter, before[name]), name
    assert module.model.lm_head.weight.dtype == getattr(torch, dtype)


@pytest.mark.parametrize("kind", ["lora", "dora", "qlora"])
def test_rematerialising_changes_no_gradient_of_adapters(kind: str) -> None:
    if kind == "qlora":
        pytest.importorskip("bitsandbytes")
    config = replace(TINY, language=replace(TINY.language, dropout=0.1))
    tuning = Tuning(adapters=AdapterSettings(kind=kind, dropout=0.1), adapters_lr=1e-3)
    gradients = []
    for rematerialise in (False, True):
        model = tiny(config, rematerialise=rematerialise)
        module = TransferModule(model, RECIPE, steps=1, end=1, seed=0, tuning=tuning)
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if ".lora_B." in name:  # zero at the start, and then A has no gradient
                    parameter.add_(0.01)
        torch.manual_seed(0)
        module.losses(batch()).mean().backward()
        gradients.append({n: p.grad for n, p in model.named_parameters() if p.requires_grad})
    for name, gradient in gradients[0].items():
        assert gradient.abs().max() > 0, name
        assert torch.equal(gradient, gradients[1][name]), name


def test_a_part_is_stored_as_asked_before_weights_are_read() -> None:
    with torch.device("meta"):
        model = PaliGemma(TINY)
    replace(LORA, projector=TRAINED, frozen_dtype="bfloat16").store(model, RECIPE)
    dtypes = {name: p.dtype for name, p in model.named_parameters()}
    assert {n for n, dtype in dtypes.items() if dtype == torch.float32} == PROJECTOR
    assert {n for n, dtype in dtypes.items() if dtype == torch.bfloat16} == VISION | LANGUAGE
    assert model.lm_head.weight is model.model.language_model.embed_tokens.weight


def test_a_fingerprint_knows_weights_in_either_precision_and_at_any_resolution() -> None:
    model = tiny()
    known = fingerprint(model)
    assert known == fingerprint(tiny()) == fingerprint(tiny().bfloat16())
    larger = tiny(replace(TINY, vision=replace(TINY.vision, resolution=56)))
    weights = {n: p for n, p in model.state_dict().items() if "position_embedding" not in n}
    larger.load_state_dict(weights, strict=False)
    assert fingerprint(larger) == known
    with torch.no_grad():
        model.model.language_model.norm.weight[0] += 0.1
    assert fingerprint(model) != known


@pytest.mark.parametrize(
    ("tuning", "precision", "complaint"),
    [
        (LORA, "bf16-true", "round the adapters of the vision part"),
        (FULL, "bf16-true", "a learning rate of 1e-05 for the vision part"),
        (Tuning(vision=FROZEN, projector=FROZEN, language=Part(lr=9e-5)), "16-true", "language"),
        (FULL, "16-mixed", "clipping would take for large ones"),
        (FULL, "16", "precision=16: .*clipping would take for large ones"),
        (LORA, "bf16-mixed", None),
        (Tuning(vision=FROZEN, projector=FROZEN, language=Part(lr=1e-4)), "bf16-true", None),
    ],
)
def test_updates_are_not_rounded_away(tuning: Tuning, precision: str, complaint) -> None:
    parts = tuning.parts(RECIPE)
    if complaint is None:
        refuse_rounded_updates(parts, precision)
        return
    with pytest.raises(ValueError, match=complaint):
        refuse_rounded_updates(parts, precision)


def tuning_of(config: DictConfig) -> Tuning:
    return read_tuning(OmegaConf.to_container(config.tuning, resolve=True))  # type: ignore[arg-type]


# Rank and learning rate where nothing else is asked for: ten times the published rate.
DEFAULTS = {
    ("coco_captions", 224): (16, 1e-4), ("coco_captions", 448): (16, 1e-4),
    ("textvqa", 224): (16, 3e-5), ("textvqa", 448): (16, 3e-5), ("textvqa", 896): (16, 3e-5),
    ("rsvqa_lr", 224): (16, 3e-5), ("rsvqa_lr", 448): (16, 3e-5),
    ("rsvqa_hr", 224): (16, 1e-4), ("rsvqa_hr", 448): (16, 1e-4),
    ("refcoco", 224): (64, 3e-4), ("refcoco", 448): (64, 1e-4), ("refcoco", 896): (64, 1e-4),
}  # fmt: skip


@pytest.mark.parametrize(("task", "resolution"), DEFAULTS)
def test_defaults_of_adapters_by_task(task: str, resolution: int) -> None:
    config = with_values(composed(f"task={task}", "tuning=lora"), resolution=resolution)
    tuning = tuning_of(config)
    assert tuning.adapters is not None
    assert (tuning.adapters.rank, tuning.adapters_lr) == DEFAULTS[task, resolution]
    assert (tuning.adapters.alpha, tuning.adapters.dropout, tuning.adapters.targets) == (
        32,
        0,
        None,
    )


def test_every_kind_composes() -> None:
    kinds = {path.stem for path in (CONF / "tuning").glob("*.yaml")}
    assert kinds == {"full", "lora", "rslora", "dora", "qlora"}
    assert tuning_of(composed()) == FULL
    for kind in kinds - {"full"}:
        tuning = tuning_of(composed("task=textvqa", f"tuning={kind}"))
        assert tuning.adapters is not None and tuning.adapters.kind == kind
        # The same scale for all at the default rank: 32 / 16 = 8 / sqrt(16).
        assert tuning.adapters.alpha == (8 if kind == "rslora" else 32)


def test_one_line_is_one_part() -> None:
    config = composed(
        "task=textvqa", "tuning=lora", "tuning.vision.mode=frozen",
        "tuning.projector={mode: trained, lr: 1e-5}", "trainer.precision=bf16-mixed",
    )  # fmt: skip
    tuning = tuning_of(config)
    assert tuning.vision == FROZEN and tuning.projector == Part(mode="trained", lr=1e-5)
    assert tuning.frozen_dtype == "bfloat16"
    assert tuning_of(composed("trainer.precision=bf16-mixed")).frozen_dtype == "float32"
    assert tuning_of(composed("tuning=lora", "trainer.precision=32")).frozen_dtype == "float32"


@pytest.mark.parametrize(
    ("override", "complaint"),
    [
        ("tuning.vision.mode=thawed", "a part that is 'thawed'; it can be recipe, trained"),
        ("tuning.vision.lr=fast", "lr='fast'"),
        ("tuning.frozen_dtype=int8", "tuning.frozen_dtype='int8'; there are float32, bfloat16"),
        ("tuning.vision=frozen", r"tuning\.vision=frozen is no table .* tuning\.vision\.mode="),
        ("tuning.adapters=dora", r"tuning\.adapters=dora is no table .* tuning\.adapters\.rank="),
        ("tuning.vision.lr=true", "lr=True, which is no number"),
        ("tuning.adapters.lr=0", r"tuning\.adapters\.lr=0"),
        ("tuning.adapters.lr=inf", r"tuning\.adapters\.lr=inf is no number"),
        ('tuning.adapters.lr="1e-3"', r"tuning\.adapters\.lr='1e-3' is no number"),
        ("tuning.adapters.alpha=much", "alpha='much', which is no number"),
        ("tuning.adapters.dropout=some", r"dropout='some', which is not in"),
        ("tuning.adapters.targets=5", r"adapters\.targets=5 is no expression"),
        ("+tuning.adapters.parts=[vision]", r"adapters\.parts=\['vision'\]: .*mode=adapted"),
        ("tuning.adapters.kind=ia3", "no adapters of kind 'ia3'"),
        ("+tuning.adapters.bias=all", "bias"),
    ],
)
def test_settings_that_there_are_not_are_refused(override: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        tuning_of(composed("tuning=lora", override))
