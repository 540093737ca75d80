"""Scores a run, a checkpoint or a file of answers: `python evaluate.py run=runs/... split=test`."""

from __future__ import annotations

import sys

import hydra
from omegaconf import DictConfig

from pg_transfer.process.console import quiet_libraries, reports_errors
from pg_transfer.running.additions import refuse_typed_additions
from pg_transfer.running.choices import refuse_settings_of_training
from pg_transfer.running.settings import register_resolvers

register_resolvers()


@reports_errors
@hydra.main(version_base=None, config_path="conf", config_name="evaluate")
@reports_errors
def main(config: DictConfig) -> None:
    """The task's own score of what a run has learnt."""
    from pg_transfer.running.evaluation import evaluate

    quiet_libraries()  # importing Lightning has made it talkative
    refuse_typed_additions()
    evaluate(config)


if __name__ == "__main__":
    reports_errors(refuse_settings_of_training)(sys.argv[1:])
    main()
