"""Fine-tunes a PaliGemma on a task and scores it: `python train.py task=refcoco resolution=448`."""

from __future__ import annotations

import hydra
from omegaconf import DictConfig

from pg_transfer.console import quiet_libraries, reports_errors
from pg_transfer.settings import register_resolvers

register_resolvers()


@hydra.main(version_base=None, config_path="conf", config_name="train")
@reports_errors
def main(config: DictConfig) -> None:
    """One transfer, from the paper's recipe to the task's own score."""
    from pg_transfer.transfer import transfer

    quiet_libraries()  # importing Lightning has made it talkative
    transfer(config)


if __name__ == "__main__":
    main()
