"""W&B's sweep files work as written: an agent's command line is one that `train.py` takes."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest
import yaml
from hydra import compose, initialize_config_dir
from hydra.utils import get_class
from omegaconf import OmegaConf

from pg_transfer.running.settings import register_resolvers

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "sweeps").glob("*.yaml"))


def values(parameter: dict) -> list:
    """The ends of what W&B's server draws from."""
    if "value" in parameter:
        return [parameter["value"]]
    if "values" in parameter:
        return parameter["values"]
    ends = [parameter["min"], parameter["max"]]
    # YAML reads 1e-5, without a point, as a text, and the server would refuse it.
    assert all(isinstance(end, float) for end in ends) and 0 < ends[0] < ends[1]
    assert parameter["distribution"] == "log_uniform_values"
    return [*ends, math.sqrt(ends[0] * ends[1])]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_command_of_the_agent_composes(path: Path) -> None:
    from wandb.sdk.launch.sweeps.utils import create_sweep_command, create_sweep_command_args

    sweep = yaml.safe_load(path.read_text())  # as `wandb sweep` does
    assert sweep["method"] == "bayes"
    assert (ROOT / sweep["program"]).is_file()
    drawn = {name: values(one) for name, one in sweep["parameters"].items()}
    register_resolvers()
    for place in range(max(map(len, drawn.values()))):
        args = {name: {"value": some[place % len(some)]} for name, some in drawn.items()}
        given = create_sweep_command_args({"args": args}) | {
            "env": ["/usr/bin/env"], "interpreter": ["python"], "program": [sweep["program"]],
        }  # fmt: skip
        words = []
        for part in create_sweep_command(list(sweep["command"])):
            words += given[re.sub(r"^\$\{(\w+)\}$", r"\1", part)]
        assert words[:3] == ["/usr/bin/env", "python", "train.py"]
        with initialize_config_dir(str(ROOT / "conf"), version_base=None):
            config = compose("train", overrides=["run=x", *words[3:]])
        assert config.logger._target_.endswith("WeightsAndBiases")
        for name, value in args.items():
            if "." in name:
                assert OmegaConf.select(config, name) == value["value"]
    split, metric = sweep["metric"]["name"].split("/")
    assert split == config.splits.validate and sweep["metric"]["goal"] == "maximize"
    source = Path(get_class(config.task._target_).__module__.replace(".", "/")).with_suffix(".py")
    names = (ROOT / source).read_text() + (ROOT / "src/pg_transfer/metrics").joinpath(
        "segmentation.py").read_text()  # fmt: skip
    assert f'"{metric}"' in names
