"""What counts as one token of English text.

The behaviour is that of the lexer in Stanford CoreNLP 3.4.1 with its usual options, as far as it
shows once tokens are in lower case and punctuation is removed; worked out from its published
specification, and by comparing outputs. Oddities are the original's. Patterns are written for
`Automaton`, and read the representatives of `characters.kinds`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from pg_transfer.metrics.ptb import writing


class Rule(NamedTuple):
    """One kind of token. The longest match, context included, wins; then the first rule.

    Attributes:
        pattern: the token.
        before: what has to follow it, without becoming part of it.
        write: the text of the token to what is written down; nothing to leave it out.
        again: how many characters at its end are read once more.
    """

    pattern: str
    before: str = ""
    write: Callable[[str], str] = str
    again: int = 0


_SPACE = "[ \t\xa0\u2003]"
_GAP = "[ \t\xa0\u2003\n\x85]"
_PURE_LETTER = "[A-Za-zéÉıİſ\u212a]"
_LETTER = f"({_PURE_LETTER}|[\xad\u0300]|&[aeiouAEIOU](acute|grave|uml);)"
_DIGIT = "[0-9\u0660]"
_APOSTROPHE = "(['\u2019]|&apos;)"
_LIKE_APOSTROPHE = "(['\u2019`\u2018]|&apos;)"
_PAUSE = "[,;:\u3001]"
_HYPHEN = "[-_\u2010]"

_TAG_NAME = r"[A-Za-z][-A-Za-z0-9_:.]*"
_TAG = (
    r"<([!?][-A-Za-z][^>\r\n]*"
    rf"|{_TAG_NAME}( +({_TAG_NAME}|{_TAG_NAME} *= *('[^']*'|\"[^\"]*\")))* */?"
    rf"|/{_TAG_NAME}) *>"
)

_WORD_PART = f"{_LETTER}({_LETTER}|{_DIGIT})*"
_WORD = f"{_WORD_PART}([.!?]{_WORD_PART})*"
_ENDING = f"{_APOSTROPHE}([msdMSD]|re|ve|ll)"
_NOT = f"n{_LIKE_APOSTROPHE}t"
_NOT_N = "[A-Za-z\xad]*[A-MO-Za-mo-z]\xad*"

# Words with an apostrophe that stay whole.
_WITH_APOSTROPHE = "|".join(
    [
        f"{_APOSTROPHE}n{_APOSTROPHE}?",
        f"([lLdDjJ]|Dunkin|somethin|ol){_APOSTROPHE}",
        f"{_APOSTROPHE}([2-9]0s|till?|em|cause)",
        f"O{_LIKE_APOSTROPHE}o|[A-HJ-XZn]{_LIKE_APOSTROPHE}{_PURE_LETTER}{{2,}}",
        f"{_PURE_LETTER}+[aeiouyAEIOUY]{_LIKE_APOSTROPHE}[aeiouA-Z]{_PURE_LETTER}*",
        r"cont'd\.?|'twas|nor'easter|c'mon|e'er|s'mores|ev'ry|li'l|nat'l",
    ]
)

_NUMBER = f"[-+]?({_DIGIT}+|{_DIGIT}*([.:,\xad\u066b]{_DIGIT}+)+)"
_DATE = f"{_DIGIT}{{1,2}}[-/]{_DIGIT}{{1,2}}[-/]{_DIGIT}{{2,4}}"
_FRACTION = f"({_DIGIT}{{1,4}}[- \xa0])?{_DIGIT}{{1,4}}(\\\\?/|\u2044){_DIGIT}{{1,4}}"
_GROUP_END = "[- \xa0]"
_PHONE = (
    rf"(\([0-9]{{2,3}}\)[ \xa0]?|(\+\+?)?([0-9]{{2,4}}{_GROUP_END})?[0-9]{{2,4}}{_GROUP_END})"
    rf"[0-9]{{3,4}}{_GROUP_END}?[0-9]{{3,5}}"
    r"|((\+\+?)?[0-9]{2,4}\.)?[0-9]{2,4}\.[0-9]{3,4}\.[0-9]{3,5}"
)

_URL_END = r"""[^ \t\n\f\r"<>|.!?(){},-]"""
# The class runs from comma to underscore, so that neither capitals nor digits make a host.
_HOST_PART = r"""[^ \t\n\f\r"`'<>|.!?(){},-_$]+\."""
_URL = (
    rf"""https?://[^ \t\n\f\r"<>|(){{}}]+{_URL_END}"""
    rf"""|(www\.([^ \t\n\f\r"<>|.!?(){{}},]+\.)+[a-zA-Z]{{2,4}}"""
    rf"""|({_HOST_PART})+(com|net|org|edu))(/[^ \t\n\f\r"<>|()]+{_URL_END})?"""
)
_NOT_IN_MAIL = ' \t\n\f\r"<>|(){}\xa0'
_MAIL_PART = f"[^{_NOT_IN_MAIL}.]+"
_MAIL = rf"(&lt;|<)?[a-zA-Z0-9][^{_NOT_IN_MAIL}]*@({_MAIL_PART}\.)*{_MAIL_PART}(&gt;|>)?"
_FILE_TYPES = (
    "bat|bmp|c|class|cgi|cpp|dll|docx?|exe|gif|gz|h|html?|jar|java|jpe?g|mov|mp3|pdf|php|pl|png|"
    "ppt|ps|py|sql|tar|txt|wav|x|xml|zip"
)
_FILE = rf"({_LETTER}|{_DIGIT})+(\.({_LETTER}|{_DIGIT})+)*\.({_FILE_TYPES})"

# Letters with periods: U.S.S.R, a.m. A period at the end is not included.
_COUNTRIES = r"(Canada|Sino|Korean|EU|Japan|non)-U\.S|U\.S\.-(U\.K|U\.S\.S\.R)"
_LETTERS = rf"[A-Za-z](\.[A-Za-z])*|{_COUNTRIES}"
_MORE_LETTERS = rf"[A-Za-z](\.[A-Za-z])+|{_COUNTRIES}"

# Abbreviations that may end a sentence. A letter in brackets has to be of this case.
_STATES = (
    "[A]rk|[A]z|[D]el|[I]ll|[L]a|[M]ass|[M]iss|[O]re|[P]a|[T]ex|[W]ash|Ala|Ariz|Calif|Colo|Conn|"
    "Ct|Dak|Fla|Ga|Ind|Kans?|Ky|Md|Mich|Minn|Mo|Mont|Neb|Nev|Okla|Penn|Tenn|Va|Vt|Wisc?|Wyo"
)
_FIRMS_AND_TIMES = (
    r"al|Apr|Assn|Aug|Bancorp|Bhd|Bldg|Blvd|Bros|Corp|Cos?|Dec|Ed\.D|Esq|est|etc|ext|Feb|Fri|Inc|"
    r"Intl|Jan|Jr|Jul|Jun|Ltd|Mar|Mon|Nov|Oct|Ph\.D|Plc|Pp?t[ye]s?|Rd|Rt|Sept?|seq|sq|Sr|Sys|tel|"
    "Thu|Thurs|Tues?|Univ|Wed"
)
_MAY_END = rf"({_STATES}|{_FIRMS_AND_TIMES})\."
# Abbreviations that do not end one, and some that only a number may follow.
_TITLES = (
    "[M]iss|Adj|Adm|Adv|Alex|Assoc|Asst|Attys?|Ave|Brig|Capt|cf|Cie|Co?mdr|Col|Cpl|Dept|Det|Drs?|"
    "Elec|Ens|Ft|Gen|Govs?|Hon|Insp|Invt|Jos|Lieut|Lt|M[ft]g|Maj|Messrs|Mlle|Mme|Mr|Mrs|Ms|Msgr|"
    "Mt|Natl|Pfc|Ph|Pres|Profs?|Pvt|Reps?|Rev|Sens?|Sfc|Sgt|Spc|Ste?|Supts?|TREAS|vs|Wm"
)
_GOES_ON = rf"({_TITLES}|{_LETTERS})\."
_BEFORE_NUMBER = r"(art|bldg|ca|figs?|nos?|op|pp|prop)\."
# After a single letter with a period, these show that the period ended a sentence.
_BEGINNINGS = (
    r"[A](|bout|ccording|dditionally|fter|n|s|t)|[B]ut|[E]arlier|[H](e|er|ere|owever)|[I](f|n|t)|"
    r"[L]ast|[M](any|ore|r\.|s\.)|[N]ow|[O](nce|ne|ther|ur)|[S](he|ince|o|ome|uch)|"
    r"[T]h(at|e|eir|en|ere|ese|ey|is)|[W](e|hen|hile|hat)|[Y](et|ou)"
)

_COMPOUND = (
    f"([dDoOlL]{_LIKE_APOSTROPHE}({_PURE_LETTER}|[0-9\u0660]))?({_PURE_LETTER}|[0-9\u0660])+"
)
_HYPHENATED = f"{_COMPOUND}({_HYPHEN}{_COMPOUND})*"
_WITH_HYPHENS = f"[A-Za-z0-9][A-Za-z0-9.,\xad]*(-([A-Za-z0-9\xad]+|({_MORE_LETTERS})\\.))+"
_SLASHED_PART = "[A-Za-z0-9]+(-[A-Za-z]+){0,2}"
_SLASHED = rf"{_SLASHED_PART}(\\?/{_SLASHED_PART}){{1,2}}"
_SPECIAL = (
    r"-(RRB|LRB|RCB|LCB|RSB|LSB)-|C\.D\.s|pro-|anti-|S(&|&amp;)(P-500|Ls)"
    f"|Cap{_APOSTROPHE}n|c{_APOSTROPHE}est"
)
_WITH_AMPERSAND = "[A-Z]+(([+&]|&amp;)[A-Z]+)+"

_SMILEY = r"[<>]?[:;=][-o*']?[()DPdpO\\{@|\[\]]"
_FACE = (
    r"[\^x=~<>]\.\[\^x=~<>\]|[-\^x=~<>']_[-\^x=~<>']"
    r"|\([-\^x=~<>'][_.]?[-\^x=~<>']\)|\([\^x=~<>']-[\^x=~<>'`]\)"
)

RULES = (
    Rule(r"c\+\+|(c|f)#"),
    # Words that are two.
    Rule("can", before="not"),
    Rule("'t", before="was|is"),
    Rule("gon|wan", before="na"),
    Rule("got", before="ta"),
    Rule("lem|gim", before="me"),
    # Tags and entities.
    Rule(_TAG, write=writing.unbroken),
    Rule("&(MD|mdash|ndash);|\u2014", write=writing.dash),
    Rule("&amp;", write=writing.ampersand),
    Rule("&(HT|TL|UR|LR|QC|QL|QR|odq|cdq|#[0-9]+);"),
    # Words.
    Rule(_WORD, before=_ENDING, write=writing.without_soft_hyphens),
    Rule(_NOT_N, before=_NOT, write=writing.without_soft_hyphens),
    Rule(_WORD, write=writing.without_soft_hyphens),
    Rule(_WITH_APOSTROPHE),
    Rule(f"y{_APOSTROPHE}", before=_PURE_LETTER),
    Rule(_URL),
    Rule(_MAIL),
    Rule(f"@[a-zA-Z_][a-zA-Z_0-9]*|#{_LETTER}+"),
    Rule(f"{_ENDING}|{_NOT}", before="[^A-Za-z]", write=writing.quotes),
    # Numbers.
    Rule(_DATE),
    Rule(_NUMBER, write=writing.without_soft_hyphens),
    Rule("\u207a?(\xb2+|\u2080+)"),
    Rule(_FRACTION, write=writing.unbroken),
    Rule("\xbd", write=writing.amount),
    # Words with other marks.
    Rule(_SPECIAL, write=writing.ampersand),
    Rule(_SLASHED),
    Rule(r"[A-Z]*\$|#"),
    Rule("\u20ac", write=writing.amount),
    # Abbreviations.
    Rule("[A-Za-z]", before=rf"\.{_GAP}+({_BEGINNINGS}|{_TAG}){_GAP}"),
    Rule(_BEFORE_NUMBER, before=f"{_GAP}?{_DIGIT}"),
    Rule(r"pt[eyEY]\.", before=f"{_SPACE}(ltd|lim)"),
    Rule(_MAY_END, before="[^\0][^\0]"),
    Rule(_MAY_END, again=1),
    Rule(_GOES_ON),
    Rule(_LETTERS, before=_GAP),
    Rule(f"{_APOSTROPHE}[0-9][0-9]", before=_GAP),
    Rule(_FILE, before=f"({_GAP}|[.?!,])"),
    Rule(rf"{_WORD}\.", before=_PAUSE, write=writing.without_soft_hyphens),
    Rule(_PHONE, write=writing.phone),
    # Punctuation.
    Rule('"|&quot;', write=writing.quotes),
    Rule("<|&lt;", write=writing.less),
    Rule(">|&gt;", write=writing.greater),
    Rule(_SMILEY, before="[^A-Za-z0-9]", write=writing.round_brackets),
    Rule(_FACE, write=writing.round_brackets),
    Rule(r"[\[\]{}()]", write=writing.brackets),
    Rule("-+", write=writing.hyphens),
    Rule("\\.{3,5}|(\\.[ \xa0]){2,4}\\.|[\x85\u2026]", write=writing.ellipsis),
    Rule(r"@+|#+|_+|\*+|(\\\*){1,3}"),
    Rule(rf"{_PAUSE}|[?!]+|[.=/]"),
    # Compounds.
    Rule(rf"{_WITH_HYPHENS}\.", before=_PAUSE, write=writing.without_soft_hyphens),
    Rule(_WITH_HYPHENS, write=writing.without_soft_hyphens),
    Rule(rf"{_HYPHENATED}\.", before=_PAUSE),
    Rule(_HYPHENATED),
    Rule(rf"{_WITH_AMPERSAND}\.", before=_PAUSE, write=writing.ampersand),
    Rule(_WITH_AMPERSAND, write=writing.ampersand),
    # All else.
    Rule("'", before="[A-Za-z][^ \t\n\r\xa0]"),
    Rule(f"{_ENDING}|{_NOT}", write=writing.quotes),
    Rule(f"{_APOSTROPHE}|''|[`\u2018\u2019\u201c]{{1,2}}", write=writing.quotes),
    Rule("<<|>>"),
    Rule("[+%&~^|\\\\\xd7\u2044\u207a\u24b6]"),
    Rule("\n"),
    Rule(f"{_SPACE}+|&nbsp;", write=writing.nothing),
)
"""In the order in which they win."""
