r"""Records how pycocoevalcap's tokenizer, a Java program, cuts nasty captions into tokens.

`python scripts/record_ptb.py` writes `tests/metrics/recorded/ptb.json`, and `ptb_languages.json` of
captions in the 36 languages of XM3600, so that the tokens of `pg_transfer.metrics.ptb` can be
compared where there is no Java. All captions are made up here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from random import Random

SEED, RECORDED, RECORDED_LANGUAGES = 0, 2400, 600
RECORDED_IN = Path(__file__).parents[1] / "tests" / "metrics" / "recorded"
RECORDING, LANGUAGES_RECORDING = RECORDED_IN / "ptb.json", RECORDED_IN / "ptb_languages.json"

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
# A caption or two in each language, in the order of their codes, and what is peculiar to a script.
LANGUAGES = r"""
رجل يركب موجة على لوح ، ثم يسقط ! هل هذا صحيح ؟ ٣٫٥ كم، ١٬٢٣٤ و ٥٠٪.
العَرَبِيَّةُ مُشَكَّلَةٌ ؛ «اقتباس» كـــلـــب ﷲ ﷺ ﻻ ﺍﻟﻜﺘﺎﺏ ال\u200cكلب \u200fRTL\u200e
একজন মানুষ সমুদ্রে ঢেউয়ে চড়ছেন। ৳৫০, ১২৩টি কুকুর; ক্\u200cষ ক্\u200dষ য়্\u200dয ৎ ং ঃ ঁ
Muž jede na vlně… Příliš žluťoučký kůň, „uvozovky“ a 3,5 km; tzv. pes č. 5
En mand rider på en bølge; blå rød grøn ÆØÅ, »citat« og kl. 12.30
Ein Mann, der auf einer Welle reitet; Straße STRASSE ẞ, „Zitat“ z.B. usw. d. h. Nr. 5 und 1.234,50 €
Ένας άνδρας καβαλάει ένα κύμα· είναι εκεί; ΟΔΥΣΣΕΥΣ, ΣΙΣΥΦΟΣ ΚΑΙ Ο ΑΣ-ΠΡΟΣ. «Φράση» 3,5 χλμ.
ΠΑΛΆΜΗΣ ΑΣ.Σ Α’Σ Σ ΣΣ σ ς ΆΣ\u0301 ᾌδης ᾳ Ὀδυσσεύς ᾽ ῾ ΐ ΰ Ϊ\u0301
a man's t-shirt can't be U.S. made, e.g. No. 5 -- "so they say"...
¿Un hombre monta una ola? ¡Sí! El niño, la señora y el pingüino nº 5 y 1.ª «cita» —raya—
مردی سوار بر موج می\u200cشود؛ کتاب\u200cها و خانه\u200cی بزرگ ۱۲۳٫۵ ﷼ ٪ ۴۵۶ یک\u200cشنبه ٔ هٔ
Mies ratsastaa aallolla; hääyöaie, 3,5 km ja EU:n USA:ssa n. 10 %:n "lainaus"
Isang lalaking nakasakay sa alon; ang mga bata'y naglalaro, siya'y pito-pito at ika-5
Un homme surfe sur une vague ; l'été d'aujourd'hui, qu'il n'a pas vu : « œuvre » à 12 h 30 l’eau
אדם רוכב על גל. ארה״ב צה"ל ג׳ירפה ב־5 ק"מ ש״ח ₪5 שָׁלוֹם עֲלֵיכֶם אַבָּא׃ א־ב שׁ ﭏ
एक आदमी समुद्र में लहर की सवारी करता है। क्\u200dष क्\u200cष ज़ ड़ ढ़ फ़ हिन्दी॥ ₹५० १२३ ॐ ऽ डॉ. अं अँ अः
Muškarac jaše val; čćžšđ ǆ ǅ Ǆ ǈ ǋ, „navod” i 1. svibnja tj. npr.
Egy férfi hullámot lovagol; őű ŐŰ, „idézet” és 3,5 km-es, 5-én pl. stb.
Seorang pria menunggangi ombak; anak-anak berlari-lari, kupu-kupu2 dll. Rp5.000,00 ke-5
Un uomo cavalca un'onda; dell'acqua, c'è, po', perché «citazione» l’estate e 1.234,5
海でサーフボードに乗って波に乗る男性。「引用」、・〜ー！？（括弧）ｶﾀｶﾅ が か\u3099 ＡＢ１２％￥５
犬と猫、それに3匹の鳥…東京タワー（とうきょう）々〆ヶ ㍿ ① ㈱ ﾞ ゛ 〜 ～ 10時30分
바다에서 서핑보드를 타고 파도를 타는 남자. ‘인용’ “인용” ₩5,000 \u1112\u1161\u11ab ㄱㄴ ㈜ 이·개
E eke ana tētahi tangata i te ngaru; ngā kurī ĀĒĪŌŪ āēīōū, Māori a\u0304e\u0304 whānau-nui
Een man rijdt op een golf; 's ochtends, auto's, ideeën, 'n hond, ĳs IJs zo'n € 5,- per stuk
En mann rir på en bølge; «sitat» i 2. klasse, bl.a. f.eks. 3 000 kr ÆØÅ
Mężczyzna jedzie na fali; łódź ŁÓDŹ, „cytat” i 3,5 km, np. tzn. ul. Długa 5 §3
Um homem surfa uma onda; não, à tarde, d'água, guarda-chuva, 1.º e 2.ª «citação» R$ 5,00
Kay runaqa llaqtamanta ñuqanchik; ch'aki p'unchaw k'uchu, q'illu ñawi qhari ñan
Un bărbat călărește un val; șțăâî ȘȚ şţ, „citat” și s-a dus într-o zi nr. 5
Мужчина катается на волне; ёлка, «цитата» — тире, кое-что 3,5 км, т.е. и т.д. № 5 ₽50 и\u0306 й
En man rider på en våg; åäö ÅÄÖ, "citat" bl.a. t.ex. 3:e och kl. 12.30
Mwanaume anateleza kwenye wimbi; ng'ombe, ng’ambo, watoto-watoto na saa 12:30
ఒక వ్యక్తి సముద్రంలో అలను నడుపుతున్నాడు. క్\u200cష క్ష జ్ఞా ౧౨౩ \u200cసర్ఫ్\u200cబోర్డ్\u200c “ఉదా.” ₹50 ఁ ఃః ౕ
ผู้ชายกำลังขี่คลื่นบนกระดานโต้คลื่น ๆ ฯลฯ ๑๒๓ ฿50 น้ำ นํ้า เเ แ ก็ ๏ ๚ ๛ กรุงเทพฯ พ.ศ. 2567
Bir adam dalgada sörf yapıyor; İSTANBUL ISPARTA ığüşöç İĞÜŞÖÇ, "alıntı" Türkiye'de 5'inci %50
Чоловік катається на хвилі; ґанок їжак єдиний, п’ять п'ять сім'я, «цитата» 3,5 км ₴50 № 5
Một người đàn ông lướt sóng; Việt Nam, đường ƯỚC Đ, Vie\u0302\u0323t ấ â\u0301 „trích” 5.000₫
一名男子在海洋中的冲浪板上乘风破浪。“引号”《书名》、；：？！……——３．５公里 〇 \U00020000 亲\ufe00
㊗\ufe0f 👨\u200d👩\u200d👧 🇯🇵 e\u0301\u0323 \u0301 \u200d\u200c \ufeff \u2060 \u00ad \u034f \u061c
\u180e · ‧ ・ ･ ， ． ： ； ！ ？ （ ） ［ ］
१२३ ১২৩ ١٢٣ ۱۲۳ ౧౨౩ ๑๒๓ １２３ ①② Ⅳ ⅳ ½ x² 12٫5 1٬000 १,२३४.५ ১.৫ ౩-౫ ๕/๖ ٣/٤ ५:३०
aΣًb aΣ् ΑΣ漢 Σ漢 ΑΣ㐀 ΑΣか ΑΣヿ ʰΣ ₐΣ ΑΣ֊Α ΑΣְ \u0345Σ ªΣ ⅣΣ ⓐΣ
"""
GAPS = (" ", " ", " ", "", "", "  ", ". ", ", ", "-", ".", "'", "\t", "\u00a0")


def captions(seed: int, count: int, *, whole: str = WHOLE, pieces: str = PIECES) -> list[str]:
    """The captions written out in `whole`, and others put together from `pieces` at random."""
    chance = Random(seed)
    made = list(map(_plain, whole[1:-1].split("\n")))[:count]
    known = list(map(_plain, pieces.split()))
    while len(made) < count:
        gaps = GAPS[: chance.choice([1, 5, len(GAPS)])]
        parts = [_part(chance, known) + chance.choice(gaps) for _ in range(chance.randint(1, 8))]
        made.append("".join(parts))
    return made


def captions_of_languages(seed: int, count: int) -> list[str]:
    """Likewise of all languages."""
    return captions(seed, count, whole=LANGUAGES, pieces=LANGUAGES)


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
    code = r"\\u([0-9a-f]{4})|\\U([0-9a-f]{8})"
    return re.sub(code, lambda found: chr(int(found[1] or found[2], 16)), text)


def java_tokens(texts: Sequence[str]) -> list[str]:
    """What the official tokenizer makes of the captions, given in one piece."""
    from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

    return PTBTokenizer().tokenize({0: [{"caption": text} for text in texts]})[0]


def main() -> None:
    """Writes the recordings."""
    for path, texts in (
        (RECORDING, captions(SEED, RECORDED)),
        (LANGUAGES_RECORDING, captions_of_languages(SEED, RECORDED_LANGUAGES)),
    ):
        rows = [json.dumps(row) for row in zip(texts, java_tokens(texts), strict=True)]
        path.write_text("[\n" + ",\n".join(rows) + "\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()
