"""Nothing is chosen by scores of what is learnt from, unless that is said."""

from __future__ import annotations

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from pg_transfer.running.judging import asked_otherwise, learnt_by_heart
from pg_transfer.running.mixing import with_components
from pg_transfer.running.settings import register_resolvers

CONF = Path(__file__).parents[2] / "conf"


def told(*settings: str) -> str:
    register_resolvers()
    with initialize_config_dir(str(CONF), version_base=None):
        return learnt_by_heart(with_components(compose("train", overrides=[*settings])))


@pytest.mark.parametrize("task", ["shapes", "refcoco", "coco_captions", "custom"])
def test_tasks_that_validate_on_what_they_do_not_learn(task: str) -> None:
    assert told(f"task={task}") == ""


@pytest.mark.parametrize("task", ["textvqa", "rsvqa_lr", "rsvqa_hr"])
def test_tasks_whose_published_splits_leave_nothing_to_validate_on(task: str) -> None:
    by_heart = told(f"task={task}")
    assert by_heart.startswith("scores of 'train[:")
    assert "learnt from ('train+val')" in by_heart and "final_split=false" in by_heart
    assert told(f"task={task}", "final_split=false") == ""


def test_a_split_of_the_users_own() -> None:
    assert told("task=custom", "splits.validate=train").endswith(
        "Name a split that is held out, splits.validate=..."
    )


def test_a_mixture_is_judged_by_all_of_its_tasks() -> None:
    mixture = ("task=mixture", "mixture=[coco_captions,textvqa]")
    assert told(*mixture).startswith("scores of 'train[:5120]', ")
    assert told(*mixture, "final_split=false") == ""
    assert told("task=mixture", "mixture=[coco_captions,refcoco]") == ""
    assert told(*mixture, "splits.validate=coco_captions/val") == ""


@pytest.mark.parametrize(
    ("learnt", "asked", "is_told"),
    [
        (None, None, False),  # by other tasks
        ("caption en", "caption en", False),
        ("{question}", "how many?", False),  # which is one of those that were learnt
        ("detect cat ; dog", "detect dog", True),
        ("detect {labels}", "detect cat ; dog", True),
        ("how many?", "{question}", True),
    ],
)
def test_other_requests_than_were_learnt_are_told(
    learnt: str | None, asked: str | None, is_told: bool
) -> None:
    told = f"asked is {asked!r}, and the run has learnt to answer {learnt!r}; a column"
    assert asked_otherwise(learnt, asked).startswith(told) == is_told
