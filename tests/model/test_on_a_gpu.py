"""What only a GPU would object to: tensors of two devices, and waiting for it token by token."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from pg_transfer.adapters import AdapterSettings
from pg_transfer.model.config import released
from pg_transfer.model.decoding import Decoding
from pg_transfer.model.generate import alone
from pg_transfer.model.paligemma import PaliGemma
from pg_transfer.training.batches import Batch
from pg_transfer.training.module import TransferModule
from pg_transfer.training.optimizer import clip_gradients
from pg_transfer.training.recipe import Recipe
from pg_transfer.training.tuning import Part, Tuning
from tests.model.pretended_gpu import OnGPU, PretendedGPU, moved

NEVER = 2047  # a token that is never the likeliest here: answers are as long as they may be
RECIPE = Recipe(
    lr=1e-3, weight_decay=1e-4, epochs=1, batch_size=3, label_smoothing=0.1, dropout=0.0,
    text_length=6, warmup=0.05, clip_norm=1.0,
)  # fmt: skip


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> PretendedGPU:
    monkeypatch.setattr(torch.cuda, "_lazy_init", lambda: None)
    return PretendedGPU()


def new_model(*, is_second: bool = False, **options: object) -> PaliGemma:
    config = released("tiny", resolution=28)
    if is_second:
        language = replace(config.language, attention_softcap=50.0, post_norms=True)
        config = replace(config, language=replace(language, final_softcap=30.0))
    model = PaliGemma(config, **options)  # type: ignore[arg-type]
    model.initialise(torch.Generator().manual_seed(0))
    return model


def there(tensor: Tensor) -> Tensor:
    return OnGPU(tensor)


def as_it_is(tensor: Tensor) -> Tensor:
    return tensor


def answered(
    model: PaliGemma,
    how: Decoding,
    place: Callable[[Tensor], Tensor],
    tokens: int,
    agree: Callable[[bool], bool] = alone,
) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    images = torch.rand(2, 3, 28, 28, generator=generator) * 2 - 1
    prompts = torch.randint(3, 2000, (3, 5), generator=generator)
    return how(
        model, place(images), place(prompts), lengths=place(torch.tensor([5, 3, 5])),
        image_rows=place(torch.tensor([0, 0, 1])), max_new_tokens=tokens, end=NEVER, agree=agree,
    )  # fmt: skip


@pytest.mark.parametrize("is_second", [False, True], ids=["gemma", "gemma 2"])
@pytest.mark.parametrize(
    "how",
    [Decoding(), Decoding(beams=2), Decoding(temperature=0.5, nucleus=0.9)],
    ids=["greedy", "beams", "drawn"],
)
def test_answers_are_found_where_the_model_is(gpu, how: Decoding, is_second: bool) -> None:
    model = new_model(is_second=is_second).eval().requires_grad_(False)
    torch.manual_seed(3)
    expected = answered(model, how, as_it_is, 6)
    with gpu:
        torch.manual_seed(3)
        found = answered(moved(model), how, there, 6)  # type: ignore[arg-type]
    assert isinstance(found, OnGPU)
    assert found.values_here.equal(expected)


@pytest.mark.parametrize("how", [Decoding(), Decoding(beams=2)], ids=["greedy", "beams"])
def test_a_gpu_is_waited_for_once_a_token(gpu, how: Decoding) -> None:
    waited = []
    with gpu:
        model = moved(new_model().eval().requires_grad_(False))
        for tokens in (4, 9):
            gpu.waited = 0
            answered(model, how, there, tokens, lambda goes_on: True)  # type: ignore[arg-type]
            waited.append(gpu.waited)
    assert waited[1] - waited[0] == 5


def updated(model: PaliGemma, tuning: Tuning, place: Callable[[Tensor], Tensor]) -> TransferModule:
    module = TransferModule(model, RECIPE, steps=9, end=1, seed=0, tuning=tuning).train()
    if place is there:
        moved(module)
    optimizer = module.configure_optimizers()["optimizer"]  # type: ignore[index, call-overload]
    generator = torch.Generator().manual_seed(1)
    batch = Batch(
        images=place(torch.rand(3, 3, 28, 28, generator=generator) * 2 - 1),
        tokens=place(torch.randint(3, 2000, (3, 7), generator=generator)),
        prefix_lengths=place(torch.tensor([3, 2, 4])),
        lengths=place(torch.tensor([7, 5, 6])),
        rows=[0, 1, 2], cuts=[None] * 3,
    )  # fmt: skip
    for _ in range(2):
        module.losses(batch).mean().backward()
        clip_gradients(module.parameters(), RECIPE.clip_norm)
        optimizer.step()
        optimizer.zero_grad()
    return module


ADAPTERS = Tuning(adapters=AdapterSettings(), adapters_lr=1e-3, projector=Part(mode="frozen"))


@pytest.mark.parametrize("tuning", [Tuning(), ADAPTERS], ids=["full", "lora"])
@pytest.mark.parametrize("twice", [False, True], ids=["kept", "twice"])
@pytest.mark.parametrize("is_second", [False, True], ids=["gemma", "gemma 2"])
def test_weights_learn_where_they_are(gpu, tuning: Tuning, twice: bool, is_second: bool) -> None:
    options = {"is_second": is_second, "rematerialise": twice}
    expected = dict(updated(new_model(**options), tuning, as_it_is).named_parameters())
    with gpu:
        module = updated(new_model(**options), tuning, there)
    for name, parameter in module.named_parameters():
        torch.testing.assert_close(parameter.values_here, expected[name].detach())
