"""What a setting that there is not may have been meant for."""

from __future__ import annotations

import pytest

from pg_transfer.process.near_names import meant

SETTINGS = {
    "recipe": {"lr": 1, "batch_size": 2, "epochs": 3},
    "recipes": {84: {"lr": 1, "epochs": 1}},
    "trainer": {"devices": 1},
    "logger": {},
    "hydra": {"mode": None, "lr": 1},
    "workers": 0,
}


@pytest.mark.parametrize(
    ("name", "guess"),
    [
        ("lr", "recipe.lr"),
        ("recipe.batch_sise", "recipe.batch_size"),
        ("trainer.max_epochs", "recipe.epochs"),
        ("recipe.learning_rate", "recipe.lr"),
        ("data", "task=custom data=..., for your own data"),
        ("logger.mode", "logger=wandb logger.mode=..."),
        ("num_workers", "workers"),
    ],
)
def test_names_from_elsewhere_and_nearly_right_ones(name: str, guess: str) -> None:
    assert meant(name, SETTINGS) == f" (is it {guess}?)"


def test_no_guess_where_nothing_is_near_or_there_is_no_recipe() -> None:
    assert meant("colour", SETTINGS) == ""
    assert meant("data", {"run": None}) == ""
