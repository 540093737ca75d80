"""Text to token ids and back: the Gemma vocabulary, and after it `<loc>` and `<seg>`.

Source: big_vision pp/ops_text.py (SentencepieceTokenizer), pp/tokenizer.py; arXiv:2407.07726.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterable
from itertools import groupby
from pathlib import Path
from typing import Protocol

import tokenizers
from sentencepiece import SentencePieceProcessor

from pg_transfer.text.locations import LOCATIONS, SEGMENTS

BUILTIN = Path(__file__).with_name("tiny.model")
"""Of 896 pieces; written by scripts/train_tiny_tokenizer.py."""

FILES = ("tokenizer.model", "paligemma_tokenizer.model", "gemma_tokenizer.model", "tokenizer.json")
"""What a folder is searched for, in this order.

They give the same ids; a `.model` is what the paper's code reads, and loads ten times as fast.
"""

PAD, EOS, BOS, UNK = "<pad>", "<eos>", "<bos>", "<unk>"

UNPROTECTED = ("[toxicity=0]", *("\t" * n for n in range(2, 32)))
"""Whole tokens in Gemma's SentencePiece model that its tokenizer.json has in the vocabulary, but
forgets to protect."""

_BYTE = re.compile(r"<0x[0-9A-F]{2}>")
_UNDECODABLE = re.compile("[\udc80-\udcff]")
_SPACE = "▁"

# Whoever changes one of these characters (lower-cases, strips, composes, drops) is not Gemma.
_PROBE = " Two  spaces\n\n\ttab\r cafe\u0301 ½ ﬁ 字 🙂 <eos><loc1024> "


class Tokenizer:
    """A SentencePiece vocabulary in which every `<loc>` and `<seg>` is one token.

    Text is encoded as it stands, without prefix space, stripping or normalisation; control tokens
    spelled out in it ("<eos>") stay ordinary characters.

    Attributes:
        path: the file it was read from; a copy sent to another process reads it again.
        pad: id of padding (0 in Gemma).
        eos: id of end of sequence (1).
        bos: id of beginning of sequence (2).
        separator: the ids of a newline alone, which ends a prefix: (108,).
        size: rows that a model's embedding needs for it (257,152).
    """

    def __init__(self, path: Path) -> None:
        """Read `path`, of type `.model` or `.json`.

        Raises:
            ValueError: it is no tokenizer, or not one of PaliGemma's kind.
        """
        self.path = path
        try:
            self._vocabulary: _Vocabulary = _BACKENDS[path.suffix](path)
        except Exception as error:  # the two libraries raise RuntimeError and bare Exception
            raise ValueError(f"{path} cannot be read as a tokenizer: {error}") from error
        self.pad, self.eos, self.bos = (self._control(token) for token in (PAD, EOS, BOS))
        self.size = self._first_location() + len(LOCATIONS) + len(SEGMENTS)
        self.separator = tuple(self.encode("\n"))
        if (found := self.decode(self.encode(_PROBE))) != _PROBE:
            raise self._unfit(f"it turns {_PROBE!r} into {found!r}")

    def encode(self, text: str) -> list[int]:
        """The ids of `text`, without bos or eos.

        Raises:
            ValueError: `text` is not valid Unicode (half of a surrogate pair).
        """
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise ValueError(f"{text!r} is not valid Unicode: {error}") from error
        return self._vocabulary.encode(text)

    def decode(self, ids: Iterable[int]) -> str:
        """The text of `ids` up to the first eos, not stripped.

        Control tokens vanish, `<loc>` and `<seg>` are spelled out, an unknown token is " ⁇ ", and
        every byte that is no part of a character is "\ufffd": as SentencePiece does.

        Raises:
            ValueError: an id the vocabulary does not have.
        """
        runs = groupby(self.pieces(ids), key=lambda piece: bool(_BYTE.fullmatch(piece)))
        return "".join(_text_of_bytes(run) if bytewise else _text(run) for bytewise, run in runs)

    def pieces(self, ids: Iterable[int]) -> tuple[str, ...]:
        """The vocabulary's spelling of each of `ids` up to the first eos, e.g. "▁cat", "<pad>".

        Raises:
            ValueError: an id the vocabulary does not have.
        """
        spellings = []
        for id in map(int, ids):
            if id == self.eos:
                break
            spelling = self._vocabulary.spelling(id) if 0 <= id < self.size else None
            if spelling is None:
                raise ValueError(f"no token {id}: {self.path} has ids 0 to {self.size - 1}")
            spellings.append(spelling)
        return tuple(spellings)

    def __reduce__(self) -> tuple[type[Tokenizer], tuple[Path]]:
        return Tokenizer, (self.path,)

    def _control(self, token: str) -> int:
        id = self._vocabulary.find(token)
        if id is None:
            raise self._unfit(f"it has no {token} token")
        return id

    def _first_location(self) -> int:
        """The id of `<loc0000>`, having made sure that the other 1,151 follow it."""
        ids = self._vocabulary.encode("".join(LOCATIONS + SEGMENTS))
        if ids != list(range(ids[0], ids[0] + len(LOCATIONS) + len(SEGMENTS))):
            raise self._unfit("<loc0000>…<loc1023><seg000>…<seg127> are not one row of tokens")
        return ids[0]

    def _unfit(self, reason: str) -> ValueError:
        return ValueError(
            f"{self.path} is not a PaliGemma tokenizer: {reason}. Use the tokenizer.model or "
            'tokenizer.json of a google/paligemma checkpoint, or "builtin" for the tiny model'
        )


def load_tokenizer(source: str | Path) -> Tokenizer:
    """The tokenizer of a file, or of a folder that holds one.

    Args:
        source: "builtin" (the tiny model's), a `.model` file (SentencePiece; the plain Gemma one
            or with `<loc>` and `<seg>` already in it), a `tokenizer.json`, or a folder with
            one of `FILES`.

    Raises:
        FileNotFoundError: nothing there.
        ValueError: it is no tokenizer, or not one of PaliGemma's kind.
    """
    path = BUILTIN if source == "builtin" else Path(source)
    if path.is_dir():
        found = [path / name for name in FILES if (path / name).is_file()]
        if not found:
            raise FileNotFoundError(f"no tokenizer in {path}: it has none of {', '.join(FILES)}")
        path = found[0]
    if not path.is_file():
        raise FileNotFoundError(
            f'no tokenizer at {path}: give "builtin", a .model file, a tokenizer.json, or a folder '
            "that holds one"
        )
    if path.suffix not in _BACKENDS:
        raise ValueError(f"{path} is no tokenizer: its name should end in .model or .json")
    return Tokenizer(path)


def _text(pieces: Iterable[str]) -> str:
    surfaces = {PAD: "", BOS: "", UNK: " ⁇ "}
    return "".join(surfaces.get(piece, piece.replace(_SPACE, " ")) for piece in pieces)


def _text_of_bytes(pieces: Iterable[str]) -> str:
    """The text of adjacent byte tokens; "\ufffd" for each byte that is no part of a character."""
    text = bytes.fromhex("".join(piece[3:5] for piece in pieces)).decode(errors="surrogateescape")
    return _UNDECODABLE.sub("\ufffd", text)


class _Vocabulary(Protocol):
    """What is asked of the two libraries."""

    def encode(self, text: str) -> list[int]: ...

    def find(self, spelling: str) -> int | None: ...

    def spelling(self, id: int) -> str | None: ...


class _SentencePiece:
    def __init__(self, path: Path) -> None:
        self._processor = SentencePieceProcessor(model_proto=extended(path.read_bytes()))

    def encode(self, text: str) -> list[int]:
        return self._processor.encode(text)

    def find(self, spelling: str) -> int | None:
        id = self._processor.piece_to_id(spelling)
        return id if self._processor.id_to_piece(id) == spelling else None

    def spelling(self, id: int) -> str:
        return self._processor.id_to_piece(id)


def extended(model: bytes) -> bytes:
    """A serialised SentencePiece model with `<loc>` and `<seg>` in it, if they are not yet."""
    processor = SentencePieceProcessor(model_proto=model)
    if processor.id_to_piece(processor.piece_to_id(LOCATIONS[0])) == LOCATIONS[0]:
        return model
    return model + b"".join(_user_defined(token) for token in LOCATIONS + SEGMENTS)


def _user_defined(piece: str) -> bytes:
    """A piece that is always matched whole, to be appended to a serialised SentencePiece model.

    In Protocol Buffers, bytes appended to a message are further elements of its repeated fields:
    here field 1 of the model, a piece made of (1) its spelling, (2) its score, (3) its type.
    """
    spelling = piece.encode()
    fields = b"\x0a%c%b\x15%b\x18\x04" % (len(spelling), spelling, struct.pack("<f", 0.0))
    return b"\x0a%c%b" % (len(fields), fields)


def protected(content: str) -> tokenizers.Tokenizer:
    """The tokenizer of a tokenizer.json, in which all that Gemma keeps whole is kept whole."""
    tokenizer = tokenizers.Tokenizer.from_str(content)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    whole = [token for token in UNPROTECTED if tokenizer.token_to_id(token) is not None]
    tokenizer.add_tokens(
        [
            tokenizers.AddedToken(token, normalized=False, special=False)
            for token in (*LOCATIONS, *SEGMENTS, *whole)
        ]
    )
    return tokenizer


class _TokenizerJson:
    def __init__(self, path: Path) -> None:
        self._tokenizer = protected(path.read_text(encoding="utf-8"))
        self._tokenizer.encode_special_tokens = True  # "<eos>" in a text is no control token

    def encode(self, text: str) -> list[int]:
        return self._tokenizer.encode(text, add_special_tokens=False).ids

    def find(self, spelling: str) -> int | None:
        return self._tokenizer.token_to_id(spelling)

    def spelling(self, id: int) -> str | None:
        return self._tokenizer.id_to_token(id)


_BACKENDS: dict[str, Callable[[Path], _Vocabulary]] = {
    ".model": _SentencePiece,
    ".json": _TokenizerJson,
}
