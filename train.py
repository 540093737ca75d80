"""Fine-tunes a PaliGemma on a task and scores it: `python train.py task=refcoco resolution=448`."""

from __future__ import annotations

import sys
from pathlib import Path

import hydra
from omegaconf import DictConfig, OmegaConf

from pg_transfer.process.console import quiet_libraries, reports_errors
from pg_transfer.process.secrecy import refuse_typed_secrets
from pg_transfer.running.choices import each_tracker, explain_choices, listed
from pg_transfer.running.settings import register_resolvers

CONF = Path(__file__).parent / "conf"

register_resolvers()
OmegaConf.register_new_resolver("choices", lambda group: listed(CONF / group), replace=True)


@reports_errors
@hydra.main(version_base=None, config_path="conf", config_name="train")
@reports_errors
def main(config: DictConfig) -> float | None:
    """One transfer, from the paper's recipe to the task's own score, which it returns."""
    from pg_transfer.running.transfer import transfer

    quiet_libraries()  # importing Lightning has made it talkative
    return transfer(config)


if __name__ == "__main__":
    reports_errors(explain_choices)(CONF, sys.argv[1:])
    sys.argv[1:] = each_tracker(sys.argv[1:])
    reports_errors(refuse_typed_secrets)(sys.argv[1:])
    main()
