"""BLEU of a split from what its captions add to it, so that splits can be drawn anew.

The scorer of pycocoevalcap counts; here is what follows from the counts (Papineni et al. 2002).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from pg_transfer.task import Formula

BLEU = ("Bleu_1", "Bleu_2", "Bleu_3", "Bleu_4")


def parts_of(counts: Mapping[str, Any]) -> dict[str, float]:
    """Of one caption: its words, those of the reference nearest in length, and its n-grams.

    Args:
        counts: an entry of `ctest` of pycocoevalcap's `BleuScorer`.
    """
    words = counts["testlen"]
    parts = {
        "words": words,
        "reference_words": min(counts["reflen"], key=lambda other: (abs(other - words), other)),
    }
    for order, (right, all_) in enumerate(zip(counts["correct"], counts["guess"], strict=True), 1):
        parts |= {f"right_{order}_grams": right, f"{order}_grams": all_}
    return parts


def _bleu_of(order: int) -> Formula:
    """BLEU from the means of the captions' parts (Papineni et al. 2002, section 2.3)."""

    def formula(means: Mapping[str, Any]) -> Any:
        shares = [means[f"right_{n}_grams"] / means[f"{n}_grams"] for n in range(1, order + 1)]
        brevity = np.exp(np.minimum(0.0, 1 - means["reference_words"] / means["words"]))
        return 100 * brevity * np.prod(shares, axis=0) ** (1 / order)

    return formula


FORMULAS: Mapping[str, Formula] = {name: _bleu_of(order) for order, name in enumerate(BLEU, 1)}
"""How these follow from the means of the captions' parts."""
