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

from pg_transfer.exporting.adapter import write_adapter
from pg_transfer.exporting.whole import write_whole
from pg_transfer.model.checkpoint.hugging_face import spare_rows
from pg_transfer.model.checkpoint.safetensors_files import SHARD_BYTES
from pg_transfer.process.console import quiet_libraries, reports_errors, say
from pg_transfer.sources.hub import weights_folder
from pg_transfer.sources.loading import load
from pg_transfer.sources.models import base_name, is_adapter_folder, run_folder

FORMATS = ("huggingface", "adapter", "big_vision")
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


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
        dtype: of what is written, but for "adapter"; None takes the widest that a weight has.
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
    if format == "adapter" and dtype is not None:
        raise ValueError("adapters are float32, whatever their base is kept in: leave --dtype out")
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise ValueError(f"{folder} is there already; choose another folder to write into")
    # Merged in float32 where that is asked for; rounded after merging where not.
    wide = torch.float32 if dtype is torch.float32 else None
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


def spare_of(source: str, vocabulary: int, *, weights: str | Path | None) -> Tensor | None:
    """The rows beyond the vocabulary in the folder that `source` is, or its adapters' base."""
    path = weights_folder(source)
    if is_adapter_folder(path):
        return spare_of(str(weights or base_name(path)), vocabulary, weights=None)
    return spare_rows(path, vocabulary) if path.is_dir() and run_folder(path) is None else None


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
