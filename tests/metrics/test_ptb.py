"""Tokens of captions against the official tokenizer, a Java program, live and recorded."""

from __future__ import annotations

import json
import re
import runpy
import shutil
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pg_transfer.metrics.ptb.automaton import Automaton
from pg_transfer.metrics.ptb.characters import UNKNOWN, kinds
from pg_transfer.metrics.ptb.tokenizer import tokenize

RECORDED_IN = Path(__file__).parent / "recorded"
RECORDING, LANGUAGES_RECORDING = RECORDED_IN / "ptb.json", RECORDED_IN / "ptb_languages.json"
SCRIPT = runpy.run_path(str(Path(__file__).parents[2] / "scripts" / "record_ptb.py"))
captions: Callable[[int, int], list[str]] = SCRIPT["captions"]
captions_of_languages: Callable[[int, int], list[str]] = SCRIPT["captions_of_languages"]


@pytest.fixture
def java_tokens() -> Callable[[Sequence[str]], list[str]]:
    if shutil.which("java") is None:
        pytest.skip("no Java")
    pytest.importorskip("pycocoevalcap")
    return SCRIPT["java_tokens"]


def differences(texts: Sequence[str], expected: Sequence[str]) -> list[tuple[str, str, str]]:
    rows = zip(texts, tokenize(texts), expected, strict=True)
    return [row for row in rows if row[1] != row[2]]


@pytest.mark.parametrize(("path", "count"), [(RECORDING, 2400), (LANGUAGES_RECORDING, 600)])
def test_equals_what_was_recorded(path: Path, count: int) -> None:
    texts, expected = zip(*json.loads(path.read_text(encoding="utf-8")), strict=True)
    assert len(texts) == count
    assert differences(texts, expected) == []


def test_what_was_recorded_has_the_scripts_of_all_languages() -> None:
    recorded = [text for text, _ in json.loads(LANGUAGES_RECORDING.read_text(encoding="utf-8"))]
    assert recorded[:43] == captions_of_languages(0, 43)  # those that are written out
    scripts = {unicodedata.name(letter, "").split(" ")[0] for text in recorded for letter in text}
    assert scripts >= {
        "ARABIC", "BENGALI", "CJK", "CYRILLIC", "DEVANAGARI", "FULLWIDTH", "GREEK", "HANGUL",
        "HEBREW", "HIRAGANA", "KATAKANA", "LATIN", "TELUGU", "THAI", "COMBINING", "ZERO",
    }  # fmt: skip


def test_equals_java(java_tokens: Callable) -> None:
    for texts in (captions(1, 6000), captions_of_languages(1, 6000)):
        assert differences(texts, java_tokens(texts)) == []


@pytest.mark.slow
def test_ends_of_words_equal_java_beside_every_letter(java_tokens: Callable) -> None:
    # Whether a capital sigma ends a word follows from what Java takes for letters and marks.
    characters = [chr(code) for code in range(0x80, 0x10000) if not 0xD800 <= code < 0xE000]
    beside = [one for one in characters if not one.isspace()]
    texts = [f"aΣ{one} a{one}Σ aΣ{one}b {one}Σ" for one in beside]
    assert differences(texts, java_tokens(texts)) == []


def test_equals_java_on_real_captions(java_tokens: Callable, sample_data: Path) -> None:
    files = sorted(sample_data.glob("coco_captions_sample/annotations/captions_*.json"))
    if not files:
        pytest.skip("no COCO sample")
    texts = [
        row["caption"] for path in files for row in json.loads(path.read_text())["annotations"]
    ]
    assert len(texts) > 400
    assert differences(texts, java_tokens(texts)) == []


# What the recording was made from has these as well; here to be read.
@pytest.mark.parametrize(
    ("caption", "tokens"),
    [
        ("A man (left) doesn't smile.\n", "a man -lrb- left -rrb- does n't smile"),
        ('The dogs\' "toy", e.g. a ball, cannot roll', "the dogs toy e.g. a ball can not roll"),
        ("1,000.5 of 3/4 ½ at 12:30 costs $5 -- 50%", "1,000.5 of 3/4 1/2 at 12:30 costs $ 5 50 %"),
        ("Wait... what?! :) <3", "wait what ?! :-rrb- < 3"),
        ("AT&amp;T, me@x.com and http://a.com/b.", "at&t me@x.com and http://a.com/b"),
        ("soft\u00adhyphen 😀 1 1/2 caf\u00e9", "softhyphen 1\u00a01/2 caf\u00e9"),
        ("", ""),
        (" . ", ""),
    ],
)
def test_tokens(caption: str, tokens: str) -> None:
    assert tokenize([caption]) == [tokens]


def test_the_next_caption_decides_what_a_period_ends() -> None:
    assert tokenize(["vitamin C.", "The dog"])[0] == "vitamin c"
    assert tokenize(["vitamin C.", "the dog"])[0] == "vitamin c."


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n", "\v", "\f", "\u2028", "\u2029"])
def test_a_line_end_is_a_space_and_captions_stay_apart(end: str) -> None:
    assert tokenize([f"a{end}dog{end}", f"{end}a cat", "a cow"]) == ["a dog", "a cat", "a cow"]


def test_a_tag_that_spans_two_captions() -> None:
    # As the original prints it: the tag is one token, and its line end ends the caption.
    assert tokenize(["see <a b='x", "y'> now", "a"]) == ["see <a\u00a0b='x", "y'> now", "a"]


def test_nothing_at_all() -> None:
    assert tokenize([""]) == [""]
    assert tokenize(["", "", "a", ""]) == ["", "", "a", ""]


def test_lone_surrogates_do_no_harm() -> None:
    assert tokenize(["a \ud83d dog", "http://x\ud83d"]) == ["a dog", "http://x\ud83d"]


def test_kinds_are_those_of_unicode_as_it_was() -> None:
    # Counted in the table of character classes of the lexer in Stanford CoreNLP 3.4.1. A Python
    # with another Unicode may know letters and digits that were unknown then.
    counts = Counter(kinds("".join(map(chr, range(128, 65536)))))
    assert counts["\xe9"] == 47477
    assert counts["\xc9"] == 929
    assert counts["\u0660"] == 340
    assert counts["\u0300"] == 500
    # 26 of them are ASCII; 4 that are ignored count as them, and 2 line ends, gone by then.
    assert counts[UNKNOWN] == 13226 - 26 + 4 + 2


patterns = st.recursive(
    st.sampled_from(["a", "b", "ab", "[ab]", "[^a]", "[^ab]", r"\.", "[a-c]"]),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map("(%s|%s)".__mod__),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "{1,2}", "{2,}"])).map(
            lambda pair: f"({pair[0]}){pair[1]}"
        ),
    ),
    max_leaves=6,
)


@given(st.lists(patterns, min_size=1, max_size=3), st.text("abc.", max_size=8))
@example(["a|ab", "(a|ab)(c|bcd)"], "abcd")
def test_finds_the_longest_match_of_the_first_pattern(these: list[str], text: str) -> None:
    expected = None
    for end in range(1, len(text) + 1):
        fitting = [i for i, one in enumerate(these) if re.fullmatch(one, text[:end])]
        if fitting:
            expected = (end, fitting[0])
    assert Automaton(these).longest(text, 0) == expected


def test_letters_match_in_either_case_outside_of_brackets_alone() -> None:
    automaton = Automaton(["ki[s]"])
    spellings = ["kis", "KIs", "\u212aıs", "Kİs", "kiS", "ki\u017f", "xis"]
    assert [bool(automaton.longest(text, 0)) for text in spellings] == [True] * 4 + [False] * 3


def test_a_pattern_with_a_bracket_too_many_is_refused() -> None:
    with pytest.raises(ValueError, match="a bracket too many"):
        Automaton(["(a))"])
