"""CIDEr of several languages, by hand and against each language alone."""

from __future__ import annotations

import pytest

from pg_transfer.metrics.bootstrap import intervals
from pg_transfer.metrics.captions import official_scores
from pg_transfer.metrics.captions_by_language import FORMULAS, score_by_language

WRITTEN = {
    "en": [["a dog runs fast today"], ["the bus is red and old"]],
    "te": [["ఒక కుక్క వేగంగా పరుగెత్తుతోంది నేడు"], ["బస్సు ఎరుపు రంగులో పాతది ఉంది"]],
    "zh": [["一 只 狗 跑 得 快"], ["公 交 车 是 红色 的"]],
}


def test_languages_are_scored_apart_and_averaged_by_hand() -> None:
    # A caption that is the only reference has a CIDEr of 10, if no other image shares its words;
    # one that shares no word has 0. English: both right. Telugu: one of two. Chinese: none.
    said = [
        ("en", 0, "A dog runs fast today."), ("te", 0, "ఒక కుక్క వేగంగా పరుగెత్తుతోంది నేడు"),
        ("zh", 0, "猫"), ("en", 1, "the bus is red and old"), ("te", 1, "పిల్లి"), ("zh", 1, "猫"),
    ]  # fmt: skip
    scores = score_by_language(
        [text for _, _, text in said],
        [WRITTEN[language][image] for language, image, _ in said],
        [language for language, _, _ in said],
    )
    expected = {
        "CIDEr_average": 500, "CIDEr_en": 1000, "CIDEr_average_2": 250, "CIDEr_te": 500,
        "CIDEr_zh": 0,
    }  # fmt: skip
    assert scores.metrics == pytest.approx(expected)
    assert list(scores.metrics) == list(expected)
    assert scores.examples[4] == {"CIDEr_te": 0}
    assert scores.examples[3] == {"CIDEr_en": pytest.approx(10)}


def test_how_rare_a_word_is_follows_from_its_language_alone() -> None:
    # "film" is in one of the English captions, and in all of the Danish ones.
    english = [["a film"], ["a dog"]]
    danish = [["en film her"], ["en anden film"]]
    said = ["a film", "a cat", "film her", "film"]
    scores = score_by_language(said, english + danish, ["en", "en", "da", "da"])
    for language, texts, written in (("en", said[:2], english), ("da", said[2:], danish)):
        alone = official_scores(texts, written, ["CIDEr"])
        assert scores.metrics[f"CIDEr_{language}"] == 100 * alone.metrics["CIDEr"]


def test_one_language_is_scored_as_any_captions() -> None:
    written = WRITTEN["te"]
    scores = score_by_language([written[0][0], "పిల్లి"], written, ["te", "te"])
    assert scores.metrics == {"CIDEr": pytest.approx(500)}
    assert [*scores.examples[0]] == ["CIDEr"]


def test_without_english_there_is_one_average() -> None:
    written = WRITTEN["te"] + WRITTEN["zh"]
    scores = score_by_language(["猫"] * 4, written, ["te", "te", "zh", "zh"])
    assert list(scores.metrics) == ["CIDEr_average", "CIDEr_te", "CIDEr_zh"]


def test_every_metric_has_an_interval() -> None:
    codes = sorted(WRITTEN) * 20
    written = [WRITTEN[code][number % 2] for number, code in enumerate(codes)]
    said = [texts[0] if number % 5 else "a cat" for number, texts in enumerate(written)]
    scores = score_by_language(said, written, codes)
    found = intervals(scores, FORMULAS)
    assert list(found) == list(scores.metrics)
    assert found["CIDEr_average_2"].low < scores.metrics["CIDEr_average_2"]


def test_what_does_not_fit_together_is_refused() -> None:
    with pytest.raises(ValueError, match="1 answers cannot be scored against 1 references and 2"):
        score_by_language(["a"], [["a"]], ["en", "te"])
    with pytest.raises(ValueError, match="an image has no reference"):
        score_by_language(["a", "b"], [["a"], []], ["en", "te"])
