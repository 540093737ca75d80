"""Texts are measured as training cuts them."""

from __future__ import annotations

import json
from pathlib import Path

from pg_transfer.checking.texts import drawn_targets, measure_prompts, measure_targets
from pg_transfer.task import Example, Target, Task
from pg_transfer.text.tokenizer import load_tokenizer
from tasks.custom import Custom
from tasks.mixture import Mixture
from tests.data_sets import write_image


def test_lengths_are_those_of_training() -> None:
    from pg_transfer.text.sequence import training_layout

    tokenizer = load_tokenizer("builtin")
    texts = [
        Target("the red circle", "yes"), Target("a", "blue shape " * 20), Target("long " * 30, "c"),
    ]  # fmt: skip
    pairs = [(Example(str(number), Path("x")), text) for number, text in enumerate(texts)]
    found = measure_targets(pairs, tokenizer, text_length=40)
    layouts = [
        training_layout(
            tokenizer.encode(prefix), tokenizer.encode(suffix), tokenizer=tokenizer, text_length=40
        )
        for prefix, suffix in texts
    ]
    cuts = [layout.cut for layout in layouts if layout.cut]
    assert sorted(cuts) == sorted(found.cut.elements()) and len(set(cuts)) == 2
    assert layouts[0].length in found.tokens
    assert found.longest[0][1] == "2"
    assert found.odd == {
        "spaces or line breaks around the suffix": ["1"],
        "spaces or line breaks around the prefix": ["2"],
    }
    asked = [Example("0", Path("x"), "a\nb")]
    prompts = measure_prompts(asked, tokenizer, text_length=40)
    assert list(prompts.odd) == ["a line break in the prefix, which is what ends one"]
    assert not measure_prompts(asked, tokenizer, text_length=40, lines=True).odd


def test_examples_without_a_target_are_named() -> None:
    from tasks.textvqa import TextVQA

    task = TextVQA("nowhere")
    drawn = drawn_targets(task, [Example("7", Path("x"), "a")], most=0, seed=0)
    assert drawn.failed == ["'7' has no answer to learn"]


def test_all_answers_of_own_data_are_measured_and_objects_drawn(tmp_path: Path) -> None:
    rows = [{"image": f"{n}.png", "prefix": "it?", "suffixes": ["a", "b c"]} for n in range(5)]
    boxes = [{"image": f"{n}.png", "boxes": [[1, 1, 9, 9]], "labels": ["cat"]} for n in range(5)]
    for n in range(5):
        write_image(tmp_path / f"{n}.png")
    tasks: dict[str, Task] = {}
    for name, those in {"texts": rows, "boxes": boxes}.items():
        (tmp_path / f"{name}.jsonl").write_text("\n".join(map(json.dumps, those)))
        tasks[name] = Custom({"train": tmp_path / f"{name}.jsonl"}, box_format="xyxy")
    splits = {"train": "train", "validate": "train"}
    tasks["both"] = Mixture(
        {name: {"task": task, "splits": splits, "weight": None, "beams": 1}
         for name, task in tasks.items()}
    )  # fmt: skip
    # Four of five images are learnt from, the fifth is held out.
    for name, count, is_all in (("texts", 8, True), ("boxes", 3, False), ("both", 11, False)):
        drawn = drawn_targets(tasks[name], tasks[name].examples("train"), most=3, seed=0)
        assert (len(drawn.targets), drawn.is_all, drawn.failed) == (count, is_all, [])
