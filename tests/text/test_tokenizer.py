from __future__ import annotations

import json
import pickle
import runpy
import shutil
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import tokenizers
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sentencepiece import SentencePieceProcessor, SentencePieceTrainer
from tokenizers import decoders, models, normalizers

from pg_transfer.text.locations import LOCATIONS, SEGMENTS
from pg_transfer.text.tokenizer import BUILTIN, Tokenizer, load_tokenizer

SCRIPT = Path(__file__).parents[2] / "scripts" / "train_tiny_tokenizer.py"
WORDS = (
    "red green blue yellow purple orange cyan pink black white grey brown small medium large big "
    "circle square triangle star cross diamond ring heart ellipse rectangle moon hexagon "
    "left right top bottom middle above below"
)

# Whatever a user, a data set or a careless copy may put into a prefix or a suffix.
NASTY = (
    "", " ", "  ", "\n", "\n\n", "\t", "\t\t", "\t" * 40, " " * 40, "\n" * 40, "\r\n", "\x00",
    "caption en\n", " leading", "trailing ", "two  spaces", " a \n b ", "don't THE the. É",
    "cafe\u0301", "café", "日本語", "😀👩‍👩‍👧", "\U0010ffff", "\ufeffx", "a\u00a0b", "ﷺ", "⁇",
    "<loc0000", "<loc1024>", "<seg128>", "<loc12>", "<<loc0000>>", "a<loc0000> b", " <seg127>\n",
    "<eos>", "<bos>", "<pad>", "<unk>", "<image>", "<0x41>", "<mask>", "<start_of_turn>user",
    "<b>x</b><table>", "[toxicity=0]", "12345 3.14",
)  # fmt: skip

texts = st.lists(st.one_of(st.sampled_from(NASTY), st.text(max_size=8)), max_size=6).map("".join)


def spelled(text: str) -> str:
    """`text` as any SentencePiece model gives it back: U+2581 stands for a space."""
    return text.replace("▁", " ")


@pytest.fixture(scope="module")
def builtin() -> Tokenizer:
    return load_tokenizer("builtin")


def write_tokenizer_json(path: Path) -> Path:
    """The built-in vocabulary as a tokenizer.json, laid out as in google/paligemma-3b-pt-224."""
    tiny = SentencePieceProcessor(model_file=str(BUILTIN))
    pieces = [tiny.id_to_piece(id) for id in range(tiny.get_piece_size())]
    vocabulary = {piece: id for id, piece in enumerate((*pieces, *LOCATIONS, *SEGMENTS))}
    merges = [
        (piece[:cut], piece[cut:])
        for piece in pieces  # in the order of their merging
        for cut in range(1, len(piece))
        if not piece.startswith("<") and {piece[:cut], piece[cut:]} <= vocabulary.keys()
    ]
    model = models.BPE(
        vocab=vocabulary, merges=merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True
    )
    tokenizer = tokenizers.Tokenizer(model)
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    tokenizer.add_special_tokens(["<pad>", "<eos>", "<bos>", "<unk>"])
    tokenizer.add_tokens(["\n"])
    tokenizer.add_special_tokens(["<image>"])
    tokenizer.enable_truncation(4)
    tokenizer.enable_padding(length=4)
    tokenizer.save(str(path))
    return path


@pytest.fixture(scope="module")
def from_json(tmp_path_factory) -> Tokenizer:
    return load_tokenizer(write_tokenizer_json(tmp_path_factory.mktemp("json") / "tokenizer.json"))


# The built-in vocabulary


def test_builtin_has_gemmas_layout_in_2048_rows(builtin) -> None:
    assert (builtin.pad, builtin.eos, builtin.bos) == (0, 1, 2)
    assert builtin.size == 2048
    assert len(builtin.separator) == 1
    assert builtin.encode("<loc0000><loc1023><seg000><seg127>") == [896, 1919, 1920, 2047]
    assert BUILTIN.stat().st_size < 100_000


def test_builtin_has_the_words_of_the_shapes_whole(builtin) -> None:
    for word in WORDS.split():
        assert builtin.pieces(builtin.encode(f"{word} {word}")) == (word, f"▁{word}")


def test_the_script_gives_the_builtin_pieces() -> None:
    trained = SentencePieceProcessor(model_proto=runpy.run_path(str(SCRIPT))["train"]())
    kept = SentencePieceProcessor(model_file=str(BUILTIN))
    pieces = [[model.id_to_piece(id) for id in range(896)] for model in (trained, kept)]
    assert trained.get_piece_size() == kept.get_piece_size() == 896
    assert pieces[0] == pieces[1]


# Encoding and decoding


@settings(deadline=None)
@given(texts)
def test_text_comes_back_unchanged(builtin, text: str) -> None:
    assert builtin.decode(builtin.encode(text)) == spelled(text)


@settings(deadline=None)
@given(texts)
def test_ids_are_sentencepieces_own(builtin, text: str) -> None:
    plain = SentencePieceProcessor(model_file=str(BUILTIN))
    ids = builtin.encode(text)
    assert not {builtin.pad, builtin.eos, builtin.bos} & set(ids)
    if not any(token in text for token in LOCATIONS + SEGMENTS):
        assert ids == plain.encode(text)


@settings(deadline=None)
@given(st.lists(st.integers(0, 895).filter(lambda id: id != 1), max_size=12))
@example([5 + 0xE2, 5 + 0x82, 700])  # a character without its last byte
@example([5 + 0xC4, 2, 5 + 0x95])  # a character's bytes with bos between them
def test_decoded_text_is_sentencepieces_own(builtin, ids: list[int]) -> None:
    plain = SentencePieceProcessor(model_file=str(BUILTIN))
    assert builtin.decode(ids) == plain.decode(ids)
    assert builtin.pieces(ids) == tuple(map(plain.id_to_piece, ids))


@settings(deadline=None)
@given(texts, st.lists(st.integers(0, 2047), max_size=12))
def test_both_kinds_of_file_agree(builtin, from_json, text: str, ids: list[int]) -> None:
    assert from_json.encode(text) == builtin.encode(text)
    assert from_json.decode(ids) == builtin.decode(ids)
    assert from_json.pieces(ids) == builtin.pieces(ids)


def test_location_tokens_do_not_touch_their_neighbours(builtin) -> None:
    red, space = builtin.encode("red"), builtin.encode(" ")
    assert builtin.encode("red<loc0007>red <seg003>") == [*red, 903, *red, *space, 1923]


def test_decoding_stops_at_eos_and_drops_control_tokens(builtin) -> None:
    answer = builtin.encode(" red <loc0007>\n")
    ids = np.array([builtin.bos, *answer, builtin.pad, builtin.eos, *answer, builtin.eos])
    assert builtin.decode(ids) == " red <loc0007>\n"
    assert builtin.pieces(ids) == ("<bos>", "▁red", "▁", "<loc0007>", "\n", "<pad>")


def test_an_id_out_of_range_is_refused(builtin, from_json) -> None:
    for tokenizer in (builtin, from_json):
        for id in (-1, 2048):
            with pytest.raises(ValueError, match=f"no token {id}"):
                tokenizer.decode([id])


def test_half_a_surrogate_pair_is_refused(builtin, from_json) -> None:
    for tokenizer in (builtin, from_json):
        with pytest.raises(ValueError, match="not valid Unicode"):
            tokenizer.encode(json.loads('"a\\ud83d"'))


def test_a_copy_for_another_process_is_the_same(builtin, from_json) -> None:
    for tokenizer in (builtin, from_json):
        copy = pickle.loads(pickle.dumps(tokenizer))
        assert copy.encode("a <loc0000><eos>") == tokenizer.encode("a <loc0000><eos>")
        assert copy.path == tokenizer.path


# Finding and refusing files


def test_a_folder_gives_the_sentencepiece_model_first(tmp_path) -> None:
    write_tokenizer_json(tmp_path / "tokenizer.json")
    assert load_tokenizer(tmp_path).path.name == "tokenizer.json"
    shutil.copy(BUILTIN, tmp_path / "tokenizer.model")
    assert load_tokenizer(str(tmp_path)).path.name == "tokenizer.model"


def test_a_model_that_already_has_the_location_tokens_is_taken_as_it_is(builtin, tmp_path) -> None:
    extended = builtin._vocabulary._processor.serialized_model_proto()
    (tmp_path / "tokenizer.model").write_bytes(extended)
    tokenizer = load_tokenizer(tmp_path)
    assert tokenizer.size == 2048
    assert tokenizer.encode("<loc0000><seg127>") == [896, 2047]


def write_model(path: Path, **options) -> None:
    model = BytesIO()
    SentencePieceTrainer.train(
        sentence_iterator=iter(["some words, some more"] * 9),
        model_writer=model,
        **{
            "model_type": "bpe",
            "vocab_size": 300,
            "hard_vocab_limit": False,
            "byte_fallback": True,
            "minloglevel": 2,
            "pad_id": 3,
            "eos_piece": "<eos>",
            "bos_piece": "<bos>",
            "add_dummy_prefix": False,
            "remove_extra_whitespaces": False,
            "normalization_rule_name": "identity",
            **options,
        },
    )
    path.write_bytes(model.getvalue())


def test_the_stand_in_for_wrong_models_is_right_without_options(tmp_path) -> None:
    write_model(tmp_path / "good.model")
    assert load_tokenizer(tmp_path / "good.model").pad == 3


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"pad_id": -1}, "has no <pad> token"),
        ({"eos_piece": "</s>"}, "has no <eos> token"),
        ({"add_dummy_prefix": True}, "not one row of tokens"),
        ({"remove_extra_whitespaces": True}, "it turns ' Two  spaces"),
        ({"normalization_rule_name": "nfkc"}, "it turns ' Two  spaces"),
        ({"byte_fallback": False}, "it turns ' Two  spaces"),
    ],
)
def test_another_family_s_model_is_refused(tmp_path, options, complaint: str) -> None:
    write_model(tmp_path / "other.model", **options)
    with pytest.raises(
        ValueError, match=f"other.model is not a PaliGemma tokenizer: .*{complaint}"
    ):
        load_tokenizer(tmp_path / "other.model")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("tokenizer.json", "<html>"),
        ("config.json", '{"model_type": "paligemma"}'),
        ("tokenizer.model", "version https://git-lfs.github.com/spec/v1"),
    ],
)
def test_a_file_that_is_no_tokenizer_is_refused(tmp_path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(ValueError, match=f"{name} cannot be read as a tokenizer"):
        load_tokenizer(tmp_path / name)


def test_a_file_of_another_type_is_refused(tmp_path) -> None:
    (tmp_path / "words.txt").write_text("a b c")
    with pytest.raises(ValueError, match=r"should end in \.model or \.json"):
        load_tokenizer(tmp_path / "words.txt")


def test_a_missing_file_or_empty_folder_is_named(tmp_path) -> None:
    with pytest.raises(FileNotFoundError, match="no tokenizer at google/paligemma"):
        load_tokenizer("google/paligemma-3b-pt-224")
    with pytest.raises(FileNotFoundError, match=r"none of tokenizer\.model, .*tokenizer\.json"):
        load_tokenizer(tmp_path)


# The real vocabulary


@pytest.fixture(scope="module")
def real(sample_data) -> dict[str, Tokenizer]:
    folder = sample_data / "paligemma-3b-pt-224"
    return {
        "gemma_tokenizer.model": load_tokenizer(folder),
        "tokenizer.json": load_tokenizer(folder / "tokenizer.json"),
    }


def test_real_ids(real) -> None:
    for name, tokenizer in real.items():
        assert tokenizer.path.name == name
        assert (tokenizer.pad, tokenizer.eos, tokenizer.bos) == (0, 1, 2)
        assert tokenizer.separator == (108,)
        assert tokenizer.size == 257152
        assert tokenizer.encode("caption en\n") == [21209, 659, 108]
        assert tokenizer.encode("detect cat\n") == [39208, 4401, 108]
        assert tokenizer.encode("".join(LOCATIONS)) == list(range(256000, 257024))
        assert tokenizer.encode("".join(SEGMENTS)) == list(range(257024, 257152))


@settings(max_examples=300, deadline=None)
@given(texts, st.lists(st.integers(0, 257151).filter(lambda id: id != 255999), max_size=12))
def test_real_files_agree(real, text: str, ids: list[int]) -> None:
    # Id 255999 is "<unused99>" in one of the files and "<start_of_image>" in the other.
    model, other = real.values()
    encoded = model.encode(text)
    assert other.encode(text) == encoded
    assert model.decode(encoded) == other.decode(encoded) == spelled(text)
    assert model.decode(ids) == other.decode(ids)


@settings(deadline=None)
@given(texts, st.lists(st.integers(0, 255999).filter(lambda id: id != 1), max_size=12))
def test_real_ids_and_text_are_sentencepieces_own(real, gemma, text: str, ids: list[int]) -> None:
    tokenizer = real["gemma_tokenizer.model"]
    if not any(token in text for token in LOCATIONS + SEGMENTS):
        assert tokenizer.encode(text) == gemma.encode(text)
    assert tokenizer.decode(ids) == gemma.decode(ids)


@pytest.fixture(scope="module")
def gemma(sample_data) -> SentencePieceProcessor:
    folder = sample_data / "paligemma-3b-pt-224"
    return SentencePieceProcessor(model_file=str(folder / "gemma_tokenizer.model"))
