"""A tokenizer in the files that transformers reads: tokenizer.json and what goes with it.

A SentencePiece model becomes a list of pieces and a list of merges, best first: SentencePiece joins
the two neighbours whose union has the best score, `tokenizers` those of the first merge listed.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tokenizers

from pg_transfer.text.tokenizer import BOS, EOS, PAD, UNK, Tokenizer, extended, protected

IMAGE = "<image>"
"""transformers' placeholder for an image token; the id after the last of the vocabulary."""

NORMAL, CONTROL, USER_DEFINED, BYTE = 1, 3, 4, 6
"""The types of pieces that SentencePiece models of this kind have, besides the one unknown."""


def write_tokenizer(tokenizer: Tokenizer, folder: Path) -> None:
    """Writes `tokenizer` into `folder`, with `<image>` as one token more.

    Every `<loc>` and `<seg>`, and whatever else SentencePiece matches whole, is a token of its own
    for readers that have no PaliGemma processor, too. A SentencePiece model is kept beside it.
    """
    if tokenizer.path.suffix == ".model":
        model = extended(tokenizer.path.read_bytes())
        (folder / "tokenizer.model").write_bytes(model)
        fast = protected(json.dumps(_from_sentencepiece(model)))
    else:
        fast = protected(tokenizer.path.read_text(encoding="utf-8"))
    fast.add_special_tokens([tokenizers.AddedToken(IMAGE, normalized=False, special=True)])
    if fast.token_to_id(IMAGE) != tokenizer.size:
        raise ValueError(
            f"{tokenizer.path} gives {IMAGE} the id {fast.token_to_id(IMAGE)} and not "
            f"{tokenizer.size}, the first after its tokens"
        )
    content = json.loads(fast.to_str())
    # In this form readers of before 2024-09 know them, too. No piece has a space in it.
    content["model"]["merges"] = [" ".join(pair) for pair in content["model"]["merges"]]
    _write(folder / "tokenizer.json", content, indent=None)
    _write(folder / "tokenizer_config.json", _config(content["added_tokens"]))
    plain = {"lstrip": False, "normalized": False, "rstrip": False, "single_word": False}
    special = {"bos_token": BOS, "eos_token": EOS, "pad_token": PAD, "unk_token": UNK}
    _write(
        folder / "special_tokens_map.json",
        {"additional_special_tokens": [IMAGE]}
        | {role: {"content": token, **plain} for role, token in special.items()},
    )


def _config(added: list[dict[str, Any]]) -> dict[str, Any]:
    decoder = {
        str(token["id"]): {key: value for key, value in token.items() if key != "id"}
        for token in added
    }
    return {
        "add_bos_token": True,
        "add_eos_token": False,
        "added_tokens_decoder": decoder,
        "additional_special_tokens": [IMAGE],
        "bos_token": BOS,
        "clean_up_tokenization_spaces": False,
        "eos_token": EOS,
        "model_max_length": 1000000000000000019884624838656,  # transformers' "no limit"
        "pad_token": PAD,
        "processor_class": "PaliGemmaProcessor",
        "sp_model_kwargs": {},
        "spaces_between_special_tokens": False,
        "tokenizer_class": "GemmaTokenizer",
        "unk_token": UNK,
        "use_default_system_prompt": False,
    }


def _write(path: Path, content: dict[str, Any], *, indent: int | None = 2) -> None:
    text = json.dumps(content, indent=indent, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


def _from_sentencepiece(model: bytes) -> dict[str, Any]:
    """The content of a tokenizer.json that does what a SentencePiece model of Gemma's kind does."""
    pieces = list(_pieces(model))
    ids = {spelling: id for id, (spelling, _, _) in enumerate(pieces)}
    whole = {spelling for spelling, _, type in pieces if type == USER_DEFINED}
    special = (PAD, EOS, BOS, UNK)
    space = {"String": " "}
    bos = {"SpecialToken": {"id": BOS, "type_id": 0}}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {
                "id": ids[token], "content": token, "single_word": False, "lstrip": False,
                # Runs of spaces are looked for among spaces that are spelled "▁" already.
                "rstrip": False, "normalized": token in whole, "special": token in special,
            }
            for token in sorted({*special, *whole}, key=lambda token: ids[token])
        ],
        "normalizer": {"type": "Replace", "pattern": space, "content": "▁"},
        "pre_tokenizer": {
            "type": "Split", "pattern": space, "behavior": "MergedWithPrevious", "invert": False,
        },
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [bos, {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [
                bos,
                {"Sequence": {"id": "A", "type_id": 0}},
                {"SpecialToken": {"id": BOS, "type_id": 1}},
                {"Sequence": {"id": "B", "type_id": 1}},
            ],
            "special_tokens": {BOS: {"id": BOS, "ids": [ids[BOS]], "tokens": [BOS]}},
        },
        "decoder": {
            "type": "Sequence",
            "decoders": [
                {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
                {"type": "ByteFallback"},
                {"type": "Fuse"},
            ],
        },
        "model": {
            "type": "BPE", "dropout": None, "unk_token": UNK, "continuing_subword_prefix": None,
            "end_of_word_suffix": None, "fuse_unk": True, "byte_fallback": True,
            "ignore_merges": False, "vocab": ids, "merges": _merges(pieces, ids),
        },
    }  # fmt: skip


def _merges(pieces: list[tuple[str, float, int]], ids: dict[str, int]) -> list[list[str]]:
    """Every way in which two pieces make up a third, the best third first."""
    joined = {spelling for spelling, _, type in pieces if type == NORMAL}
    found = []
    for spelling, score, type in pieces:
        if type != NORMAL:
            continue
        cuts = [(spelling[:cut], spelling[cut:]) for cut in range(1, len(spelling))]
        ways = [(left, right) for left, right in cuts if left in joined and right in joined]
        for left, right in sorted(ways, key=lambda way: (ids[way[0]], ids[way[1]])):
            found.append((-score, left, right))
    found.sort(key=lambda merge: merge[0])  # stable
    return [[left, right] for _, left, right in found]


def _pieces(model: bytes) -> Iterator[tuple[str, float, int]]:
    """Spelling, score and type of every piece, by id."""
    for field, value in _fields(model):
        if field == 1:
            piece = dict(_fields(value))
            score = struct.unpack("<f", piece.get(2, bytes(4)))[0]
            yield piece[1].decode(), score, piece.get(3, NORMAL)


def _fields(message: bytes) -> Iterator[tuple[int, Any]]:
    """Number and value of every field of a Protocol Buffers message."""
    place = 0

    def varint() -> int:
        nonlocal place
        value = shift = 0
        while True:
            byte = message[place]
            place += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while place < len(message):
        key = varint()
        kind = key & 7
        if kind == 0:
            yield key >> 3, varint()
            continue
        size = varint() if kind == 2 else {1: 8, 5: 4}[kind]
        yield key >> 3, message[place : place + size]
        place += size
