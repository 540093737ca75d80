"""Beam search against the JAX reference, against the definition written out, and by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from pg_transfer.model.beam import beam_search
from pg_transfer.model.checkpoint import load_weights
from pg_transfer.model.generate import Continuation, alone, greedy
from pg_transfer.model.paligemma import PaliGemma

END = 1


@pytest.fixture(params=[1, 2], ids=["gemma1", "gemma2"])
def recorded(request, golden, toys, tmp_path):
    """The reference's prompts and decodes, and our model with its weights."""
    generation = request.param
    config = toys[generation]
    if generation == 2:
        # The recording's: applied to the logits of every generated token but the first.
        config = replace(config, language=replace(config.language, final_softcap=30.0))
    np.savez(tmp_path / "weights.npz", **golden(f"gemma{generation}_ckpt"))
    model = PaliGemma(config)
    load_weights(model, tmp_path / "weights.npz")
    return model, golden(f"gemma{generation}_golden")


def recorded_prompts(recorded) -> Continuation:
    model, arrays = recorded
    return Continuation(
        model,
        torch.from_numpy(arrays["image"]).permute(0, 3, 1, 2),
        torch.from_numpy(arrays["eval_text"]).long(),
        lengths=torch.from_numpy(arrays["eval_mask_input"].sum(1)),
        max_new_tokens=arrays["greedy_tokens"].shape[1],
    )


@pytest.mark.golden
@pytest.mark.parametrize("beams", [2, 4])
def test_equals_the_reference(recorded, beams: int) -> None:
    answers = beam_search(recorded_prompts(recorded), end=END, beams=beams)
    assert answers.tolist() == recorded[1][f"beam{beams}_tokens"].tolist()


@pytest.mark.golden
def test_log_probabilities_are_the_references(recorded) -> None:
    tokens = torch.from_numpy(recorded[1]["greedy_tokens"]).long()
    prompts = recorded_prompts(recorded)
    found = []
    for column in tokens.T:
        found.append(prompts.logits.log_softmax(-1).gather(1, column[:, None]))
        prompts.extend(column)
    ours = torch.cat(found, dim=1)
    np.testing.assert_allclose(ours, recorded[1]["greedy_logp"], atol=1e-4)


# The definition, written out for one example, without a cache, with every hypothesis in a list.


def by_definition(model, image, prompt: list[int], *, beams: int, most: int, end: int) -> list[int]:
    def log_probabilities(said: list[int]) -> list[float]:
        tokens = torch.tensor([prompt + said])
        features = model(
            image[None], tokens,
            prefix_lengths=torch.tensor([len(prompt)]), lengths=torch.tensor([tokens.shape[1]]),
        )  # fmt: skip
        logits = model.logits(features[0, -1])
        softcap = model.config.language.final_softcap
        if said and softcap:
            logits = softcap * torch.tanh(logits / softcap)
        return logits.log_softmax(-1).tolist()

    live, best = [(0.0, [])], (-float("inf"), [])
    for _ in range(most):
        grown = []
        for score, said in live:
            chances = log_probabilities(said)
            best = max(best, (score + chances[end], [*said, end]))
            likely = sorted(range(len(chances)), key=chances.__getitem__)[-beams - 1 :]
            grown += [(score + chances[t], [*said, t]) for t in likely if t != end]
        live = sorted(grown)[-beams:]
        if best[0] > live[-1][0]:
            break
    return best[1] + [0] * (most - len(best[1]))


@pytest.fixture
def prompts() -> dict[str, torch.Tensor]:
    """Prompts of 5, 3 and 7 tokens."""
    generator = torch.Generator().manual_seed(1)
    lengths = torch.tensor([5, 3, 7])
    tokens = torch.randint(2, 12, (3, 9), generator=generator)
    return {
        "images": torch.rand(3, 3, 56, 56, generator=generator) * 2 - 1,
        "tokens": tokens * (torch.arange(9) < lengths[:, None]),
        "lengths": lengths,
    }


@pytest.fixture
def model(toy, random_model) -> PaliGemma:
    """Of few tokens and strong opinions, so that answers end sooner or later."""
    model = random_model(
        replace(toy, language=replace(toy.language, vocabulary=12, final_softcap=3.0))
    )
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(3)
    return model


def searched(model, prompts, *, beams: int, end: int, most: int = 6) -> list[list[int]]:
    reading = Continuation(model, **prompts, max_new_tokens=most)
    return beam_search(reading, end=end, beams=beams).tolist()


def test_equals_the_definition(model, prompts) -> None:
    lengths = set()
    for beams in (1, 2, 3):
        for end in range(1, 6):
            answers = searched(model, prompts, beams=beams, end=end)
            for row, answer in enumerate(answers):
                prompt = prompts["tokens"][row, : prompts["lengths"][row]].tolist()
                image = prompts["images"][row]
                assert answer == by_definition(
                    model, image, prompt, beams=beams, most=6, end=end
                ), (beams, end, row)
                lengths.add(answer.index(end) + 1)
    assert len(lengths) > 2


def test_an_answer_does_not_depend_on_its_batch_mates(model, prompts) -> None:
    together = searched(model, prompts, beams=3, end=2)
    for row in range(3):
        alone = {name: value[row : row + 1] for name, value in prompts.items()}
        shorter = dict(alone, tokens=alone["tokens"][:, : int(alone["lengths"])])
        for prompt in (alone, shorter):
            assert searched(model, prompt, beams=3, end=2) == [together[row]]


class Scripted:
    """A `Continuation` that says what a table tells it to: prefix -> probabilities."""

    def __init__(self, *tables: dict[str, dict[str, float]], most: int) -> None:
        self.max_new_tokens, self.extended, self.agree = most, 0, alone
        self._tables, self._said = list(tables), [""] * len(tables)

    @property
    def logits(self) -> torch.Tensor:
        rows = [
            [table[said].get(token, 1e-9) for token in ".$ab"]
            for table, said in zip(self._tables, self._said, strict=True)
        ]
        return torch.tensor(rows).log()

    def blank(self) -> torch.Tensor:
        return torch.zeros(len(self._said), self.max_new_tokens, dtype=torch.long)

    def extend(self, tokens: torch.Tensor) -> None:
        self.extended += 1
        self._said = [
            said + ".$ab"[token] for said, token in zip(self._said, tokens.tolist(), strict=True)
        ]

    def branch(self, copies: int) -> None:
        self._said = [said for said in self._said for _ in range(copies)]
        self._tables = [table for table in self._tables for _ in range(copies)]

    def follow(self, rows: torch.Tensor) -> None:
        self._said = [self._said[row] for row in rows.tolist()]

    def keep(self, rows: torch.Tensor) -> None:
        self._tables = [self._tables[row] for row in rows.tolist()]
        self.follow(rows)


GARDEN_PATH = {
    "": {"a": 0.6, "b": 0.35, "$": 0.05},
    "a": {"a": 0.4, "b": 0.3, "$": 0.3},
    "b": {"a": 0.06, "b": 0.04, "$": 0.9},
    "aa": {"a": 0.3, "b": 0.2, "$": 0.5},
}
SHORT = {
    "": {"$": 0.4, "a": 0.55, "b": 0.05},
    "a": {"$": 0.5, "a": 0.3, "b": 0.2},
    "b": {"$": 0.5, "a": 0.3, "b": 0.2},
}


def said(answers: torch.Tensor) -> list[str]:
    return ["".join(".$ab"[token] for token in row).rstrip(".") for row in answers.tolist()]


def test_a_second_beam_finds_what_the_first_misses() -> None:
    # One beam: `$` 0.05, `a$` 0.6 * 0.3 = 0.18, `aa$` 0.6 * 0.4 * 0.5 = 0.12; and then nothing
    # alive (0.6 * 0.4 * 0.3) is ahead of 0.18. Two beams: `b$` 0.35 * 0.9 = 0.315.
    assert said(beam_search(Scripted(GARDEN_PATH, most=5), end=1, beams=1)) == ["a$"]
    assert said(beam_search(Scripted(GARDEN_PATH, most=5), end=1, beams=2)) == ["b$"]


def test_one_beam_may_end_where_greedy_goes_on() -> None:
    # `$` 0.4 beats `a$` 0.55 * 0.5 = 0.275.
    assert said(greedy(Scripted(SHORT, most=3), end=1)) == ["a$"]
    assert said(beam_search(Scripted(SHORT, most=3), end=1, beams=1)) == ["$"]


def test_it_stops_when_no_live_hypothesis_of_any_example_is_ahead() -> None:
    # SHORT: `a` 0.55 is ahead of `$` 0.4, `aa` 0.165 is not: one extension. GARDEN_PATH with two
    # beams: `b$` 0.315 is found after one extension and ahead of `aa` 0.24. Alone with one beam it
    # takes two, see above.
    for tables, beams, extensions in (
        ([SHORT], 2, 1),
        ([GARDEN_PATH], 2, 1),
        ([SHORT, GARDEN_PATH], 2, 1),
        ([GARDEN_PATH], 1, 2),
    ):
        prompts = Scripted(*tables, most=5)
        beam_search(prompts, end=1, beams=beams)
        assert prompts.extended == extensions


def test_the_last_token_is_the_end() -> None:
    endless = {
        "": {"a": 0.7, "b": 0.3},
        "a": {"a": 0.2, "b": 0.8},
        "b": {"a": 0.5, "b": 0.5},
        "ab": {"$": 1e-3, "a": 0.9},
        "aa": {"$": 1e-2, "a": 0.9},
        "ba": {"$": 1e-3, "b": 0.9},
        "bb": {"$": 1e-3, "b": 0.9},
    }
    # After two tokens `ab` 0.56 and `ba` or `bb` 0.15 are alive, `aa` 0.14 is not, though `aa$`
    # would have been likeliest: 0.0014 against 0.00056 for `ab$`.
    assert said(beam_search(Scripted(endless, most=3), end=1, beams=2)) == ["ab$"]
    assert said(beam_search(Scripted(endless, most=1), end=1, beams=2)) == ["$"]


def test_no_beams_are_refused() -> None:
    with pytest.raises(ValueError, match="beams=0"):
        beam_search(Scripted(SHORT, most=3), end=1, beams=0)
