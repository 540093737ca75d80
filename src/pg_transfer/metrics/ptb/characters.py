"""What kind of character each one is: the rules see one representative of every kind.

Characters of one kind are treated alike, so that the rules need to know a hundred characters and
not sixty thousand. The kinds were measured character by character with Stanford CoreNLP 3.4.1.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

UNKNOWN = "\x01"
"""Stands for what no token is made of; it separates tokens and is dropped."""

# Representative, and the characters that count as it: single or first-last, hexadecimal.
_KINDS = {
    # Spaces, besides the plain one, the tabulator and the non-breaking one.
    "\u2003": "2000-200a 3000",
    # Quotation marks: single ones open and close, all others.
    "\u2018": "91 2018 201b",
    "\u2019": "92 2019",
    "\u201c": "93-94 ab bb 201a 201c-201f 2039-203a",
    "\u2014": "96-97 2013-2015",  # dashes
    "\u2010": "58a 2010-2011",  # hyphens
    "\u2026": "2026",
    "\u3001": "3001",
    "\x85": "85",
    "\xa0": "a0",
    "\xad": "ad",
    "\u20ac": "80 a2-a5 60b e3f 20a0 20a4 20ac ffe0-ffe1 ffe5-ffe6",  # currencies
    # Numbers: separators of digits, fractions and their slash, raised and lowered digits and signs.
    "\u066b": "66b-66c",
    "\xbd": "bc-be 2153-215e",
    "\u2044": "2044",
    "\xb2": "b2-b3 b9 2070 2074-2079",
    "\u2080": "2080-2089",
    "\u207a": "207a-207b 208a-208b",
    # Capitals that are no letters: unknown on their own, and symbols.
    "\u2160": "2160-216f",
    "\u24b6": "24b6-24cf",
    # Marks that may stand inside a word.
    "\u0300": (
        "2c2-2c5 2d2-2df 2e5-2eb 2ed 2ef-36f 375 378-379 384-385 3f6 483-487 55a-55f 591-5bd 5bf "
        "5c1-5c2 5c4-5c5 5c7 615-61a 64b-65e 670 6d6-6e4 6e7-6ed 6fd-6fe 70f 711 730-74c 7a6-7b0 "
        "7eb-7f3 900-903 93c 93e-94e 951-955 962-963 981-983 9bc 9be-9c4 9c7-9c8 9cb-9cd 9d7 "
        "9e2-9e3 a01-a03 a3c a3e-a4f a81-a83 abc abe-acf b82 bbe-bc2 bc6-bc8 bca-bcd c01-c03 "
        "c3e-c56 d3e-d44 d46-d48 e31 e34-e3a e47-e4e eb1 eb4-ebc ec8-ecd"
    ),
    # Symbols: a token each.
    "\xd7": (
        "a1 a6-a9 ac ae-b1 b4 b6-b8 bf d7 f7 37e 387 589 5be 5c0 5c3 5c6 5f3-5f4 600-603 606-60a "
        "60c 614 61b 61e-61f 66a 66d 6d4 700-70d 7f6-7f8 964-965 e4f 1fbd 2016-2017 2020-2023 "
        "2030-2038 203b 203e-2042 207c-207e 208c-208e 2100-2101 2103-2106 2108-2109 2114 2116-2118 "
        "211e-2123 2125 2127 2129 212e 213a-213b 2140-2144 214a-214d 214f 2190-24b5 24d0-2bff 3002 "
        "3012 30fb ff01-ff0f ff1a-ff20 ff3b-ff40 ff5b-ff65"
    ),
    # Letters and digits that Unicode has named since.
    UNKNOWN: (
        "37f 528-52f 560 588 5ef 860-887 889-88e 8a1 8ad-8c9 978 980 9fc af9 c34 c5a c5d c80 cdd "
        "d04 d54-d56 d5f de6-def e86 e89 e8c e8e-e93 e98 ea0 ea8-ea9 eac 13f5-13fd 16f1-16f8 170d "
        "171f 1878 191d-191e 19b0-19c0 19c8-19c9 1b4c 1c80-1cbf 1cf2-1cf3 1cfa 2c2f 2c5f 312e-312f "
        "31bb-31bf 4db6-4dbf 9fcd-9fff a698-a69d a78f a794-a79f a7ab-a7f7 a8fd-a8fe a9e0-a9fe "
        "aa7e-aa7f ab30-abbf"
    ),
    # And letters that were.
    "\xe9": "1885-1886 13a0-13f4",
}
_LETTER, _CAPITAL, _DIGIT = "\xe9", "\xc9", "\u0660"
# Letters with a case of i, k or s, which the rules may spell out.
_THEMSELVES = "ıİſ\u212a"


def kinds(text: str) -> str:
    """The representative of each character of `text`."""
    return text.translate(_Kinds())


class _Kinds(dict[int, str]):
    """A table for `str.translate`, filled as texts ask."""

    def __missing__(self, code: int) -> str:
        self[code] = kind = _kind(chr(code))
        return kind


def _kind(character: str) -> str:
    if character.isascii():
        return character if character.isprintable() or character in "\t\n" else UNKNOWN
    listed = _listed().get(character)
    if listed or character in _THEMSELVES:
        return listed or character
    match unicodedata.category(character):
        case "Nd":
            return _DIGIT
        case "Lu" | "Ll" | "Lt" | "Lm" | "Lo":
            return _CAPITAL if character.isupper() else _LETTER
    return UNKNOWN


@lru_cache(maxsize=1)
def _listed() -> dict[str, str]:
    found = {}
    for kind, ranges in _KINDS.items():
        for part in ranges.split():
            first, _, last = part.partition("-")
            for code in range(int(first, 16), int(last or first, 16) + 1):
                found[chr(code)] = kind
    return found
