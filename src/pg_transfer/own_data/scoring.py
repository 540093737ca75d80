"""Metrics by name, and the one that fits data of a kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import NamedTuple

from pg_transfer.metrics import detection, labelled_masks, segmentation
from pg_transfer.metrics.matching import score_amounts, score_exact, score_matches
from pg_transfer.metrics.vqa import score_vqa
from pg_transfer.segmentation.masks import MaskCodec
from pg_transfer.task import Answer, Example, Formula, Scores

NAMES = {
    "exact": "how many answers are one of the suffixes, letter by letter",
    "vqa": "VQA accuracy against several people's answers",
    "anls": "how similar the spelling is to the nearest suffix, in lower case",
    "relaxed": "amounts right to five percent, all else letter by letter, in lower case",
    "cider": "CIDEr and the other metrics of captions",
    "box_ap": "COCO's average precision of boxes with labels",
    "miou": "mean IoU of masks",
    "none": "no score, the answers are only saved",
}
"""What each is."""

OF_OBJECTS = ("box_ap", "miou")

LONG_TEXT = 5
"""Words; answers that are longer on average are compared as captions."""

SEVERAL = 4
"""So many answers to every question are those of several people: three of them can agree that
an answer is right, whichever of them is left out."""


class Seen(NamedTuple):
    """What the choice of a metric goes by.

    Attributes:
        has_boxes: the answers are boxes.
        has_masks: the answers are masks.
        is_caption: the request asks for a caption.
        fewest: suffixes that an example has.
        words: in a suffix, on average.
    """

    has_boxes: bool
    has_masks: bool
    is_caption: bool
    fewest: int
    words: float


def choose_metric(seen: Seen) -> tuple[str, str]:
    """The metric that fits, and why."""
    if seen.has_masks:
        return "miou", "the answers are masks"
    if seen.has_boxes:
        return "box_ap", "the answers are boxes"
    if seen.is_caption:
        return "cider", "captions are asked for"
    if seen.fewest >= SEVERAL:
        return "vqa", f"every example has at least {SEVERAL} answers"
    if seen.words > LONG_TEXT:
        return "cider", f"answers have more than {LONG_TEXT} words"
    return "exact", "answers are short"


def require_metric(name: str) -> None:
    """Raises ValueError if there is no such metric, and ImportError if it cannot be computed."""
    if name not in NAMES:
        known = "\n".join(f"  {one:<8} {what}" for one, what in NAMES.items())
        raise ValueError(f"there is no metric {name!r}; there are\n{known}")
    if name == "cider":
        import_module("pg_transfer.metrics.captions")


def why_unscorable(name: str, examples: Sequence[Example]) -> str:
    """Why answers to these examples cannot be scored by the metric of that name; empty if they can.

    Where truths are missing there is nothing to score by, which is none of these reasons.
    """
    if name == "box_ap":
        scenes = [one.reference for one in examples]
        is_empty = None not in scenes and not any(scene.asked for scene in scenes)
        return "there is not one box to be found in its images" if is_empty else ""
    if not all(one.suffixes for one in examples):
        return ""
    if name == "vqa" and (alone := [one.id for one in examples if len(one.suffixes) < 2]):
        return (
            f"metric=vqa compares with the answers of several people, and example {alone[0]!r} has "
            f"one suffix only; metric=exact compares with it"
        )
    if name == "relaxed" and (several := [one.id for one in examples if len(one.suffixes) > 1]):
        return f"metric=relaxed compares with one suffix, and example {several[0]!r} has several"
    return ""


def formulas_of(name: str) -> Mapping[str, Formula]:
    """How metrics follow from the examples' scores, as in `Task.formulas`."""
    tables = {"box_ap": detection.FORMULAS, "miou": segmentation.FORMULAS}
    return tables.get(name, {})


def score(
    name: str, answers: Sequence[Answer], codec: MaskCodec | None, *, in_full: bool = False
) -> Scores:
    """The verdict on answers by the metric of that name; a count where truths are missing.

    Args:
        name: one of `NAMES`.
        answers: to a whole split.
        codec: draws masks; needed by `miou`.
        in_full: with metrics of captions that take long, as `Task.score_in_full` says.

    Raises:
        ValueError: the metric does not fit the examples.
    """
    if why := why_unscorable(name, [answer.example for answer in answers]):
        raise ValueError(why)
    texts = [answer.text for answer in answers]
    truths = [answer.example.suffixes for answer in answers]
    if name in OF_OBJECTS:
        scenes = [answer.example.reference for answer in answers]
        if None in scenes:
            return Scores({"answered": len(answers)}, [{} for _ in answers])
        if name == "box_ap":
            return detection.score_boxes(texts, scenes)
        assert codec is not None
        return labelled_masks.score_labelled_masks(texts, scenes, codec)
    if name == "none" or not all(truths):
        return Scores({"answered": len(answers)}, [{} for _ in answers])
    return _captions(texts, truths, in_full) if name == "cider" else _OF_TEXTS[name](texts, truths)


def _anls(texts: Sequence[str], truths: Sequence[Sequence[str]]) -> Scores:
    texts, truths = _lower(texts, truths)
    return score_matches(texts, truths).only({"anls": "anls", "accuracy_any": "accuracy"})


def _vqa(texts: Sequence[str], truths: Sequence[Sequence[str]]) -> Scores:
    return score_vqa(texts, truths).only({"accuracy": "accuracy"})


def _relaxed(texts: Sequence[str], truths: Sequence[Sequence[str]]) -> Scores:
    texts, truths = _lower(texts, truths)
    return score_amounts(texts, [one for (one,) in truths])


def _lower(
    texts: Sequence[str], truths: Sequence[Sequence[str]]
) -> tuple[list[str], list[list[str]]]:
    """In lower case, as DocVQA, InfoVQA, ST-VQA and ChartQA compare."""
    return [text.lower() for text in texts], [[one.lower() for one in those] for those in truths]


def _captions(texts: Sequence[str], truths: Sequence[Sequence[str]], in_full: bool) -> Scores:
    from pg_transfer.metrics.captions import METRICS, WITHOUT_JAVA, score_captions

    return score_captions(texts, truths, METRICS if in_full else WITHOUT_JAVA)


_OF_TEXTS: Mapping[str, Callable[[Sequence[str], Sequence[Sequence[str]]], Scores]] = {
    "exact": score_exact, "vqa": _vqa, "anls": _anls, "relaxed": _relaxed,
}  # fmt: skip
