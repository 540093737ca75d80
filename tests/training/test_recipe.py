"""The recipe's arithmetic."""

from __future__ import annotations

from dataclasses import asdict, replace

import pytest
import torch

from pg_transfer.model.config import SIZES
from pg_transfer.model.paligemma import PaliGemma
from pg_transfer.training.optimizer import adamw, clip_gradients
from pg_transfer.training.recipe import Recipe, read_recipe
from pg_transfer.training.tuning import FULL

RECIPE = Recipe(
    lr=1e-5, weight_decay=1e-6, epochs=5, batch_size=256, label_smoothing=0.0, dropout=0.0,
    text_length=32, warmup=0.05, clip_norm=1.0,
)  # fmt: skip


# training.md section 5, computed there from the sizes of the data sets.
@pytest.mark.parametrize(
    ("examples", "epochs", "steps", "warmup"),
    [(113_287, 5, 2213, 111), (46_223, 3, 542, 27), (432_239, 1, 1688, 84), (39_602, 5, 773, 39)],
)
def test_steps_and_warmup(examples: int, epochs: int, steps: int, warmup: int) -> None:
    recipe = replace(RECIPE, epochs=epochs)
    assert recipe.steps(examples) == steps
    multipliers = [recipe.schedule(step, steps) for step in range(steps)]
    assert multipliers[0] == 0
    assert multipliers.index(max(multipliers)) == warmup
    assert multipliers[warmup] == 1
    assert 0 < multipliers[-1] < 1e-4


def test_a_run_without_room_for_its_warmup_is_refused() -> None:
    with pytest.raises(ValueError, match="no room"):
        RECIPE.schedule(0, 1)


@pytest.mark.parametrize(
    ("name", "value"),
    [("lr", 0.0), ("dropout", 1.0), ("label_smoothing", -0.1), ("batch_size", 0), ("epochs", -1)],
)
def test_impossible_values_are_named(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=name):
        replace(RECIPE, **{name: value})


def test_only_kernels_of_the_vision_part_decay() -> None:
    model = PaliGemma(SIZES["tiny"])
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    decaying, resting = adamw(model, RECIPE, FULL.parts(RECIPE)).param_groups
    assert decaying["weight_decay"] == pytest.approx(0.1)
    assert resting["weight_decay"] == 0
    block = "model.vision_tower.encoder.layers.{}."
    kernels = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.out_proj",
               "mlp.fc1", "mlp.fc2")  # fmt: skip
    assert {names[id(parameter)] for parameter in decaying["params"]} == {
        "model.vision_tower.embeddings.patch_embedding.weight",
        "model.multi_modal_projector.linear.weight",
        *(f"{block.format(layer)}{kernel}.weight" for layer in range(2) for kernel in kernels),
    }
    assert len(decaying["params"]) + len(resting["params"]) == len(names)


def test_clipping_has_no_epsilon() -> None:
    parameters = [torch.nn.Parameter(torch.zeros(2)), torch.nn.Parameter(torch.zeros(1))]
    parameters[0].grad, parameters[1].grad = torch.tensor([3.0, 0.0]), torch.tensor([4.0])
    assert float(clip_gradients(parameters, 10.0)) == 5.0
    assert parameters[1].grad.tolist() == [4.0]
    assert float(clip_gradients(parameters, 1.0)) == 5.0
    assert torch.equal(parameters[1].grad, torch.tensor([4.0]) * torch.tensor(0.2))


def test_a_recipe_is_read_from_a_table_of_all_its_lines() -> None:
    table = asdict(RECIPE)
    assert read_recipe(table) == RECIPE
    with pytest.raises(ValueError, match=r"no setting recipe\.rate; in recipe there are batch_siz"):
        read_recipe(table | {"rate": 1e-5})
    del table["lr"], table["beta2"]  # of which the last has a default
    with pytest.raises(ValueError, match=r"recipe\.lr is missing"):
        read_recipe(table)
