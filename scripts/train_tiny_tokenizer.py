# ruff: noqa: SIM905 - lists of words are easier to read and extend as text
"""Write the tiny model's tokenizer, src/pg_transfer/text/tiny.model.

A SentencePiece model with the habits of Gemma's (byte-level fallback, no prefix space, no
normalisation) and 896 pieces, which with 1,024 `<loc>` and 128 `<seg>` tokens are 2,048 rows. It is
trained on the sentences below, made up for it, and comes out the same every time.
"""

from __future__ import annotations

import string
from collections.abc import Iterator
from io import BytesIO
from itertools import product
from pathlib import Path

from sentencepiece import SentencePieceTrainer

PIECES = 896
DESTINATION = Path(__file__).parent.parent / "src" / "pg_transfer" / "text" / "tiny.model"

COLOURS = "red green blue yellow purple orange cyan pink black white grey brown".split()
SIZES = "small medium large big".split()
SHAPES = (
    "circle square triangle star cross diamond ring heart ellipse rectangle moon hexagon".split()
)
POSITIONS = "left right top bottom middle above below".split()
RELATIONS = ("left of", "right of", "above", "below", "next to", "on top of", "in front of")

THINGS = (
    "man woman boy girl child person people dog cat horse bird cow sheep bear elephant zebra car "
    "bus truck train bike boat plane street road sign light house building room wall window door "
    "table chair bed sofa desk book phone laptop screen keyboard cup glass bottle plate bowl "
    "fork knife spoon food pizza cake apple banana bread tree grass flower field river lake "
    "water sea beach mountain sky cloud sun snow rain ball bat game player team hat shirt coat "
    "shoe bag box toy clock hand head face eye hair leg arm picture photo image word name number "
    "letter brand time day night year city town park school kitchen area farm land"
).split()
DEEDS = (
    "sitting standing walking running riding holding looking playing eating drinking flying "
    "wearing lying jumping driving reading waiting talking smiling working"
).split()
KINDS = (
    "old young new long short tall little round wooden empty full open closed dark bright wet dry "
    "busy rural urban residential commercial more less many few several same different"
).split()
NUMBERS = "one two three four five six seven eight nine ten".split()

CAPTIONS = (
    "a {kind} {thing} is {deed} near the {other}.",
    "two {other}s and a {thing} {deed} in the {kind} {other}",
    "there is a {thing} with a {other} in the background",
    "several people are {deed} at a {thing} on the {other}",
    "an image of the {kind} {thing} and its {other}",
)
QUESTIONS = (
    "answer en what is the {thing} {deed} on?",
    "answer en how many {thing}s are there in the {other}?",
    "answer en is there a {kind} {thing} next to the {other}?",
    "answer en what color is the {thing}?",
    "answer en which {thing} is this, yes or no?",
    "answer en where was the {other} when they were {deed}?",
    "answer en who has the {kind} {thing} from the {other}?",
    "answer en what does the {thing} say on the {other}?",
    "answer en what kind of {thing} can you see by the {other}?",
    "answer en is it a {kind} or a {other} area?",
)
REQUESTS = ("caption en", "caption es", "ocr", "segment {thing}", "detect {thing} ; {other}")


def sentences() -> Iterator[str]:
    """The text it is trained on, in a fixed order."""
    yield from string.printable.split()
    for size, colour, shape in product(SIZES, COLOURS, SHAPES):
        yield f"the {size} {colour} {shape}"
        yield f"{size} {colour} {shape}"
        yield f"a {colour} {shape} and a {size} {shape}"
    for number, (colour, shape, relation) in enumerate(product(COLOURS, SHAPES, RELATIONS)):
        other = COLOURS[(number * 5 + 1) % len(COLOURS)]
        against = SHAPES[(number * 7 + 3) % len(SHAPES)]
        yield f"{colour} {shape} {relation} the {other} {against}"
        yield f"{shape} {relation} the {other} {against}"
    for position, place, shape in product(POSITIONS, POSITIONS, SHAPES):
        yield f"the {shape} at the {position} {place}"
        yield f"{position} {shape} in the {place}"
    for number, (thing, template) in enumerate(product(THINGS, (*CAPTIONS, *QUESTIONS, *REQUESTS))):
        yield template.format(
            thing=thing,
            other=THINGS[(number * 11 + 5) % len(THINGS)],
            deed=DEEDS[number % len(DEEDS)],
            kind=KINDS[number % len(KINDS)],
        )
    for number, thing in product((*NUMBERS, *map(str, range(100))), THINGS[::10]):
        yield f"{number} {thing}s"


def train() -> bytes:
    """The serialised model."""
    model = BytesIO()
    SentencePieceTrainer.train(
        sentence_iterator=sentences(),
        model_writer=model,
        model_type="bpe",
        vocab_size=PIECES,
        character_coverage=1.0,
        byte_fallback=True,
        normalization_rule_name="identity",
        add_dummy_prefix=False,
        remove_extra_whitespaces=False,
        split_digits=True,
        user_defined_symbols=["\n"],
        pad_id=0,
        eos_id=1,
        bos_id=2,
        unk_id=3,
        pad_piece="<pad>",
        eos_piece="<eos>",
        bos_piece="<bos>",
        num_threads=1,
        minloglevel=2,
    )
    return model.getvalue()


if __name__ == "__main__":
    DESTINATION.write_bytes(train())
