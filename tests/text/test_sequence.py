from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from pg_transfer.text.sequence import Layout, prompt_layout, training_layout
from pg_transfer.text.tokenizer import load_tokenizer

GEMMA = SimpleNamespace(pad=0, eos=1, bos=2, separator=(108,))
PREFIX, SUFFIX = [39208, 4401], [651, 4401, 603]


def masks(layout: Layout) -> dict[str, list[int]]:
    """The reference's three masks, from the two lengths that stand for them here."""
    place = np.arange(len(layout.tokens))
    return {
        "mask_ar": (place >= layout.prefix_length).astype(int).tolist(),
        "mask_loss": (
            ((place >= layout.prefix_length) & (place < layout.length)).astype(int).tolist()
        ),
        "mask_input": (place < layout.length).astype(int).tolist(),
    }


def test_worked_example() -> None:
    layout = training_layout(PREFIX, SUFFIX, tokenizer=GEMMA, text_length=9)
    # text_length + 1 tokens:          bos   prefix     sep    suffix        eos pad
    assert layout.tokens.tolist() == [2, 39208, 4401, 108, 651, 4401, 603, 1, 0, 0]
    assert layout.tokens.dtype == np.int64
    assert masks(layout)["mask_ar"] == [0, 0, 0, 0, 1, 1, 1, 1, 1, 1]
    assert masks(layout)["mask_loss"] == [0, 0, 0, 0, 1, 1, 1, 1, 0, 0]
    assert (layout.prefix_length, layout.length, layout.cut) == (4, 8, None)
    # After the shift the separator's position predicts the suffix, its last token eos.
    inputs, targets = layout.tokens[:-1], layout.tokens[1:]
    supervised = np.array(masks(layout)["mask_loss"][1:], dtype=bool)
    assert inputs[supervised].tolist() == [108, 651, 4401, 603]
    assert targets[supervised].tolist() == [651, 4401, 603, 1]


def test_worked_example_of_a_prompt() -> None:
    layout = prompt_layout(PREFIX, tokenizer=GEMMA, text_length=6)
    assert layout.tokens.tolist() == [2, 39208, 4401, 108, 0, 0]
    assert masks(layout)["mask_ar"] == [0, 0, 0, 0, 1, 1]
    assert masks(layout)["mask_input"] == [1, 1, 1, 1, 0, 0]
    assert layout.cut is None


@pytest.mark.parametrize(
    ("prefix", "suffix", "text_length", "tokens", "prefix_length", "length", "cut"),
    [
        # exactly fitting
        ([5, 6], [7, 8], 6, [2, 5, 6, 108, 7, 8, 1], 4, 7, None),
        # eos gone, then the suffix's end
        ([5, 6], [7, 8], 5, [2, 5, 6, 108, 7, 8], 4, 6, "suffix"),
        ([5, 6], [7, 8], 4, [2, 5, 6, 108, 7], 4, 5, "suffix"),
        # nothing left to supervise: such an example's loss is 0
        ([5, 6], [7, 8], 3, [2, 5, 6, 108], 4, 4, "suffix"),
        ([5, 6], [7, 8], 2, [2, 5, 6], 3, 3, "separator"),
        ([5, 6], [7, 8], 1, [2, 5], 2, 2, "separator"),
        # nothing asked, nothing to say
        ([], [7], 4, [2, 108, 7, 1, 0], 2, 4, None),
        ([5], [], 4, [2, 5, 108, 1, 0], 3, 4, None),
        ([], [], 2, [2, 108, 1], 2, 3, None),
    ],
)
def test_training_edges(prefix, suffix, text_length, tokens, prefix_length, length, cut) -> None:
    layout = training_layout(prefix, suffix, tokenizer=GEMMA, text_length=text_length)
    assert layout.tokens.tolist() == tokens
    assert (layout.prefix_length, layout.length, layout.cut) == (prefix_length, length, cut)


@pytest.mark.parametrize(
    ("prefix", "text_length", "tokens", "length", "cut"),
    [
        ([5, 6], 4, [2, 5, 6, 108], 4, None),
        ([5, 6], 3, [2, 5, 6], 3, "separator"),
        ([5, 6], 2, [2, 5], 2, "separator"),
        ([], 3, [2, 108, 0], 2, None),
    ],
)
def test_prompt_edges(prefix, text_length, tokens, length, cut) -> None:
    layout = prompt_layout(prefix, tokenizer=GEMMA, text_length=text_length)
    assert layout.tokens.tolist() == tokens
    assert (layout.prefix_length, layout.length, layout.cut) == (length, length, cut)


def test_a_window_without_room_is_refused() -> None:
    with pytest.raises(ValueError, match="no room for bos and the separator"):
        training_layout(PREFIX, SUFFIX, tokenizer=GEMMA, text_length=0)
    with pytest.raises(ValueError, match="no room for bos and the separator"):
        prompt_layout(PREFIX, tokenizer=GEMMA, text_length=1)


def test_worked_example_with_the_builtin_tokenizer() -> None:
    tokenizer = load_tokenizer("builtin")
    prefix = tokenizer.encode("the small red circle")
    layout = training_layout(
        prefix, tokenizer.encode("<loc0000><loc1023><seg127>"), tokenizer=tokenizer, text_length=9
    )
    newline = tokenizer.separator[0]
    # Before <loc0000> stand 896 pieces, before <seg000> another 1024.
    assert layout.tokens.tolist() == [2, *prefix, newline, 896, 1919, 2047, 1]
    assert tokenizer.pieces(layout.tokens) == (
        "<bos>", "the", "▁small", "▁red", "▁circle", "\n", "<loc0000>", "<loc1023>", "<seg127>",
    )  # fmt: skip
    assert (layout.prefix_length, layout.length, layout.cut) == (6, 10, None)


def test_worked_example_with_the_real_tokenizer(sample_data) -> None:
    tokenizer = load_tokenizer(sample_data / "paligemma-3b-pt-224")
    layout = training_layout(
        tokenizer.encode("detect cat"),
        tokenizer.encode("<loc0256><loc0000><loc1023><loc0512> cat"),
        tokenizer=tokenizer,
        text_length=11,
    )
    assert layout.tokens.tolist() == [
        2, 39208, 4401, 108, 256256, 256000, 257023, 256512, 4401, 1, 0, 0,
    ]  # fmt: skip
    assert masks(layout)["mask_loss"] == [0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 0, 0]


@pytest.mark.golden
@pytest.mark.parametrize("name", ["gemma1_golden", "gemma2_golden"])
def test_tokens_and_masks_are_the_reference_s(golden, name: str) -> None:
    recorded = golden(name)
    window = recorded["text"].shape[1]
    lengths = zip(recorded["prefix_len"], recorded["suffix_len"], strict=True)
    for row, (before, after) in enumerate(lengths):
        text = recorded["text"][row].tolist()
        prefix, suffix = text[1 : before - 1], text[before : before + after - 1]
        trained = training_layout(prefix, suffix, tokenizer=GEMMA, text_length=window - 1)
        assert trained.tokens.tolist() == text
        for mask in ("mask_ar", "mask_loss"):
            assert masks(trained)[mask] == recorded[mask][row].tolist()
        asked = prompt_layout(prefix, tokenizer=GEMMA, text_length=window)
        assert asked.tokens.tolist() == recorded["eval_text"][row].tolist()
        assert masks(asked)["mask_ar"] == recorded["eval_mask_ar"][row].tolist()
        assert masks(asked)["mask_input"] == recorded["eval_mask_input"][row].tolist()
