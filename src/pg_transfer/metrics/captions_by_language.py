"""CIDEr of captions in many languages: of each language by itself, and its averages.

Source: big_vision configs/proj/paligemma/transfers/coco35l.py, where every language is a split to
score, and the averages of its README.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from pg_transfer.metrics.averages import require_as_many
from pg_transfer.metrics.captions import official_scores
from pg_transfer.task import Formula, Scores

ENGLISH = "en"
AVERAGE = "CIDEr_average"
MOST_OTHERS = 35
"""Languages besides English, in the benchmark that has most: XM3600."""


def score_by_language(
    captions: Sequence[str], references: Sequence[Sequence[str]], languages: Sequence[str]
) -> Scores:
    """The verdict on one caption for each image and language.

    How rare a word is for CIDEr follows from the references of its language alone. All languages
    are cut into tokens as English is, as in the paper: where no spaces are written, a clause may be
    one token.

    Args:
        captions: as they were given.
        references: for each, all that people wrote, or were translated to.
        languages: of each, by its code.

    Returns:
        In percent, of one language `CIDEr`. Of several `CIDEr_average`, their mean; `CIDEr_en` and
        `CIDEr_average_<n>`, the mean of the n others, if English is among them; and
        `CIDEr_<code>` of each other one. For each caption the CIDEr of its language.

    Raises:
        ValueError: no captions, not as many references or languages, or an image without any.
    """
    require_as_many(captions, references=references, languages=languages)
    rows: dict[str, list[int]] = defaultdict(list)
    for row, language in enumerate(languages):
        rows[language].append(row)
    examples: list[dict[str, float]] = [{} for _ in captions]
    metrics: dict[str, float] = {}
    for language, those in sorted(rows.items()):
        name = f"CIDEr_{language}" if len(rows) > 1 else "CIDEr"
        scores = official_scores(
            [captions[row] for row in those], [references[row] for row in those], ["CIDEr"]
        )
        metrics[name] = 100 * scores.metrics["CIDEr"]
        for row, one in zip(those, scores.examples, strict=True):
            examples[row][name] = one["CIDEr"]
    return Scores(_averages(metrics) | metrics if len(rows) > 1 else metrics, examples)


def _averages(metrics: Mapping[str, float]) -> dict[str, float]:
    """Those of the languages' metrics, and English before the others."""
    averages = {AVERAGE: _mean(metrics)}
    english = f"CIDEr_{ENGLISH}"
    if english in metrics:
        others = f"{AVERAGE}_{len(metrics) - 1}"
        averages |= {english: metrics[english], others: _mean(_without_english(metrics))}
    return averages


def _without_english(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name != f"CIDEr_{ENGLISH}"}


def _mean(values: Mapping[str, Any]) -> Any:
    return sum(values.values()) / len(values)


FORMULAS: Mapping[str, Formula] = {
    AVERAGE: lambda means: 100 * _mean(means),
    **dict.fromkeys(
        (f"{AVERAGE}_{count}" for count in range(1, MOST_OTHERS + 1)),
        lambda means: 100 * _mean(_without_english(means)),
    ),
}
"""How these follow from the means of the examples' scores of `score_by_language`."""
