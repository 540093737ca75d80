"""How a token's text is written down, in the manner of the Penn Treebank."""

from __future__ import annotations

_PLAIN_QUOTES = str.maketrans(
    {
        **dict.fromkeys("\x91\u2018\u201b\u2039", "`"),
        **dict.fromkeys("\x92\u2019\u203a", "'"),
        **dict.fromkeys("\x93\u201c\xab", "``"),
        **dict.fromkeys('"\x94\u201d\xbb', "''"),
    }
)
_AMOUNTS = str.maketrans(
    {"¢": "cents", "£": "#", **dict.fromkeys("\x80\xa4\u20a0€", "$")}
    | {"¼": "1/4", "½": "1/2", "¾": "3/4", "⅓": "1/3", "⅔": "2/3"}
)
_ROUND = str.maketrans({"(": "-LRB-", ")": "-RRB-"})
_BRACKETS = _ROUND | str.maketrans({"[": "-LSB-", "]": "-RSB-", "{": "-LCB-", "}": "-RCB-"})


def without_soft_hyphens(text: str) -> str:
    """At least a hyphen remains."""
    return text.replace("\xad", "") or "-"


def unbroken(text: str) -> str:
    """Spaces are made non-breaking, as they separate tokens."""
    return text.replace(" ", "\xa0")


def round_brackets(text: str) -> str:
    """Round brackets by name; others, in ":[", stay."""
    return text.translate(_ROUND)


def brackets(text: str) -> str:
    """A bracket by name."""
    return text.translate(_BRACKETS)


def phone(text: str) -> str:
    """A phone number, which may have spaces and brackets."""
    return round_brackets(unbroken(text))


def ampersand(text: str) -> str:
    """The entity is spelled out."""
    return text.lower().replace("&amp;", "&")


def quotes(text: str) -> str:
    """Quotation marks and apostrophes, of which entities count in lower case alone."""
    return text.replace("&apos;", "'").replace("&quot;", "''").translate(_PLAIN_QUOTES)


def amount(text: str) -> str:
    """A currency or a fraction in ASCII, as far as the Treebank knew it."""
    return text.translate(_AMOUNTS)


def dash(_: str) -> str:
    """A dash or its entity."""
    return "--"


def hyphens(text: str) -> str:
    """A few hyphens are a dash; five or more are a line and stay."""
    return dash(text) if len(text) < 5 else text


def ellipsis(_: str) -> str:
    """Dots of any kind."""
    return "..."


def less(_: str) -> str:
    """The sign or its entity."""
    return "<"


def greater(_: str) -> str:
    """The sign or its entity."""
    return ">"


def nothing(_: str) -> str:
    """What is no token."""
    return ""
