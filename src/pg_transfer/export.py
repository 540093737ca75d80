"""Writes a model into the files of others.

    python -m pg_transfer.export SOURCE --to FOLDER --format huggingface|adapter|big_vision

What was written is read again and has to give the same logits; only then does the folder appear.
docs/checkpoints.md says what is in it.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor

from pg_transfer.adapters import is_adapter, load_portable, merge, save_portable
from pg_transfer.model.checkpoint.big_vision import write_big_vision
from pg_transfer.model.checkpoint.hugging_face import spare_rows, write_hugging_face
from pg_transfer.model.checkpoint.hugging_face_config import CONFIG
from pg_transfer.model.checkpoint.hugging_face_settings import write_settings
from pg_transfer.model.checkpoint.safetensors_files import SHARD_BYTES
from pg_transfer.model.paligemma import PaliGemma
from pg_transfer.process.console import quiet_libraries, reports_errors, say
from pg_transfer.sources.hub import hub_name, weights_folder
from pg_transfer.sources.loading import Loaded, load
from pg_transfer.sources.models import (
    base_name,
    is_adapter_folder,
    model_of,
    run_folder,
    trained_whole,
)
from pg_transfer.sources.run_settings import read_run_settings
from pg_transfer.text.tokenizer import Tokenizer, extended
from pg_transfer.text.tokenizer_files import write_tokenizer

FORMATS = ("huggingface", "adapter", "big_vision")
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
ARCHIVE = "weights.npz"

MOST = {torch.float32: 1e-3, torch.bfloat16: 5e-2, torch.float16: 1e-2}
"""By how much logits may differ, as a part of the largest, by the dtype of the weights. Merging
rounds each weight once more, and kernels add in another order; a wrong or a lost weight does far
more than that."""


def export(
    source: str | Path,
    folder: Path,
    *,
    format: str,
    checkpoint: str = "last",
    tokenizer: str | Path | None = None,
    weights: str | Path | None = None,
    dtype: torch.dtype | None = None,
    base: str | None = None,
    shard_bytes: int = SHARD_BYTES,
) -> None:
    """Writes the model of `source` into `folder`, which appears when all is written and checked.

    Args:
        source: whatever `loading.load` takes.
        folder: is not there yet, or empty.
        format: one of `FORMATS`. Adapters are merged, except into "adapter".
        checkpoint: "last" or "best", of a run.
        tokenizer: where it does not lie beside the weights.
        weights: what the source was learnt on top of, where it has moved.
        dtype: of what is written; None takes the widest that a weight has.
        base: for "adapter": what others are to load beneath it, a name on the hub or a folder;
            None takes what the adapters were trained on.
        shard_bytes: the most that a file of a Hugging Face folder holds.

    Raises:
        FileNotFoundError: the source, or something that belongs to it, is not there.
        PermissionError: the hub wants a licence accepted first.
        ValueError: `folder` is taken, the source cannot be written like this, or what was written
            does not compute what the source does.
    """
    if format not in FORMATS:
        raise ValueError(f"no format {format!r}; there are {', '.join(FORMATS)}")
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise ValueError(f"{folder} is there already; choose another folder to write into")
    # Merged in float32 where that is asked for; rounded after merging where not.
    wide = torch.float32 if dtype is torch.float32 and format != "adapter" else None
    loaded = load(source, checkpoint=checkpoint, tokenizer=tokenizer, weights=weights, dtype=wide)
    with finished(folder) as unfinished:
        if format == "adapter":
            write_adapter(loaded, unfinished, str(source), base=base, weights=weights)
        else:
            spare = None
            if format == "huggingface":
                rows = loaded.model.config.language.vocabulary
                spare = spare_of(str(source), rows, weights=weights)
            write_whole(loaded, unfinished, format, dtype, spare=spare, shard_bytes=shard_bytes)
    say(f"written: {folder}")


def write_whole(
    loaded: Loaded,
    folder: Path,
    format: str,
    dtype: torch.dtype | None,
    *,
    spare: Tensor | None = None,
    shard_bytes: int = SHARD_BYTES,
) -> None:
    """Merges what there is to merge, writes all weights, reads them again.

    Args:
        loaded: whose weights are used up.
        folder: is there, and empty.
        format: "huggingface" or "big_vision".
        dtype: of what is written; None takes the widest that a weight has.
        spare: rows beyond the vocabulary, of a Hugging Face folder.
        shard_bytes: the most that a file of such a folder holds.
    """
    model = loaded.model
    logits = probe(model)
    if has_adapters(model):
        merge(model)
        logits = compare("merged and unmerged adapters", logits, model)
    dtype = dtype or _widest(model)
    if {parameter.dtype for parameter in model.parameters()} != {dtype}:
        for _, parameter in model.named_parameters():
            parameter.data = parameter.data.to(dtype)
        logits = compare(f"weights as they were and as {_name(dtype)}", logits, model)
    if format == "big_vision":
        path = folder / ARCHIVE
        require_room(model, folder)
        write_big_vision(dict(model.named_parameters()), model.config, path, dtype)
        copy_tokenizer(loaded.tokenizer, folder)
    else:
        path = folder
        require_room(model, folder)
        write_hugging_face(
            dict(model.named_parameters()), folder, dtype, spare=spare, shard_bytes=shard_bytes
        )
        tokenizer = loaded.tokenizer
        write_settings(
            model.config, folder, dtype, pad=tokenizer.pad, eos=tokenizer.eos, bos=tokenizer.bos
        )
        write_tokenizer(tokenizer, folder)
    for _, parameter in model.named_parameters():
        parameter.data = torch.empty(0)  # what is read again has its place
    again = model_of(path, dtype=dtype).model
    compare("the model and what was written", logits, again)


def write_adapter(
    loaded: Loaded,
    folder: Path,
    source: str,
    *,
    base: str | None,
    weights: str | Path | None = None,
) -> None:
    """Writes the adapters alone, attaches them to their base again, and compares."""
    model = loaded.model
    if not has_adapters(model):
        raise ValueError(f"{source} has no adapters; --format huggingface writes the whole model")
    path = weights_folder(source)
    belongs = adapted(path) if weights is None else str(weights)
    name = base or belongs
    if name is None or not (hub_name(name) or (Path(name).expanduser() / CONFIG).is_file()):
        raise ValueError(
            f"the adapters of {source} belong to {belongs or 'weights of no name'}, which "
            f"transformers cannot load: write those with --format huggingface, and name that "
            f"folder with --base"
        )
    # PEFT has another place for a revision, and no way to look up a path from elsewhere.
    name = name.split("@")[0] if hub_name(name) else str(Path(name).expanduser().resolve())
    save_portable(model, folder, base=name, whole=trained_whole(path))
    logits = probe(model)
    is_rounded = any(parameter.dtype == torch.uint8 for parameter in model.parameters())
    learnt = {n: p.detach().clone() for n, p in model.named_parameters() if is_adapter(n)}
    dtype = model.lm_head.weight.dtype
    for _, parameter in model.named_parameters():
        parameter.data = torch.empty(0)
    beneath = belongs if base is None or hub_name(base) else base
    again = model_of(weights_folder(str(beneath or name)), dtype=dtype).model
    if again.config.vision.resolution != loaded.resolution:
        raise ValueError(
            f"{source} was trained at {loaded.resolution} px on a base that is made for "
            f"{again.config.vision.resolution} px: adapters alone do not say so; write the whole "
            f"model with --format huggingface"
        )
    load_portable(again, folder)
    found = dict(again.named_parameters())
    if lost := [n for n, value in learnt.items() if n not in found or not found[n].equal(value)]:
        raise ValueError(f"{len(lost)} adapters did not come back as written, e.g. {lost[0]}")
    what = "the model and its base with the adapters as written"
    if is_rounded:  # the base had 4 bits in training and has all of them now
        what = f"{what} (trained on a base of 4 bits, compared on one of {_name(dtype)})"
    compare(what, logits, again, refuse=not is_rounded)


def has_adapters(model: PaliGemma) -> bool:
    """Whether there are adapters that are not merged."""
    return any(is_adapter(name) for name, _ in model.named_parameters())


@torch.no_grad()
def probe(model: PaliGemma) -> Tensor:
    """Float32 logits [1, T, W] for one made-up image and text; always the same ones."""
    generator = torch.Generator().manual_seed(0)
    side = model.config.vision.resolution
    images = torch.rand(1, 3, side, side, generator=generator) * 2 - 1
    tokens = torch.randint(0, model.config.language.vocabulary, (1, 24), generator=generator)
    features = model(images, tokens, prefix_lengths=torch.tensor([16]), lengths=torch.tensor([24]))
    return model.logits(features)


def compare(what: str, expected: Tensor, model: PaliGemma, *, refuse: bool = True) -> Tensor:
    """The logits of `model`, having said by how much they differ from those expected.

    Raises:
        ValueError: they differ by too much, and that is to be refused.
    """
    found = probe(model)
    difference, largest = (found - expected).abs().max().item(), expected.abs().max().item()
    say(f"{what}: logits differ by at most {difference:.2g}; the largest is {largest:.3g}")
    most = MOST[model.lm_head.weight.dtype] * largest
    if refuse and not difference <= most:  # NaN is refused, too
        raise ValueError(
            f"{what} differ in their logits by {difference:.2g}, and no more than {most:.2g} would "
            f"be rounding; nothing was written"
        )
    return found


def adapted(path: Path) -> str | None:
    """What the adapters of a run, or of a folder of adapters, belong to."""
    if is_adapter_folder(path):
        return base_name(path)
    run = run_folder(path)
    weights = None if run is None else read_run_settings(run, builds=False).model.weights
    return weights if isinstance(weights, str) else None


def spare_of(source: str, vocabulary: int, *, weights: str | Path | None) -> Tensor | None:
    """The rows beyond the vocabulary in the folder that `source` is, or its adapters' base."""
    path = weights_folder(source)
    if is_adapter_folder(path):
        return spare_of(str(weights or base_name(path)), vocabulary, weights=None)
    return spare_rows(path, vocabulary) if path.is_dir() and run_folder(path) is None else None


def copy_tokenizer(tokenizer: Tokenizer, folder: Path) -> None:
    """Puts the file of `tokenizer` into `folder`, with `<loc>` and `<seg>` in it where it can."""
    if tokenizer.path.suffix == ".model":
        (folder / "tokenizer.model").write_bytes(extended(tokenizer.path.read_bytes()))
    else:
        shutil.copyfile(tokenizer.path, folder / "tokenizer.json")


def require_room(model: PaliGemma, folder: Path) -> None:
    """Raises ValueError where the disk is too full."""
    size, free = sum(p.nbytes for p in model.parameters()), shutil.disk_usage(folder).free
    if size > free:
        raise ValueError(
            f"{folder.parent} has {free / 1e9:.1f} GB free, and the weights take {size / 1e9:.1f}"
        )


@contextmanager
def finished(folder: Path) -> Iterator[Path]:
    """A folder to write into, which gets the name `folder` once all of it is on the disk.

    After an error it is gone; after a crash it is left under a name that begins with a dot.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}-"))
    try:
        yield unfinished
        for path in unfinished.iterdir():
            with path.open("rb+") as file:
                os.fsync(file.fileno())
        unfinished.chmod(0o777 & ~_umask())
        if folder.exists():
            folder.rmdir()  # which fails unless it is empty
        unfinished.rename(folder)
    except BaseException:
        shutil.rmtree(unfinished)
        raise


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


def _widest(model: PaliGemma) -> torch.dtype:
    dtypes = {parameter.dtype for parameter in model.parameters()}
    return dtypes.pop() if len(dtypes) == 1 else torch.float32


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def parser() -> argparse.ArgumentParser:
    """What the command line takes."""
    parser = argparse.ArgumentParser(
        prog="python -m pg_transfer.export", description="Writes a model into the files of others."
    )
    parser.add_argument("source", help="a run, a folder, a name on the hub, an .npz, an adapter")
    parser.add_argument("--to", type=Path, required=True, metavar="FOLDER", help="not there yet")
    parser.add_argument("--format", choices=FORMATS, required=True)
    parser.add_argument("--checkpoint", choices=("last", "best"), default="last", help="of a run")
    parser.add_argument("--dtype", choices=DTYPES, help="of what is written; else as it is")
    parser.add_argument("--tokenizer", help="where it does not lie beside the weights")
    parser.add_argument("--weights", help="what the source was learnt on, if it has moved")
    parser.add_argument("--base", help="what others load beneath adapters, if not their own base")
    return parser


@reports_errors
def main(options: argparse.Namespace) -> None:
    """Exports what the command line asks for."""
    quiet_libraries()
    export(
        options.source,
        options.to,
        format=options.format,
        checkpoint=options.checkpoint,
        tokenizer=options.tokenizer,
        weights=options.weights,
        dtype=DTYPES.get(options.dtype),
        base=options.base,
    )


if __name__ == "__main__":
    main(parser().parse_args())
