"""What a run is judged by while it learns: data that is held out, or what it knows by heart."""

from __future__ import annotations

from omegaconf import DictConfig

from pg_transfer.data.splits import is_part

JOINED = "validate"
"""The split of a mixture that is made of those of its tasks."""

LABELS = "{labels}"
"""In a template, the objects of the image; any other column is for the examples to differ in."""


def learnt_by_heart(config: DictConfig) -> str:
    """That the run is judged by what it learns from, in words; empty if it is not.

    Names alone are compared, so that the data need not be there. The published splits of some tasks
    leave nothing to validate on; and of a mixture it is true if it is of one of its tasks.
    """
    judged = [config.splits]
    if config.splits.validate == JOINED:
        judged += [one.splits for one in (config.task.get("components") or {}).values()]
    for splits in judged:
        if is_part(str(splits.validate), of=str(splits.train)):
            remedy = (
                "Hold data out with final_split=false"
                if config.get("final_split") is True
                else "Name a split that is held out, splits.validate=..."
            )
            return (
                f"scores of {splits.validate!r}, which is learnt from ({splits.train!r}): they "
                f"tell how much is known by heart, not what is better. {remedy}"
            )
    return ""


def asked_otherwise(learnt: str | None, asked: str | None) -> str:
    """That own data are asked something else than a run has learnt to answer; empty if not.

    Args:
        learnt: what the run asks of every image, or its template; None where that is the task's.
        asked: likewise of the data at hand.
    """
    if not learnt or not asked or learnt == asked or "{" in learnt.replace(LABELS, ""):
        return ""
    return (
        f"asked is {asked!r}, and the run has learnt to answer {learnt!r}; a column `prefix` in "
        f"the data asks the same"
    )
