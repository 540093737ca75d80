"""After every validation its score, a few of its answers and where they are drawn."""

from __future__ import annotations

from collections import Counter

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.trainer.states import TrainerFn

from pg_transfer.process.console import say
from pg_transfer.reporting.page import sampled
from pg_transfer.task import Answer
from pg_transfer.training.checkpoints import KeepCheckpoints
from pg_transfer.training.scoring import Result, ScoreTask

LONGEST = 60
"""Characters of a prompt or an answer; tokens of masks would fill the screen."""


class ShowSamples(Callback):
    """Prints them; stands behind `scorer` and `keeper` among the callbacks.

    Args:
        scorer: knows the answers.
        keeper: knows the best score.
        count: of answers, the same examples each time; 0 for the score alone.
    """

    def __init__(self, scorer: ScoreTask, keeper: KeepCheckpoints, *, count: int) -> None:
        self.scorer, self.keeper, self.count = scorer, keeper, count

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Prints them, on the first process and while training alone."""
        if trainer.state.fn != TrainerFn.FITTING or not trainer.is_global_zero:
            return
        split, updates = self.scorer.split, self.scorer.data.steps
        result = self.scorer.results[split]
        name, value = result.headline
        if self.keeper.best_step == trainer.global_step:
            rank = "the best so far"
        else:
            rank = f"best {self.keeper.best:.2f} after update {self.keeper.best_step}"
        say(f"{split} after update {result.step:,} of {updates:,}: {name} {value:.2f}, {rank}")
        for row in sampled(len(result.answers), self.count):
            say(f"  {sample(result, row)}")
        if result.record.picture is not None:
            say(f"  drawn: {result.record.picture}")


def sample(result: Result, row: int) -> str:
    """Prompt, answer, truth and the first score of an answer, in a line."""
    answer: Answer = result.answers[row]
    example, graded = answer.example, result.scores.examples[row]
    parts = [shortened(example.prefix), "→", shortened(answer.text) or "(nothing)"]
    if example.suffixes:
        (common, _), *_ = Counter(example.suffixes).most_common(1)
        parts.append(f"({shortened(common)})")
    parts += [f"{name} {value:.2f}" for name, value in list(graded.items())[:1]]
    return " ".join(parts)


def shortened(text: str) -> str:
    """At most `LONGEST` characters, in one line."""
    line = " ".join(text.split())
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"
