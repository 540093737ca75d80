"""What tasks share that ask for a caption of each image: the request, and how it is scored.

Source: big_vision evaluators/proj/paligemma/transfers/coco_caption.py.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from pg_transfer.data.questions import QuestionTask, texts_and_suffixes
from pg_transfer.metrics.bleu import FORMULAS
from pg_transfer.metrics.captions import METRICS, WITHOUT_JAVA, score_captions
from pg_transfer.task import Answer, Scores

PREFIX = "caption en"


class CaptionTask(QuestionTask):
    """One example for each image, whose suffixes are what people wrote of it."""

    formulas = FORMULAS

    def verdict(self, answers: Sequence[Answer]) -> Scores:
        """The caption metrics that need no Java, CIDEr first."""
        return self.scored(answers, WITHOUT_JAVA)

    def score_in_full(self, answers: Sequence[Answer]) -> Scores:
        """All caption metrics that can be worked out here, CIDEr first; or as `score`."""
        if not all(answer.example.suffixes for answer in answers):
            return self.score(answers)
        return self.scored(answers, METRICS)

    def scored(self, answers: Sequence[Answer], wanted: Collection[str]) -> Scores:
        """The `wanted` metrics of a split whose images all have captions."""
        return score_captions(*texts_and_suffixes(answers), wanted)


def captions_of(texts: Sequence[str]) -> tuple[str, ...]:
    """All that people wrote of one image, empty ones included: the paper's data has them, too.

    Raises:
        ValueError: none says anything.
    """
    if not any(text.strip() for text in texts):
        raise ValueError("it has no caption that says anything")
    return tuple(texts)
