"""What tokens are drawn from, by hand; and that they are drawn from it."""

from __future__ import annotations

import pytest
import torch

from pg_transfer.model.decoding import GREEDY, Decoding
from pg_transfer.model.generate import Continuation, greedy, sample
from pg_transfer.model.paligemma import PaliGemma
from pg_transfer.model.sampling import probabilities

LOGITS = torch.tensor([[0.15, 0.5, 0.05, 0.3]]).log() + 7  # a constant changes nothing


@pytest.mark.parametrize(
    ("temperature", "nucleus", "expected"),
    [
        (1.0, 1.0, [0.15, 0.5, 0.05, 0.3]),
        (0.5, 1.0, [0.0225, 0.25, 0.0025, 0.09]),  # squares, of sum 0.365
        (2.0, 1.0, [0.3873, 0.7071, 0.2236, 0.5477]),  # square roots
        (1.0, 0.4, [0, 0.5, 0, 0]),
        (1.0, 0.6, [0, 0.5, 0, 0.3]),  # 0.5 is too little; what crosses 0.6 is inside
        (1.0, 0.9, [0.15, 0.5, 0, 0.3]),
        (1.0, 0.96, [0.15, 0.5, 0.05, 0.3]),
        # The temperature comes first: 0.25 of 0.365 is 0.685 and enough alone.
        (0.5, 0.6, [0, 1, 0, 0]),
    ],
)
def test_distributions_by_hand(temperature: float, nucleus: float, expected: list[float]) -> None:
    found = probabilities(LOGITS, temperature=temperature, nucleus=nucleus)
    torch.testing.assert_close(found, torch.tensor([expected]) / sum(expected), atol=1e-4, rtol=0)


def test_tokens_as_likely_as_the_one_that_crosses_are_inside() -> None:
    logits = torch.tensor([[0.3, 0.4, 0.3], [0.2, 0.7, 0.1]]).log()
    found = probabilities(logits, temperature=1.0, nucleus=0.5)
    torch.testing.assert_close(found, torch.tensor([[0.3, 0.4, 0.3], [0.0, 1.0, 0.0]]))


def test_a_nucleus_of_nearly_everything_is_everything() -> None:
    logits = torch.randn(4, 50_000, generator=torch.Generator().manual_seed(0))
    found = probabilities(logits, temperature=1.0, nucleus=1 - 1e-9)
    torch.testing.assert_close(found, logits.softmax(-1))


@pytest.mark.parametrize(
    ("temperature", "nucleus", "complaint"),
    [(0.0, 1.0, "temperature=0"), (1.0, 0.0, "nucleus=0"), (1.0, 1.1, "nucleus=1.1")],
)
def test_impossible_settings_are_refused(temperature, nucleus, complaint) -> None:
    with pytest.raises(ValueError, match=complaint):
        probabilities(LOGITS, temperature=temperature, nucleus=nucleus)


class Constant:
    """Stands for prompts of a model that always expects the same."""

    def __init__(self, rows: int, most: int) -> None:
        self.logits, self.max_new_tokens = LOGITS.expand(rows, -1), most
        self._rows = rows

    def blank(self) -> torch.Tensor:
        return torch.zeros(self._rows, self.max_new_tokens, dtype=torch.long)

    def extend(self, tokens: torch.Tensor) -> None:
        pass

    def agree(self, goes_on: bool) -> bool:
        return goes_on

    def keep(self, rows: torch.Tensor) -> None:
        self.logits = self.logits[rows]


def drawn(seed: int = 0, *, rows: int = 6, most: int = 8, nucleus: float = 1.0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return sample(
        Constant(rows, most), end=2, temperature=1.0, nucleus=nucleus, generator=generator
    )


def test_tokens_come_as_often_as_they_should() -> None:
    # Of 20,000 the standard error is at most sqrt(0.25 / 20000) = 0.0035.
    counts = drawn(rows=20_000, most=1)[:, 0].bincount(minlength=4) / 20_000
    torch.testing.assert_close(counts, torch.tensor([0.15, 0.5, 0.05, 0.3]), atol=0.012, rtol=0)
    counts = drawn(rows=20_000, most=1, nucleus=0.6)[:, 0].bincount(minlength=4) / 20_000
    torch.testing.assert_close(counts, torch.tensor([0, 0.625, 0, 0.375]), atol=0.012, rtol=0)


def test_the_seed_decides_and_nothing_follows_the_end() -> None:
    first = drawn(0, most=40)
    assert torch.equal(first, drawn(0, most=40))
    assert not torch.equal(first, drawn(1, most=40))
    ended = [row for row in first.tolist() if 2 in row]
    assert ended
    for row in ended:
        assert not any(row[row.index(2) + 1 :])


@pytest.fixture
def prompts(toy, random_model) -> dict[str, torch.Tensor | PaliGemma]:
    generator = torch.Generator().manual_seed(0)
    return {
        "model": random_model(toy).eval(),
        "images": torch.rand(2, 3, 56, 56, generator=generator),
        "tokens": torch.randint(2, 512, (2, 5), generator=generator),
        "lengths": torch.tensor([5, 5]),
    }


def test_a_narrow_nucleus_is_greedy(prompts) -> None:
    likeliest = greedy(Continuation(**prompts, max_new_tokens=6), end=1)
    for temperature, nucleus in ((1.0, 1e-6), (1e-4, 1.0)):
        prompt = Continuation(**prompts, max_new_tokens=6)
        found = sample(prompt, end=1, temperature=temperature, nucleus=nucleus)
        assert torch.equal(found, likeliest)


def test_the_choice_of_decoding(prompts) -> None:
    found = {}
    for decoding in (
        GREEDY, Decoding(beams=2), Decoding(temperature=0.7),
        Decoding(temperature=1.5, nucleus=0.9),
    ):  # fmt: skip
        torch.manual_seed(5)
        found[decoding.label] = decoding(**prompts, max_new_tokens=6, end=1)
    assert list(found) == ["", "beams2", "temperature0.7", "temperature1.5-nucleus0.9"]
    assert torch.equal(found[""], greedy(Continuation(**prompts, max_new_tokens=6), end=1))
    assert found["beams2"].eq(1).any(1).all()  # they always end, here nothing else does
    answers = [tuple(map(tuple, tokens.tolist())) for tokens in found.values()]
    assert len(set(answers)) == 4


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"beams": 0}, "beams=0"),
        ({"beams": 2.5}, "beams=2.5"),
        ({"temperature": -1.0}, "temperature=-1"),
        ({"temperature": 1.0, "nucleus": 0.0}, "nucleus=0"),
        ({"beams": 2, "temperature": 1.0}, "set beams=1 or temperature=0"),
        ({"nucleus": 0.9}, "temperature=0 draws none"),
    ],
)
def test_contradictory_choices_are_refused(settings, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Decoding(**settings)
