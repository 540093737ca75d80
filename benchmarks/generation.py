"""Answering prompts, side by side with transformers' `generate`: the same weights and answers.

    python benchmarks/generation.py                                     # the small model, CPU
    python benchmarks/generation.py --device cuda --size paligemma_3b --precision bfloat16 \
        --batch 64 --apart

Random weights end no answer where it should, so that both sides are made to end each one at a given
length, by the logits. Linux.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from statistics import median
from typing import Any

import torch
from side_by_side import (
    IMAGE_TOKEN,
    measure,
    our_model,
    ratio,
    require_all,
    serve,
    sizes,
    table,
    their_inputs,
    their_model,
    write,
)
from torch import Tensor

from pg_transfer.model.beam import beam_search
from pg_transfer.model.config import SIZES, PaliGemmaConfig
from pg_transfer.model.generate import Continuation, greedy

END, MOST = 1, 32
KINDS: dict[str, dict[str, Any]] = {
    "captions": {"prompt": (4, 4), "answer": (8, 24), "shared": False, "beams": 1},
    "captions, beams": {"prompt": (4, 4), "answer": (8, 24), "shared": False, "beams": 2},
    "short answers": {"prompt": (8, 16), "answer": (2, 5), "shared": False, "beams": 1},
    "questions about one image": {"prompt": (8, 16), "answer": (2, 2), "shared": True, "beams": 1},
}
"""Tokens of the prompt and of the answer, the end included, from and up to; and whether a batch's
examples share an image. The paper's captions are found with two beams."""
SIDES = ("ours", "transformers", "transformers, static cache")
"""The last has transformers compile its decoding on a GPU, minutes for each kind."""


def main() -> None:
    options = arguments()
    if options.serve:
        return serve(json.loads(options.serve), prepare)
    common = {
        "size": options.size, "resolution": options.resolution, "batch": options.batch,
        "device": options.device, "precision": options.precision,
    }  # fmt: skip
    kinds = [{"kind": kind} for kind in options.kinds]
    # What a process holds at most is known of the first alone, but for a GPU.
    groups = [kinds] if options.device == "cuda" else [[kind] for kind in kinds]
    found = [
        of_kind
        for group in groups
        for of_kind in measure(
            __file__, [common | {"side": side} for side in options.sides], group,
            repeats=options.repeats, threads=options.threads, apart=options.apart,
            limit=options.limit,
        )
    ]  # fmt: skip
    rows, missing = [], []
    for kind, of_kind in zip(options.kinds, found, strict=True):
        measured = {side: of for side, of in zip(options.sides, of_kind, strict=True) if of}
        missing += [f"{side}, {kind}" for side in options.sides if side not in measured]
        answers = {side: repetitions[0].pop("value") for side, repetitions in measured.items()}
        ours = answers.get(SIDES[0])
        for side, repetitions in measured.items():
            row = {
                name: median(r[name] for r in repetitions[1:]) for name in ("seconds", "processor")
            }
            row |= {"gb": max(r["gb"] for r in repetitions), "equal": None}
            if ours is not None:
                row["equal"] = share_of_equal(ours, answers[side])
                if options.precision == "float32" and row["equal"] < 1:
                    missing.append(f"{side}, {kind}: other answers than ours")
            rows.append({"kind": kind} | common | {"side": side} | row)
            print(json.dumps(rows[-1]), flush=True)
    remarks = [
        f"Medians of {options.repeats} batches after one for warming up, the sides "
        f"{'one after the other' if options.apart else 'in turn'}, each in a process of its own; "
        f"{options.threads} threads, {options.precision}; greedy. Prompts and answers have "
        + "; ".join(f"{kind}: {KINDS[kind]}" for kind in options.kinds)
    ]
    name = options.name or f"generation-{options.size}-{options.device}"
    remarks += [f"Failed: {one}." for one in missing]
    write(name, as_table(rows), rows, remarks=remarks)
    require_all(missing)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", choices=["small", *SIZES], default="small")
    parser.add_argument("--resolution", type=int, default=224)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--kinds", choices=KINDS, nargs="+", default=list(KINDS))
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--sides", choices=SIDES, nargs="+", default=SIDES[:2])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--apart", action="store_true", help="not both in memory at one time")
    parser.add_argument("--limit", type=float, help="seconds that a batch may take")
    parser.add_argument("--name", help="of the files of results")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    return parser.parse_args()


def share_of_equal(ours: list[list[int]], theirs: list[list[int]]) -> float:
    """Of all answers."""
    return sum(one == other for one, other in zip(ours, theirs, strict=True)) / len(ours)


def as_table(rows: list[dict[str, Any]]) -> str:
    lines = []
    for row in rows:
        of_ours = (row["kind"], SIDES[0])
        ours = next((r for r in rows if (r["kind"], r["side"]) == of_ours), None)
        lines.append([
            f"{row['kind']}, {row['resolution']} px, batch {row['batch']}: {row['side']}",
            f"{row['seconds']:.3g}", f"{row['batch'] / row['seconds']:.3g}", f"{row['gb']:.2f}",
            ratio(row, ours, "seconds"), ratio(row, ours, "processor"),
            "-" if row["equal"] is None else f"{100 * row['equal']:.0f} %",
        ])  # fmt: skip
    head = ["", "s", "examples/s", "GB", "s / ours", "processor s / ours", "equal answers"]
    return table(head, lines)


def prepare(settings: dict[str, Any]) -> Callable[[], list[list[int]]]:
    """A batch of answers of one side, each up to its end."""
    config = sizes(settings["size"], settings["resolution"])
    device, count, kind = settings["device"], settings["batch"], KINDS[settings["kind"]]
    generator = torch.Generator().manual_seed(1)
    side = config.vision.resolution
    images = torch.rand(1 if kind["shared"] else count, 3, side, side, generator=generator)
    tokens = torch.randint(3, 256_000, (count, kind["prompt"][1]), generator=generator)
    lengths, ends = (
        torch.randint(least, most + 1, (count,), generator=generator)
        for least, most in (kind["prompt"], kind["answer"])
    )
    dtype = getattr(torch, settings["precision"])
    build = our_answers if settings["side"] == "ours" else their_answers
    given = [tensor.to(device) for tensor in (images * 2 - 1, tokens, lengths, ends)]
    answer = build(config, settings, dtype, *given, beams=kind["beams"])

    def repeat() -> list[list[int]]:
        with torch.no_grad():
            rows = answer().tolist()
        return [row[: row.index(END) + 1] for row in rows]

    return repeat


def end_at(logits: Tensor, is_end: Tensor) -> Tensor:
    """`logits` [B, W] that leave nothing but the end where `is_end` [B], and all else if not."""
    logits[:, END] = -torch.inf
    logits[is_end] = -torch.inf
    logits[is_end, END] = 0
    return logits


class Ending(Continuation):
    """Prompts of which each is answered with so many tokens."""

    def __init__(self, *given: Any, ends: Tensor, **named: Any) -> None:
        super().__init__(*given, **named)
        self._left = ends
        self._force()

    def _force(self) -> None:
        self._left = self._left - 1
        self.logits = end_at(self.logits, self._left <= 0)

    def extend(self, tokens: Tensor) -> None:
        super().extend(tokens)
        self._force()

    def keep(self, rows: Tensor) -> None:
        super().keep(rows)
        self._left = self._left[rows]


def our_answers(
    config: PaliGemmaConfig, settings: dict[str, Any], dtype: torch.dtype,
    images: Tensor, tokens: Tensor, lengths: Tensor, ends: Tensor, *, beams: int,
) -> Callable[[], Tensor]:  # fmt: skip
    model = our_model(config, settings["device"]).to(dtype).eval()
    model.tie()
    shared = len(tokens) // len(images)
    image_rows = torch.arange(len(tokens), device=tokens.device) // shared

    def answer() -> Tensor:
        prompts = Ending(
            model, images, tokens,
            lengths=lengths, max_new_tokens=MOST, image_rows=image_rows, ends=ends,
        )  # fmt: skip
        if beams > 1:
            return beam_search(prompts, end=END, beams=beams)
        return greedy(prompts, end=END)

    return answer


def their_answers(
    config: PaliGemmaConfig, settings: dict[str, Any], dtype: torch.dtype,
    images: Tensor, tokens: Tensor, lengths: Tensor, ends: Tensor, *, beams: int,
) -> Callable[[], Tensor]:  # fmt: skip
    """Padded on the left, as their processor does; each prompt brings its image, as it has to."""
    model = their_model(config, settings["device"]).to(dtype).eval()
    ids = their_inputs(config, tokens)
    image = config.vision.image_tokens
    is_real = torch.ones_like(ids)
    for row, length in enumerate(lengths.tolist()):
        shift = tokens.shape[1] - length
        ids[row] = ids[row].roll(shift)
        ids[row, :shift], ids[row, shift : shift + image] = 0, IMAGE_TOKEN
        ids[row, shift + image :] = tokens[row, :length]
        is_real[row, :shift] = 0
    pixels = images.repeat_interleave(len(tokens) // len(images), dim=0).to(dtype)

    ends = ends.repeat_interleave(beams)

    def end_at_length(so_far: Tensor, logits: Tensor) -> Tensor:
        return end_at(logits, so_far.shape[1] - ids.shape[1] + 1 >= ends)

    def answer() -> Tensor:
        said = model.generate(
            input_ids=ids, pixel_values=pixels, attention_mask=is_real,
            token_type_ids=torch.zeros_like(ids), do_sample=False, max_new_tokens=MOST,
            eos_token_id=END, pad_token_id=0, logits_processor=[end_at_length],
            num_beams=beams, length_penalty=0.0, early_stopping=True,
            cache_implementation=None if settings["side"] == SIDES[1] else "static",
        )  # fmt: skip
        return said[:, ids.shape[1] :]

    return answer


if __name__ == "__main__":
    main()
