r"""Records how pycocoevalcap's tokenizer, a Java program, cuts nasty captions into tokens.

`python scripts/record_ptb.py` writes `tests/metrics/recorded/ptb.json`, so that the tokens of
`pg_transfer.metrics.ptb` can be compared where there is no Java. All captions are made up here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from random import Random

SEED, RECORDED = 0, 2400
RECORDING = Path(__file__).parents[1] / "tests" / "metrics" / "recorded" / "ptb.json"

WHOLE = r"""
A man rides a wave on a surfboard.
A  dog   with two    tails .
\u0020 leading and trailing \u0020
Two dogs, a cat; and: a bird - in flight -- away --- off ---- or ----- not
She can't, won't, don't, isn't, they'd've, I'll, you're, we've, it's, he'd, I'm
Can't DON'T Isn't WE'RE It'S o'clock O'Brien's d'Artagnan l'eau c'est la vie
you cannot say CANNOT or Cannot, gonna, gotta, wanna, lemme, gimme Gonna
'tis the season, 'Twas the night, 'tisn't, 'em all, 'til then, 'till dawn, 'cause I can
rock 'n' roll, rock'n'roll, y'all'd've, y'know, ma'am, s'mores, ol' dog, nor'easter, c'mon
the dogs' bowls, James's hat, Jess' hat, the '90s, the 1990's, '99 and '05, class of '07.
"Hello," he said. "It's 'quoted' inside" and 'so "on" and' so on"
“Hello,” he said. ‘Single’ „low‟ ‚low‛ «guillemets» ‹single› `backticks` ``latex'' ''''
don’t we’re it’s dogs’ rock ’n’ roll ’90s ‘em don`t don‘t
The U.S. team. The U.S.A. is big. In the U.K. He left. I. The end. Vitamin C. It is good
U.S. etc. and so on. Dogs, cats, etc. Birds fly. etc.
e.g. this, i.e. that, cf. there, vs. here, a.k.a. him, a.m. and p.m. or A.M. P.M.
Mr. and Mrs. Smith, Ms. Doe, Dr. No, St. John, Mt. Rushmore, Ft. Worth, Prof. X, Gov. Y
Inc. Co. Corp. Ltd. Pty. Ltd. pty. limited Bros. Jr. Sr. Ph.D. Ed.D. Esq. No. 5 no. no
Jan. 5, Feb. 6, Mon. to Fri. Sat. Sun. May. Calif. Ill. ill. Mass. mass. Wash. wash. La. la.
fig. 3 figs. 4 and 5 ca. 1900 p. 7 pp. 8-9 art. 10 op. cit. prop. 5 fig. leaf
1,000.5 1.000,5 3/4 1/2 1 1/2 5-1/2 50% $5 US$5.00 #1 10th 1st 2nd 1990s -5 +5 .5 5. 1e5 0x1F
12:30 at 12.30 on 1/2/2003 or 01-02-03 or 2003-04-05, 9-5, 24/7, 1990-1995, 3x4, 3-D, 2D
555-1234 555-123-4567 (555) 123-4567 (555)123-4567 +1 555 123 4567 555.123.4567 0800 123 456
well-known t-shirt x-ray co-op pro-life anti-war pre- post- -ish self-driving-car 7-Eleven
em—dash en–dash hyphen‐hyphen non‑breaking ― bar - minus − plus
wait... what.. . . . more . . . . and … or …… or ..... and ...... dots
?! ?? !!! !? . , ; : ... ! ?
:) :( ;) :-) ;-) :D :P =) :o) :* :| <3 </3 ^_^ -_- (^_^) (-_-) x_x >_< :'( 8) :/ :\ :[ :] :{ :}
http://www.example.com/a/b?c=d&e=f#g, https://example.org/. www.example.com foo.com/bar Foo.com
me@example.com <me@example.com> a.b-c@d.e.f me@ @me @me_too #tag #1 #tag1 # ## @@ @
a.txt image_3.png 3.jpg foo.tar.gz README.md main.py, a.b.c x.y
(round) [square] {curly} <angle> ((double)) -LRB- -rrb- -LSB- <b>bold</b> <br/> <a href="x y">
and/or his/her w/o w/ a/b/c a/b/c/d // / \ \\ | || a\/b 1\/2
AT&T R&D AT&amp;T &amp; &lt;b&gt; &quot;q&quot; &apos;s &nbsp; &#39; &mdash; &eacute; caf&eacute; &
* ** *** \* _ __ a_b _a_ + ++ C++ c# F# = == ~ ^ % ° ± × ÷ © ® ™ § ¶ • · † ‡
€5 £5 5¢ ¥5 ¤5 $ $$ US$ ¼ ½ ¾ ⅓ ⅔ ⅛ 1½ x² H₂O ⁺² m³
café naïve Ångström ÉCOLE straße ŒUVRE İstanbul ıstanbul ſtop Kelvin ĳs ǅungla
русский РУССКИЙ ελληνικά ΟΔΥΣΣΕΥΣ ΟΔΥΣΣΕΥΣ-ΟΔΟΣ Σ. עברית العربية ١٢٣ हिन्दी ไทย 한국어
漢字 日本語。カタカナ、ひらがな「引用」 ﾊﾝｶｸ ＡＢＣ１２３！？ ＠＃
emoji 😀 👍🏽 👨\u200d👩\u200d👧 🇺🇸 ❤️ ☃ ♥ ★ ✓ in😀side 𝒳 𐐀
a\u00adb soft\u00adhyphens\u00ad \u00ad non\u00a0breaking\u00a0space thin\u2009space wide\u3000space
zero\u200bwidth joiner\u200dhere \ufeffmark \u0001control\u001f \u007f e\u0301 combining
S&P-500 C.D.s Cap'n Crunch EU-U.S. EU-U.S talks Sino-U.S. U.S.-U.K. ties non-U.S. goods
"""

PIECES = r"""
a the A The I He man dog Dog surfboard U.S. U.S U.K. e.g. i.e. etc. Etc. Mr. Dr. St.
a.m. P.M. Ph.D. Inc. Co. Ltd. pty. Pty. ltd No. no. no Fig. ca. Jan. Mon. Calif. Ill.
ill. Miss. miss. La. la. vs. vs Alex. cf. a.k.a a.k.a. EU-U.S. EU-U.S it's don't Don't
can't cannot Cannot gonna lemme 'tis 'Twas y'all y' o'clock O'Neil d'Or l'eau 'n' 'em
'til 90's '90s '99 dogs' we're I'll n't n`t c'mon Cap'n c'est cont'd. ol' 1 12 123 1234
1,000 .5 -5 +5 3/4 1\/2 11/12/2003 1-2-03 50% $5 US$ #1 #tag 10th 12:30 555-1234 (555)
+1 555.123.4567 a-b well-known pro- -LRB- a_b - -- --- ----- – — ‐ … ... .... .. . . . !
? ?! , ; : ' '' ` `` " "" ‘ ’ “ ” „ « ‹ ( ) [ ] { } < > << <b> </b> <a href="x"> <!-- c
--> <3 :) ;-) :D =) ^_^ -_- (^_^) & &amp; AT&T AT&amp;T &lt; &gt; &quot; &apos; &nbsp;
&mdash; &#39; &eacute; / // \ | ~ ^ % * \* + = @ @@ # _ $ € £ ¢ ¼ ½ ² ₂ ⁺² ° × © · ¿ 。 、
http://a.com https://x.y/z. www.foo.co.uk foo.com foo.org/bar x@y.com <x@y.com> @me
3.jpg a.txt b.c c++ C# and/or w/o a/b/c/d café ÉCOLE straße 漢字 日本語 русский ΣΑΣ العربية
हिन्दी é \u0301 \u00ad so\u00adft \u00a0 \u2003 \u3000 \u200b \ufeff \u0085 \u0091
\u0092 \u0093 \u0096 😀 👍🏽 \u0001 \u007f ﬁ № Ⅳ Ⓐ ٣ Ａ ⁄ ← ☃ \ud7ff \uf8ff ﷺ ı İ ſ K ǅ ª
"""
GAPS = (" ", " ", " ", "", "", "  ", ". ", ", ", "-", ".", "'", "\t", "\u00a0")


def captions(seed: int, count: int) -> list[str]:
    """The captions written out above, and others put together from pieces at random."""
    chance = Random(seed)
    whole, pieces = (
        list(map(_plain, texts)) for texts in (WHOLE[1:-1].split("\n"), PIECES.split())
    )
    made = whole[:count]
    while len(made) < count:
        gaps = GAPS[: chance.choice([1, 5, len(GAPS)])]
        parts = [_part(chance, pieces) + chance.choice(gaps) for _ in range(chance.randint(1, 8))]
        made.append("".join(parts))
    return made


def _part(chance: Random, pieces: Sequence[str]) -> str:
    """A piece, sometimes in another case or with a character from elsewhere in it."""
    piece = chance.choice(pieces)
    kind = chance.randrange(20)
    if kind < 3:
        return (piece.upper(), piece.title(), piece.swapcase())[kind]
    if kind == 3:
        place = chance.randint(0, len(piece))
        return piece[:place] + chance.choice(chance.choice(pieces)) + piece[place:]
    return piece


def _plain(text: str) -> str:
    """With the characters themselves where there are their numbers."""
    return re.sub(r"\\u([0-9a-f]{4})", lambda code: chr(int(code[1], 16)), text)


def java_tokens(texts: Sequence[str]) -> list[str]:
    """What the official tokenizer makes of the captions, given in one piece."""
    from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

    return PTBTokenizer().tokenize({0: [{"caption": text} for text in texts]})[0]


def main() -> None:
    """Writes the recording."""
    texts = captions(SEED, RECORDED)
    rows = [json.dumps(row) for row in zip(texts, java_tokens(texts), strict=True)]
    RECORDING.write_text("[\n" + ",\n".join(rows) + "\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()
