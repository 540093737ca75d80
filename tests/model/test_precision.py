"""What products are computed in, and how often weights are cast for it."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from pg_transfer.adapters import AdapterSettings, attach
from pg_transfer.model.config import released
from pg_transfer.model.decoding import Decoding
from pg_transfer.model.generate import Continuation, greedy
from pg_transfer.model.paligemma import PaliGemma
from pg_transfer.model.precision import casts_kept, float32_product

NEVER = 2047  # a token that is never the likeliest here: answers are as long as they may be


class Casts(TorchDispatchMode):
    """Counts how often tensors as large as a weight are cast."""

    def __init__(self) -> None:
        super().__init__()
        self.of: Counter[torch.Size] = Counter()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func is torch.ops.aten._to_copy.default and args[0].ndim == 2:
            self.of[args[0].shape] += 1
        return func(*args, **(kwargs or {}))


def lightnings_autocast() -> torch.autocast:
    return torch.autocast("cpu", torch.bfloat16, cache_enabled=False)


@pytest.fixture
def model() -> PaliGemma:
    model = PaliGemma(released("tiny", resolution=28))
    model.initialise(torch.Generator().manual_seed(0))
    return model.eval().requires_grad_(False)


def asked(model: PaliGemma, tokens: int) -> dict:
    generator = torch.Generator().manual_seed(1)
    return {
        "model": model,
        "images": torch.rand(2, 3, 28, 28, generator=generator) * 2 - 1,
        "tokens": torch.randint(3, 2000, (2, 5), generator=generator),
        "lengths": torch.tensor([5, 3]),
        "max_new_tokens": tokens,
    }


@pytest.mark.parametrize("decoding", [Decoding(), Decoding(beams=2)], ids=["greedy", "beams"])
def test_weights_are_cast_once_however_long_the_answer(model, decoding: Decoding) -> None:
    counted = []
    for tokens in (2, 9):
        with lightnings_autocast(), Casts() as casts:
            answer = decoding(**asked(model, tokens), end=NEVER)
        assert answer.shape == (2, tokens)
        counted.append(casts.of)
    of_weights = {tuple(p.shape) for p in model.parameters() if p.ndim == 2}
    few, many = ({s: n for s, n in c.items() if tuple(s) in of_weights} for c in counted)
    assert few == many
    assert few[model.lm_head.weight.shape] == 1


def test_answers_are_what_they_are_without(model) -> None:
    own = dict(model.named_parameters())
    given = asked(model, 12)
    with lightnings_autocast(), torch.inference_mode():
        found = Decoding()(**given, end=NEVER)
        images, tokens = given.pop("images"), given.pop("tokens")
        expected = greedy(Continuation(given.pop("model"), images, tokens, **given), end=NEVER)
    assert found.equal(expected)
    assert all(parameter is own[name] for name, parameter in model.named_parameters())
    assert model.lm_head.weight is model.language.embed_tokens.weight


def test_weights_are_back_after_an_error(model) -> None:
    own = model.lm_head.weight
    with pytest.raises(ZeroDivisionError), lightnings_autocast(), casts_kept(model.lm_head):
        assert model.lm_head.weight.dtype == torch.bfloat16
        raise ZeroDivisionError
    assert model.lm_head.weight is own


@pytest.mark.parametrize(("kind", "cast"), [("lora", torch.bfloat16), ("dora", torch.float32)])
def test_what_dora_compares_stays_as_it_is(model, kind: str, cast: torch.dtype) -> None:
    attach(model, AdapterSettings(kind=kind, parts=("language",)))
    layer = model.language.layers[0].mlp.up_proj
    with lightnings_autocast(), casts_kept(model.language):
        assert {p.dtype for n, p in layer.named_parameters() if "lora_magnitude" not in n} == {cast}


def test_without_autocast_nothing_is_cast(model) -> None:
    with casts_kept(model):
        assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
def test_logits_are_at_least_float32(dtype: torch.dtype) -> None:
    features, table = torch.randn(2, 3, 8, dtype=dtype), torch.randn(50, 8, dtype=dtype)
    logits = float32_product(features, table)
    assert logits.dtype == torch.promote_types(dtype, torch.float32)
    expected: Tensor = nn.functional.linear(features, table)
    assert logits.equal(expected.to(logits.dtype))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_a_gpu_does_not_round_its_sums() -> None:
    features = torch.randn(4, 3, 512, device="cuda", dtype=torch.bfloat16)
    table = torch.randn(50, 512, device="cuda", dtype=torch.bfloat16)
    logits = float32_product(features, table)
    exact = features.double() @ table.double().T
    assert logits.dtype == torch.float32
    assert (logits - exact).abs().max() < 1e-3
