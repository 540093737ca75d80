"""A fine-tuning step, side by side with transformers: the same weights, batch and loss.

    python benchmarks/training_step.py                                    # the small model, CPU
    python benchmarks/training_step.py --device cuda --size paligemma_3b --precision bf16-mixed \
        --resolutions 224 448 896 --batches 32 8 2 --rematerialise --apart
    python benchmarks/training_step.py --size paligemma_3b --tuning lora --resolutions 224 \
        --batches 1 --apart                                               # of full size, 24 GB

A step is forward, backward, clipping, AdamW (fused) and freeing the gradients. transformers runs
its best setting that is correct: sdpa with token types, its own loss; adapters by PEFT. Linux.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable
from contextlib import nullcontext
from statistics import median
from typing import Any

import torch
from side_by_side import (
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

from pg_transfer.adapters import AdapterSettings, is_adapter
from pg_transfer.adapters.attach import TARGETS
from pg_transfer.model import gemma, siglip
from pg_transfer.model.config import SIZES, PaliGemmaConfig
from pg_transfer.model.paligemma import PaliGemma
from pg_transfer.training.tuning import Part, Tuning

PREFIX, SUFFIX = 16, 16
ADAPTED = ("vision", "language")
BATCHES = {224: 4, 448: 2, 896: 1}
SIDES = ("ours", "transformers", "transformers, suffix logits", "ours, compiled")
TFLOPS = {"NVIDIA H200": 989.0, "NVIDIA H100 80GB HBM3": 989.0, "NVIDIA A100-SXM4-80GB": 312.0}
"""What the makers promise for dense bfloat16 products."""


def main() -> None:
    options = arguments()
    if options.serve:
        return serve(json.loads(options.serve), prepare)
    batches = options.batches or [BATCHES[resolution] for resolution in options.resolutions]
    rows, missing = [], []
    for resolution, batch in zip(options.resolutions, batches, strict=True):
        common = {
            "size": options.size, "resolution": resolution, "batch": batch,
            "device": options.device, "precision": options.precision,
            "rematerialise": options.rematerialise, "tuning": options.tuning,
        }  # fmt: skip
        found = measure(
            __file__, [common | {"side": side} for side in options.sides],
            repeats=options.repeats, threads=options.threads, apart=options.apart,
            limit=options.limit,
        )[0]  # fmt: skip
        measured = {side: of for side, of in zip(options.sides, found, strict=True) if of}
        missing += [f"{side} at {resolution} px" for side in options.sides if side not in measured]
        losses = {side: repetitions[0]["value"] for side, repetitions in measured.items()}
        first = next(iter(losses.values()), 0.0)
        if not all(math.isclose(x, first, rel_tol=options.tolerance) for x in losses.values()):
            missing.append(f"the sides are not at the same at {resolution} px, losses {losses}")
        flops = model_flops(sizes(options.size, resolution), batch, tuning=options.tuning)
        for side, repetitions in measured.items():
            row = summary(repetitions) | {"flops": flops, "repetitions": repetitions}
            rows.append(common | {"side": side} | row)
            print(json.dumps({k: v for k, v in rows[-1].items() if k != "repetitions"}), flush=True)
        write(
            options.name or f"training_step-{options.size}-{options.device}",
            as_table(rows),
            rows,
            remarks=[*remarks(options), *(f"Failed: {one}." for one in missing)],
        )
    require_all(missing)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", choices=["small", *SIZES], default="small")
    parser.add_argument("--resolutions", type=int, nargs="+", default=[224, 448])
    parser.add_argument("--batches", type=int, nargs="+", help="examples at each resolution")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--precision", choices=["float32", "bf16-mixed"], default="float32")
    parser.add_argument("--tuning", choices=["full", "lora"], default="full")
    parser.add_argument("--rematerialise", action="store_true", help="blocks computed twice")
    parser.add_argument("--sides", choices=SIDES, nargs="+", default=SIDES[:2])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--apart", action="store_true", help="not both in memory at one time")
    parser.add_argument("--tolerance", type=float, default=1e-4, help="of the losses, relative")
    parser.add_argument("--limit", type=float, help="seconds that a step may take")
    parser.add_argument("--name", help="of the files of results")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    return parser.parse_args()


def summary(repetitions: list[dict[str, Any]]) -> dict[str, float]:
    """Medians without the first repetition; the peak of all."""
    measured = repetitions[1:]
    return {
        "seconds": median(r["seconds"] for r in measured),
        "processor": median(r["processor"] for r in measured),
        "gb": max(r["gb"] for r in repetitions),
        "loss": repetitions[0]["value"],
    }


def as_table(rows: list[dict[str, Any]]) -> str:
    promised = TFLOPS.get(torch.cuda.get_device_name(), 0) if torch.cuda.is_available() else 0
    lines = []
    for row in rows:
        at_this = (row["resolution"], SIDES[0])
        ours = next((r for r in rows if (r["resolution"], r["side"]) == at_this), None)
        speed = row["flops"] / row["seconds"] / 1e12
        lines.append([
            f"{row['resolution']} px, batch {row['batch']}: {row['side']}",
            f"{row['seconds']:.3g}", f"{row['processor']:.3g}",
            f"{row['batch'] / row['seconds']:.3g}", f"{row['gb']:.2f}",
            *(ratio(row, ours, key) for key in ("seconds", "processor", "gb")),
            f"{speed:.3g}",
            f"{100 * speed / promised:.0f} %" if promised else "-",
        ])  # fmt: skip
    head = ["", "s", "processor s", "images/s", "GB", "s / ours", "processor s / ours",
            "GB / ours", "model TFLOP/s", "of promised"]  # fmt: skip
    return table(head, lines)


def remarks(options: argparse.Namespace) -> list[str]:
    return [
        f"Medians of {options.repeats} steps after one for warming up, the sides "
        f"{'one after the other' if options.apart else 'in turn'}, each in a process of its own; "
        f"{options.threads} threads, {options.precision}"
        f"{', blocks computed twice' if options.rematerialise else ''}"
        f"{'' if options.tuning == 'full' else f', {options.tuning}'}. GB: the peak beyond what "
        f"the process had with its libraries loaded. First losses are equal "
        f"within {options.tolerance:g}.",
        f"Model FLOPs: {'three times' if options.tuning == 'full' else 'twice'} what the forward "
        "pass needs; nothing that is computed twice, "
        "logits of the suffix alone, of the last block only keys and values of the image tokens.",
    ]


def prepare(settings: dict[str, Any]) -> Callable[[], float]:
    """A training step of one side, that returns its loss."""
    config = sizes(settings["size"], settings["resolution"])
    device, count = settings["device"], settings["batch"]
    generator = torch.Generator().manual_seed(1)
    side = config.vision.resolution
    images = (torch.rand(count, 3, side, side, generator=generator) * 2 - 1).to(device)
    tokens = torch.randint(3, 256_000, (count, PREFIX + SUFFIX), generator=generator).to(device)
    build = our_step if settings["side"].startswith("ours") else their_step
    loss_of, finish = build(config, images, tokens, settings)
    mixed = settings["precision"] == "bf16-mixed"

    def step() -> float:
        with torch.autocast(device, torch.bfloat16) if mixed else nullcontext():
            loss = loss_of()
        loss.backward()
        finish()
        return float(loss.detach())

    return step


Parts = tuple[Callable[[], torch.Tensor], Callable[[], None]]


def our_step(
    config: PaliGemmaConfig, images: torch.Tensor, tokens: torch.Tensor, settings: dict[str, Any]
) -> Parts:
    """Its loss; and what follows the backward pass."""
    from pg_transfer.training.batches import Batch
    from pg_transfer.training.module import TransferModule
    from pg_transfer.training.optimizer import clip_gradients
    from pg_transfer.training.recipe import Recipe

    count = len(tokens)
    recipe = Recipe(
        lr=1e-5, weight_decay=1e-6, epochs=1, batch_size=count, label_smoothing=0.0, dropout=0.0,
        text_length=PREFIX + SUFFIX - 1, warmup=0.05, clip_norm=1.0,
    )  # fmt: skip
    model = our_model(config, settings["device"], rematerialise=settings["rematerialise"])
    module = TransferModule(
        model, recipe, steps=100, end=1, seed=0, tuning=our_tuning(settings)
    ).train()
    if settings["side"] != SIDES[0]:
        compile_blocks(model)
    optimizer = module.configure_optimizers()["optimizer"]  # type: ignore[index, call-overload]
    batch = Batch(
        images=images, tokens=tokens,
        prefix_lengths=torch.full((count,), PREFIX, device=tokens.device),
        lengths=torch.full((count,), PREFIX + SUFFIX, device=tokens.device),
        rows=list(range(count)), cuts=[None] * count,
    )  # fmt: skip

    def finish() -> None:
        clip_gradients(module.parameters(), recipe.clip_norm)
        optimizer.step()
        optimizer.zero_grad()

    return lambda: module.losses(batch).mean(), finish


def compile_blocks(model: PaliGemma) -> None:
    """Each block by itself; the compiler chooses what of it is made again for the gradient."""
    for module in model.modules():
        if isinstance(module, (gemma.MLP, siglip.MLP)):
            module.recomputes = False
    for module in model.modules():
        if isinstance(module, (gemma.Block, siglip.Block)):
            module.compile()


def our_tuning(settings: dict[str, Any]) -> Tuning:
    """Adapters beside every linear layer of the blocks, or none."""
    if settings["tuning"] == "full":
        return Tuning()
    frozen = "float32" if settings["precision"] == "float32" else "bfloat16"
    adapters = AdapterSettings(parts=tuple(ADAPTED))
    return Tuning(
        adapters=adapters, adapters_lr=1e-4, frozen_dtype=frozen, projector=Part(mode="frozen")
    )


def their_step(
    config: PaliGemmaConfig, images: torch.Tensor, tokens: torch.Tensor, settings: dict[str, Any]
) -> Parts:
    """Its loss; and what follows the backward pass."""
    model = their_model(config, settings["device"]).train()
    if settings["rematerialise"]:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    if settings["tuning"] == "lora":
        from peft import LoraConfig, inject_adapter_in_model

        if settings["precision"] != "float32":
            model.to(torch.bfloat16)
        targets = "|".join(TARGETS[part] for part in ADAPTED)
        inject_adapter_in_model(LoraConfig(r=16, lora_alpha=32, target_modules=targets), model)
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(is_adapter(name))
            if is_adapter(name):
                parameter.data = parameter.data.float()
    learning = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(learning, lr=1e-5, fused=True)
    ids = their_inputs(config, tokens)
    is_suffix = torch.zeros_like(ids)
    is_suffix[:, -SUFFIX:] = 1
    given = {
        "input_ids": ids, "pixel_values": images, "token_type_ids": is_suffix,
        "attention_mask": torch.ones_like(ids), "use_cache": False,
        "labels": ids.masked_fill(is_suffix == 0, -100),
    }  # fmt: skip
    if settings["side"] != SIDES[1]:
        last = ids.shape[1] - 1  # predicts nothing
        predict = torch.arange(last - SUFFIX, last, device=ids.device)
        given |= {"logits_to_keep": predict, "shift_labels": ids[:, -SUFFIX:].contiguous()}

    def finish() -> None:
        torch.nn.utils.clip_grad_norm_(learning, 1.0)
        optimizer.step()
        optimizer.zero_grad()

    return lambda: model(**given).loss, finish


def model_flops(config: PaliGemmaConfig, batch: int, *, tuning: str) -> float:
    """Of a step: what a forward and a backward pass cannot do without."""
    vision, language = config.vision, config.language
    image, text = vision.image_tokens, PREFIX + SUFFIX - 1
    tower = image * vision.width * (
        3 * vision.patch**2 + vision.depth * (4 * vision.width + 2 * vision.mlp + 2 * image)
    )  # fmt: skip
    projector = image * vision.width * language.width
    queries, keys = (heads * language.head_width for heads in (language.heads, language.kv_heads))
    per_key = 2 * language.width * keys
    per_query = 2 * language.width * queries + 3 * language.width * language.mlp
    image_reads = 2 * image * (image + PREFIX) * queries
    text_reads = 2 * text * (image + text) * queries
    blocks = language.depth * ((image + text) * per_key + text * per_query + text_reads) + (
        language.depth - 1
    ) * (image * per_query + image_reads)
    logits = SUFFIX * language.width * language.vocabulary
    products = 3 if tuning == "full" else 2  # weights that do not learn have no gradient
    return products * 2.0 * batch * (tower + projector + blocks + logits)


if __name__ == "__main__":
    main()
