"""The tokens of captions, as the official caption evaluation counts them.

Source: pycocoevalcap tokenizer/ptbtokenizer.py, which has Stanford CoreNLP 3.4.1's PTBTokenizer
lower-case and cut all captions as one text, one on a line, and then removes punctuation.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import cache

from pg_transfer.metrics.ptb.automaton import Automaton
from pg_transfer.metrics.ptb.characters import kinds
from pg_transfer.metrics.ptb.rules import RULES

# Brackets are here in capitals, as in the original, and so stay: tokens are in lower case by then.
_PUNCTUATION = frozenset(
    ["''", "'", "``", "`", "-LRB-", "-RRB-", "-LCB-", "-RCB-", ".", "?", "!", ",", ":", "-", "--",
     "...", ";"]
)  # fmt: skip
_LINE_ENDS = re.compile("[\n\r\v\f\u2028\u2029]")
_BEYOND_16_BITS = re.compile("[\U00010000-\U0010ffff]")
# Modifier letters that Java takes for small ones, and numbers like them.
_LIKE_SMALL = re.compile(
    "[\u02b0-\u02b8\u02c0-\u02c1\u02e0-\u02e4\u0345\u037a\u1d2c-\u1d61\u2160-\u217f\u24b0-\u24e9]"
)


def tokenize(captions: Sequence[str]) -> list[str]:
    """Each caption in lower case, its tokens separated by one space, without punctuation.

    What ends a caption depends on how the next one begins ("etc.", "U.S."), so that a set of
    captions has to be given whole, in the order of the files.

    A line end within a caption counts as a space. The original does so for a newline alone: after
    any other one it takes every caption for the one before it.
    """
    text = "\n".join(_LINE_ENDS.sub(" ", caption) for caption in captions)
    # A token can hold a line end (in a tag): it then belongs to two captions, as in the original.
    lines = re.sub(" ?\n ?", "\n", _joined(" ".join(_tokens(text)))).split("\n")
    return [
        " ".join(
            token for token in map(_lower, line.rstrip().split(" ")) if token not in _PUNCTUATION
        )
        for line in lines
    ]


def _tokens(text: str) -> Iterator[str]:
    """The tokens of `text` as they are written, a newline being one."""
    text = _BEYOND_16_BITS.sub(_halves, text)
    seen = kinds(text)
    every = _automata()
    start = 0
    while start < len(text):
        match = every.longest(seen, start)
        if match is None:  # Nothing begins with this character: it is left out.
            start += 1
            continue
        rule = RULES[match.pattern]
        end = _before(match.pattern, seen, start, match.end) if rule.before else match.end
        written = rule.write(text[start:end])
        if written:
            yield written
        start = end - rule.again


def _before(number: int, text: str, start: int, end: int) -> int:
    """Where the token ends, the latest possible, if what has to follow it ends at `end`."""
    token, following = _parts(number)
    ends = [match.end for match in token.matches(text, start) if match.end < end]
    return next(
        middle
        for middle in reversed(ends)
        if any(match.end == end for match in following.matches(text, middle))
    )


@cache
def _automata() -> Automaton:
    return Automaton([f"({rule.pattern})({rule.before})" for rule in RULES])


@cache
def _parts(number: int) -> tuple[Automaton, Automaton]:
    return Automaton([RULES[number].pattern]), Automaton([RULES[number].before])


def _lower(token: str) -> str:
    """As Java does it: the last sigma of a word is another letter, but words differ."""
    return (_greek_word().sub(_lower_sigmas, token) if "Σ" in token else token).lower()


@cache
def _greek_word() -> re.Pattern[str]:
    """How far Java looks around a capital sigma to see whether it ends a word.

    Ideographs and most kana are no letters there; marks and a few invisible signs belong to the
    letter before them, whatever the script.
    """
    letter = r"[^\W\d_\u3005\u3041-\u3094\u309d-\u309e\u30a0-\u30fe\u4e00-\u9fa5\uf900-\ufa2d]"
    marks = [chr(n) for n in range(0x300, 0x10000) if unicodedata.category(chr(n))[0] == "M"]
    mark = f"[{''.join(marks)}\u06dd\u070f]"
    return re.compile(
        rf"""(\d|{letter})(\d|{letter}|{mark}|(?<=\d)[.,'"](?=\d)"""
        rf"""|(?<={letter}|{mark})[-.'"_\xad\u058a\u2010-\u2015](?={letter}))*"""
    )


def _lower_sigmas(word: re.Match[str]) -> str:
    cased = [place for place, letter in enumerate(word[0]) if _has_case(letter)]
    if len(cased) > 1 and word[0][cased[-1]] == "Σ":
        return word[0][: cased[-1]].replace("Σ", "σ") + "ς" + word[0][cased[-1] + 1 :]
    return word[0].replace("Σ", "σ")


def _has_case(letter: str) -> bool:
    return unicodedata.category(letter) in ("Lu", "Ll", "Lt") or bool(_LIKE_SMALL.match(letter))


def _halves(character: re.Match[str]) -> str:
    """A character as the two surrogates that Java has for it."""
    above = ord(character[0]) - 0x10000
    return chr(0xD800 + (above >> 10)) + chr(0xDC00 + (above & 0x3FF))


def _joined(text: str) -> str:
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
