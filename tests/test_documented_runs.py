"""What docs/real_run.md says of runs is what the program makes of the published sizes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import get_class
from omegaconf import OmegaConf

from pg_transfer.reporting.published import MODEL, published
from pg_transfer.running.settings import register_resolvers
from pg_transfer.training.recipe import Recipe

ROOT = Path(__file__).parents[1]
ROWS = {
    cells[1].strip("` "): cells
    for line in (ROOT / "docs" / "real_run.md").read_text(encoding="utf-8").splitlines()
    if len(cells := line.split("|")) == 7
}


@pytest.mark.parametrize("task", ["coco_captions", "textvqa", "rsvqa_lr", "rsvqa_hr"])
def test_counts_updates_and_published_values(task: str, tmp_path: Path) -> None:
    (tmp_path / "dataset_coco.json").touch()
    _, _, _, learnt, updates, values, _ = ROWS[task]
    register_resolvers()
    with initialize_config_dir(str(ROOT / "conf"), version_base=None):
        resolutions = list(compose("train", overrides=[f"task={task}", "run=x"]).recipes)
        for place, resolution in enumerate(resolutions):
            config = compose(
                "train", overrides=[f"task={task}", f"resolution={resolution}", "run=x"]
            )
            recipe = Recipe(**OmegaConf.to_container(config.recipe, resolve=True))  # type: ignore
            sizes = get_class(config.task._target_)(root=tmp_path).sizes
            count = sizes[config.splits.train]
            assert f"{config.splits.train}: {count:,}" in learnt
            assert recipe.batch_size == 256
            assert updates.split("/")[place].strip() == f"{recipe.steps(count):,}"
            for metrics in published(task, model=MODEL, resolution=resolution).values():
                assert all(f"{value:.2f}" in re.findall(r"[\d.]+", values)
                           for value in metrics.values())  # fmt: skip
